"""`python -m tests.bench backlog --workers 2`: workers of which the last one is slow, and what they hold meanwhile.

The slow one is stopped for most of each few seconds, well within its session. Records carry the times of their events,
as those of a backlog do that grew while nobody read. What is sighted and not judged waits in assess, or on the topic
before it.
"""

import asyncio
import contextlib
import signal
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

from deploy.kafka.cluster import free_ports
from tests.bench.kafka import ROOT, Worker, until
from tests.bench.whole import Place

STOPPED_S: Final = 3.0
RUNS_S: Final = 1.0
LOOK_S: Final = 0.5
PAGE_S: Final = 0.4
TIME_AT: Final = slice(15, 38)
"""Of an event of `tests.bench.traffic`: up to the milliseconds."""


class Counts(NamedTuple):
    """What the page of one worker says."""

    partitions: int = 0
    """Of the topic of requests."""
    written: int = 0
    done: int = 0
    """Sightings that were judged, or dropped as they came again."""


@dataclass(slots=True)
class Apart:
    """What workers held at most."""

    peaks_bytes: list[int] = field(default_factory=list)
    """Of each worker, the slow one last."""
    ahead: int = 0
    """Records of a partition that were committed while the slowest one had not come as far."""
    waiting: int = 0
    """Sightings that were written and not judged, of all workers."""


def time_ms(event: bytes) -> int:
    """When an event of the benchmark happened."""
    return int(datetime.fromisoformat(f"{event[TIME_AT].decode()}+00:00").timestamp() * 1000)


class Team:
    """Workers of one group, each with its page of metrics."""

    def __init__(self, place: Place, workers: int, root: Path = ROOT) -> None:
        """Start them; their code is that of ``root``."""
        self._place, self._pages = place, [f"127.0.0.1:{port}" for port in free_ports(workers)]
        self._counts = [Counts()] * workers
        self.workers = [self._start(number, root) for number in range(workers)]
        self.found = Apart()

    def _start(self, number: int, root: Path) -> Worker:
        place = self._place
        config = place.config.with_name(f"{place.config.stem}-{number}.toml")
        config.write_text(f'{place.config.read_text()}\n[metrics]\nlisten = "{self._pages[number]}"\n')
        return Worker(config, "info", root)

    async def ready(self) -> None:
        """Wait until each has partitions to read."""

        async def have() -> bool:
            await self._count()
            return all(counts.partitions for counts in self._counts)

        await until(have, self.workers[0], "partitions for each worker")

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Slow the last one down and look at all of them meanwhile."""
        tasks = [asyncio.create_task(self._slow()), asyncio.create_task(self._look())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            self.workers[-1].signal(signal.SIGCONT)
            self.found.peaks_bytes = [worker.peak_bytes() for worker in self.workers]

    async def _slow(self) -> None:
        while True:
            await asyncio.sleep(RUNS_S)
            self.workers[-1].signal(signal.SIGSTOP)
            await asyncio.sleep(STOPPED_S)
            self.workers[-1].signal(signal.SIGCONT)

    async def _look(self) -> None:
        async with self._place.progress() as progress:
            while True:
                await asyncio.sleep(LOOK_S)
                # Partitions hold all of the time, so their offsets say how far they are.
                committed = await progress.committed(self._place.requests, self._place.partitions)
                self.found.ahead = max(self.found.ahead, max(committed) - min(committed))
                await self._count()
                waiting = sum(counts.written - counts.done for counts in self._counts)
                self.found.waiting = max(self.found.waiting, waiting)

    async def _count(self) -> None:
        for number, page in enumerate(self._pages):
            with contextlib.suppress(OSError):  # it is stopped, or has not begun
                self._counts[number] = await asyncio.to_thread(_counts, page)

    def stop(self) -> None:
        """End all."""
        for worker in self.workers:
            worker.stop()


def _counts(page: str) -> Counts:
    with urllib.request.urlopen(f"http://{page}/metrics", timeout=PAGE_S) as answer:
        lines = answer.read().decode().splitlines()
    found = {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[:1] != "#")}
    written, *done = (int(found.get(f"weir_sightings{name}_total", 0)) for name in ("", "_judged", "_duplicate"))
    return Counts(int(found.get('weir_partitions{stage="observe"}', 0)), written, sum(done))
