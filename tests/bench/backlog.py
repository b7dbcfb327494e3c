"""`python -m tests.bench backlog`: millions of events that are there when a worker starts, and what it holds meanwhile.

Everybody comes, or everybody while one partition gets five times of what another does, or one account that fills one
partition alone. The worker's memory is looked at while it works the backlog off: it must stop growing long before the
end.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
import orjson
from aiokafka import AIOKafkaProducer
from rich.console import Console
from rich.table import Table

from schemas import topic
from tests.bench.apart import Apart, Team, time_ms
from tests.bench.bench import HOURS_AGO, NEVER_MS
from tests.bench.kafka import ROOT, Progress, Worker, broker, producer, scratch, until, write
from tests.bench.machine import facts
from tests.bench.traffic import MEMBERS, SPAN_US, Traffic, half_past, shared_out, spelled, view
from tests.bench.whole import Place

FILE: Final = ROOT / "build" / "backlog.json"
TEAM_FILE: Final = FILE.with_name("backlog-workers.json")
CHUNK: Final = 250_000
"""Events that are made at a time."""
VISITORS: Final = 20_000
WHO: Final = ("everybody", "skewed", "one account")
SKEW: Final = 5
"""How many times of what another partition gets the first one does, where it is skewed."""
WORKED_OFF_S: Final = 3_600.0
Stamp = Callable[[bytes], int | None]
"""The time of an event's record; None for that of writing."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """How one backlog was worked off."""

    who: str
    events: int
    wall_s: float
    """From the start of the process until all is committed."""
    quarters_bytes: list[int]
    """The most memory it held until each quarter of the events was observed."""
    load: str
    apart: Apart | None = None
    """What several workers held, of which one is slow."""


