"""`python -m tests.bench`: events/s and CPU of each stage and of the whole, bytes an actor, time to block."""

import argparse
import asyncio
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, cast

from rich.console import Console

from deploy.kafka.cluster import Cluster
from tests.bench import report
from tests.bench.bench import Bench, Options
from tests.bench.kafka import ROOT
from tests.bench.machine import facts
from tests.bench.traffic import KINDS, Kind

BUILD: Final = ROOT / "build"
FILE: Final = BUILD / "bench.json"
QUICK: Final = {"events": 100_000, "runs": 1, "actors": "5000", "faust_events": 10_000, "seconds": 5.0}


def read_options(arguments: Sequence[str] | None) -> tuple[Options, str | None]:
    """What the command line asks for, and the broker if it names one."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
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


@contextmanager
def broker(bootstrap: str | None, directory: Path) -> Iterator[str]:
    """The one that was named, or Apache Kafka of our own in ``directory``."""
    if bootstrap is not None:
        yield bootstrap
        return
    with Cluster(directory / "kafka") as cluster:
        yield cluster.bootstrap


@contextmanager
def scratch() -> Iterator[Path]:
    """A directory of this run alone, which goes when the run ends well: what workers said tells why one did not."""
    BUILD.mkdir(exist_ok=True)
    directory = Path(tempfile.mkdtemp(prefix="bench-", dir=BUILD))
    yield directory
    shutil.rmtree(directory)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    (chosen, named), console = read_options(arguments), Console(width=None if sys.stdout.isatty() else 120)
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
