"""The whole path, from Kafka to Kafka, with one worker process.

The events are written in a transaction that is still open when the worker starts. It waits before them, warm, with an
assignment, and a few events behind it. At the commit they are there all at once, and the clock starts. The last ones
are bursts of accounts or addresses, one for each activity partition, and their alerts end the run: by then all before
them is judged. So neither starting up nor the interval of commits is in the figure; filling and emptying the path is.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import xxhash
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from detectors.core.hashing import destination
from schemas import topic
from schemas.actor import Scope
from streams.config import parse
from streams.live import topics
from streams.settings import CheckpointSettings, Settings
from tests.bench.kafka import Progress, Worker, producer, until, write
from tests.bench.measure import Run
from tests.bench.traffic import HOUR_US, SPAN_US, Kind, Traffic, shared_out, spelled, view

LEAD_IN: Final = 4_000
BURST: Final = 70
"""Profiles of a burst within a second: more than `profile_rate` lets anybody see in a minute."""
BEHIND_US: Final = 5_000_000
"""Beyond the allowed lateness, so that what follows a burst lets it go."""
SEEN_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run takes place: topics of its own on a broker, and the worker's configuration."""

    settings: Settings
    config: Path

    @classmethod
    def make(
        cls,
        bootstrap: str,
        partitions: int,
        directory: Path,
        idle_after_ms: int,
        session_ms: int = 45_000,
        checkpoint_s: int = CheckpointSettings().interval_s,
    ) -> "Place":
        """Write the configuration and make the topics."""
        name = f"bench-{uuid.uuid4().hex[:8]}"
        text = (
            '[mode]\ndefault = "enforce"\n\n'
            f'[input]\ntopic = "{name}-requests"\nidle_after_ms = {idle_after_ms}\n\n'
            "[policy]\nblock_age_max_s = 0\nlag_max_s = 0\n\n"
            f'[kafka]\nbootstrap = "{bootstrap}"\napplication = "{name}"\nprefix = "{name}-"\n'
            f"partitions = {partitions}\nsession_timeout_ms = {session_ms}\n\n"
            f"[checkpoint]\ninterval_s = {checkpoint_s}\n"
        )
        config = directory / f"{name}.toml"
        config.write_text(text)
        place = cls(parse(text, str(config)), config)
        topics.create(place.settings.kafka, topics.layouts(place.settings))
        return place

    @property
    def bootstrap(self) -> str:
        """The broker."""
        return self.settings.kafka.bootstrap

    @property
    def partitions(self) -> int:
        """Of the topic of requests, and as many of the activity topic."""
        return self.settings.kafka.partitions

    @property
    def requests(self) -> str:
        """The topic of requests."""
        return self.settings.input.topic

    def named(self, own: topic.Topic) -> str:
        """One of Weir's own topics."""
        return self.settings.kafka.prefix + own.name

    async def remove(self) -> None:
        """Delete the topics."""
        async with Progress(self.bootstrap, "") as progress:
            await progress.delete([layout.topic.name for layout in topics.layouts(self.settings)])

    def progress(self) -> Progress:
        """How far the worker's group is."""
        return Progress(self.bootstrap, self.settings.kafka.application)


@dataclass(frozen=True, slots=True)
class Whole:
    """What one run found."""

    run: Run
    grown_bytes: int
    """Memory that the worker holds more than when the run began."""


async def measure(place: Place, traffic: Traffic, values: list[bytes], start_us: int) -> Whole:
    """Take ``values`` through a worker; ``start_us`` is the event time at which they begin."""
    ends = Ends(traffic.kind, place.partitions, start_us + SPAN_US)
    async with producer(place.bootstrap) as plain:
        await write(plain, place.requests, shared_out(lead_in(traffic, start_us), place.partitions))
    async with producer(place.bootstrap, place.settings.kafka.application) as filled:
        await filled.begin_transaction()
        await write(filled, place.requests, shared_out([*values, *ends.events()], place.partitions))
        worker = Worker(place.config)
        try:
            await _ready(place, worker)
            whole = await _run(place, worker, filled, ends, len(values))
            await _check(place, worker)
        finally:
            worker.stop()
    return whole


