"""A Faust topic whose messages are batches."""

from collections import deque
from collections.abc import Callable
from typing import Final, Protocol, cast

from faust import Schema, Topic
from faust.types import AppT, EventT, Message
from mode.utils.queues import FlowControlEvent, ThrowableQueue

from streams.pipeline.batch import Batch

WAITING_BYTES: Final = 8_000_000
"""A topic of which so much waits for the agents has no room; what waits is more by one fetch at most."""


class Hands(Protocol):
    """The consumer, as the queue sees it."""

    def on_handed(self, event: EventT[object]) -> None:
        """A stream took ``event``."""


class BatchQueue(ThrowableQueue[EventT[object]]):
    """Batches waiting for an agent. The consumer looks for room before it fetches, so that ``put`` never waits."""

    _queue: deque[EventT[object]]

    def __init__(
        self, maxsize: int, flow_control: FlowControlEvent, on_handed: Callable[[EventT[object]], None]
    ) -> None:
        super().__init__(maxsize, flow_control=flow_control, clear_on_resume=True)
        self._on_handed = on_handed

    def _get(self) -> EventT[object]:
        event: EventT[object] = super()._get()
        self._on_handed(event)
        return event

    @property
    def nbytes(self) -> int:
        """Keys and values of all that waits."""
        return sum(cast(Batch, event.value).nbytes for event in self._queue)

    def in_pressure_high_state(self, callback: Callable[[], None]) -> bool:
        """Never: Faust's pressure would stop a partition until its next look, up to a second later."""
        return False


class BatchSchema(Schema[None, Batch]):
    """Hands a batch on untouched: no codec, no model."""

    def compile(self, app: AppT, **_: object) -> Callable[..., object]:  # type: ignore[override]
        """The decoder that Faust calls for each message."""
        create_event = app.create_event

        async def decode(message: Message, *, propagate: bool = False) -> EventT[object]:  # noqa: ARG001
            return create_event(None, message.value, {}, message)

        return decode


class BatchTopic(Topic):
    """What `batch_topic` makes. Faust clones it for each stream, and each clone has its own queue."""

    @property
    def room(self) -> int:
        """How many more batches the queue takes."""
        queue = cast(BatchQueue, self.queue)
        return queue.maxsize - queue.qsize() if queue.nbytes < WAITING_BYTES else 0

    @property
    def queue(self) -> ThrowableQueue[EventT[object]]:
        """Batches waiting for the stream."""
        if self._queue is None:
            consumer = cast(Hands, self.app.consumer)
            self._queue = BatchQueue(self.maxsize or 1, self.app.flow_control, consumer.on_handed)
        return self._queue
