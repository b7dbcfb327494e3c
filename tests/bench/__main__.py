"""`python -m tests.bench`: events/s and CPU of each stage and of the whole, bytes an actor, time to block."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from typing import Final, cast

from rich.console import Console

from tests.bench import backlog, checkpoints, latency, recovery, replay, report, serve
from tests.bench.bench import Bench, Options
from tests.bench.kafka import BUILD, ROOT, broker, scratch
from tests.bench.machine import facts
from tests.bench.traffic import KINDS, Kind

FILE: Final = BUILD / "bench.json"
QUICK: Final = {"events": 100_000, "runs": 1, "actors": "5000", "faust_events": 10_000, "seconds": 5.0}
OTHERS: Final = {
    "backlog": backlog.main,
    "checkpoints": checkpoints.main,
    "latency": latency.main,
    "recovery": recovery.main,
    "replay": replay.main,
    "serve": serve.main,
}
"""Benchmarks of one thing alone, by the word that asks for them."""


def read_options(arguments: Sequence[str] | None) -> tuple[Options, str | None]:
    """What the command line asks for, and the broker if it names one."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description=__doc__,
        epilog="`recovery --help`: how long a killed worker is away; `backlog --help`: millions of events at once; "
        "`checkpoints --help`: what they cost; "
        "`replay --help`: how fast files are replayed; "
        "`serve --help`: how fast enforcers are answered; `latency --help`: from an event to its block alone",
    )
    add = parser.add_argument
    add("--events", type=int, default=1_000_000, help="of each run (default: 1000000)")
    add("--runs", type=int, default=3, help="of each measurement (default: 3)")
    add("--actors", default="5000,200000", help="visitors, comma separated (default: 5000,200000)")
    add("--kind", choices=list(KINDS), action="append", help="of traffic (default: each)")
    add("--partitions", type=int, default=8, help="of the topics (default: 8)")
    add("--faust-events", type=int, default=100_000, help="for stock Faust (default: 100000)")
    add("--rate", type=int, default=20_000, help="events/s while the time to block is measured (default: 20000)")
    add("--seconds", type=float, default=30.0, help="for how long it is; 0: not at all (default: 30)")
    add("--bootstrap", help="a broker to use, instead of starting one")
    add("--quick", action="store_true", help="a look at everything within a minute; its figures are rough")
    given = parser.parse_args(arguments)
    values = {**vars(given), **(QUICK if given.quick else {})}
    return (
        Options(
            events=values["events"],
            runs=values["runs"],
            visitors=tuple(map(int, values["actors"].split(","))),
            kinds=tuple(cast("list[Kind]", values["kind"] or list(KINDS))),
            partitions=values["partitions"],
            faust_events=values["faust_events"],
            rate=values["rate"],
            seconds=values["seconds"],
        ),
        values["bootstrap"],
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given and given[0] in OTHERS:
        return OTHERS[given[0]](given[1:])
    (chosen, named), console = read_options(given), Console(width=None if sys.stdout.isatty() else 120)
    with scratch() as directory, broker(named, directory) as bootstrap:
        bench = Bench(chosen, bootstrap, directory, console)
        asyncio.run(bench.run())
    about = {**facts(), "events": chosen.events, "runs": chosen.runs, "partitions": chosen.partitions}
    report.write(bench.results, about, FILE)
    report.show(bench.results, about, console)
    console.print(f"written to {FILE.relative_to(ROOT)}", highlight=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
