"""The observe stage on Kafka: batches of request events in, sightings and dead letters out.

A batch is acknowledged when the broker has every record that came of it. A few batches are on their way at a time, so that
the next one is decoded while the last ones travel.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Sequence
from typing import Final

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

log = logging.getLogger(__name__)


class Observing:
    """The agent and what it keeps: nothing that a restart would miss."""

    def __init__(self, app: AppT, settings: Settings, destinations: int, tally: Tally) -> None:
        """Write to ``destinations`` partitions of the activity topic."""
        self._app, self._settings, self._destinations, self._tally = app, settings, destinations, tally
        self._observer = Observer(settings.input, settings.surfaces, destinations)
        self._sender = Sender(app)
        self._free = asyncio.Semaphore(IN_FLIGHT)
        self._settling: set[asyncio.Task[None]] = set()
        self._quiet: dict[TP, tuple[int, float]] = {}
        options = TopicOptions(keys=True, headers=True, timestamps=True)
        self.topic = batch_topic(app, settings.input.topic, options)
        app.agent(self.topic, name=f"weir-{STAGE}")(self.run)
        app.timer(settings.input.idle_after_ms / 4000, on_leader=False)(self.tell_idle)

    async def run(self, stream: StreamT[Batch]) -> None:
        """Observe batch after batch; a bug stops the process before the acknowledgement."""
        try:
            async for event in stream.noack().events():
                await self._free.acquire()
                batch: Batch = event.value
                observed = self._observer.observe(batch)
                sent = await self._sender.begin([*self._sightings(observed), *dead_letters(batch, observed)])
                self._tally.observed(observed.counts)
                task = asyncio.create_task(self._settle(stream, event, sent))
                self._settling.add(task)
                task.add_done_callback(self._settling.discard)
        except Exception as error:  # noqa: BLE001 - Faust would acknowledge the batch and go on
            stop_process(error, STAGE)

    def _sightings(self, observed: Observed) -> list[Outgoing]:
        progress = observed.progress()
        return [
            Outgoing(topic.ACTIVITY.name, None, progress if message is None else message, partition=partition)
            for partition, message in enumerate(observed.messages)
        ]

    async def _settle(self, stream: StreamT[Batch], event: EventT[Batch], sent: Sequence[Awaitable[object]]) -> None:
        try:
            await asyncio.gather(*sent)
            await stream.ack(event)
        except Exception as error:  # noqa: BLE001 - a record that was not sent must be read again
            stop_process(error, f"{STAGE}, sending")
        finally:
            self._free.release()

    async def tell_idle(self) -> None:
        """Tell assess which source partitions have had nothing new for a while, once each."""
        now, after_s = time.monotonic(), self._settings.input.idle_after_ms / 1000
        for tp, state in partition_states(self._app).items():
            if tp.topic != self._settings.input.topic or not state.idle or state.position is None:
                continue
            position, since = self._quiet.get(tp, (-1, now))
            if position != state.position:
                self._quiet[tp] = (state.position, now)
            elif now - since >= after_s:
                self._quiet[tp] = (state.position, float("inf"))
                await self._send_idle(tp, state.position)

    async def _send_idle(self, tp: TP, position: int) -> None:
        message = idle_progress(tp.topic, tp.partition, position)
        try:
            await self._sender.send(
                [Outgoing(topic.ACTIVITY.name, None, message, partition=p) for p in range(self._destinations)]
            )
        except Exception as error:  # noqa: BLE001 - the watermark would stand still in silence
            stop_process(error, f"{STAGE}, idleness")


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
