"""Keeps partitions of one topic together in time while a backlog is worked off.

Who judges waits until every source partition has passed an event's time, and holds what the faster ones have sent. Read
each as fast as it comes, some get far ahead, and what is held grows with the backlog. So a partition that is ahead of
the slowest one waits for it; this is Flink's watermark alignment, by the records' own times::

    p0   ─────────────●              the slowest that has more to read
    p1   ──────────────────●         ahead by some records: goes on
    p2   ────────────────────────●   ahead by AHEAD_MAX: waits

Records that have no time, and partitions that have been read to their end, hold nobody up. Of partitions that other
workers read no more is known than what those have said (`words.py`): it is a second or two old, and so a worker may be
further ahead of them, all its partitions together.
"""

from collections import deque
from collections.abc import Collection, Hashable
from typing import Final, Generic, TypeVar

import numpy as np

from streams.pipeline.batch import Batch

AHEAD_MAX: Final = 20_000
"""Records that a partition may have been read ahead of the slowest one of the same worker."""
AHEAD_OF_OTHERS_MAX: Final = 100_000
"""Records that a worker may have read ahead of the slowest partition of all other workers, by what they said last.

Assess holds some 55 MB for it, of each worker. A worker that reads more between two looks at the words of others may be
ahead by two such stretches, lest workers that are equally fast slow each other down while words are on their way.
"""
AHEAD_AT_SPEED: Final = 4
"""How many times as far ahead the fastest worker may be."""
GRAINS: Final = 64
"""A lead is known to this fraction of what is enough of it."""
LONG_AGO: Final = -1

P = TypeVar("P", bound=Hashable)


class Lead:
    """What was read last and of what time, so much of it that it can be too much."""

    __slots__ = ("_enough", "_grain", "_read", "_total")

    def __init__(self, enough: int) -> None:
        """Nobody asks whether it is more than ``enough`` records."""
        self._enough, self._grain, self._total = enough, enough // GRAINS, 0
        self._read: deque[tuple[int, int]] = deque()

    def add(self, time_ms: int, records: int) -> None:
        """So many records of that time were read."""
        last_ms, last = self._read[-1] if self._read else (time_ms, self._grain)
        if last + records <= self._grain:
            self._read[-1] = max(last_ms, time_ms), last + records
        else:
            self._read.append((time_ms, records))
        self._total += records
        while self._total - self._read[0][1] >= self._enough:
            self._total -= self._read.popleft()[1]

    def beyond(self, time_ms: int) -> int:
        """How many of the records are later."""
        return sum(records for at_ms, records in self._read if at_ms > time_ms)


class Alignment(Generic[P]):
    """How far each partition of a topic has been read."""

    def __init__(self, ahead_max: int = AHEAD_MAX, ahead_of_others_max: int = AHEAD_OF_OTHERS_MAX) -> None:
        """Nothing has been read, and nothing is known of others."""
        self._ahead_max, self._ahead_of_others_max = ahead_max, ahead_of_others_max
        self._reached_ms: dict[P, int] = {}
        self._latest_ms: dict[P, int] = {}
        self._leads: dict[P, Lead] = {}
        self._whole = Lead(ahead_of_others_max * AHEAD_AT_SPEED)
        self._limit = ahead_of_others_max
        self._read = 0
        self._others_ms: int | None = None
        self._far = False

    def reached_ms(self, partition: P) -> int:
        """Time of the middle record of the latest batch; `LONG_AGO` before the first."""
        return self._reached_ms.get(partition, LONG_AGO)

    def may_take(self, partition: P, behind: Collection[P]) -> bool:
        """Whether it is not too far ahead of all of ``behind``: the other partitions that have more to read."""
        if self.waits_for_others(partition):
            return False
        slowest_ms = min((self.reached_ms(other) for other in behind if other != partition), default=None)
        lead = self._leads.get(partition)
        return slowest_ms is None or lead is None or lead.beyond(slowest_ms) < self._ahead_max

    def waits_for_others(self, partition: P) -> bool:
        """Whether what it gave last is later than where another worker is, and that is too far behind this one."""
        return self._far and self._others_ms is not None and self._latest_ms.get(partition, LONG_AGO) > self._others_ms

    @property
    def is_far(self) -> bool:
        """Whether so much was read beyond where others are that some of it waits for them."""
        return self._far

    def heed(self, others_ms: int | None) -> bool:
        """Note where the slowest partition of others is, None while nobody is waited for; whether that is new.

        Called at each look: what is read from one to the next says how fast this worker is.
        """
        changed = others_ms != self._others_ms
        least = self._ahead_of_others_max
        self._limit = min(max(least, 2 * self._read), least * AHEAD_AT_SPEED)
        self._others_ms, self._read = others_ms, 0
        self._measure()
        return changed

    def _measure(self) -> None:
        others_ms = self._others_ms
        self._far = others_ms is not None and self._whole.beyond(others_ms) >= self._limit

    def took(self, partition: P, batch: Batch) -> None:
        """A batch was taken of it."""
        if batch.timestamps_ms is None or not len(batch):
            return
        # Of the middle one: a single record with a time far ahead must not stop its partition.
        middle_ms = int(np.median(batch.timestamps_ms))
        self._leads.setdefault(partition, Lead(self._ahead_max)).add(middle_ms, len(batch))
        self._whole.add(middle_ms, len(batch))
        self._read += len(batch)
        self._latest_ms[partition] = middle_ms
        self._reached_ms[partition] = max(self.reached_ms(partition), middle_ms)
        self._measure()
