"""A social platform for the demo: sends its request events, faster than life, and enforces the blocks it is told of."""

import asyncio
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from rich.console import Console

from schemas import topic
from schemas.alert import ALERT_CODEC, Alert, AlertStatus
from schemas.block import Block, decode_block
from schemas.event_time import parse_time_us
from streams.live.connection import for_aiokafka
from streams.offline.simulate import Day
from streams.offline.simulate.traffic import Event
from streams.offline.truth import Truth
from streams.pipeline.assess.enforcement import begins_block
from streams.pipeline.observe.address import parse_address
from streams.settings import Settings

DENIED = 403
BURST = 500
"""Events between two looks at the clock."""


@dataclass(slots=True)
class Pace:
    """How long the quiet days and the scrapers' days take, in seconds of wall time."""

    quiet_s: float
    scrapers_s: float

    def wall_s(self, at: float, quiet: float) -> float:
        """When an event is due: ``at`` and ``quiet`` are shares of the whole time, in [0, 1]."""
        if at < quiet:
            return self.quiet_s * at / quiet
        return self.quiet_s + self.scrapers_s * (at - quiet) / max(1 - quiet, 1e-9)


@dataclass(slots=True)
class Platform:
    """One run of the demo."""

    settings: Settings
    day: Day
    truth: Truth
    console: Console
    sent: int = 0
    denied: int = 0
    alerts: int = 0
    _blocked: dict[str, int] = field(default_factory=dict)
    """Actor to the end of its block, microseconds of event time."""

    async def run(self, pace: Pace, judged: Callable[[], None]) -> None:
        """Send the day and print what comes back, until ``judged`` returns, which waits for that in a thread."""
        reading = asyncio.create_task(self._read())
        try:
            await self._send(pace)
            await asyncio.to_thread(judged)
            await asyncio.sleep(1.0)  # for the last decisions to arrive
        finally:
            reading.cancel()
            with suppress(asyncio.CancelledError):
                await reading

    async def _send(self, pace: Pace) -> None:
        kafka = self.settings.kafka
        producer = AIOKafkaProducer(**for_aiokafka(kafka), linger_ms=10, max_batch_size=256 << 10)
        await producer.start()
        try:
            labels = self.day.labels
            start_us, end_us = parse_time_us(labels.start), parse_time_us(labels.end)
            quiet = (parse_time_us(labels.quiet_until) - start_us) / (end_us - start_us)
            began = time.monotonic()
            for place, event in enumerate(self.day.events()):
                at_us = parse_time_us(str(event["@timestamp"]))
                if place % BURST == 0:
                    due = began + pace.wall_s((at_us - start_us) / (end_us - start_us), quiet)
                    await asyncio.sleep(max(0.0, due - time.monotonic()))
                self._serve(event, at_us)
                await producer.send(
                    self.settings.input.topic, orjson.dumps(event), partition=_partition(event, kafka.partitions)
                )
                self.sent += 1
        finally:
            await producer.stop()

    def _serve(self, event: Event, at_us: int) -> None:
        """Answer a request: 403 to whoever is blocked, and then nothing is disclosed."""
        profiles = list(disclosed(event))
        allowed = not any(at_us < self._blocked.get(actor, 0) for actor in actors(event))
        if not allowed:
            self.denied += 1
            event["http.response.status_code"] = DENIED
            event.pop("weir.targets", None)
        for profile in profiles:
            self.truth.requested(next(actors(event)), profile, at_us, allowed)

    async def _read(self) -> None:
        """Follow alerts and blocks as SREs and enforcement would."""
        kafka = self.settings.kafka
        consumer = AIOKafkaConsumer(
            kafka.prefix + topic.ALERTS.name,
            kafka.prefix + topic.BLOCKS.name,
            **for_aiokafka(kafka),
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )
        await consumer.start()
        try:
            async for record in consumer:
                if record.topic.endswith(topic.ALERTS.name):
                    self._on_alert(ALERT_CODEC.decode(record.value))
                else:
                    self._on_block(decode_block(record.value))
        finally:
            await consumer.stop()

    def _on_alert(self, alert: Alert) -> None:
        self.alerts += 1
        self.truth.decided(alert)
        if alert.status is AlertStatus.OPEN:
            reason = alert.findings[0].reason
            self._say(f"{alert.event_time}  [yellow]alert[/]  {alert.actor.key}  {reason}")

    def _say(self, text: str) -> None:
        self.console.print(text, highlight=False, soft_wrap=True)

    def _on_block(self, block: Block | None) -> None:
        if block is None or not begins_block(block):
            return
        self.truth.decided(block)
        known = block.actor.key in self._blocked
        self._blocked[block.actor.key] = parse_time_us(block.until)
        if not known:
            leaked = f"after {block.exposure.profiles} profiles, until {block.until[11:16]}"
            self._say(f"{block.event_time}  [red]block[/]  {block.actor.key}  {leaked}")


def actors(event: Event) -> Iterator[str]:
    """Actors of an event that the platform can recognise at its edge, the principal first."""
    address = str(event["client.address"])
    found = parse_address(address)
    ip = address if found is None else found.ip
    for scope, key in (("account", "user.id"), ("session", "session.id")):
        if key in event:
            yield f"{scope}:{event[key]}"
    yield f"ip:{ip}"
    if "tls.client.ja4" in event:
        yield f"fingerprint:{event['tls.client.ja4']}"


def disclosed(event: Event) -> Iterator[str]:
    """Profiles that the response shows if it is not denied."""
    targets = event.get("weir.targets")
    if isinstance(targets, list):
        yield from targets
    elif event["http.response.status_code"] == 200 and str(event["url.path"]).startswith("/people/"):
        yield str(event["url.path"]).removeprefix("/people/")


def _partition(event: Event, partitions: int) -> int:
    return zlib.crc32(str(event.get("session.id") or event["client.address"]).encode()) % partitions
