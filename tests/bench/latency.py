"""`python -m tests.bench latency`: how long it takes from an event to the block that it leads to, at a steady rate.

Ordinary visitors make most of the traffic. Scrapers among them begin one after the other, each an account that goes
over the limits within seconds. Every event has the time at which it is handed to the producer. The wait of a block
lasts from the time of the event that made the decision, which the record names, until a consumer has the record; the
allowed lateness is part of it. Which step on the way takes how long, the logs tell (`tests/bench/journey.py`).

With ``--against`` the worker of another checkout takes turns with this one, so that both meet the same machine.
"""

import argparse
import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

import numpy as np
import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from rich.console import Console
from rich.table import Table

from schemas import topic
from schemas.block import BLOCK_CODEC
from schemas.event_time import parse_time_us
from streams.live import topics
from tests.bench.journey import STEPS, Seen, steps
from tests.bench.kafka import ROOT, Worker, broker, producer, scratch, until, write
from tests.bench.machine import facts
from tests.bench.measure import Latency, latency
from tests.bench.traffic import Traffic, popular, shared_out, spelled, view
from tests.bench.whole import Place

FILE: Final = ROOT / "build" / "latency.json"
IDLE_AFTER_MS: Final = 2_000
VISITORS: Final = 200_000
"""At 20,000 events/s each of them sees six profiles a minute."""
TICK_S: Final = 0.01
WRITE_S: Final = 0.005
"""As the linger of a producer."""
SETTLE_S: Final = 25.0
"""Blocks of the first seconds do not count: by then nine in ten visitors have come, and memory has grown for them."""
DRAIN_S: Final = 2.0
SCRAPER_EVERY: Final = 10
"""Ticks from the beginning of one scraper to that of the next."""
VIEW_EVERY: Final = 4
"""Ticks from one profile that a scraper sees to the next."""
SCRAPER_VIEWS: Final = 75
"""More than 1.25 times what an account may see within a minute."""
PERIOD: Final = 500_000
"""After so many events the same visitors look at the same profiles again."""


