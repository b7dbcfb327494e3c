"""Rows written by hand, for tests below the pipeline."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from detectors.core.columns import NO_NUMBER
from detectors.core.contract import Detector, DetectorConfig
from schemas.actor import Scope
from schemas.sighting import Flag, Kind
from streams.pipeline.actors.store import Actors
from streams.pipeline.rows import Rows

START_US: Final = 1_800_000_000_000_000
ACCOUNT: Final = int(Flag.LOGGED_IN | Flag.PRINCIPAL)


def profile(number: int) -> int:
    """A key as a hash gives it: all bits take part."""
    return (number + 1) * 0x9E3779B97F4A7C15 % (1 << 64)


def rows_of(
    times_us: Sequence[int],
    *,
    slots: Sequence[int] | int = 0,
    profiles: Sequence[int] | None = None,
    principals: Sequence[int] | int = 7,
    kinds: Sequence[int] | int = Kind.VIEW,
    flags: Sequence[int] | int = ACCOUNT,
    tiers: Sequence[int] | int = 0,
    source: int = 0,
    offsets: Sequence[int] | None = None,
) -> Rows:
    """One row a time; a single number stands for that number in every row."""
    n = len(times_us)

    def column(values: Sequence[int] | int, dtype: str) -> NDArray[Any]:
        return np.full(n, values, dtype) if isinstance(values, int) else np.array(values, dtype)

    return Rows(
        column(slots, "i4"),
        column(times_us, "i8"),
        column(source, "i4"),
        column(range(n) if offsets is None else offsets, "i8"),
        column(kinds, "u1"),
        column(flags, "u1"),
        column(tiers, "u1"),
        column([profile(number) for number in (range(n) if profiles is None else profiles)], "u8"),
        column(principals if isinstance(principals, int) else [profile(p) for p in principals], "u8"),
        column(NO_NUMBER, "i8"),
        *(column(0, dtype) for dtype in ("u8", "u4", "u4", "u2", "u2", "u2")),
    )


def actors_of(scopes: Sequence[Scope], detectors: Sequence[Detector[DetectorConfig]] = ()) -> Actors:
    """One actor a scope, in the slots 0, 1, ..., named ``a0``, ``a1``, ..."""
    actors = Actors(detectors)
    add_actors(actors, scopes)
    return actors


def add_actors(actors: Actors, scopes: Sequence[Scope]) -> None:
    """Likewise, where there are none yet."""
    names = [f"a{number}".encode() for number in range(len(scopes))]
    actors.slots(
        np.arange(1, len(scopes) + 1, dtype=np.uint64),
        np.array(scopes, np.uint8),
        np.frombuffer(b"".join(names), np.uint8),
        np.cumsum([len(name) for name in names]).astype(np.uint32),
    )
