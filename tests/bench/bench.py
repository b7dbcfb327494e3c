"""One benchmark from its options to its results."""

import asyncio
import gc
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.console import Console

from streams.config import parse
from streams.pipeline.warm_up import warm_up
from tests.bench import baseline, latency, report, whole
from tests.bench.measure import Results
from tests.bench.stages import Stages
from tests.bench.traffic import Kind, Traffic, half_past

WHOLE: Final = "whole, Kafka to Kafka"
SETTINGS: Final = parse('[mode]\ndefault = "enforce"\n')
NEVER_MS: Final = 3_600_000
"""So that no source partition counts as idle while it waits for the start."""
SOON_MS: Final = 2_000
HOURS_AGO: Final = 3
RUN_S: Final = 600.0
"""After which a run has failed: clients wait for a broker that went away for ever."""


@dataclass(frozen=True, slots=True)
class Options:
    """What to measure."""

    events: int
    runs: int
    visitors: tuple[int, ...]
    kinds: tuple[Kind, ...]
    partitions: int
    faust_events: int
    """For stock Faust, which takes ten seconds for 100,000."""
    rate: int
    """Events a second while the time to block is measured."""
    seconds: float
    """For how long; 0 leaves it out."""


class Bench:
    """Measures everything on one broker."""

    def __init__(self, chosen: Options, bootstrap: str, directory: Path, console: Console) -> None:
        """Keep files of workers in ``directory``."""
        self._chosen, self._bootstrap, self._directory, self._console = chosen, bootstrap, directory, console
        self.results = Results()

    async def run(self) -> None:
        """All of it, one measurement after the other."""
        warm_up(SETTINGS)
        for kind in self._chosen.kinds:
            for visitors in self._chosen.visitors:
                await self._traffic(Traffic(kind, visitors))
        if self._chosen.seconds:
            await self._latency()

    async def _traffic(self, traffic: Traffic) -> None:
        start_us = half_past(datetime.now(UTC), HOURS_AGO)
        values = traffic.values(self._chosen.events, start_us)
        stages = Stages(SETTINGS, traffic, values, self._chosen.partitions)
        for number in range(self._chosen.runs):
            self._say(f"{traffic}: run {number + 1} of {self._chosen.runs}")
            stages.run(self.results)
            gc.collect()
            await self._whole(traffic, values, start_us)

    async def _whole(self, traffic: Traffic, values: list[bytes], start_us: int) -> None:
        place = self._place(NEVER_MS)
        async with asyncio.timeout(RUN_S):
            found = await whole.measure(place, traffic, values, start_us)
        self.results.add(traffic, WHOLE, found.run)
        size = next(size for size in self.results.sizes if size.traffic == str(traffic))
        size.resident_bytes_each = found.grown_bytes / size.actors
        await self._baselines(place, len(values))
        await place.remove()

    async def _baselines(self, place: whole.Place, events: int) -> None:
        """Read the same topic by other ways; they look at no value, so one traffic is as good as another."""
        known = {row.what for row in self.results.rows}
        run = await baseline.getmany(self._bootstrap, place.requests, self._chosen.partitions, events)
        self.results.add(report.ANY, baseline.GETMANY, run)
        for way, name in baseline.FAUST_WAYS.items():
            if name not in known:
                wanted = min(events, self._chosen.faust_events)
                self.results.add(
                    report.ANY, name, await baseline.stock_faust(self._bootstrap, place.requests, wanted, way)
                )

    async def _latency(self) -> None:
        self._say(f"time to block: {self._chosen.seconds:g} s at {self._chosen.rate:,} events/s")
        place, traffic = self._place(SOON_MS), Traffic("logged in", latency.VISITORS)
        self.results.latency = await latency.measure(place, traffic, self._chosen.rate, self._chosen.seconds)
        await place.remove()

    def _place(self, idle_after_ms: int) -> whole.Place:
        return whole.Place.make(self._bootstrap, self._chosen.partitions, self._directory, idle_after_ms)

    def _say(self, text: str) -> None:
        self._console.print(text, style="dim", highlight=False)
