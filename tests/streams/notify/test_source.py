"""From where a receiver is told, on Apache Kafka: the embedded broker knows no offsets by time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from streams.notify.source import COMMIT_US, Read, Source
from tests.brokers import Broker, Sent

NOW_US = 1_795_511_700_000_000
HOUR_US = 3_600_000_000


@dataclass
class Reader:
    """One group on one topic, with a clock that the test moves."""

    broker: Broker
    topic: str
    group: str
    now_us: int = NOW_US
    committed: list[int] = field(default_factory=list)

    @contextlib.asynccontextmanager
    async def reading(
        self, look_back_us: int | None, *, rebuild: bool = False, whole: bool = False
    ) -> AsyncIterator[Source]:
        """A source that has begun."""
        source = Source(self.broker.kafka, self.group, {self.topic: 1}, lambda: self.now_us)
        try:
            names = frozenset([self.topic] if whole else [])
            await source.begin(look_back_us, rebuild=rebuild, whole=names)
            yield source
        finally:
            await source.end()

    def say(self, *hours_ago: int) -> None:
        """Write records of so many hours ago."""
        sent = [Sent(b"x", timestamp_ms=(self.now_us - ago * HOUR_US) // 1000) for ago in hours_ago]
        self.broker.send(self.topic, sent)


async def rest(source: Source) -> list[Read]:
    """All that is there."""
    found: list[Read] = []
    while not await source.caught_up():
        found += await source.take(0.1, 100)
    return found


def test_from_where(kafka_broker: Broker) -> None:
    """Whoever is new hears of the last hours only, then goes on where it was left, and after a restart as well."""
    reader = Reader(kafka_broker, kafka_broker.topic(retention_ms="-1"), "told-once")
    reader.say(30, 20, 2, 1)

    async def story() -> None:
        async with reader.reading(3 * HOUR_US) as source:
            assert [one.offset for one in await rest(source)] == [2, 3]
            await source.told()
            assert source.lag() == 0
        reader.say(0)
        async with reader.reading(3 * HOUR_US) as source:
            assert [(one.offset, one.known) for one in await rest(source)] == [(4, False)]
        # Nobody was told of the last one, so it comes again.
        async with reader.reading(3 * HOUR_US) as source:
            assert [one.offset for one in await rest(source)] == [4]

    asyncio.run(story())


def test_rebuilding(kafka_broker: Broker) -> None:
    """What goes on is read from the last hours, or from the beginning, and what was told before is known."""
    reader = Reader(kafka_broker, kafka_broker.topic(retention_ms="-1"), "rebuilt")
    reader.say(30, 2, 1)

    async def story() -> None:
        async with reader.reading(3 * HOUR_US, rebuild=True) as source:
            # All that was there before the first start is history.
            assert [(one.offset, one.known) for one in await rest(source)] == [(1, True), (2, True)]
            await source.keep()
        reader.say(0)
        async with reader.reading(3 * HOUR_US, rebuild=True) as source:
            assert [(one.offset, one.known) for one in await rest(source)] == [(1, True), (2, True), (3, False)]
        async with reader.reading(3 * HOUR_US, rebuild=True, whole=True) as source:
            assert [one.offset for one in await rest(source)] == [0, 1, 2, 3]
        # Longer ago than is looked back, yet never told.
        reader.now_us += 100 * HOUR_US
        async with reader.reading(3 * HOUR_US, rebuild=True) as source:
            assert [(one.offset, one.known) for one in await rest(source)] == [(3, False)]

    asyncio.run(story())


def test_everything(kafka_broker: Broker) -> None:
    """A copy begins at the beginning."""
    reader = Reader(kafka_broker, kafka_broker.topic(retention_ms="-1"), "copied")
    reader.say(300, 0)

    async def story() -> None:
        async with reader.reading(None) as source:
            assert len(await rest(source)) == 2

    asyncio.run(story())


def test_standing_still(kafka_broker: Broker) -> None:
    """Where one stands is written again after an hour, since a broker forgets what nobody writes."""
    reader = Reader(kafka_broker, kafka_broker.topic(retention_ms="-1"), "still")
    reader.say(0)

    async def story() -> None:
        async with reader.reading(None) as source:
            await rest(source)
            await source.told()
            source._consumer.commit = note
            await source.told()
            await source.keep_alive()
            assert reader.committed == []
            reader.now_us += COMMIT_US + 1
            await source.keep_alive()
            await source.keep_alive()
            assert reader.committed == [1]

    async def note(offsets: dict[object, int]) -> None:
        reader.committed += offsets.values()

    asyncio.run(story())
