"""Reading the blocks topic: when answers are complete, when they are withheld, what ends the process.

The consumer is a stand-in, so that a broker can be late, silent or another one at will; `tests/broker/test_serve.py`
has real ones.
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.conn import CloseReason
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from schemas import topic as topics
from schemas.block import BLOCK_CODEC
from schemas.errors import TransportError
from streams.pipeline.enforce.word import View
from streams.serve import feed as module
from streams.serve.feed import Feed
from streams.settings import KafkaSettings
from tests.brokers import Broker
from tests.streams.pipeline.enforce.saying import T0_US, block, values

IP = "ip:203.0.113.7"
ALL = View(scopes=None)


@dataclass
class Record:
    """As aiokafka has it."""

    offset: int
    key: bytes
    value: bytes | None
    timestamp: int = T0_US // 1000


@dataclass
class Topic:
    """A topic of one partition, and how its broker behaves."""

    records: list[Record] = field(default_factory=list)
    readable: int = 1 << 30
    """Offset from which on fetches give nothing."""
    ends: int | None = None
    """What the broker says, in place of where it ends."""
    partitions: int = 1
    asking: Exception | None = None
    fetching: Exception | None = None

    def say(self, key: str, until_s: float | None) -> None:
        """Write a block or a tombstone."""
        value = None if until_s is None else BLOCK_CODEC.encode(block(key, until_s))
        self.records.append(Record(len(self.records), key.encode(), value))


class Consumer:
    """A stand-in for aiokafka's."""

    def __init__(self, topic: Topic) -> None:
        self._topic = topic
        self._at = 0
        self._numbers: list[TopicPartition] = []

    async def start(self) -> None:
        """Nothing to connect to."""

    async def stop(self) -> None:
        """Likewise."""

    def assign(self, numbers: list[TopicPartition]) -> None:
        """Remember what is read."""
        self._numbers = numbers

    async def seek_to_beginning(self, *numbers: TopicPartition) -> None:
        """It is there already."""

    async def getmany(self, timeout_ms: int) -> dict[TopicPartition, list[Record]]:
        """What is new, or nothing after a while."""
        if self._topic.fetching:
            raise self._topic.fetching
        found = self._topic.records[self._at : self._topic.readable]
        await asyncio.sleep(0 if found else 0.005)
        self._at += len(found)
        return {self._numbers[0]: found} if found else {}

    async def position(self, number: TopicPartition) -> int:
        """Where the next fetch begins."""
        return self._at

    async def end_offsets(self, numbers: list[TopicPartition]) -> dict[TopicPartition, int]:
        """What the broker says; one that is fetching for this connection would answer only after that."""
        assert not self._numbers, "asked on the connection of the fetches"
        await asyncio.sleep(0)
        if self._topic.asking:
            raise self._topic.asking
        end = len(self._topic.records) if self._topic.ends is None else self._topic.ends
        return dict.fromkeys(numbers, end)

    def partitions_for_topic(self, name: str) -> set[int]:
        """What the metadata says."""
        return set(range(self._topic.partitions))


Story = Callable[[Feed, "asyncio.Task[None]"], Awaitable[None]]


@pytest.fixture
def topic(monkeypatch: pytest.MonkeyPatch) -> Topic:
    """An empty one, and rounds that are short."""
    made = Topic()
    monkeypatch.setattr(module, "AIOKafkaConsumer", lambda **_: Consumer(made))
    for name, seconds in (("ROUND_S", 0.02), ("ANSWER_S", 0.1), ("OTHER_S", 0.1)):
        monkeypatch.setattr(module, name, seconds)
    return made


def tell(story: Story, stale_max_s: float = 60.0) -> None:
    """Run a story beside a feed that reads."""

    async def run() -> None:
        feed = Feed(KafkaSettings(), 1, stale_max_s, lambda: T0_US)
        reading = asyncio.create_task(feed.run())
        try:
            await story(feed, reading)
        finally:
            reading.cancel()
            await asyncio.wait([reading])

    asyncio.run(run())


def standing(feed: Feed) -> list[str]:
    """Values that stand."""
    return values(list(feed.decisions.active(ALL, T0_US)))


def test_a_pull_sees_all_that_was_there_before_it(topic: Topic) -> None:
    """Whatever is on the topic when a pull begins is in its answer, again and again."""

    async def story(feed: Feed, _: object) -> None:
        for number in range(20):
            topic.say(f"ip:203.0.113.{number}", 60)
            await feed.caught_up()
            assert feed.missing() == ""
            assert len(standing(feed)) == number + 1

    tell(story)


