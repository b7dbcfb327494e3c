"""The process of `weir notify`: a task for each receiver, none of which knows of the others."""

import asyncio
import logging
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Final, Protocol

from aiokafka.errors import KafkaError

from schemas import topic as catalogue
from schemas.errors import UsageError
from streams.clock import Clock, wall_clock_us
from streams.config import revision
from streams.live import access, topics
from streams.live.connection import warn_if_open
from streams.metrics import BUILD, CONFIG, NOTIFY, Metrics
from streams.monitor import Monitor, bound
from streams.notify import alertmanager
from streams.notify.alertmanager import Replica
from streams.notify.board import US
from streams.notify.copying import Copy
from streams.notify.patience import Patience
from streams.notify.poster import Poster
from streams.notify.setting import Receiver
from streams.notify.source import Source
from streams.notify.told import Told
from streams.notify.webhook import Webhook
from streams.outputs import ecs, ocsf
from streams.serve.listener import Listener
from streams.settings import PolicySettings, Settings

ROLE: Final = "notifier"
FORMS: Final = {"ocsf": ocsf.finding, "ecs": ecs.document}
LATE_S: Final = 3_600
"""How late the message on the end of an incident may come before its silence counts as its end."""

log = logging.getLogger(__name__)


class Destination(Protocol):
    """Tells one receiver."""

    async def run(self, source: Source, alerts: str, silent_us: int) -> None:
        """Until cancelled; see `Replica.run`."""


@dataclass(frozen=True, slots=True)
class Place:
    """A destination, and where its reading begins."""

    told: Told
    destination: Destination
    poster: Poster | None
    rebuild: bool
    """What goes on must be known, so reading begins farther back than where the receiver was left."""
    look_back_us: int | None
    topics: Sequence[str]


def run(settings: Settings) -> None:
    """Tell all receivers until SIGTERM or SIGINT.

    Raises:
        UsageError: there is nobody to tell.
        ConfigError: a file of a secret or of a certificate is not what it should be.
        TransportError: the broker cannot be reached or refuses, a topic is missing, or an address is taken.
    """
    if not settings.notify.receivers and not settings.notify.formats:
        raise UsageError("nobody to tell: the configuration has neither notify.receivers nor notify.formats")
    made = places(settings, wall_clock_us)
    warn_if_open(settings.kafka)
    access.require(settings, [ROLE])
    needed = {name for place in made for name in place.topics}
    formats = {access.name_of(catalogue.FORMATS[name], settings) for name in settings.notify.topics()}
    counts = topics.partitions(settings.kafka, sorted(needed | formats))
    asyncio.run(notify(settings, made, counts, wall_clock_us))


def places(settings: Settings, clock: Clock) -> list[Place]:
    """One for each URL of each receiver, and one for each format.

    Raises:
        ConfigError: see `run`.
    """
    found = [
        _receiver(receiver, number, settings, clock)
        for receiver in settings.notify.receivers
        for number in range(max(1, len(receiver.urls)))
    ]
    return found + [_format(name, settings, clock) for name in settings.notify.topics()]


def _receiver(receiver: Receiver, number: int, settings: Settings, clock: Clock) -> Place:
    told = Told(f"{receiver.name}.{number + 1}" if number else receiver.name)
    replica = receiver.kind == "alertmanager"
    poster = Poster(receiver, number, alertmanager.PATH if replica else "")
    kind = Replica if replica else Webhook
    names = [access.name_of(one, settings) for one in (catalogue.ALERTS, catalogue.AUDIT)]
    destination = kind(receiver, settings.notify, poster, told, clock)
    return Place(told, destination, poster, replica, silent_us(settings.policy), names)


def _format(name: str, settings: Settings, clock: Clock) -> Place:
    told = Told(name)
    form = partial(FORMS[name], version=version("weir"))
    copy = Copy(settings.kafka, catalogue.FORMATS[name], f"weir.alert.{name}.v1", form, told, clock)
    return Place(told, copy, None, False, None, [access.name_of(catalogue.ALERTS, settings)])


def silent_us(policy: PolicySettings) -> int:
    """After how long without a message an incident has ended, though nobody said so."""
    return (policy.incident_close_s + policy.cooldown_s + LATE_S) * US


class Notifier:
    """All places, and whether they are told."""

    def __init__(self, settings: Settings, made: Sequence[Place], partitions: dict[str, int], clock: Clock) -> None:
        self._settings, self._places, self._partitions, self._clock = settings, made, partitions, clock
        self.reading: dict[str, str] = {place.told.receiver: "has not begun to read" for place in made}
        """Why what is to be told cannot be read, by receiver; empty where it can."""

    def missing(self) -> str:
        """Why this process does not do its work. A receiver that is down does not count: a restart brings none back."""
        return "; ".join(f"{name}: {why}" for name, why in self.reading.items() if why)

    async def copy(self, metrics: Metrics) -> None:
        """Numbers onto the page."""
        for place in self._places:
            place.told.copy(metrics)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for place in self._places:
                tasks.create_task(self._keep_telling(place))

    async def _keep_telling(self, place: Place) -> None:
        """What the broker refuses is asked for again, for as long as it takes."""
        patience, name = Patience(), place.told.receiver
        try:
            while True:
                try:
                    await self._tell(place, patience)
                except (KafkaError, OSError) as error:
                    self.reading[name] = f"the broker: {error}"
                    wait_s = patience.longer()
                    log.warning("%s: cannot read, %s; tried again in %.0f s", name, error, wait_s)
                    await asyncio.sleep(wait_s)
        finally:
            if place.poster is not None:
                await place.poster.end()

    async def _tell(self, place: Place, patience: Patience) -> None:
        name = place.told.receiver
        group = access.receiver_group(name, self._settings)
        read = {topic: self._partitions[topic] for topic in place.topics}
        source = Source(self._settings.kafka, group, read, self._clock)
        try:
            # A kill switch may have been on for months, and there are few entries of the audit.
            await source.begin(place.look_back_us, rebuild=place.rebuild, whole=frozenset(place.topics[1:]))
            self.reading[name] = ""
            patience.restored()
            await place.destination.run(source, place.topics[0], silent_us(self._settings.policy))
        finally:
            with suppress(KafkaError):
                await source.end()


async def notify(settings: Settings, made: Sequence[Place], partitions: dict[str, int], clock: Clock) -> None:
    """Tell until a signal comes."""
    stopped, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    notifier = Notifier(settings, made, partitions, clock)
    listener = await _monitor(settings, notifier)
    telling, waiting = asyncio.create_task(notifier.run()), asyncio.create_task(stopped.wait())
    log.info("telling %s", ", ".join(place.told.receiver for place in made))
    try:
        await asyncio.wait([telling, waiting], return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
        if not telling.done():
            telling.cancel()
        await asyncio.wait([telling])
        if listener is not None:
            await listener.end()
    if not telling.cancelled():
        telling.result()


async def _monitor(settings: Settings, notifier: Notifier) -> Listener | None:
    """Metrics and health, where they are asked for."""
    if not settings.metrics.listen:
        return None
    metrics = Metrics(NOTIFY)
    metrics.put(BUILD, 1, version("weir"))
    metrics.put(CONFIG, 1, revision(settings))
    metrics.on_page(partial(notifier.copy, metrics))
    listener = Listener(Monitor(metrics, notifier).application())
    at = await listener.begin_at(bound(settings.metrics.listen))
    log.info("metrics and health at %s", at)
    return listener
