"""The assess and decide stages on Kafka: sightings in, alerts, blocks and model deltas out.

The state of a partition is a fold over its activity log. Until it is kept in checkpoints, a worker that takes a
partition over reads that log from its beginning and stays silent below the committed offset: what was decided there has
been sent. From there on every decision is sent; one that was sent just before a crash is sent again with the same id.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final, cast

import numpy as np
from faust import Stream
from faust.types import AppT, EventT, Message, StreamT

from schemas import topic
from schemas.model import ModelDelta
from streams.clock import Clock
from streams.live.model_feed import CODEC, ModelFeed
from streams.live.sending import Outgoing, Sender
from streams.live.tally import Tally
from streams.live.transport import TopicOptions, batch_topic, partition_states, stop_process
from streams.outputs.cloudevents import record_of
from streams.pipeline.assess.assessor import Assessor, Outcome
from streams.pipeline.batch import Batch
from streams.pipeline.model.models import Models
from streams.pipeline.sightings import decode
from streams.settings import KafkaSettings

STAGE: Final = "assess"
RETRY_S: Final = 1.0

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Owned:
    """One partition that this worker owns."""

    assessor: Assessor
    generation: int | None
    """Of the assignment: the next one begins anew."""
    silent_below: int
    """Offset below which everything decided has been sent before."""
    waiting: deque[EventT[Batch]] = field(default_factory=deque)
    """Batches that may hold sightings whose model is still due: not acknowledged."""
    due_since: float | None = None
    """When the oldest of them began to wait, by the monotonic clock."""


class Assessing:
    """The agent and the partitions it owns."""

    def __init__(
        self,
        app: AppT,
        new_assessor: Callable[[int], Assessor],
        feed: ModelFeed,
        models: Models,
        clock: Clock,
        tally: Tally,
        settings: KafkaSettings,
    ) -> None:
        """Make the state of a partition with ``new_assessor``."""
        self._app, self._new_assessor, self._feed, self._models = app, new_assessor, feed, models
        self._clock, self._tally = clock, tally
        self._sender = Sender(app, settings.prefix)
        self._owned: dict[int, Owned] = {}
        self._busy = asyncio.Lock()
        # Kernels run without the interpreter's lock: beside them the loop reads, observes and sends.
        self._judging = ThreadPoolExecutor(1, thread_name_prefix=STAGE)
        self._stream: StreamT[Batch] | None = None
        self._patience_s = settings.model_wait_ms / 1000
        self.topic = batch_topic(app, settings.prefix + topic.ACTIVITY.name, TopicOptions(rewind=True, late_acks=True))
        app.agent(self.topic, name=f"weir-{STAGE}")(self.run)

    async def run(self, stream: StreamT[Batch]) -> None:
        """Judge batch after batch; a bug stops the process before the acknowledgement."""
        try:
            if self._stream is None:
                await self._app.add_runtime_dependency(self._feed)
                # The feed is what stops first: nothing is judged any more when the producer stops.
                self._feed.add_future(self._retry())
            self._stream = stream
            await self._feed.caught_up.wait()
            async for event in cast("Stream[Batch]", stream).noack().events():
                async with self._busy:
                    await self._take(event)
        except Exception as error:  # noqa: BLE001 - Faust would acknowledge the batch and go on
            stop_process(error, STAGE)

    async def _retry(self) -> None:
        """Judge what has waited for a model, when one comes in and when patience ends."""
        try:
            while True:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._feed.changed.wait(), RETRY_S)
                self._feed.changed.clear()
                async with self._busy:
                    for owned in [owned for owned in self._owned.values() if owned.waiting]:
                        if self._is_current(owned.generation):
                            await self._advance(owned, (), silent=False)
        except Exception as error:  # noqa: BLE001 - the task would end in silence
            stop_process(error, STAGE)

    def _is_current(self, generation: int | None) -> bool:
        return generation == self._app.consumer_generation_id

    async def _take(self, event: EventT[Batch]) -> None:
        batch = cast(Batch, event.value)
        owned = self._own(batch, event.message)
        if owned is None:
            return
        owned.waiting.append(event)
        sent_before = count_below(batch, owned.silent_below)
        for part, silent in ((batch.values[:sent_before], True), (batch.values[sent_before:], False)):
            if part:
                await self._advance(owned, part, silent=silent)
        if not len(batch):
            await self._advance(owned, (), silent=batch.hi <= owned.silent_below)

    def _judge(self, owned: Owned, values: Sequence[bytes | None], learned: Sequence[ModelDelta]) -> Outcome:
        """What the one thread does that touches assessors and models."""
        for delta in learned:
            self._models.add(delta)
        assessor, release = owned.assessor, owned.assessor.release
        late, duplicates, judged = release.late, release.duplicates, assessor.judged
        turnover, caution = replace(assessor.bounds.turnover), assessor.caution()
        for value in values:
            assessor.accept(decode(value or b""))
        outcome = assessor.advance(self._clock, impatient=self._impatient(owned))
        self._tally.judged += assessor.judged - judged
        self._tally.late += release.late - late
        self._tally.duplicates += release.duplicates - duplicates
        self._tally.turnover.add(assessor.bounds.turnover, turnover)
        self._tally.warned(caution, assessor.caution())
        return outcome

    def _own(self, batch: Batch, message: Message) -> Owned | None:
        """The state that ``batch`` belongs to; None when its partition was given away meanwhile."""
        owned, generation = self._owned.get(batch.partition), message.generation_id
        state = partition_states(self._app).get(message.tp)
        if not self._is_current(generation) or state is None or state.position is None:
            return None
        if owned is not None and owned.generation == generation:
            return owned
        log.info("partition %d: reading from %d, silent below %d", batch.partition, batch.lo, state.committed)
        self._owned = {number: kept for number, kept in self._owned.items() if kept.generation == generation}
        owned = Owned(self._new_assessor(batch.partition), generation, state.committed)
        self._owned[batch.partition] = owned
        return owned

    async def _advance(self, owned: Owned, values: Sequence[bytes | None], *, silent: bool) -> None:
        loop = asyncio.get_running_loop()
        outcome = await loop.run_in_executor(self._judging, self._judge, owned, values, self._feed.take())
        await self._send(outcome, silent=silent)
        if outcome.settled:
            owned.due_since = None
            while owned.waiting and self._stream is not None:
                await self._stream.ack(owned.waiting.popleft())
        elif owned.due_since is None:
            owned.due_since = time.monotonic()

    def _impatient(self, owned: Owned) -> bool:
        return owned.due_since is not None and time.monotonic() - owned.due_since > self._patience_s

    async def _send(self, outcome: Outcome, *, silent: bool) -> None:
        records = [self._delta(delta) for delta in outcome.deltas if not self._known(delta)]
        if not silent:
            decided_us = self._clock()
            records += [Outgoing(*record_of(decision, decided_us)) for decision in outcome.decisions]
            self._tally.decided(outcome)
        if records:
            await self._sender.send(records)

    def _known(self, delta: ModelDelta) -> bool:
        return self._models.has(delta.epoch, delta.partition)

    @staticmethod
    def _delta(delta: ModelDelta) -> Outgoing:
        return Outgoing(topic.MODEL.name, delta.key.encode(), CODEC.encode(delta), partition=0)


def count_below(batch: Batch, offset: int) -> int:
    """How many records of ``batch`` lie below ``offset``."""
    if batch.offsets is None:
        return max(0, min(offset - batch.lo, len(batch)))
    return int(np.searchsorted(batch.offsets, offset))