def main(arguments: Sequence[str]) -> int:
    """The command line behind ``backlog``; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench backlog", description=__doc__)
    add = parser.add_argument
    add("--events", type=int, default=10_000_000, help="of the backlog (default: 10000000)")
    add("--who", choices=WHO, action="append", help="comes (default: each)")
    add("--partitions", type=int, default=8, help="of the topics (default: 8)")
    add("--workers", type=int, default=1, help="of which, if there are several, the last is slow (default: 1)")
    add("--root", type=Path, default=ROOT, help="where the workers' code is (default: here)")
    add("--bootstrap", help="a broker to use, instead of starting one")
    given = parser.parse_args(arguments)
    file = FILE if given.workers == 1 else TEAM_FILE
    console, found = Console(width=None if sys.stdout.isatty() else 120), []
    with scratch() as directory, broker(given.bootstrap, directory) as bootstrap:
        for who in given.who or WHO:
            place = Place.make(bootstrap, given.partitions, directory, NEVER_MS)
            one = measure if given.workers == 1 else measure_team
            found.append(asyncio.run(one(place, who, given.events, given.workers, given.root)))
            file.write_bytes(orjson.dumps({**facts(), "backlogs": [asdict(one) for one in found]}))
            console.print(_table(found[-1:]))
    console.print("; ".join(f"{name} {value}" for name, value in facts().items()))
    console.print(f"written to {file.relative_to(ROOT)}", highlight=False)
    return 0


async def _fill(place: Place, sink: AIOKafkaProducer, who: str, events: int, time_ms: Stamp = lambda _: None) -> None:
    start_us = half_past(datetime.now(UTC), HOURS_AGO)
    for first in range(0, events, CHUNK):
        values = values_of(who, start_us, first, min(CHUNK, events - first), events)
        await write(sink, place.requests, dealt(who, values, place.partitions), time_ms)
    if who == "one account":
        # Every source partition must be heard of, or nothing is judged.
        await write(sink, place.requests, [[], *([values[-1]] for _ in range(place.partitions - 1))], time_ms)


async def measure_team(place: Place, who: str, events: int, workers: int, root: Path = ROOT) -> Backlog:
    """Fill the topic before several workers that are ready, and have them empty it while one is slow."""
    async with producer(place.bootstrap, place.settings.kafka.application) as sink:
        await sink.begin_transaction()
        await _fill(place, sink, who, events, time_ms)
        load, team = str(facts()["load"]), Team(place, workers, root)
        try:
            await team.ready()
            await sink.commit_transaction()
            began = time.monotonic()
            with team.watched():
                await _worked_off(place, team.workers[0])
            wall_s = time.monotonic() - began
        finally:
            team.stop()
    return Backlog(who, events, wall_s, [], load, team.found)


async def measure(place: Place, who: str, events: int, _: int = 1, root: Path = ROOT) -> Backlog:
    """Fill the topic, then have one worker empty it."""
    async with producer(place.bootstrap) as sink:
        await _fill(place, sink, who, events)
    load, worker = str(facts()["load"]), Worker(place.config, root=root)
    try:
        began = time.monotonic()
        quarters = await _worked_off(place, worker)
        wall_s = time.monotonic() - began
    finally:
        worker.stop()
    return Backlog(who, events, wall_s, quarters, load)


def values_of(who: str, start_us: int, first: int, count: int, events: int) -> list[bytes]:
    """Events ``first`` to ``first + count`` of so many, which span two hours from ``start_us``."""
    per_us = SPAN_US / events
    if who != "one account":
        traffic = Traffic("logged in", VISITORS, seed=1 + first)
        return traffic.values(count, start_us + int(first * per_us), int(count * per_us))
    times_us = (start_us + np.arange(first, first + count) * per_us).astype(np.int64)
    one = Traffic("logged in", 1).visitor(0)
    return [view(f"{(first + n) % MEMBERS}", at, one) for n, at in enumerate(spelled(times_us))]


def dealt(who: str, values: list[bytes], partitions: int) -> list[list[bytes]]:
    """Events of each partition, in order of time; one account has but one."""
    if who == "one account":
        return [values]
    if who == "everybody":
        return shared_out(values, partitions)
    turn = SKEW + partitions - 1
    most = [value for number, value in enumerate(values) if number % turn < SKEW]
    return [most, *(values[SKEW + other :: turn] for other in range(partitions - 1))]


async def _worked_off(place: Place, worker: Worker) -> list[int]:
    """Wait until all is observed and judged; the peaks of memory by quarters of what is observed."""
    peaks: list[int] = []
    async with place.progress() as progress:
        total = sum(await progress.ends(place.requests, place.partitions))

        async def done() -> bool:
            observed = sum(await progress.committed(place.requests, place.partitions))
            while len(peaks) < 4 and observed >= total * (len(peaks) + 1) // 4:
                peaks.append(worker.peak_bytes())
            return observed >= total and await _is_judged(place, progress)

        await until(done, worker, "end of the backlog", WORKED_OFF_S)
    return [*peaks, worker.peak_bytes()]


async def _is_judged(place: Place, progress: Progress) -> bool:
    return await progress.is_done(place.named(topic.ACTIVITY), place.partitions)


def _table(found: Sequence[Backlog]) -> Table:
    return _alone(found) if found[0].apart is None else _together(found)


def _together(found: Sequence[Backlog]) -> Table:
    table = Table(title="what workers held at most, the last one slow")
    for name in ("who", "events", "s", "events/s", "MB of each", "records ahead", "sightings not judged", "load"):
        table.add_column(name, justify="right")
    for one in found:
        apart = one.apart or Apart()
        peaks = ", ".join(f"{each / 1e6:,.0f}" for each in apart.peaks_bytes)
        rate, held = f"{one.events / one.wall_s:,.0f}", (f"{apart.ahead:,}", f"{apart.waiting:,}")
        table.add_row(one.who, f"{one.events:,}", f"{one.wall_s:,.0f}", rate, peaks, *held, one.load)
    return table


def _alone(found: Sequence[Backlog]) -> Table:
    table = Table(title="peak of the worker's memory, MB, by what is observed")
    for name in ("who", "events", "s", "events/s", "quarter", "half", "three quarters", "all", "judged", "load"):
        table.add_column(name, justify="right")
    for one in found:
        peaks = [f"{each / 1e6:,.0f}" for each in one.quarters_bytes]
        rate = f"{one.events / one.wall_s:,.0f}"
        table.add_row(one.who, f"{one.events:,}", f"{one.wall_s:,.0f}", rate, *peaks, one.load)
    return table
