"""Workers that know of each other only what was committed: all is read, and nobody gets far ahead for long."""

import asyncio
import random
from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
import pytest
from aiokafka.errors import GroupLoadInProgressError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.live.transport import aligning as module
from streams.live.transport.aligning import Aligning, Committed
from streams.live.transport.alignment import AHEAD_OF_OTHERS_MAX
from streams.live.transport.options import TopicOptions
from streams.live.transport.words import PATIENCE_LOOKS
from streams.pipeline.batch import Batch

TOPIC = "requests"
OPTIONS = {TOPIC: TopicOptions(timestamps=True, aligned=True), "plain": TopicOptions(timestamps=True)}
BATCH = 5_000
Log = list[tuple[int, int]]
"""Batches of one partition: their time, and how many records they have."""


def tp(number: int) -> TopicPartition:
    """A partition of the topic."""
    return TopicPartition(TOPIC, number)


@dataclass
class Broker:
    """Partitions, and what is committed of them."""

    logs: list[Log]
    committed: dict[TopicPartition, OffsetAndMetadata] = field(default_factory=dict)
    asked: int = 0

    async def ask(self, partitions: Collection[TopicPartition]) -> Committed:
        """As the group's coordinator answers."""
        self.asked += 1
        return {each: self.committed[each] for each in partitions if each in self.committed}

    def end(self, number: int) -> int:
        """Where a partition ends."""
        return sum(records for _, records in self.logs[number])


@dataclass
class Worker:
    """A worker that owns some partitions; what it has taken is acknowledged at its next commit."""

    broker: Broker
    own: list[int]
    aligning: Aligning = field(default_factory=lambda: Aligning(OPTIONS))
    positions: dict[int, int] = field(default_factory=dict)
    at: dict[int, int] = field(default_factory=dict)

    def behind(self) -> list[int]:
        """Partitions that have more to read."""
        return [number for number in self.own if self.at.get(number, 0) < len(self.broker.logs[number])]

    def take(self) -> int:
        """A batch of each partition that may be read; how many records that are."""
        taken = 0
        for number in self.behind():
            if self.aligning.may_take(tp(number), [tp(other) for other in self.behind()]):
                at_ms, records = self.broker.logs[number][self.at.get(number, 0)]
                lo = self.positions.get(number, 0)
                times = np.full(records, at_ms, np.int64)
                batch = Batch(TOPIC, number, lo, lo + records, [None] * records, timestamps_ms=times)
                self.aligning.took(tp(number), batch)
                self.positions[number], self.at[number] = batch.hi, self.at.get(number, 0) + 1
                taken += records
        return taken

    def commit(self) -> None:
        """All that was taken, with a word."""
        for number, offset in self.positions.items():
            word = self.aligning.word(tp(number), offset, self.broker.end(number))
            self.broker.committed[tp(number)] = OffsetAndMetadata(offset, word)

    def foreign(self) -> set[TopicPartition]:
        """What others own."""
        return {tp(number) for number in range(len(self.broker.logs)) if number not in self.own}

    async def look(self) -> bool:
        """At what others have committed."""
        return await self.aligning.look(self.foreign, self.broker.ask)


def steady(batches: int, every_ms: int = 1_000) -> Log:
    """A partition that got a batch every so often."""
    return [(number * every_ms, BATCH) for number in range(1, batches + 1)]


def two(batches: int) -> tuple[Broker, Worker, Worker]:
    """A fast worker and a slow one, with a partition each."""
    broker = Broker([steady(batches), steady(batches)])
    return broker, Worker(broker, [0]), Worker(broker, [1])


@pytest.mark.parametrize("speaks", [True, False])
def test_the_fast_one_waits_for_the_slow_one(speaks: bool) -> None:
    """A tenth as fast, and yet never much further behind than what a worker may be ahead; were it only heard."""

    async def body() -> int:
        broker, fast, slow = two(200)
        most = 0
        for turn in range(400):
            fast.take()
            if turn % 10 == 0:
                slow.take()
                slow.commit()
                if not speaks:
                    broker.committed = {
                        each: OffsetAndMetadata(one.offset, "") for each, one in broker.committed.items()
                    }
                await fast.look()
            most = max(most, fast.positions[0] - slow.positions[1])
        return most

    # It looks once in ten turns: what it reads in these comes on top at the beginning.
    limit = AHEAD_OF_OTHERS_MAX + 2 * BATCH
    assert (asyncio.run(body()) <= limit) is speaks


def test_who_is_at_its_end_holds_nobody_up() -> None:
    """However old its last record is."""

    async def body() -> None:
        broker, fast, slow = two(100)
        del broker.logs[1][1:]
        slow.take()
        slow.commit()
        while fast.behind():
            assert fast.take()
            await fast.look()

    asyncio.run(body())


def test_a_dead_worker_holds_nobody_up_for_ever() -> None:
    """Its words do not change: after so many looks the others go on."""

    async def body() -> int:
        _, fast, slow = two(100)
        slow.take()
        slow.commit()
        looks = 0
        while fast.behind():
            fast.take()
            looks += 1
            await fast.look()
        return looks

    assert PATIENCE_LOOKS < asyncio.run(body()) <= PATIENCE_LOOKS + 100


