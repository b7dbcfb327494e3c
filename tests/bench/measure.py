"""Figures: what was done in how much time, once and several times."""

import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class Run:
    """So many events in ``wall_s``, for ``cpu_s`` of the process that did it."""

    events: int
    wall_s: float = 0.0
    cpu_s: float = 0.0
    load: float = field(default_factory=lambda: os.getloadavg()[0])
    """Of the machine over the minute before: what others did may have slowed the run."""

    @property
    def per_s(self) -> float:
        """Events a second, by the clock on the wall."""
        return self.events / self.wall_s

    @property
    def cpu_us(self) -> float:
        """CPU of all threads of the process, in us an event."""
        return self.cpu_s / self.events * 1e6


@dataclass(frozen=True, slots=True)
class Spread:
    """Middle and ends of the values of several runs."""

    median: float
    low: float
    high: float


def spread(runs: Sequence[Run], value: Callable[[Run], float]) -> Spread:
    """Spread of ``value`` over at least one run."""
    values = [value(run) for run in runs]
    return Spread(statistics.median(values), min(values), max(values))


@dataclass(slots=True)
class Row:
    """One line of the table: what was measured under which traffic, run after run."""

    traffic: str
    what: str
    runs: list[Run] = field(default_factory=list)


@dataclass(slots=True)
class Size:
    """Memory of the actors under one traffic."""

    traffic: str
    actors: int
    bytes_each: float
    """Of the arrays that hold them, room to grow included."""
    resident_bytes_each: float | None = None
    """What the worker process grew by, its buffers included."""


@dataclass(slots=True)
class Latency:
    """From the event that made the decision to a consumer that has the block, in ms."""

    events_per_s: float
    """As the feeder kept it up."""
    cores: float
    """That the worker kept busy meanwhile."""
    blocks: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    load: float = 0.0
    """Of the machine over the last minute of the run."""
    steps_ms: dict[str, float] = field(default_factory=dict)
    """Median of each step on the way, see `tests/bench/journey.py`."""

    @property
    def cpu_us(self) -> float:
        """CPU of all threads of the worker, in us an event."""
        return self.cores / self.events_per_s * 1e6


@dataclass(slots=True)
class Results:
    """All that was measured."""

    rows: list[Row] = field(default_factory=list)
    sizes: list[Size] = field(default_factory=list)
    latency: Latency | None = None

    def add(self, traffic: object, what: str, run: Run) -> None:
        """Put a run to the others of its kind."""
        for row in self.rows:
            if (row.traffic, row.what) == (str(traffic), what):
                row.runs.append(run)
                return
        self.rows.append(Row(str(traffic), what, [run]))


@contextmanager
def timed(events: int) -> Iterator[Run]:
    """Time what this process does meanwhile."""
    run = Run(events)
    wall, cpu = time.perf_counter(), time.process_time()
    yield run
    run.cpu_s, run.wall_s = time.process_time() - cpu, time.perf_counter() - wall


def latency(
    waits_ms: Sequence[float],
    events_per_s: float,
    cores: float,
    load: float = 0.0,
    steps_ms: dict[str, float] | None = None,
) -> Latency:
    """Percentiles of at least two waits: the smallest that so many in a hundred do not pass."""
    ordered = sorted(waits_ms)
    cuts = statistics.quantiles(ordered, n=100, method="inclusive")
    return Latency(events_per_s, cores, len(ordered), cuts[49], cuts[98], ordered[-1], load, steps_ms or {})
