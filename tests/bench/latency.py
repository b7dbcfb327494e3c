"""How long it takes from an event to the block that it leads to, at a steady rate.

Ordinary visitors make most of the traffic. Scrapers among them begin one after the other, each an account that goes
over the limits within seconds. Every event has the time at which it is handed to the producer. The wait of a block
lasts from the time of the event that made the decision, which the record names, until a consumer has the record; the
allowed lateness is part of it.
"""

import asyncio
import time
from typing import Final

import numpy as np
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from schemas import topic
from schemas.block import BLOCK_CODEC
from schemas.event_time import parse_time_us
from streams.live import topics
from tests.bench.kafka import Worker, producer, until, write
from tests.bench.measure import Latency, latency
from tests.bench.traffic import Traffic, popular, shared_out, spelled, view
from tests.bench.whole import Place

VISITORS: Final = 200_000
"""At 20,000 events/s each of them sees six profiles a minute."""
TICK_S: Final = 0.01
SETTLE_S: Final = 5.0
"""Blocks of the first seconds do not count."""
DRAIN_S: Final = 2.0
SCRAPER_EVERY: Final = 10
"""Ticks from the beginning of one scraper to that of the next."""
VIEW_EVERY: Final = 4
"""Ticks from one profile that a scraper sees to the next."""
SCRAPER_VIEWS: Final = 75
"""More than 1.25 times what an account may see within a minute."""
PERIOD: Final = 500_000
"""After so many events the same visitors look at the same profiles again."""


async def measure(place: Place, traffic: Traffic, events_per_s: int, seconds: float) -> Latency:
    """Feed a worker at a steady rate and watch its blocks, for ``seconds`` after it has settled."""
    worker = Worker(place.config)
    try:
        async with producer(place.bootstrap) as sink, _reading(place) as blocks:
            feeder = Feeder(sink, place, traffic, events_per_s)
            await feeder.wake(worker)
            watcher = Watcher(blocks, time.time_ns() // 1000 + int(SETTLE_S * 1e6))
            watching = asyncio.create_task(watcher.watch())
            with worker.timed(0) as run:
                per_s = await feeder.feed(SETTLE_S + seconds)
            await asyncio.sleep(DRAIN_S)
            watching.cancel()
        worker.check()
    finally:
        worker.stop()
    return latency(watcher.waits_ms, per_s, run.cpu_s / run.wall_s)


def _reading(place: Place) -> AIOKafkaConsumer:
    """A consumer of all blocks; the caller starts and stops it."""
    name = place.named(topic.BLOCKS)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=place.bootstrap, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    consumer.assign([TopicPartition(name, n) for n in range(topics.partitions(place.settings.kafka, [name])[name])])
    return consumer


class Watcher:
    """Waits of blocks, as they come in."""

    def __init__(self, blocks: AIOKafkaConsumer, from_us: int) -> None:
        """Count blocks that events from ``from_us`` on have led to."""
        self._blocks, self._from_us = blocks, from_us
        self.waits_ms: list[float] = []

    async def watch(self) -> None:
        """Go on until cancelled."""
        while True:
            found = await self._blocks.getmany(timeout_ms=100)
            now_us = time.time_ns() // 1000
            for record in (record for records in found.values() for record in records):
                if record.value is not None:
                    event_us = parse_time_us(BLOCK_CODEC.decode(record.value).event_time)
                    if event_us >= self._from_us:
                        self.waits_ms.append((now_us - event_us) / 1000)


class Feeder:
    """Makes events at a steady rate, tick after tick."""

    def __init__(self, sink: AIOKafkaProducer, place: Place, traffic: Traffic, events_per_s: int) -> None:
        self._sink, self._place, self._traffic = sink, place, traffic
        self._tick_events = round(events_per_s * TICK_S)
        rng = np.random.default_rng(traffic.seed)
        self._who = rng.integers(0, traffic.visitors, PERIOD).tolist()
        self._whom = popular(rng, PERIOD).tolist()
        self._visitors = [traffic.visitor(number) for number in range(traffic.visitors)]
        self._made = 0

    async def wake(self, worker: Worker) -> None:
        """Feed a little until the worker has judged some of it."""
        name, partitions = self._place.named(topic.ACTIVITY), self._place.partitions

        async with self._place.progress() as progress:

            async def awake() -> bool:
                await self._send(self._ordinary(self._tick_events))
                return min(await progress.committed(name, partitions)) > 0

            await until(awake, worker, "worker that judges")

    async def feed(self, seconds: float) -> float:
        """Feed all, scrapers among it; the events a second that it came to."""
        began, ticks, before = time.perf_counter(), round(seconds / TICK_S), self._made
        for tick in range(ticks):
            await self._send([*self._ordinary(self._tick_events), *self._scraping(tick)])
            await asyncio.sleep(max(began + (tick + 1) * TICK_S - time.perf_counter(), 0))
        return (self._made - before) / (time.perf_counter() - began)

    async def _send(self, values: list[bytes]) -> None:
        self._made += len(values)
        task = asyncio.create_task(write(self._sink, self._place.requests, shared_out(values, self._place.partitions)))
        task.add_done_callback(lambda done: done.result())

    def _ordinary(self, count: int) -> list[bytes]:
        now = _now()
        places = (place % PERIOD for place in range(self._made, self._made + count))
        return [view(f"{self._whom[at]}", now, self._visitors[self._who[at]]) for at in places]

    def _scraping(self, tick: int) -> list[bytes]:
        """What scrapers see in one tick: each its next profile, every so many ticks until it has seen them all."""
        now, oldest = _now(), tick - VIEW_EVERY * SCRAPER_VIEWS + 1
        first = max(0, -(-oldest // SCRAPER_EVERY))
        ages = ((scraper, tick - scraper * SCRAPER_EVERY) for scraper in range(first, tick // SCRAPER_EVERY + 1))
        return [
            view(f"{age // VIEW_EVERY}", now, self._traffic.visitor(self._traffic.visitors + scraper))
            for scraper, age in ages
            if age % VIEW_EVERY == 0
        ]


def _now() -> str:
    (now,) = spelled(np.array([time.time_ns() // 1000]))
    return now