def test_not_before_the_end(topic: Topic) -> None:
    """While the topic is being read there is no answer, however much is known; at its end there is one."""
    topic.say(IP, 60)
    topic.say("ip:203.0.113.8", 60)
    topic.readable = 1

    async def story(feed: Feed, _: object) -> None:
        await feed.caught_up()
        assert standing(feed) == ["203.0.113.7"]
        assert feed.missing()
        assert not feed.complete_once
        topic.readable = 2
        await asyncio.sleep(0.15)
        await feed.caught_up()
        assert (feed.missing(), feed.complete_once, len(standing(feed))) == ("", True, 2)

    tell(story)


@pytest.mark.parametrize(("stale_max_s", "served"), [(60.0, True), (0.0, False)])
def test_without_the_broker(topic: Topic, stale_max_s: float, served: bool) -> None:
    """What was complete is served until it is too old, then nothing; when the broker is back, all of it again."""
    topic.say(IP, 60)

    async def story(feed: Feed, _: object) -> None:
        await feed.caught_up()
        topic.asking = KafkaError("away")
        await asyncio.sleep(0.3)
        await feed.caught_up()
        assert (feed.missing() == "") == served
        assert served or "away" in feed.missing()
        assert feed.complete_once
        topic.asking = None
        await feed.caught_up()
        await feed.caught_up()
        assert feed.missing() == ""

    tell(story, stale_max_s)


def test_a_pull_does_not_wait_for_ever(topic: Topic) -> None:
    """More on the topic than can be read in time: the pull goes on after a while, and is told what it is told."""

    async def story(feed: Feed, _: object) -> None:
        await feed.caught_up()
        topic.readable, topic.ends = 0, 10
        began = asyncio.get_running_loop().time()
        await feed.caught_up()
        assert asyncio.get_running_loop().time() - began < 1

    tell(story)


@pytest.mark.parametrize("change", [{"ends": 0}, {"partitions": 2}, {"fetching": OffsetOutOfRangeError("x")}])
def test_another_topic(topic: Topic, change: dict[str, Any]) -> None:
    """One that ends sooner than it did, has more partitions or does not reach back ends the process in one line."""
    topic.say(IP, 60)

    async def story(feed: Feed, reading: "asyncio.Task[None]") -> None:
        await feed.caught_up()
        for name, value in change.items():
            setattr(topic, name, value)
        await asyncio.wait([reading], timeout=2)
        with pytest.raises(TransportError, match=r"start again|OffsetOutOfRange"):
            reading.result()

    tell(story)


def test_an_end_that_comes_back(topic: Topic) -> None:
    """A new leader may be behind for a moment: nothing ends."""
    topic.say(IP, 60)

    async def story(feed: Feed, reading: "asyncio.Task[None]") -> None:
        await feed.caught_up()
        topic.ends = 0
        await asyncio.sleep(0.05)
        topic.ends = None
        await asyncio.sleep(0.2)
        await feed.caught_up()
        assert (feed.missing(), reading.done()) == ("", False)

    tell(story)


def test_records_that_cannot_be_read(topic: Topic, caplog: pytest.LogCaptureFixture) -> None:
    """Are counted and named by place, never by content; the neighbours are read."""
    topic.say(IP, 60)
    topic.records += [Record(1, b"ip:198.51.100.9", b"{"), Record(2, b"\xff", None), Record(3, IP.encode(), b"null")]

    async def story(feed: Feed, _: object) -> None:
        topic.records.append(Record(4, b"", b"198.51.100.9"))
        await feed.caught_up()
        assert (standing(feed), feed.unreadable) == (["203.0.113.7"], 3)

    tell(story)
    assert "weir.blocks.v1[0] offset 1 is no block" in caplog.text
    assert "198.51.100.9" not in caplog.text


def test_why_it_ends_is_told(embedded_broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a connection broke a moment ago, so that the consumer has a request that waits to be tried again."""
    prefix = f"test-{uuid.uuid4().hex[:8]}."
    embedded_broker.create(f"{prefix}{topics.BLOCKS.name}", {"num_partitions": 1, "replication_factor": 1})

    async def read(_: Feed, consumer: AIOKafkaConsumer) -> None:
        conns = consumer._client._conns
        while not any(conn._requests for conn in conns.values()):  # noqa: ASYNC110 - no event says so
            await asyncio.sleep(0.005)
        for conn in list(conns.values()):
            conn.close(reason=CloseReason.CONNECTION_BROKEN)
        await asyncio.sleep(0.01)
        raise OffsetOutOfRangeError

    async def run() -> None:
        await Feed(KafkaSettings(bootstrap=embedded_broker.bootstrap, prefix=prefix), 1, 60, lambda: T0_US).run()

    monkeypatch.setattr(Feed, "_read", read)
    with pytest.raises(TransportError, match="OffsetOutOfRange"):
        asyncio.run(run())
