"""`python -m tests.bench checkpoints`: what keeping checkpoints costs, in runs of the whole with and without by turns.

Checkpoints come by the clock: on a busy machine a run takes longer, and so more of them. There only the CPU of one
round of checkpoints says something, in which every partition is kept once. A run of less than two rounds says nothing.
"""

import argparse
import asyncio
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Final

import orjson
from rich.console import Console
from rich.table import Table

from streams.settings import CheckpointSettings
from tests.bench import whole
from tests.bench.bench import HOURS_AGO, NEVER_MS, RUN_S
from tests.bench.kafka import ROOT, broker, scratch
from tests.bench.machine import facts
from tests.bench.measure import Run, spread
from tests.bench.traffic import Traffic, half_past
from tests.bench.whole import Place

FILE: Final = ROOT / "build" / "checkpoints.json"
OFF_S: Final = 0
INTERVALS_MIN: Final = 2


@dataclass(frozen=True, slots=True)
class Pair:
    """A run with checkpoints, and one without beside it."""

    without: Run
    kept: Run

    @property
    def throughput(self) -> float:
        """Share of the events a second that is left."""
        return self.kept.per_s / self.without.per_s

    @property
    def cpu(self) -> float:
        """How many times the CPU."""
        return self.kept.cpu_s / self.without.cpu_s


def main(arguments: Sequence[str]) -> int:
    """The command line behind ``checkpoints``; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench checkpoints", description=__doc__)
    add = parser.add_argument
    add("--events", type=int, default=2_000_000, help="of each run (default: 2000000)")
    add("--runs", type=int, default=3, help="with and without each (default: 3)")
    add("--actors", type=int, default=20_000, help="visitors (default: 20000)")
    add("--partitions", type=int, default=8, help="of the topics (default: 8)")
    add("--interval", type=int, default=CheckpointSettings().interval_s, help="s (default: what a worker has)")
    add("--bootstrap", help="a broker to use, instead of starting one")
    given = parser.parse_args(arguments)
    console, pairs = Console(width=None if sys.stdout.isatty() else 120), list[Pair]()
    traffic, start_us = Traffic("logged in", given.actors), half_past(datetime.now(UTC), HOURS_AGO)
    values = traffic.values(given.events, start_us)
    with scratch() as directory, broker(given.bootstrap, directory) as bootstrap:
        for number in range(given.runs):
            found: dict[int, Run] = {}
            # Which is first by turns: what slows the machine down in one direction slows both.
            for interval_s in (OFF_S, given.interval) if number % 2 == 0 else (given.interval, OFF_S):
                place = Place.make(bootstrap, given.partitions, directory, NEVER_MS, checkpoint_s=interval_s)
                found[interval_s] = asyncio.run(_run(place, traffic, values, start_us))
            pairs.append(Pair(found[OFF_S], found[given.interval]))
            console.print(_said(pairs[-1]), style="dim", highlight=False)
    _write(pairs, given.interval)
    console.print(_table(pairs, given.interval))
    console.print("; ".join(f"{name} {value}" for name, value in facts().items()))
    console.print(f"written to {FILE.relative_to(ROOT)}", highlight=False)
    return 0


async def _run(place: Place, traffic: Traffic, values: list[bytes], start_us: int) -> Run:
    async with asyncio.timeout(RUN_S):
        found = await whole.measure(place, traffic, values, start_us)
    await place.remove()
    return found.run


def ratio(pairs: Sequence[Pair]) -> float:
    """Median throughput with checkpoints as a share of that without."""
    without = spread([pair.without for pair in pairs], lambda run: run.per_s)
    return spread([pair.kept for pair in pairs], lambda run: run.per_s).median / without.median


def round_cpu_s(pairs: Sequence[Pair], interval_s: int) -> float:
    """CPU of keeping every partition once, in s: what a run took more, by the intervals that it lasted."""
    return statistics.median((pair.kept.cpu_s - pair.without.cpu_s) * interval_s / pair.kept.wall_s for pair in pairs)


def too_short(pairs: Sequence[Pair], interval_s: int) -> bool:
    """Whether a run was over before each partition had been kept often enough for the figure to mean something."""
    return any(pair.kept.wall_s < INTERVALS_MIN * interval_s for pair in pairs)


def _said(pair: Pair) -> str:
    return f"throughput x{pair.throughput:.2f}, CPU x{pair.cpu:.2f}, {pair.kept.wall_s:.0f} s with checkpoints"


def _write(pairs: Sequence[Pair], interval_s: int) -> None:
    FILE.parent.mkdir(exist_ok=True)
    body = {**facts(), "interval_s": interval_s, "ratio": ratio(pairs), "round_cpu_s": round_cpu_s(pairs, interval_s)}
    body["pairs"] = [asdict(pair) for pair in pairs]
    FILE.write_bytes(orjson.dumps(body, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def _table(pairs: Sequence[Pair], interval_s: int) -> Table:
    cpu_s = round_cpu_s(pairs, interval_s)
    caption = f"one round: {cpu_s:.1f} s of CPU, which is {cpu_s / interval_s:.2f} of a core"
    if too_short(pairs, interval_s):
        caption += "; a run was shorter than two intervals: take more events"
    title = f"with checkpoints every {interval_s} s, {ratio(pairs):.2f} of the throughput without (medians)"
    table = Table(title=title, caption=caption)
    for name in ("checkpoints", "events/s", "CPU us/event", "s", "load"):
        table.add_column(name, justify="right")
    for pair in pairs:
        for name, run in (("none", pair.without), (f"{interval_s} s", pair.kept)):
            table.add_row(name, f"{run.per_s:,.0f}", f"{run.cpu_us:.1f}", f"{run.wall_s:.0f}", f"{run.load:.1f}")
    return table
