"""Mutants that may live, each with the reason in a line: by file, by the name of the limit."""

from collections.abc import Mapping
from typing import Final

GRAIN: Final = "how finely something is kept: far finer than what follows from it"
SIZE: Final = "how long a table is: where nothing depends on it but how much room it takes"
ROOM: Final = "room to spare: somewhat less would do, and more does no harm"

ALIVE: Final[Mapping[str, Mapping[str, str]]] = {
    "detectors/bare_view.py": {"RING": ROOM},
    "detectors/cohort.py": {"LEAVES": "its sign alone is read"},
    "detectors/credential_spread.py": {
        "SINCE_S": GRAIN,
        "TURN": "as many as 16 bits tell apart: a rise of eleven days is none",
        "STEP": GRAIN,
        "_REQUEST": "as many as there are bytes: kinds are fewer",
    },
    "detectors/id_walk.py": {
        "STEPS_MIN_ON": "who goes on from a step has taken two",
        "ONS_MAX": ROOM,
    },
    "detectors/lookup_sweep.py": {
        "HITS_STEP": GRAIN,
        "TRAIT_STEP": GRAIN,
        "BYTES_7": "texts of seven bytes have no more, and the last bit of one tells no order of short texts",
    },
    "detectors/metronome.py": {"STEP": GRAIN},
    "detectors/core/columns.py": {"AGENTS": SIZE},
    "detectors/core/places.py": {"AGE_MAX_S": ROOM, "GOLDEN": "any odd number of so many bits spreads as well"},
    "detectors/core/reached.py": {"BINS": SIZE},
    "detectors/core/ordering.py": {"RUN_MAX": ROOM},
    "detectors/core/fleet.py": {"SPARE": ROOM},
    "detectors/core/group.py": {"GRAIN": GRAIN, "GRAINS_MAX": "no cell comes near it"},
}
