"""Sightings of groups written by hand, and a model in which every number is known."""

import math
from typing import Any, Final

import numpy as np

from detectors.cohort import Cohort, Config
from detectors.core.columns import Columns
from detectors.core.contract import Evidence
from detectors.core.model import Model
from detectors.core.popularity import Popularity
from detectors.core.rarity import ratios
from schemas.actor import Scope
from schemas.sighting import Flag, Kind
from tests.detectors.columns_of import Judge, columns_of

OLD: Final = int(Flag.LOGGED_IN)
NEW: Final = int(Flag.LOGGED_IN | Flag.YOUNG)
HONEST: Final = np.array([1, 0, 0, 0, 0, 0, 0, 0, 9.0]) / 10
TAKEN: Final = np.array([9, 0, 0, 0, 0, 0, 0, 0, 1.0]) / 10
MODEL: Final = Model(Popularity("m", np.zeros(16, np.uint64), np.zeros(16, np.uint8), HONEST, TAKEN))
RARE, POPULAR = (float(ratio) for ratio in ratios(MODEL.popularity, 0.3)[[0, 8]])
SOME: Final = 8
"""The bin of popular profiles."""
CELL_S: Final = 10
DAY_S: Final = 86_400
ENOUGH: Final = math.ceil(14.0 / RARE)
"""Rare contacts that an alert needs; the next one says so."""
BLOCK: Final = math.ceil(14.0 * 1.215 / RARE)


def group(at_s: Any, member: Any, **given: Any) -> Columns:
    """Views of different profiles through one group, by members without a log-in unless ``given`` says else."""
    defaults: dict[str, Any] = {
        "slot": 0, "principal_slot": -1, "group_slot": 0, "scope": Scope.FINGERPRINT, "flags": 0,
        "profiles": np.zeros((len(at_s), 4)),
    }  # fmt: skip
    return columns_of(at_s, member_slot=member, **defaults | given)


def fleet(count: int, members: int = 5, from_s: float = 0.0, **given: Any) -> Columns:
    """Rare contacts, one a cell, the members in turn."""
    return group(from_s + np.arange(count) * CELL_S, 100 + np.arange(count) % members, **given)


def judge(**settings: Any) -> Judge:
    """The detector under settings, with room for 1,000 members."""
    return Judge(Cohort(Config(**settings)), 1_000)  # type: ignore[arg-type]  # of its own settings


def evidence(columns: Columns, **settings: Any) -> Evidence:
    """Evidence of a detector that saw nothing else."""
    return judge(**settings).judge(columns, MODEL)


def first_block(found: Evidence) -> int:
    """Row of the first ground for a block, -1 for none."""
    rows = np.flatnonzero((found.level >= Config().block_ratio) & found.may_block)
    return int(rows[0]) if rows.size else -1


def total(of: Judge, subset: int = 0) -> float:
    """The released sum of group 0."""
    return float(of.state["total"][0, subset])


def noise(rng: np.random.Generator, count: int = 3_000) -> Columns:
    """Anything that may come, some of it late."""
    at_s = np.sort(rng.random(count) * 3 * DAY_S) + rng.normal(0, 3, count)
    kind = rng.choice([Kind.VIEW, Kind.VIEW, Kind.TOUCH, Kind.SEARCH], count)
    member = rng.integers(0, 120, count)
    return group(
        np.where(kind == Kind.TOUCH, np.ceil(at_s / 10) * 10, at_s), member, kind=kind,
        group_slot=np.where(rng.random(count) < 0.1, -1, member % 3),
        flags=np.array([0, NEW, OLD])[member % 7 % 3], first=rng.random(count) < 0.8,
        popularity=np.where(rng.random(count) < 0.7, 0, SOME),
        profile=rng.integers(1, 2**63, count),
    )  # fmt: skip
