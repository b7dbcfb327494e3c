"""The contract between a detector and whatever hosts it.

A detector is a pure judge of columns. It declares the state it keeps for an actor, gets the sightings of a batch in the
order of judgement and gives evidence for every one of them, so that the very sighting that passes a limit makes the
decision, however the batch was cut. It never reads a clock, a file or another detector.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final, Generic, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.core.columns import Columns
from detectors.core.popularity import Popularity
from schemas.mode import Mode

Ratio = Annotated[float, msgspec.Meta(ge=1.0)]
State = Mapping[str, NDArray[np.generic]]
Number = int | float | str


class DetectorConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every section ``[detectors.<name>]`` may hold."""

    mode: Mode | None = None
    """``[mode] default`` when absent."""
    block_ratio: Ratio = 1.25
    """A block needs this many times the level that an alert needs."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A detector's evidence at each of n sightings; it speaks where ``level >= 1``."""

    level: NDArray[np.float64]
    """Evidence as a share of what an alert needs; 0 where there is none. Never falls while the same goes on."""
    since_us: NDArray[np.int64]
    """Event time at which what it speaks of began."""
    profiles: NDArray[np.int64]
    """Profiles disclosed to the actor since then."""
    may_block: NDArray[np.bool_]
    """Whether it alone can be ground for a block; false where an honest trait explains it."""
    numbers: Mapping[str, NDArray[np.float64]]
    """The numbers behind the level, for the explanation."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a sighting counts, for people."""

    reason: str
    public_reason: str
    """What the person concerned may be told: nothing that helps to evade."""
    evidence: dict[str, Number]


C = TypeVar("C", bound=DetectorConfig)

SCORE_HALF: Final = 2.0


class Detector(ABC, Generic[C]):
    """One behaviour. Its module's name is its id."""

    Config: type[C]
    state: ClassVar[Mapping[str, str]] = {}
    """Columns it keeps for an actor: name to dtype, zero at first."""
    learns_below: ClassVar[float] = 1.0
    """Level from which the model no longer learns honest taste from the actor."""
    control: ClassVar[str]
    """The control of the regulators' joint statement that it serves: R1 to R9 (see README)."""
    blind_spots: ClassVar[tuple[str, ...]]
    """What it cannot see, each in a sentence."""

    def __init__(self, config: C) -> None:
        self.config = config

    @property
    def name(self) -> str:
        """Id of the detector."""
        return type(self).__module__.rsplit(".", 1)[-1]

    @abstractmethod
    def judge(self, columns: Columns, state: State, popularity: Popularity) -> Evidence:
        """Give the evidence at each sighting and move ``state`` on, row by row in order."""

    @abstractmethod
    def explain(self, columns: Columns, evidence: Evidence, row: int) -> Explanation:
        """Say in numbers why ``row`` has the level it has."""


def score(level: float) -> float:
    """Score of a level, in [0, 1]: 0.5 where an alert begins, and never lower for more evidence."""
    return float(1.0 - SCORE_HALF ** -max(level, 0.0))
