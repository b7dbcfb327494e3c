"""Keeps partitions of one topic together in time while a backlog is worked off.

Who judges waits until every source partition has passed an event's time, and holds what the faster ones have sent. Read
each as fast as it comes, some get far ahead, and what is held grows with the backlog. So a partition that is ahead of
the slowest one waits for it; this is Flink's watermark alignment, by the records' own times::

    p0   ─────────────●              the slowest that has more to read
    p1   ──────────────────●         ahead by some records: goes on
    p2   ────────────────────────●   ahead by AHEAD_MAX: waits

Records that have no time, and partitions that have been read to their end, hold nobody up.
"""

from collections import deque
from collections.abc import Collection, Hashable
from typing import Final, Generic, TypeVar

import numpy as np

from streams.pipeline.batch import Batch

AHEAD_MAX: Final = 20_000
"""Records that a partition may have been read ahead of the slowest one."""
LONG_AGO: Final = -1

P = TypeVar("P", bound=Hashable)


class Alignment(Generic[P]):
    """How far each partition of a topic has been read."""

    def __init__(self, ahead_max: int = AHEAD_MAX) -> None:
        """Nothing has been read."""
        self._ahead_max = ahead_max
        self._reached_ms: dict[P, int] = {}
        self._taken: dict[P, deque[tuple[int, int]]] = {}

    def reached_ms(self, partition: P) -> int:
        """Time of the middle record of the latest batch; `LONG_AGO` before the first."""
        return self._reached_ms.get(partition, LONG_AGO)

    def may_take(self, partition: P, behind: Collection[P]) -> bool:
        """Whether it is not too far ahead of all of ``behind``: the other partitions that have more to read."""
        slowest_ms = min((self.reached_ms(other) for other in behind if other != partition), default=None)
        taken = self._taken.get(partition)
        if slowest_ms is None or not taken:
            return True
        while taken and taken[0][0] <= slowest_ms:
            taken.popleft()
        return sum(records for _, records in taken) < self._ahead_max

    def took(self, partition: P, batch: Batch) -> None:
        """A batch was taken of it."""
        if batch.timestamps_ms is None or not len(batch):
            return
        # Of the middle one: a single record with a time far ahead must not stop its partition.
        middle_ms = int(np.median(batch.timestamps_ms))
        self._taken.setdefault(partition, deque()).append((middle_ms, len(batch)))
        self._reached_ms[partition] = max(self.reached_ms(partition), middle_ms)
