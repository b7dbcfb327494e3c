"""Batches that wait to be judged, and whose turn it is.

An advance of a partition costs about the same for ten sightings as for a thousand. So a turn takes all that waits of
its partition, the one that has waited longest goes first, and after a turn a partition rests: the fewer there are and
the less an advance costs, the shorter::

    p0   ──●turn●─── rest ───┐ what came meanwhile ●turn●
    p1   ───────●turn●─── rest ───┐                     ●turn●

Little traffic waits for nothing, and nor does a backlog: its batches are large, or together they fill the room.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, cast

from faust.types import EventT

from streams.live.room import Room
from streams.pipeline.batch import Batch

SHARE: Final = 0.7
"""Of the time that the thread that judges may be busy with partitions that do not wait for more."""
REST_MAX_S: Final = 0.2
LARGE_BYTES: Final = 512 << 10
"""A partition of which so much waits does not rest: more would not make it cheaper."""
ROOM_BYTES: Final = 8_000_000
"""So much waits at most. While there is no room for more, nobody rests."""
LATELY_S: Final = 1.0
"""Partitions that had a turn within so long share the thread."""


@dataclass(slots=True)
class _Waiting:
    events: deque[EventT[Batch]] = field(default_factory=deque)
    nbytes: int = 0
    since_s: float = 0.0
    """When the first of them came."""
    began_s: float = float("-inf")
    """When its last turn began,"""
    rest_s: float = 0.0
    """and how long it rests from then."""

    @property
    def due_s(self) -> float:
        return self.since_s if self.nbytes >= LARGE_BYTES else max(self.since_s, self.began_s + self.rest_s)


class Turns:
    """Batches by partition; all of them of one topic."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        """Go by the clock ``now_s``."""
        self._now_s = now_s
        self._partitions: dict[int, _Waiting] = {}
        self._came = asyncio.Event()
        self._room = Room(ROOM_BYTES)
        self._crowded = False
        """Somebody waits for room."""

    async def put(self, event: EventT[Batch]) -> None:
        """Have a batch wait for its turn; waits itself while there is no room."""
        batch = cast(Batch, event.value)
        if not self._room.has(batch.nbytes):
            self._crowded = True
            self._came.set()
        await self._room.take(batch.nbytes)
        self._crowded = False
        waiting = self._partitions.setdefault(batch.partition, _Waiting())
        if not waiting.events:
            waiting.since_s = self._now_s()
        waiting.events.append(event)
        waiting.nbytes += batch.nbytes
        self._came.set()

    async def take(self) -> list[EventT[Batch]]:
        """All that waits of the partition whose turn it is, in order; waits until it is one's."""
        while (found := self.next()) is None:
            self._came.clear()
            due_s = min((one.due_s for one in self._partitions.values() if one.events), default=None)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._came.wait(), None if due_s is None else max(due_s - self._now_s(), 0))
        return found

    def next(self) -> list[EventT[Batch]] | None:
        """The same without waiting; None while it is nobody's turn."""
        now_s = self._now_s()
        due = [one for one in self._partitions.values() if one.events and (self._crowded or one.due_s <= now_s)]
        if not due:
            return None
        waiting = min(due, key=_age)
        events, waiting.events = list(waiting.events), deque()
        self._room.leave(waiting.nbytes)
        waiting.nbytes, waiting.began_s = 0, now_s
        return events

    def first(self, partition: int, generation: int) -> int | None:
        """Where the first batch of an assignment begins that waits; None where none does."""
        waiting = self._partitions.get(partition, _Waiting()).events
        mine = (event for event in waiting if event.message.generation_id == generation)
        return next((cast(Batch, event.value).lo for event in mine), None)

    def took(self, partition: int) -> None:
        """The turn of ``partition`` is over: from how long it lasted follows how long it rests."""
        waiting, now_s = self._partitions[partition], self._now_s()
        lately = sum(now_s - one.began_s < LATELY_S for one in self._partitions.values())
        waiting.rest_s = min((now_s - waiting.began_s) * lately / SHARE, REST_MAX_S)


def _age(waiting: _Waiting) -> float:
    return waiting.since_s
