"""Holds sightings until every source partition has passed their time, then lets them go in event-time order.

Ties go by source partition, then offset: an order that depends on the input alone, not on how it was cut into
batches, spread over partitions or delivered. This is Beam's and Flink's watermark, with one for each source::

    source 0   ....x....x..x......|w0          bound = min(w0, w1) - lateness
    source 1   ..x......x...|w1                 x before the bound is judged, x after it waits
    bound      ........|

A source that says it is idle holds nobody up. What comes behind the bound is late: it is judged with the next rows.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.errors import GapError
from streams.pipeline.rows import Rows, join

LONG_AGO: Final = -(1 << 62)


class Held(NamedTuple):
    """Rows that wait, and their times from first to last: most looks need no more than these two."""

    rows: Rows
    first_us: int
    last_us: int


@dataclass(slots=True)
class Source:
    """What is known of one source partition."""

    applied: int
    """Next offset to apply; what lies below is a duplicate."""
    watermark_us: int = LONG_AGO
    idle: bool = False
    held: list[Held] = field(default_factory=list)


class Waiting(NamedTuple):
    """What is known of one source partition, as a checkpoint keeps it."""

    number: int
    applied: int
    watermark_us: int
    idle: bool
    rows: Rows


class ReleaseState(NamedTuple):
    """A `Release` as a checkpoint keeps it; slots are those of the moment."""

    bound: int
    let_go: int
    late: int
    duplicates: int
    sources: list[Waiting]


class Release:
    """Rows in, in order of their source's offsets; rows out, in order of judgement."""

    def __init__(self, sources: int, lateness_us: int) -> None:
        """Wait for ``sources`` source partitions to be heard of before anything is let go."""
        self._expected = sources
        self._lateness_us = lateness_us
        self._sources: dict[int, Source] = {}
        self._bound = LONG_AGO
        self._let_go = LONG_AGO
        self.late = 0
        self.duplicates = 0

    def accept(self, topic: str, partition: int, lo: int, hi: int, watermark_us: int, idle: bool, rows: Rows) -> None:
        """Take the rows of offsets ``[lo, hi)`` of a source partition; those applied already are dropped.

        ``lo`` is where the last message ended. What ends before that is a duplicate. One that ends there too does not
        wake a source, but it may be the one that says that there is nothing more.

        Raises:
            GapError: offsets between the last batch and this one are missing.
        """
        source = self._sources.setdefault(partition, Source(lo))
        if lo > source.applied:
            raise GapError(topic, partition, source.applied, lo)
        if lo < source.applied and len(rows):
            fresh = rows.pick(rows.offset >= source.applied)
            self.duplicates += len(rows) - len(fresh)
            rows = fresh
        if hi < source.applied or (hi == source.applied > lo and not idle):
            return
        source.applied = hi
        source.idle = idle
        if watermark_us >= 0:
            source.watermark_us = max(source.watermark_us, watermark_us)
        if len(rows):
            held = _held(rows)
            if held.first_us < self._let_go:
                self.late += int(np.count_nonzero(rows.time_us < self._let_go))
            source.held.append(held)

    def bound(self) -> int:
        """Event time before which nothing more is expected; it never falls."""
        if len(self._sources) >= self._expected:
            awake = [s.watermark_us for s in self._sources.values() if not s.idle]
            latest = max(s.watermark_us for s in self._sources.values())
            bound = min(awake) - self._lateness_us if awake else latest + 1
            if latest > LONG_AGO:
                self._bound = max(self._bound, bound)
        return self._bound

    @property
    def awake(self) -> bool:
        """Whether a source has not said that it is idle."""
        return any(not source.idle for source in self._sources.values())

    @property
    def let_go_us(self) -> int:
        """Event time before which all that came in time has been let go."""
        return self._let_go

    def take(self, before_us: int) -> Rows:
        """Let go of all rows with a time before ``before_us``, in order of judgement."""
        self._let_go = max(self._let_go, before_us)
        rows = join([part for _, source in sorted(self._sources.items()) for part in _split(source, before_us)])
        # One row too is copied: a message can only be read, and loops would be compiled once more for what is so.
        return rows.pick(np.argsort(rows.time_us, kind="stable"))

    def earliest(self) -> int:
        """Time of the earliest row that waits; far in the future when none does."""
        return min((held.first_us for source in self._sources.values() for held in source.held), default=-LONG_AGO)

    def state(self) -> ReleaseState:
        """What a checkpoint keeps of it; rows never change, so most are shared."""
        sources = [
            Waiting(number, one.applied, one.watermark_us, one.idle, join([held.rows for held in one.held]))
            for number, one in self._sources.items()
        ]
        return ReleaseState(self._bound, self._let_go, self.late, self.duplicates, sources)

    def load(self, state: ReleaseState) -> None:
        """Become as `state` said; rows must have the slots that their actors have now."""
        self._bound, self._let_go, self.late, self.duplicates = state[:4]
        self._sources = {
            one.number: Source(one.applied, one.watermark_us, one.idle, [_held(one.rows)] if len(one.rows) else [])
            for one in state.sources
        }

    def slots(self) -> Iterator[NDArray[np.int32]]:
        """Slots of the rows that wait, each as often as it does."""
        return (held.rows.slot for source in self._sources.values() for held in source.held)

    def renumber(self, renumbered: NDArray[np.int32]) -> None:
        """Give each slot its new number by the old one."""
        for source in self._sources.values():
            source.held = [held._replace(rows=held.rows.at(renumbered[held.rows.slot])) for held in source.held]

    @property
    def held(self) -> int:
        """Rows that wait."""
        return sum(len(held.rows) for source in self._sources.values() for held in source.held)


def _held(rows: Rows) -> Held:
    return Held(rows, int(rows.time_us.min()), int(rows.time_us.max()))


def _split(source: Source, before_us: int) -> Iterable[Rows]:
    let_go: list[Rows] = []
    kept: list[Held] = []
    for held in source.held:
        if held.last_us < before_us:
            let_go.append(held.rows)
        elif held.first_us >= before_us:
            kept.append(held)
        else:
            early = held.rows.time_us < before_us
            let_go.append(held.rows.pick(early))
            kept.append(_held(held.rows.pick(~early)))
    source.held = kept
    return let_go
