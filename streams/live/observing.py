"""The observe stage on Kafka: batches of request events in, sightings and dead letters out.

A batch is acknowledged when the broker has every record that came of it. A few batches are on their way at a time, so
that the next one is decoded while the last ones travel.
"""

import asyncio
from collections.abc import Sequence
from typing import Final, cast

from faust import Stream
from faust.types import TP, AppT, EventT, StreamT

from schemas import topic
from schemas.dead_letter import headers_for
from schemas.errors import RecordError
from streams.live.sending import Outgoing, Sender
from streams.live.tally import Tally
from streams.live.transport import TopicOptions, batch_topic, partition_states, stop_process
from streams.pipeline.batch import Batch
from streams.pipeline.observe.observer import Observed, Observer, idle_progress
from streams.settings import Settings

STAGE: Final = "observe"
IN_FLIGHT: Final = 4
"""Batches that wait for the broker at a time."""
MESSAGE_BYTES: Final = 4 << 20
"""A batch that would make a larger message is observed in halves: broker and producer refuse what is too large."""
LOOKS: Final = 5
"""A source partition is idle when it was quiet for so many looks, which span `idle_after_ms`.

Looks are counted and no time is measured: a process that stood still for a while has not looked.
"""
RETELL_S: Final = 3600
"""Idleness is told again so often, lest retention leaves assess without a word of a partition."""


class Observing:
    """The agent and what it keeps: nothing that a restart would miss."""

    def __init__(self, app: AppT, settings: Settings, destinations: int, tally: Tally) -> None:
        """Write to ``destinations`` partitions of the activity topic."""
        self._app, self._source, self._destinations, self._tally = app, settings.input.topic, destinations, tally
        self._observer = Observer(settings.input, settings.surfaces, destinations, settings.bots)
        self._sender = Sender(app, settings.kafka.prefix)
        self._free = asyncio.Semaphore(IN_FLIGHT)
        self._settling: set[asyncio.Task[None]] = set()
        self._in_hand: TP | None = None
        self._quiet: dict[TP, tuple[int, int]] = {}
        look_s = settings.input.idle_after_ms / 1000 / (LOOKS - 1)
        self._retell = LOOKS + int(RETELL_S / look_s)
        options = TopicOptions(keys=True, headers=True, timestamps=True)
        self.topic = batch_topic(app, self._source, options)
        app.agent(self.topic, name=f"weir-{STAGE}")(self.run)
        app.timer(look_s, on_leader=False)(self.tell_idle)

    async def run(self, stream: StreamT[Batch]) -> None:
        """Observe batch after batch; a bug stops the process before the acknowledgement."""
        try:
            async for event in cast("Stream[Batch]", stream).noack().events():
                self._in_hand = event.message.tp
                await self._free.acquire()
                sent = await self._sender.begin(self._outgoing(cast(Batch, event.value)))
                self._in_hand = None
                task = asyncio.create_task(self._settle(stream, event, sent))
                self._settling.add(task)
                task.add_done_callback(self._settling.discard)
        except Exception as error:  # noqa: BLE001 - Faust would acknowledge the batch and go on
            stop_process(error, STAGE)

    def _outgoing(self, batch: Batch) -> list[Outgoing]:
        """All that comes of a batch, in the order of its records."""
        observed = self._observer.observe(batch)
        if len(batch) > 1 and max(map(len, filter(None, observed.messages)), default=0) > MESSAGE_BYTES:
            return [record for half in halves(batch) for record in self._outgoing(half)]
        self._tally.observed(observed.counts)
        return [*self._sightings(observed), *dead_letters(batch, observed)]

    def _sightings(self, observed: Observed) -> list[Outgoing]:
        progress = observed.progress()
        return [
            Outgoing(topic.ACTIVITY.name, None, progress if message is None else message, partition=partition)
            for partition, message in enumerate(observed.messages)
        ]

    async def _settle(
        self, stream: StreamT[Batch], event: EventT[Batch], sent: Sequence[asyncio.Future[object]]
    ) -> None:
        try:
            await asyncio.gather(*sent)
            await stream.ack(event)
        except Exception as error:  # noqa: BLE001 - a record that was not sent must be read again
            stop_process(error, f"{STAGE}, sending")
        finally:
            self._free.release()

    async def tell_idle(self) -> None:
        """Look at all source partitions and tell assess which of them are idle: at once, then hourly."""
        try:
            for tp, position in self._look():
                message = idle_progress(tp.topic, tp.partition, position)
                await self._sender.send(
                    [Outgoing(topic.ACTIVITY.name, None, message, partition=p) for p in range(self._destinations)]
                )
        except Exception as error:  # noqa: BLE001 - the watermark would stand still in silence
            # Nothing is lost by a word that a stopping producer did not take.
            if not self._app.should_stop:
                stop_process(error, f"{STAGE}, idleness")

    def _look(self) -> list[tuple[TP, int]]:
        """Partitions whose idleness is to be told now, and their position."""
        seen: dict[TP, tuple[int, int]] = {}
        for tp, state in partition_states(self._app).items():
            # What is in hand counts as read, but assess would meet idleness before its sightings: a gap.
            if tp.topic == self._source and tp != self._in_hand and state.idle and state.position is not None:
                position, looks = self._quiet.get(tp, (-1, 0))
                seen[tp] = state.position, looks + 1 if position == state.position else 1
        self._quiet = seen
        return [(tp, position) for tp, (position, looks) in seen.items() if looks % self._retell == LOOKS]


def halves(batch: Batch) -> tuple[Batch, Batch]:
    """A batch of at least two records as two that tile its offsets."""
    middle = len(batch) // 2
    at = batch.offset_of(middle)
    return _cut(batch, slice(None, middle), batch.lo, at), _cut(batch, slice(middle, None), at, batch.hi)


def _cut(batch: Batch, part: slice, lo: int, hi: int) -> Batch:
    return Batch(
        batch.topic,
        batch.partition,
        lo,
        hi,
        batch.values[part],
        None if batch.offsets is None else batch.offsets[part],
        None if batch.keys is None else batch.keys[part],
        None if batch.headers is None else batch.headers[part],
        None if batch.timestamps_ms is None else batch.timestamps_ms[part],
    )


def dead_letters(batch: Batch, observed: Observed) -> list[Outgoing]:
    """What could not be read: original key, value and headers, and more headers that say why."""
    return [
        Outgoing(
            topic.DEAD_LETTERS.name,
            None if batch.keys is None else batch.keys[dead.index],
            batch.values[dead.index],
            [
                *(() if batch.headers is None else batch.headers[dead.index]),
                *headers_for(RecordError(dead.where, dead.reason), batch.topic, batch.partition, dead.offset, STAGE),
            ],
        )
        for dead in observed.dead
    ]