def test_the_broker_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """One question at a time is on its way, and looks without an answer count as those that saw nothing new."""
    monkeypatch.setattr(module, "ANSWER_S", 0.001)
    asked = []

    async def never(partitions: list[TopicPartition]) -> Committed:
        asked.append(partitions)
        await asyncio.Event().wait()
        return {}

    async def body() -> None:
        _, fast, slow = two(100)
        slow.take()
        slow.commit()
        while fast.take():
            await fast.look()
        for _ in range(PATIENCE_LOOKS):
            await fast.aligning.look(fast.foreign, never)
            if fast.take():
                return
        raise AssertionError("it waits for ever")

    asyncio.run(body())
    assert len(asked) == 1


@pytest.mark.parametrize("error", [GroupLoadInProgressError, ConnectionResetError, asyncio.CancelledError])
def test_the_broker_refuses(error: type[BaseException]) -> None:
    """As while a coordinator moves, or a client is cancelled within: nobody is held for longer, the next look asks."""

    async def refuse(_: list[TopicPartition]) -> Committed:
        raise error

    async def body() -> None:
        broker, fast, slow = two(100)
        fast.take()
        assert not await fast.aligning.look(fast.foreign, refuse)
        slow.take()
        slow.commit()
        fast.take()
        assert await fast.look()
        assert broker.asked == 1

    asyncio.run(body())


def test_nobody_is_asked_in_vain() -> None:
    """Neither where nothing was read, nor by a worker that is alone."""

    async def body() -> None:
        broker, fast, _ = two(10)
        await fast.look()
        alone = Worker(broker, [0, 1])
        alone.take()
        await alone.look()
        before = broker.asked
        fast.take()
        await fast.look()
        await fast.look()
        assert [before, broker.asked] == [0, 1]

    asyncio.run(body())


def test_a_word_is_of_what_is_committed() -> None:
    """Not of what was read beyond; none for topics that nobody aligns, nor before anything was read."""
    aligning = Aligning(OPTIONS)
    assert aligning.word(tp(0), 10, 10) == ""
    for number in range(3):
        times = np.full(10, 100 * (number + 1), np.int64)
        for topic in OPTIONS:
            aligning.took(
                TopicPartition(topic, 0),
                Batch(topic, 0, number * 10, number * 10 + 10, [None] * 10, timestamps_ms=times),
            )
    assert aligning.word(tp(0), 20, 45) == "weir/1 200 25"
    assert aligning.word(tp(0), 20, 45) == "weir/1 200 25", "a commit that failed is made again"
    assert aligning.word(tp(0), 30, 30) == "weir/1 300 0"
    assert aligning.word(TopicPartition("plain", 0), 20, 45) == ""
    aligning.clear()
    assert aligning.word(tp(0), 30, 30) == ""


def test_records_without_time_give_no_word() -> None:
    """As a producer of long ago writes them."""
    aligning = Aligning(OPTIONS)
    aligning.took(tp(0), Batch(TOPIC, 0, 0, 3, [None] * 3, timestamps_ms=np.full(3, -1, np.int64)))
    assert aligning.word(tp(0), 3, 3) == ""


def test_what_became_ones_own_is_not_waited_for() -> None:
    """The answer comes when the partitions have been dealt out anew."""

    async def body() -> None:
        broker, fast, slow = two(100)
        slow.take()
        slow.commit()
        while fast.take():
            await fast.look()
        fast.aligning.clear()
        fast.take()

        async def late(partitions: list[TopicPartition]) -> Committed:
            fast.own.append(1)
            return await broker.ask(partitions)

        assert not await fast.aligning.look(fast.foreign, late)
        assert fast.take()

    asyncio.run(body())


@settings(max_examples=150)
@given(
    st.lists(st.integers(1, 40), min_size=2, max_size=6),
    st.integers(2, 3),
    st.integers(0, 1 << 30),
    st.sets(st.integers(0, 5), max_size=2),
)
def test_all_is_read_whoever_is_ready_when(sizes: list[int], count: int, seed: int, stuck: set[int]) -> None:
    """Whatever comes in whatever order and of whatever time, what hangs is passed over: nobody waits for ever."""
    chance = random.Random(seed)
    broker = Broker([_wild(size, chance) for size in sizes])
    parts = [[number for number in range(len(sizes)) if number % count == each] for each in range(count)]
    workers = [Worker(broker, part) for part in parts]

    async def body() -> None:
        for _ in range(200):
            worker = chance.choice(workers)
            await chance.choice([_take, _commit, _look])(worker)
        # What hangs from now on takes and commits nothing more, as a partition that is held or a worker that died.
        for worker in workers:
            worker.own = [number for number in worker.own if number not in stuck]
        rounds = 0
        while any(worker.behind() for worker in workers):
            rounds += 1
            assert rounds <= PATIENCE_LOOKS + sum(sizes) * 2
            for worker in workers:
                worker.take()
                worker.commit()
            for worker in workers:
                await worker.look()

    asyncio.run(body())


async def _take(worker: Worker) -> None:
    worker.take()


async def _commit(worker: Worker) -> None:
    worker.commit()


async def _look(worker: Worker) -> None:
    await worker.look()


def _wild(size: int, chance: random.Random) -> Log:
    """Mostly in order, some far away."""
    log, now = [], chance.randrange(100_000)
    for _ in range(size):
        now += chance.choice([0, 100, 10_000])
        at = chance.choice([now] * 8 + [now // 2, now * 1_000, -1])
        log.append((at, chance.choice([1, 1_000, BATCH, 10_000])))
    return log
