"""The process of `weir challenge`: reads what live workers read and say, judges by itself, and compares."""

import asyncio
import logging
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from schemas import topic
from schemas.alert import ALERT_CODEC
from schemas.block import decode_block
from schemas.errors import RecordError
from schemas.event_time import format_time
from schemas.model import MODEL_CODEC
from streams.challenge import report
from streams.challenge.comparing import KINDS, Comparison
from streams.challenge.judging import Judging, challenger_of
from streams.challenge.reading import POLL_MS, Reading
from streams.clock import Clock, wall_clock_us
from streams.live import access, overriding, topics
from streams.live.connection import warn_if_open
from streams.live.publications import standing
from streams.live.whole_topic import refusals
from streams.metrics import BUILD, CHALLENGE, CHALLENGE_ACTORS, CHALLENGE_LAG, CONFIG, Metrics
from streams.monitor import Monitor, opened
from streams.pipeline.sightings import decode
from streams.pipeline.warm_up import warm_up
from streams.robots import with_lists
from streams.section import same_hot
from streams.serve.listener import Listener
from streams.settings import Settings

ROLE: Final = "challenger"
SETTLE_S: Final = 10.0
"""How long one side may have spoken alone before that counts: live decisions are on their way for a second or two."""
MESSAGES: Final = 2_000
"""Of sightings, judged at a time."""
ALERTS_BACK_MS: Final = 172_800_000
"""As far back as the activity log holds: nobody is alerted on by the challenger before."""
LISTEN: Final = "metrics.listen"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a comparison is to do."""

    out: Path
    since_us: int | None
    """Event time from which on it compares; None: from where the log ends at the start, or as a report before it."""
    every_s: float
    """How often it tells."""


def run(live: Settings, challenger: Settings, asked: Asked) -> None:
    """Compare until SIGTERM or SIGINT.

    Raises:
        UsageError: the challenger differs in what takes a restart, or the report cannot be written.
        ConfigError: `metrics.listen` has no port.
        TransportError: the broker cannot be reached or refuses, a topic is missing, or the address is taken.
    """
    warn_if_open(live.kafka)
    access.require(live, [ROLE])
    known = standing(live.kafka)
    settings = with_lists(challenger_of(live, challenger, known))
    if same_hot(settings, known[-1].settings if known else live):
        log.warning("the challenger has the settings that are in force: no difference is to be expected")
    names = {one: access.name_of(one, live) for one in access.ROLES[ROLE] if one is not None}
    counts = topics.partitions(live.kafka, list(names.values()))
    warm_up(settings)
    places = {one: (name, counts[name]) for one, name in names.items()}
    with refusals(live.kafka):
        asyncio.run(_run(settings, places, asked))


async def _run(settings: Settings, places: dict[topic.Topic, tuple[str, int]], asked: Asked) -> None:
    # The client's consumers belong to the loop in which they are made.
    await Challenge(settings, places, asked, wall_clock_us).run()


class Challenge:
    """One comparison."""

    def __init__(
        self, settings: Settings, places: dict[topic.Topic, tuple[str, int]], asked: Asked, clock: Clock
    ) -> None:
        """``places`` are names and numbers of partitions by topic."""
        self._settings, self._asked, self._clock = settings, asked, clock
        activity, sources = places[topic.ACTIVITY], places[topic.REQUESTS][1]
        self.judging = Judging(settings, sources, activity[1], clock)
        self.comparison = Comparison()
        self._activity = Reading(settings.kafka, dict([activity]))
        said = (topic.MODEL, topic.OVERRIDES, topic.BLOCKS, topic.ALERTS)
        since_ms = {places[topic.ALERTS][0]: clock() // 1000 - ALERTS_BACK_MS}
        self._said = Reading(settings.kafka, dict(places[one] for one in said), since_ms)
        takers = (self._learn, self._overrule, self._block, self._alert)
        self._takers: dict[str, Callable[[Any], None]] = {
            places[one][0]: taker for one, taker in zip(said, takers, strict=True)
        }
        before_us = report.begun_before(asked.out, self.judging.revision)
        self._since_us = before_us if asked.since_us is None else asked.since_us
        self._held_us, self._unreadable = 0, 0
        self._history = set(range(activity[1]))
        self._stopped = asyncio.Event()
        self._metrics = Metrics(CHALLENGE)

    def missing(self) -> str:
        """Why nothing is compared yet; empty once it is."""
        return "" if self.comparison.since else f"{len(self._history)} partitions are read from the beginning"

    async def run(self) -> None:
        """Until a signal comes."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopped.set)
        with opened(self._settings.metrics.listen, LISTEN) as at:
            listener = None if at is None else Listener(Monitor(self._metrics, self).application())
            if listener is not None and at is not None:
                self._metrics.put(BUILD, 1, version("weir"))
                self._metrics.put(CONFIG, 1, self.judging.revision)
                self._metrics.on_page(self._copy)
                log.info("metrics and health at %s", await listener.begin_at(at))
            try:
                await self._begin()
                await self._compare()
            finally:
                await self._activity.end()
                await self._said.end()
                if listener is not None:
                    await listener.end()

    async def _begin(self) -> None:
        await self._said.begin()
        await self._activity.begin()
        log.info("challenger %s: reading from the beginning", self.judging.revision)
        # All that is said must be known first: without its model a partition would wait, or judge otherwise.
        while not self._stopped.is_set() and not await self._said.caught_up():
            await self._hear(POLL_MS)

    async def _compare(self) -> None:
        told_s = time.monotonic()
        while not self._stopped.is_set():
            await self._hear(0)
            for number, records in await self._activity.take(POLL_MS, MESSAGES):
                await self._judge(number.partition, [record.value or b"" for record in records])
            for partition in self.judging.waiting:
                await self._judge(partition, [])
            if not self.comparison.since:
                await self._note_progress()
            elif time.monotonic() >= told_s + self._asked.every_s:
                self._tell()
                told_s = time.monotonic()
        if self.comparison.since:
            self._tell()

    async def _hear(self, wait_ms: int) -> None:
        for number, records in await self._said.take(wait_ms):
            for record in records:
                try:
                    self._takers[number.topic](record)
                except RecordError as error:
                    if number.topic == self._settings.kafka.prefix + topic.MODEL.name:
                        raise
                    self._unreadable += 1
                    place = f"{number.topic}[{number.partition}] offset {record.offset}"
                    log.warning("%s passed over, it cannot be read: %s", place, error)

    def _learn(self, record: Any) -> None:
        if record.value is not None:
            self.judging.learn(MODEL_CODEC.decode(record.value))

    def _overrule(self, record: Any) -> None:
        said = overriding.read(record.key, record.value)
        if said is not None:
            self.judging.overrule(said)

    def _block(self, record: Any) -> None:
        block = decode_block(record.value)
        if block is not None:
            self.comparison.live.take(block, time.monotonic())

    def _alert(self, record: Any) -> None:
        self.comparison.live.take(ALERT_CODEC.decode(record.value or b""), time.monotonic())

    async def _judge(self, partition: int, values: Sequence[bytes]) -> None:
        if partition in self._history and values and self.judging.reached_us[partition] == 0:
            self._note_first(partition, values)
        decisions = await asyncio.to_thread(self.judging.judge, partition, values)
        now_s = time.monotonic()
        for decision in decisions:
            self.comparison.challenger.take(decision, now_s)

    def _note_first(self, partition: int, values: Sequence[bytes]) -> None:
        """Where the log begins, if something was deleted before that."""
        if any(first for one, first in self._activity.firsts.items() if one.partition == partition):
            self._held_us = max(self._held_us, decode(values[0]).watermark_us)

    async def _note_progress(self) -> None:
        waiting = self.judging.waiting
        for number in self._activity.numbers:
            if number.partition not in waiting and await self._activity.passed(number):
                self._history.discard(number.partition)
        if not self._history:
            wanted_us = max(self.judging.reached_us) if self._since_us is None else self._since_us
            self.comparison.begin(format_time(max(wanted_us, self._held_us)))
            self.judging.brakes = 0
            log.info("comparing from %s on", self.comparison.since)
            self._tell()

    def _tell(self) -> None:
        """Write the report, and a line on it."""
        summary = report.Summary(
            challenger=self.judging.revision,
            live=[],
            since=self.comparison.since,
            until=format_time(min(us for us in self._reached())),
            history_cut=self._since_us is not None and self._since_us < self._held_us,
            block={},
            alert={},
            open=0,
            brakes=self.judging.brakes,
            unreadable=self._unreadable,
            cut=0,
        )
        told = report.found(self.comparison, summary, time.monotonic() - SETTLE_S)
        report.write(self._asked.out, told, summary)
        log.info("%s", report.line(summary))
        for kind in KINDS:
            for by, actors in getattr(summary, kind).items():
                self._metrics.put(CHALLENGE_ACTORS, actors, kind, by)

    def _reached(self) -> list[int]:
        """Of the partitions that hold anything."""
        return [us for us in self.judging.reached_us if us] or [0]

    async def _copy(self) -> None:
        """Numbers onto the page."""
        if self.comparison.since:
            self._metrics.put(CHALLENGE_LAG, await self._activity.lag())
