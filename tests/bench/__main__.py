"""`python -m tests.bench`: events/s and CPU of each stage and of the whole, bytes an actor, time to block."""

import argparse
import asyncio
import gc
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, cast

from rich.console import Console

from deploy.kafka.cluster import Cluster
from streams.config import parse
from streams.pipeline.warm_up import warm_up
from tests.bench import baseline, latency, report, whole
from tests.bench.kafka import ROOT
from tests.bench.machine import facts
from tests.bench.measure import Results
from tests.bench.stages import Stages
from tests.bench.traffic import KINDS, Kind, Traffic, half_past

DIRECTORY: Final = ROOT / "build" / "bench"
FILE: Final = ROOT / "build" / "bench.json"
WHOLE: Final = "whole, Kafka to Kafka, one worker"
NEVER_MS: Final = 3_600_000
"""So that no source partition counts as idle while it waits for the start."""
BASE_EVENTS: Final = 100_000
"""For stock Faust, which takes ten seconds for them."""


@dataclass(frozen=True, slots=True)
class Options:
    """What to measure."""

    events: int
    runs: int
    visitors: tuple[int, ...]
    kinds: tuple[Kind, ...]
    partitions: int
    rate: int
    seconds: float
    bootstrap: str | None


def options(arguments: Sequence[str] | None) -> Options:
    """Those of the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000, help="of each run (default: 1000000)")
    parser.add_argument("--runs", type=int, default=3, help="of each measurement (default: 3)")
    parser.add_argument("--actors", default="5000,200000", help="visitors, comma separated (default: 5000,200000)")
    parser.add_argument("--kind", choices=list(KINDS), action="append", help="of traffic (default: each)")
    parser.add_argument("--partitions", type=int, default=8, help="of the topics (default: 8)")
    parser.add_argument("--rate", type=int, default=20_000, help="events/s of the time to block (default: 20000)")
    parser.add_argument(
        "--seconds", type=float, default=30.0, help="of the time to block; 0: leave it out (default: 30)"
    )
    parser.add_argument("--bootstrap", help="a broker to use, instead of starting one")
    parser.add_argument("--quick", action="store_true", help="a look at everything within a minute; figures are rough")
    given = parser.parse_args(arguments)
    quick = {"events": 100_000, "runs": 1, "actors": "5000", "seconds": 5.0} if given.quick else {}
    given = argparse.Namespace(**{**vars(given), **quick})
    visitors = tuple(int(number) for number in str(given.actors).split(","))
    kinds = tuple(cast("list[Kind]", given.kind or list(KINDS)))
    return Options(
        given.events, given.runs, visitors, kinds, given.partitions, given.rate, given.seconds, given.bootstrap
    )


@contextmanager
def broker(bootstrap: str | None) -> Iterator[str]:
    """The one that was named, or Apache Kafka of our own, with an empty directory."""
    if bootstrap is not None:
        yield bootstrap
        return
    shutil.rmtree(DIRECTORY, ignore_errors=True)
    DIRECTORY.mkdir(parents=True)
    with Cluster(DIRECTORY / "kafka") as cluster:
        yield cluster.bootstrap
    shutil.rmtree(DIRECTORY / "kafka")


class Bench:
    """One benchmark from its options to its results."""

    def __init__(self, chosen: Options, bootstrap: str, console: Console) -> None:
        self._chosen, self._bootstrap, self._console = chosen, bootstrap, console
        self.results = Results()

    async def run(self) -> None:
        """Measure everything."""
        settings = parse('[mode]\ndefault = "enforce"\n')
        warm_up(settings)
        for traffic in (Traffic(kind, visitors) for kind in self._chosen.kinds for visitors in self._chosen.visitors):
            start_us = half_past(datetime.now(UTC), 3)
            values = traffic.values(self._chosen.events, start_us)
            stages = Stages(settings, traffic, values, self._chosen.partitions)
            for number in range(self._chosen.runs):
                self._say(f"{traffic}: run {number + 1} of {self._chosen.runs}")
                stages.run(self.results)
                gc.collect()
                await self._whole(traffic, values, start_us, first=not self.results.rows or number == 0)
        if self._chosen.seconds:
            self._say("time to block")
            await self._latency()

    async def _whole(self, traffic: Traffic, values: list[bytes], start_us: int, *, first: bool) -> None:
        place = whole.Place.make(self._bootstrap, self._chosen.partitions, DIRECTORY, NEVER_MS)
        found = await whole.measure(place, traffic, values, start_us)
        self.results.add(traffic, WHOLE, found.run)
        size = next(size for size in self.results.sizes if size.traffic == str(traffic))
        size.resident_bytes_each = found.grown_bytes / size.actors
        await self._baselines(place, len(values), first and traffic.kind == self._chosen.kinds[0])
        await place.remove()

    async def _baselines(self, place: whole.Place, events: int, first: bool) -> None:
        """Read the same topic by other ways; what they do not look at makes no difference to them."""
        self.results.add(report.ANY, baseline.GETMANY, await baseline.getmany(*self._where(place), events))
        if first:
            for way, name in baseline.FAUST_WAYS.items():
                run = await baseline.stock_faust(self._bootstrap, place.requests, min(events, BASE_EVENTS), way)
                self.results.add(report.ANY, name, run)

    def _where(self, place: whole.Place) -> tuple[str, str, int]:
        return self._bootstrap, place.requests, self._chosen.partitions

    async def _latency(self) -> None:
        place = whole.Place.make(self._bootstrap, self._chosen.partitions, DIRECTORY, idle_after_ms=2000)
        traffic = Traffic("logged in", latency.VISITORS)
        self.results.latency = await latency.measure(place, traffic, self._chosen.rate, self._chosen.seconds)
        await place.remove()

    def _say(self, text: str) -> None:
        self._console.print(text, style="dim", highlight=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    chosen, console = options(arguments), Console()
    with broker(chosen.bootstrap) as bootstrap:
        bench = Bench(chosen, bootstrap, console)
        asyncio.run(bench.run())
    about = {**facts(), "events": chosen.events, "runs": chosen.runs, "partitions": chosen.partitions}
    report.write(bench.results, about, FILE)
    report.show(bench.results, about, console)
    console.print(f"written to {FILE.relative_to(Path.cwd()) if FILE.is_relative_to(Path.cwd()) else FILE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