def lead_in(traffic: Traffic, start_us: int) -> list[bytes]:
    """The events that warm a worker up, of the ten minutes before ``start_us``."""
    before_us = HOUR_US // 6
    return traffic.values(LEAD_IN, start_us - before_us, before_us)


async def _ready(place: Place, worker: Worker) -> None:
    async with place.progress() as progress:

        async def read() -> bool:
            committed = await progress.committed(place.requests, place.partitions)
            return sum(committed) >= LEAD_IN and await progress.is_done(place.named(topic.ACTIVITY), place.partitions)

        await until(read, worker, "worker that has read what leads in")


async def _run(place: Place, worker: Worker, filled: AIOKafkaProducer, ends: "Ends", events: int) -> Whole:
    partitions = range(topics.partitions(place.settings.kafka, [place.named(topic.ALERTS)])[place.named(topic.ALERTS)])
    async with AIOKafkaConsumer(bootstrap_servers=place.bootstrap, enable_auto_commit=False) as alerts:
        alerts.assign([TopicPartition(place.named(topic.ALERTS), number) for number in partitions])
        await alerts.seek_to_beginning()
        resident, missing = worker.resident_bytes(), set(ends.actors)
        with worker.timed(events) as run:
            await filled.commit_transaction()
            while missing:
                found = await alerts.getmany(timeout_ms=int(SEEN_S * 1000))
                missing -= {dict(one.headers)["ce_subject"].decode() for records in found.values() for one in records}
                worker.check()
        return Whole(run, worker.resident_bytes() - resident)


async def _check(place: Place, worker: Worker) -> None:
    """Everything was taken, and nothing of it as a dead letter."""
    async with place.progress() as progress:

        async def committed() -> bool:
            # At the end of each partition stands the marker of the transaction, which is no record.
            ends = [end - 1 for end in await progress.ends(place.requests, place.partitions)]
            return all(
                a >= b for a, b in zip(await progress.committed(place.requests, place.partitions), ends, strict=True)
            )

        await until(committed, worker, "commit of what was read")
        name = place.named(topic.DEAD_LETTERS)
        dead = sum(await progress.ends(name, topics.partitions(place.settings.kafka, [name])[name]))
        if dead:
            raise AssertionError(f"{dead} events of the benchmark became dead letters")


class Ends:
    """The end of a run: one actor for each activity partition, whose burst is seen when all before it is judged."""

    def __init__(self, kind: Kind, partitions: int, start_us: int) -> None:
        """Begin at ``start_us``, when the traffic is over."""
        self._kind, self._partitions, self._start_us = kind, partitions, start_us
        self._scope = Scope.ACCOUNT if kind == "logged in" else Scope.IP
        self._values = [self._value(partition) for partition in range(partitions)]

    @property
    def actors(self) -> list[str]:
        """Whose alerts to wait for, as ``scope:value``."""
        return [f"{self._scope.label}:{value}" for value in self._values]

    def events(self) -> list[bytes]:
        """The bursts, then for every source partition something later that lets them go."""
        times_us = np.repeat(np.arange(BURST), self._partitions) * 10_000 + self._start_us
        bursts = [
            view(f"{number // self._partitions}", time, self._visitor(number % self._partitions))
            for number, time in enumerate(spelled(times_us))
        ]
        (later,) = spelled(np.array([self._start_us + BEHIND_US]))
        return [*bursts, *(view("1", later, '"client.address":"192.0.2.1"') for _ in range(2 * self._partitions))]

    def _visitor(self, number: int) -> str:
        key = "user.id" if self._scope is Scope.ACCOUNT else "client.address"
        return f'"{key}":"{self._values[number]}"'

    def _value(self, partition: int) -> str:
        return next(value for value in self._candidates() if self._home(value) == partition)

    def _candidates(self) -> Iterator[str]:
        yield from (
            f"end-{n}" if self._scope is Scope.ACCOUNT else f"198.51.{n // 250}.{1 + n % 250}" for n in range(9_999)
        )

    def _home(self, value: str) -> int:
        return destination(np.uint64(xxhash.xxh64_intdigest(value.encode(), seed=self._scope)), self._partitions)
