"""`python -m tests.bench recovery`: how long a worker is away that was killed, by the number of actors it remembers.

A worker judges a day and keeps it in checkpoints. It is killed, bursts come in for each activity partition, and a new
one starts. The clock runs from that start to the alert of the first burst, and of the last: by then every partition
is judged again. What the worker says of each partition tells where the time went.
"""

import argparse
import asyncio
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Final

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from rich.console import Console
from rich.table import Table

from schemas import topic
from streams.live import topics
from tests.bench.bench import HOURS_AGO, NEVER_MS
from tests.bench.kafka import ROOT, Worker, broker, producer, scratch, until, write
from tests.bench.machine import facts
from tests.bench.traffic import SPAN_US, Traffic, half_past, shared_out
from tests.bench.whole import Ends, Place

FILE: Final = ROOT / "build" / "recovery.json"
ACTORS_A_VISITOR: Final = 3
"""Account, session and address; networks, systems and fingerprints are few."""
EVENTS_A_VISITOR: Final = 3
SESSION_MS: Final = 6_000
"""The least that Kafka allows. The group waits so long for the dead: that is configuration, and no work."""
FILL_S: Final = 900.0
RESTORED: Final = re.compile(r"restored ([\d,]+) actors at offset \d+ in ([\d.]+) s")


@dataclass(frozen=True, slots=True)
class Recovery:
    """What one recovery took, in seconds from the start of the new process unless said otherwise."""

    actors: int
    state_bytes: int
    """Values of the last checkpoints of all partitions, at most: what the topic of state has grown to."""
    begin_s: float
    """Until it restores the first partition: it loads, compiles, joins, and the group gives up the dead worker."""
    restore_s: float
    """Of that, all partitions, one after the other."""
    first_s: float
    """Until a consumer has the first alert."""
    last_s: float
    """Until it has an alert from every partition."""
    peak_bytes: int
    """The most memory that the new process has held."""
    load: float
    """Of the machine over the minute before."""