def main(arguments: Sequence[str]) -> int:
    """The command line behind ``latency``; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench latency", description=__doc__)
    add = parser.add_argument
    add("--rate", type=int, default=20_000, help="events/s (default: 20000)")
    add("--seconds", type=float, default=30.0, help="for how long (default: 30)")
    add("--runs", type=int, default=1, help="of each worker (default: 1)")
    add("--partitions", type=int, default=8, help="of the topics (default: 8)")
    add("--workers", type=int, default=1, help="processes that share the partitions (default: 1)")
    add("--against", type=Path, help="another checkout, whose worker takes turns with this one")
    add("--bootstrap", help="a broker to use, instead of starting one")
    given = parser.parse_args(arguments)
    console, found = Console(width=None if sys.stdout.isatty() else 120), []
    roots = [ROOT] if given.against is None else [given.against.resolve(), ROOT]
    with scratch() as directory, broker(given.bootstrap, directory) as bootstrap:
        for root in roots * given.runs:
            place = Place.make(bootstrap, given.partitions, directory, IDLE_AFTER_MS)
            traffic = Traffic("logged in", VISITORS)
            found.append((str(root), asyncio.run(measured(place, traffic, given, root))))
            console.print(_table(found[-1:]))
    about = {**facts(), "partitions": given.partitions}
    FILE.parent.mkdir(exist_ok=True)
    runs = [{"of": root, **asdict(one)} for root, one in found]
    FILE.write_bytes(orjson.dumps({**about, "runs": runs}, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    console.print(_table(found))
    console.print("; ".join(f"{name} {value}" for name, value in about.items()))
    console.print(f"written to {FILE.relative_to(ROOT)}", highlight=False)
    return 0


async def measured(place: Place, traffic: Traffic, given: argparse.Namespace, root: Path) -> Latency:
    """`measure` on topics of its own, which go afterwards."""
    try:
        return await measure(place, traffic, given.rate, given.seconds, root, given.workers)
    finally:
        await place.remove()


def _table(found: Sequence[tuple[str, Latency]]) -> Table:
    table = Table(title="event to block, ms; medians of the steps on the way")
    for name in ("of", "events/s", "CPU us/event", "p50", "p99", "most", *STEPS, "blocks", "load"):
        table.add_column(name, justify="right")
    for root, one in found:
        waits = [f"{wait:,.0f}" for wait in (one.p50_ms, one.p99_ms, one.max_ms, *one.steps_ms.values())]
        of = "this" if root == str(ROOT) else Path(root).name
        table.add_row(of, f"{one.events_per_s:,.0f}", f"{one.cpu_us:.1f}", *waits, f"{one.blocks}", f"{one.load:.1f}")
    return table


async def measure(
    place: Place, traffic: Traffic, events_per_s: int, seconds: float, root: Path = ROOT, workers: int = 1
) -> Latency:
    """Feed workers of ``root`` at a steady rate and watch their blocks, for ``seconds`` after they have settled."""
    crew = [Worker(place.config, root=root) for _ in range(workers)]
    worker = crew[0]
    try:
        async with producer(place.bootstrap) as sink, _reading(place) as blocks:
            feeder = Feeder(sink, place, traffic, events_per_s)
            writing = [asyncio.create_task(feeder.write(partition)) for partition in range(place.partitions)]
            await feeder.wake(worker)
            watcher = Watcher(blocks, time.time_ns() // 1000 + int(SETTLE_S * 1e6))
            watching = asyncio.create_task(watcher.watch())
            with contextlib.ExitStack() as stack:
                runs = [stack.enter_context(one.timed(0)) for one in crew]
                per_s = await feeder.feed(SETTLE_S + seconds)
            load = os.getloadavg()[0]
            await asyncio.sleep(DRAIN_S)
            for task in (watching, *writing):
                if task.done():
                    task.result()
                task.cancel()
        for one in crew:
            one.check()
    finally:
        for one in crew:
            one.stop()
    settings, seen = place.settings, watcher.seen
    lateness_us = settings.input.allowed_lateness_ms * 1000
    took = steps(settings.kafka, place.named(topic.ACTIVITY), lateness_us, place.partitions, seen)
    waits_ms = [one.seen_ms - one.event_ms for one in seen]
    return latency(
        waits_ms, per_s, sum(run.cpu_s / run.wall_s for run in runs), load, dict(zip(STEPS, took, strict=False))
    )


def _reading(place: Place) -> AIOKafkaConsumer:
    """A consumer of all blocks; the caller starts and stops it."""
    name = place.named(topic.BLOCKS)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=place.bootstrap, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    consumer.assign([TopicPartition(name, n) for n in range(topics.partitions(place.settings.kafka, [name])[name])])
    return consumer


class Watcher:
    """Notes blocks as they come in."""

    def __init__(self, blocks: AIOKafkaConsumer, from_us: int) -> None:
        """Count blocks that events from ``from_us`` on have led to."""
        self._blocks, self._from_us = blocks, from_us
        self.seen: list[Seen] = []

    async def watch(self) -> None:
        """Go on until cancelled."""
        while True:
            found = await self._blocks.getmany(timeout_ms=100)
            now_ms = time.time_ns() / 1e6
            for record in (record for records in found.values() for record in records):
                if record.value is not None:
                    block = BLOCK_CODEC.decode(record.value)
                    event_us, decided_us = parse_time_us(block.event_time), parse_time_us(block.decided_at)
                    if event_us >= self._from_us:
                        times_ms = event_us / 1000, decided_us / 1000, record.timestamp, now_ms
                        self.seen.append(Seen(block.actor.value, *times_ms))


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
        self._waiting: list[list[bytes]] = [[] for _ in range(place.partitions)]

    async def wake(self, worker: Worker) -> None:
        """Feed a little until the worker has judged some of it."""
        name, partitions = self._place.named(topic.ACTIVITY), self._place.partitions

        async with self._place.progress() as progress:

            async def awake() -> bool:
                self._send(self._ordinary(self._tick_events))
                return min(await progress.committed(name, partitions)) > 0

            await until(awake, worker, "worker that judges")

    async def feed(self, seconds: float) -> float:
        """Feed all, scrapers among it; the events a second that it came to."""
        began, ticks, before = time.perf_counter(), round(seconds / TICK_S), self._made
        for tick in range(ticks):
            self._send([*self._ordinary(self._tick_events), *self._scraping(tick)])
            await asyncio.sleep(max(began + (tick + 1) * TICK_S - time.perf_counter(), 0))
        return (self._made - before) / (time.perf_counter() - began)

    def _send(self, values: list[bytes]) -> None:
        self._made += len(values)
        for waiting, part in zip(self._waiting, shared_out(values, len(self._waiting)), strict=True):
            waiting.extend(part)

    async def write(self, partition: int) -> None:
        """Write what there is for a partition, again and again: in one batch, so that nothing piles up here."""
        while True:
            values, self._waiting[partition] = self._waiting[partition], []
            if values:
                parts: list[list[bytes]] = [[] for _ in self._waiting]
                parts[partition] = values
                await write(self._sink, self._place.requests, parts)
            await asyncio.sleep(WRITE_S)

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
