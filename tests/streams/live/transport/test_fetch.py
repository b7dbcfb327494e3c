"""The fetcher without a broker: what is taken of its buffer, for whom there is room, and when a wait ends."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from types import SimpleNamespace
from typing import cast

import pytest
from aiokafka.consumer.consumer import AIOKafkaConsumer
from aiokafka.consumer.fetcher import FetchError, FetchResult
from aiokafka.errors import KafkaConnectionError, OffsetOutOfRangeError, TopicAuthorizationFailedError
from aiokafka.structs import ConsumerRecord, TopicPartition

from streams.live.transport.fetch import BatchFetcher, Fetched
from streams.live.transport.options import FetchOptions, TopicOptions
from streams.live.transport.records import BatchRecords
from streams.pipeline.batch import Batch
from tests.streams.live.transport.wire import fetched, run

BATCHED = [TopicPartition("requests", 3), TopicPartition("requests", 4)]
PLAIN = TopicPartition("plain", 0)
EVERY = [*BATCHED, PLAIN]
ROOM = {"requests": 10}


def on_fetcher(test: Callable[[BatchFetcher], Awaitable[None]], records: int = 10_000) -> None:
    """Run ``test`` with a fetcher that has three partitions and no broker."""

    async def body() -> None:
        consumer = AIOKafkaConsumer(enable_auto_commit=False)
        consumer._subscription.assign_from_user(EVERY)
        fetcher = BatchFetcher(consumer, {"requests": TopicOptions()}, FetchOptions(batch_records=records))
        # No broker answers: what is buffered comes from the test.
        fetcher._fetch_task.cancel()
        try:
            await test(fetcher)
        finally:
            await fetcher.close()
            await consumer.stop()

    asyncio.run(body())


def buffer(fetcher: BatchFetcher, tp: TopicPartition, *counts: int) -> None:
    """Have records from 0 on of ``tp`` as if they had just been fetched, in record batches of so many."""
    assignment = fetcher._subscriptions.subscription.assignment
    assignment.state_value(tp).reset_to(0)
    units = [run(sum(counts[:number]), count) for number, count in enumerate(counts)]
    result = FetchResult(tp, assignment=assignment, partition_records=fetched(units), backoff=0)
    fetcher._records[tp] = result
    if tp.topic == "requests":
        fetcher._convert(tp, TopicOptions())
        assert type(result._partition_records) is BatchRecords


def counts(found: Fetched) -> dict[TopicPartition, int]:
    """Records by partition."""
    return {tp: len(items[0]) if isinstance(items[0], Batch) else len(items) for tp, items in found.items()}


@pytest.mark.parametrize(("partition_bytes", "expected"), [(1_999, 1_999), (2_000, 2_000), (2_001, 2_000)])
def test_answers_are_worth_it(partition_bytes: int, expected: int) -> None:
    """The broker waits for `min_bytes`, though for no more than one partition may answer with."""

    async def body() -> None:
        consumer = AIOKafkaConsumer(enable_auto_commit=False)
        consumer._subscription.assign_from_user(EVERY)
        options = FetchOptions(min_bytes=2_000, partition_bytes=partition_bytes)
        fetcher = BatchFetcher(consumer, {}, options)
        assert fetcher._fetch_min_bytes == expected
        await fetcher.close()
        await consumer.stop()

    asyncio.run(body())


def test_batches_and_plain_records_together() -> None:
    """Batch topics give one batch a partition, other topics their records as ever."""

    async def test(fetcher: BatchFetcher) -> None:
        for tp in EVERY:
            buffer(fetcher, tp, 5)
        assert counts(await fetcher.take(EVERY, ROOM, 0, 1)) == dict.fromkeys(EVERY, 5)
        assert not fetcher._records

    on_fetcher(test)


def test_no_room_no_batch() -> None:
    """Without room for its topic a batch stays where it is, and others are not held up."""

    async def test(fetcher: BatchFetcher) -> None:
        for tp in EVERY:
            buffer(fetcher, tp, 5)
        assert counts(await fetcher.take(EVERY, {"requests": 0}, 0, 1)) == {PLAIN: 5}
        assert len(await fetcher.take(EVERY, {"requests": 1}, 0, 1)) == 1
        assert len(await fetcher.take(EVERY, {"requests": 1}, 0, 1)) == 1

    on_fetcher(test)


@pytest.mark.parametrize(("records", "first"), [(5, 1), (6, 2)])
def test_one_take_is_bounded(records: int, first: int) -> None:
    """Batches are collected until they have as many records as one may have."""

    async def test(fetcher: BatchFetcher) -> None:
        for tp in BATCHED:
            buffer(fetcher, tp, 5)
        assert len(await fetcher.take(EVERY, ROOM, 0, 1)) == first

    on_fetcher(test, records)


def test_partitions_take_turns() -> None:
    """The rest of a large partition waits until the others had their turn."""

    async def test(fetcher: BatchFetcher) -> None:
        for tp in BATCHED:
            buffer(fetcher, tp, 10)
        order = [tp for _ in range(4) for tp in await fetcher.take(EVERY, {"requests": 1}, 0, 1)]
        assert order == [*BATCHED, *BATCHED]

    on_fetcher(test, records=5)


@pytest.mark.parametrize("answered", [True, False])
def test_the_leader_before_is_late(answered: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answer, or that it gave none, comes when half of what the new leader gave is taken: nothing is skipped."""
    tp = BATCHED[0]

    async def late(*_: object) -> SimpleNamespace:
        if answered:
            return SimpleNamespace(API_VERSION=4, topics=[(tp.topic, [(tp.partition, 0, 10, 10, [], b"")])])
        raise KafkaConnectionError

    async def test(fetcher: BatchFetcher) -> None:
        buffer(fetcher, tp, 6, 4)
        found = [await fetcher.take(EVERY, ROOM, 0, 1)]
        monkeypatch.setattr(fetcher._client, "send", late)
        request = SimpleNamespace(topics=[(tp.topic, [(tp.partition, 0, 1_000)])])
        await fetcher._proc_fetch_request(fetcher._subscriptions.subscription.assignment, 0, request)
        found += [await fetcher.take(EVERY, ROOM, 0, 1) for _ in range(2)]
        batches = [batch for one in found for batch in cast("list[Batch]", one.get(tp, []))]
        assert [(batch.lo, batch.hi) for batch in batches] == [(0, 4), (4, 8), (8, 10)]
        assert [value for batch in batches for value in batch.values] == [str(number).encode() for number in range(10)]

    on_fetcher(test, records=4)


