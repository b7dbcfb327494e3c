"""Source partitions that are held: their next batch would flood the dead letters.

What is held is not acknowledged and not fetched any further, nor is it idle, so its watermark stands still and nothing
that comes later is judged before it. It is tried again every now and then, by what configuration is in force by then.
"""

import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from faust.types import TP, AppT, EventT

from schemas.errors import FloodError
from streams.live.transport import let_go
from streams.pipeline.batch import Batch

Begin = Callable[[EventT[Batch]], Awaitable[bool]]
"""Takes a batch on its way; False when it cannot be taken now, and then `Holding.hold` was told why."""

log = logging.getLogger(__name__)


class Holding:
    """Batches by the partition that is held, in order; the first one is what floods."""

    def __init__(self, app: AppT, begin: Begin) -> None:
        """Try again with ``begin``."""
        self._app: Final = app
        self._begin: Final = begin
        self._held: Final[dict[TP, deque[EventT[Batch]]]] = {}

    def __contains__(self, tp: TP) -> bool:
        return tp in self._held

    def __len__(self) -> int:
        return len(self._held)

    def keeps(self, event: EventT[Batch]) -> bool:
        """Whether ``event`` has to wait behind others of its partition; then it is kept here."""
        events = self._held.get(event.message.tp)
        if events is None or not self._is_current(events[0]):
            self._held.pop(event.message.tp, None)
            return False
        events.append(event)
        let_go(self._app, event)
        return True

    def hold(self, event: EventT[Batch], error: FloodError) -> None:
        """Keep the first batch of a partition that cannot be taken, and say so each time that it cannot."""
        tp = event.message.tp
        if tp not in self._held:
            self._held[tp] = deque([event])
            let_go(self._app, event)
            self._app.consumer.pause_partitions({tp})
        log.error("%s; the partition is held and nothing later is judged", error)

    async def retry(self) -> None:
        """Try every partition that is held, and go on with those that can be taken."""
        for tp in list(self._held):
            await self._retry(tp)

    async def _retry(self, tp: TP) -> None:
        events = self._held.get(tp)
        if not events:
            return  # another assignment has begun while others were tried
        first = events[0]
        while events and self._is_current(events[0]):
            if not await self._begin(events[0]):
                return
            events.popleft()
        if self._held.get(tp) is events:
            del self._held[tp]
            # Else the assignment is over: whoever owns the partition now reads it again.
            if not events and self._is_current(first):
                log.warning("%s[%d]: no longer held", tp.topic, tp.partition)
                self._app.consumer.resume_partitions({tp})

    def _is_current(self, event: EventT[Batch]) -> bool:
        return event.message.generation_id == self._app.consumer_generation_id
