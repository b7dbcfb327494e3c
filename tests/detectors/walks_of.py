"""Walks over ids written by hand, and models of how people go from number to number."""

import math
from typing import Any, Final, cast

import numpy as np

from detectors.core.columns import Columns
from detectors.core.contract import Detector, DetectorConfig, Evidence
from detectors.core.model import Model
from detectors.core.popularity import empty
from detectors.id_walk import PRIOR, RIPE, Config, IdWalk
from schemas.sighting import Flag
from tests.detectors.columns_of import Judge, columns_of

STEP: Final = math.log(0.8 / 0.002)
NO_STEP: Final = math.log(0.2 / 0.998)
FAR: Final = 1_000_003
"""A stride that no pair of numbers in these tests has by chance."""
MISSED: Final = Flag.PRINCIPAL | Flag.LOGGED_IN | Flag.MISS
HANDLES: Final = np.array([0.0, 0, 0, 0, 0, 0, 10 * PRIOR, 0, 0])
"""Lessons by which no honest request for a handle follows the alphabet."""
SOME: Final = 0.002 * RIPE
STEPPED: Final = np.array([RIPE - SOME, SOME / 2, SOME / 2, 0, 0, 0, 0, 0, 0])
"""Lessons of ripe people, who take as many steps as was thought, and every other one goes on."""
NOBODY: Final = np.array([1e9, 0, 0, 0, 0, 0, 0, 0, 0])
"""Lessons by which nobody ever takes a step."""


def judge(actors: int = 8, **config: Any) -> Judge:
    """The detector under settings."""
    return Judge(cast("Detector[DetectorConfig]", IdWalk(Config(**config))), actors)


def model(steps: Any) -> Model:
    """A model that has learned these requests: [3, 3] by group: no step, a step, one that goes on."""
    return Model(empty(), {"id_walk.steps": np.array(steps, np.float64)})


def text(handle: str) -> int:
    """`Columns.number` of a handle."""
    return -2 - int.from_bytes(handle.lower().encode()[:7].ljust(7, b"\0"), "big")


def asked(numbers: list[int], **given: Any) -> Columns:
    """A request a second for each number."""
    return columns_of(range(len(numbers)), number=numbers, **given)


def nats(numbers: list[int], known: Model | None = None, **given: Any) -> list[float]:
    """The sum after each request of one account."""
    evidence = judge().judge(asked(numbers, **given), known)
    return [float(value) for value in evidence.numbers["sum"]]


def steps(numbers: list[int], known: Model | None = None, **given: Any) -> list[bool]:
    """Whether each request of one account adds evidence."""
    return [ratio > 0 for ratio in judge().judge(asked(numbers, **given), known).numbers["ratio"].tolist()]


def moved(evidence: Evidence) -> list[bool]:
    """Rows that count."""
    assert evidence.moved is not None
    return [bool(value) for value in evidence.moved]