def test_what_the_leader_before_has_against_it() -> None:
    """Records that the new leader gave stay, and nothing else ends."""

    async def test(fetcher: BatchFetcher) -> None:
        buffer(fetcher, BATCHED[0], 6)
        fetcher._set_error(BATCHED[0], TopicAuthorizationFailedError("requests"))
        assert counts(await fetcher.take(EVERY, ROOM, 0, 1)) == {BATCHED[0]: 6}

    on_fetcher(test)


@pytest.mark.parametrize("records", [4, 10])
@pytest.mark.parametrize("tp", [BATCHED[0], PLAIN])
def test_the_leader_before_does_not_have_the_place(
    tp: TopicPartition, records: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Out of its range says nothing where the new leader has given records from there on: they are taken, in order.

    Nor does it where a part of them is taken already.
    """

    async def late(*_: object) -> SimpleNamespace:
        error = int(OffsetOutOfRangeError.errno)
        return SimpleNamespace(API_VERSION=4, topics=[(tp.topic, [(tp.partition, error, -1, -1, [], b"")])])

    async def test(fetcher: BatchFetcher) -> None:
        state = fetcher._subscriptions.subscription.assignment.state_value(tp)
        monkeypatch.setattr(fetcher._client, "send", late)
        buffer(fetcher, tp, 6, 4)
        found: list[int] = []
        for _ in range(3):
            at = state.position
            request = SimpleNamespace(topics=[(tp.topic, [(tp.partition, at, 1_000)])])
            if tp in fetcher._records:
                await fetcher._proc_fetch_request(state._assignment, 0, request)
            assert (state.position, state.awaiting_reset) == (at, False)
            found += values((await fetcher.take(EVERY, ROOM, 0, 0)).get(tp, []))
        assert found == list(range(10))

    on_fetcher(test, records)


def values(taken: Sequence[Batch | ConsumerRecord]) -> list[int]:
    """Numbers that were written as values."""
    return [int(v or b"") for one in taken for v in (one.values if isinstance(one, Batch) else [one.value])]


def test_nothing_is_fetched_any_more() -> None:
    """Why the routine that fetches has ended is raised, where it would be waited for in vain."""

    async def test(fetcher: BatchFetcher) -> None:
        async def fail() -> None:
            raise RuntimeError("a bug")

        fetcher._fetch_task = asyncio.create_task(fail())
        await asyncio.wait([fetcher._fetch_task])
        with pytest.raises(RuntimeError, match="a bug"):
            await fetcher.take(EVERY, ROOM, 0, 1)
        fetcher._fetch_task = asyncio.create_task(asyncio.sleep(0))

    on_fetcher(test)


def test_wake_ends_wait() -> None:
    """A wake-up ends the running wait at once; one that comes too early ends the next."""

    async def test(fetcher: BatchFetcher) -> None:
        begun = time.monotonic()
        asyncio.get_running_loop().call_later(0.05, fetcher.wake)
        assert await fetcher.take(EVERY, ROOM, 0, 10) == {}
        fetcher.wake()
        assert await fetcher.take(EVERY, ROOM, 0, 10) == {}
        assert 0.04 < time.monotonic() - begun < 2
        begun = time.monotonic()
        assert await fetcher.take(EVERY, ROOM, 0, 0.1) == {}
        assert time.monotonic() - begun > 0.09

    on_fetcher(test)


def test_nothing_across_a_seek() -> None:
    """Who asked before a seek gets nothing that was read after it, waiting or not."""

    async def test(fetcher: BatchFetcher) -> None:
        waiting = asyncio.create_task(fetcher.take(EVERY, ROOM, 0, 10))
        await asyncio.sleep(0.01)
        fetcher.begin_seek(1)
        buffer(fetcher, BATCHED[0], 5)
        assert await asyncio.wait_for(waiting, 2) == {}
        assert await fetcher.take(EVERY, ROOM, 0, 0.1) == {}
        assert counts(await fetcher.take(EVERY, ROOM, 1, 1)) == {BATCHED[0]: 5}

    on_fetcher(test)


def test_stale_result_is_dropped() -> None:
    """A result that does not begin at the position any more is not given out."""

    async def test(fetcher: BatchFetcher) -> None:
        buffer(fetcher, BATCHED[0], 5)
        fetcher._subscriptions.subscription.assignment.state_value(BATCHED[0]).seek(3)
        assert await fetcher.take(EVERY, ROOM, 0, 0) == {}
        assert not fetcher._records

    on_fetcher(test)


def test_error_is_raised_once() -> None:
    """What the broker refused is raised to the caller, and then forgotten so that fetching can go on."""

    async def test(fetcher: BatchFetcher) -> None:
        fetcher._records[BATCHED[0]] = FetchError(error=TopicAuthorizationFailedError("requests"), backoff=0)
        with pytest.raises(TopicAuthorizationFailedError):
            await fetcher.take(EVERY, ROOM, 0, 1)
        assert await fetcher.take(EVERY, ROOM, 0, 0) == {}

    on_fetcher(test)