def main(arguments: Sequence[str]) -> int:
    """The command line behind ``recovery``; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench recovery", description=__doc__)
    add = parser.add_argument
    add("--actors", default="100000,1000000", help="to remember, comma separated (default: 100000,1000000)")
    add("--runs", type=int, default=1, help="of each (default: 1)")
    add("--partitions", type=int, default=8, help="of the topics (default: 8)")
    add("--bootstrap", help="a broker to use, instead of starting one")
    given = parser.parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 120)
    found: list[Recovery] = []
    with scratch() as directory, broker(given.bootstrap, directory) as bootstrap:
        for actors in [int(each) for each in given.actors.split(",") for _ in range(given.runs)]:
            place = Place.make(bootstrap, given.partitions, directory, NEVER_MS, SESSION_MS)
            found.append(asyncio.run(measure(place, actors)))
            console.print(_said(found[-1]), style="dim", highlight=False)
    about = {**facts(), "partitions": given.partitions}
    body = {**about, "recoveries": [asdict(one) for one in found]}
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_bytes(orjson.dumps(body, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    console.print(_table(found))
    console.print("; ".join(f"{name} {value}" for name, value in about.items()))
    console.print(f"written to {FILE.relative_to(ROOT)}", highlight=False)
    return 0


async def measure(place: Place, actors: int) -> Recovery:
    """Have a worker remember so many, kill it, and time its successor."""
    traffic = Traffic("logged in", max(actors // ACTORS_A_VISITOR, 1))
    start_us = half_past(datetime.now(UTC), HOURS_AGO)
    events = traffic.values(EVENTS_A_VISITOR * traffic.visitors, start_us)
    ends = Ends(traffic.kind, place.partitions, start_us + SPAN_US)
    async with producer(place.bootstrap) as sink:
        await write(sink, place.requests, shared_out(events, place.partitions))
        first = Worker(place.config)
        try:
            await _filled(place, first)
        finally:
            first.kill()
        await write(sink, place.requests, shared_out(ends.events(), place.partitions))
    load = float(str(facts()["load"]))
    return await _recovered(place, ends, load)


async def _filled(place: Place, worker: Worker) -> None:
    """All is judged, and kept in checkpoints."""
    async with place.progress() as progress:

        async def kept() -> bool:
            committed = await progress.committed(place.requests, place.partitions)
            read = committed == await progress.ends(place.requests, place.partitions)
            return read and await progress.is_done(place.named(topic.ACTIVITY), place.partitions)

        await until(kept, worker, "checkpoint of all that was written", FILL_S)


async def _recovered(place: Place, ends: Ends, load: float) -> Recovery:
    name = place.named(topic.ALERTS)
    numbers = [TopicPartition(name, n) for n in range(topics.partitions(place.settings.kafka, [name])[name])]
    async with AIOKafkaConsumer(bootstrap_servers=place.bootstrap, enable_auto_commit=False) as alerts:
        alerts.assign(numbers)
        await alerts.seek_to_end()
        began, worker = time.time(), Worker(place.config, log_level="info")
        try:
            seen_s = await _watch(alerts, set(ends.actors), began, worker)
            peak_bytes = worker.peak_bytes()
        finally:
            worker.stop()
    lines = read_restored(worker.log.read_text(errors="replace"))
    first_began = lines[0][0] - lines[0][2]
    return Recovery(
        actors=sum(count for _, count, _ in lines),
        state_bytes=await _state_bytes(place),
        begin_s=first_began - began,
        restore_s=lines[-1][0] - first_began,
        first_s=seen_s[0],
        last_s=seen_s[-1],
        peak_bytes=peak_bytes,
        load=load,
    )


async def _watch(alerts: AIOKafkaConsumer, missing: set[str], began: float, worker: Worker) -> list[float]:
    """When each alert of the bursts came, after ``began``."""
    seen_s: list[float] = []

    async def all_seen() -> bool:
        for records in (await alerts.getmany(timeout_ms=20)).values():
            for subject in (dict(one.headers)["ce_subject"].decode() for one in records):
                if subject in missing:
                    missing.discard(subject)
                    seen_s.append(time.time() - began)
        return not missing

    await until(all_seen, worker, "alert from every partition", FILL_S)
    return seen_s


def read_restored(log: str) -> list[tuple[float, int, float]]:
    """Of each line about a partition: when it was written, its actors, and the seconds it took."""
    found: list[tuple[float, int, float]] = []
    for line in log.splitlines():
        said = RESTORED.search(line)
        if said is not None:
            at = datetime.fromisoformat(orjson.loads(line)["timestamp"]).timestamp()
            found.append((at, int(said[1].replace(",", "")), float(said[2])))
    return found


async def _state_bytes(place: Place) -> int:
    """What stands in the topic of state."""
    name = place.named(topic.STATE)
    numbers = [TopicPartition(name, number) for number in range(place.partitions)]
    reader = AIOKafkaConsumer(bootstrap_servers=place.bootstrap, enable_auto_commit=False, auto_offset_reset="earliest")
    async with reader:
        reader.assign(numbers)
        ends = await reader.end_offsets(numbers)
        latest: dict[tuple[int, bytes | None], int] = {}
        while any([await reader.position(number) < ends[number] for number in numbers]):
            for records in (await reader.getmany(timeout_ms=200)).values():
                latest.update({(one.partition, one.key): len(one.value or b"") for one in records})
    return sum(latest.values())


def _said(one: Recovery) -> str:
    return f"{one.actors:,} actors: restored in {one.restore_s:.1f} s, first alert after {one.first_s:.1f} s"


def _table(found: Sequence[Recovery]) -> Table:
    table = Table(title="from the start of the next worker, s")
    for name in ("actors", "state, MB", "begins", "restores for", "first alert", "all alerts", "peak, MB", "load"):
        table.add_column(name, justify="right")
    for one in found:
        times = (one.begin_s, one.restore_s, one.first_s, one.last_s)
        table.add_row(
            f"{one.actors:,}",
            f"{one.state_bytes / 1e6:,.1f}",
            *(f"{each:.1f}" for each in times),
            f"{one.peak_bytes / 1e6:,.0f}",
            f"{one.load:.1f}",
        )
    return table
