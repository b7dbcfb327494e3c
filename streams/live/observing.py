"""The observe stage on Kafka: batches of request events in, sightings and dead letters out.

A batch is acknowledged when the broker has every record that came of it, and every activity partition has been told
that it is done: those without a sighting in the next round (`rounds.py`). The next batch is decoded while the last ones
travel.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Final, cast

from faust import Stream
from faust.types import TP, AppT, EventT, StreamT

from schemas import topic
from schemas.dead_letter import headers_for
from schemas.errors import FloodError, RecordError
from streams.enrichment import LOOK_S, enrichment_of
from streams.live.holding import Holding
from streams.live.room import Room
from streams.live.rounds import Rounds
from streams.live.sending import Outgoing, Sender
from streams.live.tally import Tally
from streams.live.transport import TopicOptions, batch_topic, partition_states, stop_process
from streams.pipeline.batch import Batch
from streams.pipeline.observe.flood import Flood, Source
from streams.pipeline.observe.observer import Observed, Observer
from streams.settings import Bot, Settings

log = logging.getLogger(__name__)

STAGE: Final = "observe"
IN_FLIGHT_BYTES: Final = 8_000_000
"""Of batches that wait for the broker at a time.

By size, not by number: under load a fetch holds a small batch of each partition, and the next one is not made before
all of them are taken.
"""
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
        self._app, self._source, self._tally = app, settings.input.topic, tally
        self._enrichment = enrichment_of(settings.enrich)
        self._observer = Observer(
            settings.input, settings.surfaces, destinations, settings.bots, settings.groups, self._enrichment
        )
        self._sender = Sender(app, settings.kafka.prefix)
        self._rounds = Rounds(app, self._sender, destinations)
        self._room = Room(IN_FLIGHT_BYTES)
        self._settling: set[asyncio.Task[None]] = set()
        self._in_hand: TP | None = None
        self._dead_letters = settings.dead_letters
        self._flood = Flood(settings.dead_letters)
        self.held = Holding(app, self._begin)
        self._told_formats: set[tuple[str, int, str]] = set()
        self._quiet: dict[TP, tuple[int, int]] = {}
        self._looked_in: int | None = None
        look_s = settings.input.idle_after_ms / 1000 / (LOOKS - 1)
        self._retell = LOOKS + int(RETELL_S / look_s)
        options = TopicOptions(keys=True, headers=True, timestamps=True, aligned=True)
        self.topic = batch_topic(app, self._source, options)
        app.agent(self.topic, name=f"weir-{STAGE}")(self.run)
        app.timer(look_s, on_leader=False)(self.tell_idle)
        app.timer(settings.dead_letters.retry_s, on_leader=False)(self._try_held)
        if self._enrichment is not None:
            app.timer(LOOK_S, on_leader=False)(self._look_at_files)

    def know(self, bots: Sequence[Bot]) -> None:
        """Go by other robots from the next batch on."""
        self._observer.know(bots)

    async def _look_at_files(self) -> None:
        if self._enrichment is not None:
            await asyncio.to_thread(self._enrichment.refresh)

    async def run(self, stream: StreamT[Batch]) -> None:
        """Observe batch after batch; a bug stops the process before the acknowledgement."""
        self._rounds.acknowledge = stream.ack
        try:
            async for event in cast("Stream[Batch]", stream).noack().events():
                if self.held.keeps(event):
                    continue
                self._in_hand = event.message.tp
                await self._begin(event)
                self._in_hand = None
        except Exception as error:  # noqa: BLE001 - Faust would acknowledge the batch and go on
            stop_process(error, STAGE)

    async def _begin(self, event: EventT[Batch]) -> bool:
        """Take a batch on its way; False when its partition is held instead."""
        nbytes = cast(Batch, event.value).nbytes
        await self._room.take(nbytes)
        try:
            async with self._rounds.turn:
                if event.message.generation_id != self._app.consumer_generation_id:
                    self._room.leave(nbytes)  # its partition went while it waited: it is read again
                    return True
                serial, sent = await self._send(event)
        except FloodError as error:
            self._room.leave(nbytes)
            if self._dead_letters.on_flood == "stop":
                raise
            self.held.hold(event, error)
            return False
        task = asyncio.create_task(self._settle(serial, sent, nbytes))
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)
        self._rounds.soon()
        return True

    async def _send(self, event: EventT[Batch]) -> tuple[int, list[asyncio.Future[object]]]:
        self._rounds.renew()
        batch, began_s = cast(Batch, event.value), time.monotonic()
        records = self._outgoing(batch)
        self._tally.worked(STAGE, time.monotonic() - began_s)
        serial = self._rounds.telling.await_all(batch.topic, batch.partition, event)
        return serial, await self._sender.begin(records)

    async def _try_held(self) -> None:
        try:
            await self.held.retry()
        except Exception as error:  # noqa: BLE001 - the partition would be held for ever
            stop_process(error, f"{STAGE}, held")

    def _outgoing(self, batch: Batch) -> list[Outgoing]:
        """All that comes of a batch, in the order of its records; raises `FloodError` when too few can be read."""
        observed = self._observe(batch)
        self._refuse_flood(observed)
        return self._records(batch, observed)

    def _observe(self, batch: Batch) -> Observed:
        return self._observer.observe(batch, self._rounds.telling.since(batch.topic, batch.partition, batch.lo))

    def _records(self, batch: Batch, observed: Observed) -> list[Outgoing]:
        if len(batch) > 1 and max(map(len, filter(None, observed.messages)), default=0) > MESSAGE_BYTES:
            return [record for half in halves(batch) for record in self._records(half, self._observe(half))]
        self._tell_formats(observed)
        self._tally.observed(observed.counts)
        self._tally.buried(observed.dead)
        return [*self._sightings(observed), *dead_letters(batch, observed)]

    def _tell_formats(self, observed: Observed) -> None:
        """Say once of each source partition which formats its records have: a wrong guess must not be silent."""
        for name in observed.formats:
            if (observed.topic, observed.partition, name) not in self._told_formats:
                self._told_formats.add((observed.topic, observed.partition, name))
                log.info("%s[%d]: reads %s", observed.topic, observed.partition, name)

    def _refuse_flood(self, observed: Observed) -> None:
        source = Source(observed.topic, observed.partition)
        # Else a client could have a partition held, and with it all judgement.
        mistaken = [dead for dead in observed.dead if not dead.may_be_asked_for]
        at = self._flood.begins(source, observed.lo, [dead.offset for dead in mistaken])
        if at is not None:
            limit = self._dead_letters.share_max, self._dead_letters.window_records
            raise FloodError(*source, at, *limit, f"{mistaken[0].where}: {mistaken[0].reason}")

    def _sightings(self, observed: Observed) -> list[Outgoing]:
        messages = [(partition, message) for partition, message in enumerate(observed.messages) if message is not None]
        covered = observed.topic, observed.partition, observed.lo, observed.hi, observed.watermark_us
        self._rounds.telling.take(*covered, [partition for partition, _ in messages])
        return [Outgoing(topic.ACTIVITY.name, None, message, partition=partition) for partition, message in messages]

    async def _settle(self, serial: int, sent: Sequence[asyncio.Future[object]], nbytes: int) -> None:
        try:
            await self._rounds.settle(serial, sent)
        except Exception as error:  # noqa: BLE001 - a record that was not sent must be read again
            stop_process(error, f"{STAGE}, sending")
        finally:
            self._room.leave(nbytes)

    async def tell_idle(self) -> None:
        """Look at all source partitions and have assess told which of them are idle: at once, then hourly."""
        try:
            self._rounds.renew()
            if self._looked_in != self._app.consumer_generation_id:
                # What was to be told in the assignment before may have been forgotten with it.
                self._looked_in, self._quiet = self._app.consumer_generation_id, {}
            for tp, position in self._look():
                if not self._rounds.telling.idle(tp.topic, tp.partition, position):
                    self._quiet[tp] = position, LOOKS - 1  # told at the next look
            self._rounds.soon()
        except Exception as error:  # noqa: BLE001 - the watermark would stand still in silence
            stop_process(error, f"{STAGE}, idleness")

    def _look(self) -> list[tuple[TP, int]]:
        """Partitions whose idleness is to be told now, and their position."""
        seen: dict[TP, tuple[int, int]] = {}
        for tp, state in partition_states(self._app).items():
            # What is in hand counts as read, but assess would meet idleness before its sightings: a gap.
            taken = tp != self._in_hand and tp not in self.held
            if tp.topic == self._source and taken and state.idle and state.position is not None:
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
    """What could not be read: original key, value and headers, and more headers that say why.

    Of a record that holds several, the part that could not: sent again, it does not bring the others a second time.
    """
    return [
        Outgoing(
            topic.DEAD_LETTERS.name,
            key_of(batch, dead.index),
            batch.values[dead.index] if dead.value is None else dead.value,
            [
                *(() if batch.headers is None else batch.headers[dead.index]),
                *headers_for(RecordError(dead.where, dead.reason), batch.topic, batch.partition, dead.offset, STAGE),
            ],
        )
        for dead in observed.dead
    ]


def key_of(batch: Batch, index: int) -> bytes | None:
    """The key of a record; an empty one where neither key nor value is there, as no client sends such a record."""
    key = None if batch.keys is None else batch.keys[index]
    return b"" if key is None and batch.values[index] is None else key
