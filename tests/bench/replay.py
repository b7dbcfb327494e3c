"""`python -m tests.bench replay`: events/s of `weir replay` as its user calls it, in one process and in two.

The time is that of the whole command, from its start on. CPU is that of all of its processes. Modules are compiled to
bytecode before, as they are where Weir is installed, even if this machine's environment forbids it.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import orjson
from rich.console import Console
from rich.table import Table

from tests.bench.kafka import ROOT, scratch
from tests.bench.machine import facts
from tests.bench.measure import Run, spread
from tests.bench.traffic import Traffic

FILE: Final = ROOT / "build" / "replay.json"
START_US: Final = 1_780_000_200_000_000
BYTECODE: Final = {"PYTHONPYCACHEPREFIX": str(ROOT / "build" / "bytecode"), "PYTHONDONTWRITEBYTECODE": ""}
JOBS: Final = {"one process": ["--jobs", "1"], "two": []}
COMBINED: Final = '%s - %s [%s] "GET %s HTTP/1.1" 200 5316 "-" "%s"\n'


@dataclass(frozen=True, slots=True)
class Measured:
    """One input, replayed so often in one way."""

    what: str
    how: str
    runs: list[Run]


def main(arguments: Sequence[str]) -> int:
    """The command line behind ``replay``; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench replay", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000, help="of each input (default: 1000000)")
    parser.add_argument("--runs", type=int, default=3, help="of each, one way after the other (default: 3)")
    parser.add_argument("--only", help="inputs whose name holds this")
    parser.add_argument("--file", type=Path, action="append", help="a log of yours, in place of the inputs made here")
    given = parser.parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 120)
    measured: list[Measured] = []
    with scratch() as directory:
        # A file that ends at once is enough to have every module compiled.
        replayed(Path(os.devnull), directory / "out", ())
        chosen = [(one.name, one) for one in given.file or ()]
        for what, file in chosen or inputs(directory, given.events):
            if given.only is None or given.only in what:
                measured += measure(what, file, directory, given.runs)
            if not given.file:
                file.unlink()
    table = table_of(measured)
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_bytes(orjson.dumps({"about": facts(), "replays": [asdict(one) for one in measured]}))
    console.print(table)
    console.print(", ".join(f"{name} {value}" for name, value in facts().items()), highlight=False)
    return 0


def measure(what: str, file: Path, directory: Path, runs: int) -> list[Measured]:
    """Replay a file so often in each way, in turn."""
    found = [Measured(what, how, []) for how in JOBS]
    for _ in range(runs):
        for one in found:
            one.runs.append(replayed(file, directory / "out", JOBS[one.how]))
    return found


def replayed(file: Path, out: Path, jobs: Sequence[str]) -> Run:
    """One replay by the command line."""
    load, began, cpu = os.getloadavg()[0], time.perf_counter(), _children_s()
    command = [sys.executable, "-m", "streams.cli", "replay", str(file), "--out", str(out), "--json", *jobs]
    done = subprocess.run(command, check=True, capture_output=True, env=os.environ | BYTECODE)
    report: dict[str, Any] = orjson.loads(done.stdout)
    return Run(report["events"], time.perf_counter() - began, _children_s() - cpu, load)


def _children_s() -> float:
    times = os.times()
    return times.children_user + times.children_system


def inputs(directory: Path, events: int) -> Iterator[tuple[str, Path]]:
    """Each input by its name, a file after the other."""
    for traffic in (Traffic("logged in", 5_000), Traffic("logged in", 200_000)):
        yield f"canonical, {traffic}", _written(directory, traffic.values(events, START_US), _same)
    values = Traffic("logged in", 5_000).values(events, START_US)
    yield "ECS, logged in, 5,000", _written(directory, values, nested)
    yield "nginx combined, 5,000", _written(directory, values, combined)


def _written(directory: Path, values: Sequence[bytes], line: Callable[[bytes], bytes]) -> Path:
    file = directory / "events.log"
    with file.open("wb") as out:
        out.writelines(line(value) for value in values)
    return file


def _same(value: bytes) -> bytes:
    return value + b"\n"


def nested(value: bytes) -> bytes:
    """A flat event as ECS has it."""
    found: dict[str, Any] = {}
    for name, leaf in orjson.loads(value).items():
        *parents, last = name.split(".")
        place = found
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = leaf
    return orjson.dumps(found) + b"\n"


def combined(value: bytes) -> bytes:
    """The same request as nginx and Apache log it; the account is the user of basic authentication."""
    event = orjson.loads(value)
    at = time.strptime(event["@timestamp"][:19], "%Y-%m-%dT%H:%M:%S")
    clock = time.strftime("%d/%b/%Y:%H:%M:%S +0000", at)
    named = event["client.address"], event["user.id"], clock, event["url.path"], event["user_agent.original"]
    return (COMBINED % named).encode()


def table_of(measured: Sequence[Measured]) -> Table:
    """A row for each way of each input."""
    table = Table("input", "processes", "events/s", "lowest to highest", "CPU us/event", "load", box=None)
    for one in measured:
        rate, cpu = spread(one.runs, lambda run: run.per_s), spread(one.runs, lambda run: run.cpu_us)
        loads = max(run.load for run in one.runs)
        between = f"{rate.low:,.0f} to {rate.high:,.0f}"
        table.add_row(one.what, one.how, f"{rate.median:,.0f}", between, f"{cpu.median:.1f}", f"{loads:.1f}")
    return table
