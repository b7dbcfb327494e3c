"""Whoever stops a consumer goes on, whatever its requests are about."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext, suppress
from typing import cast

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.conn import CloseReason
from aiokafka.errors import KafkaError

from streams.live.leaving import leave
from streams.live.transport.fetch import BatchFetcher
from streams.live.transport.options import FetchOptions
from tests.brokers import Broker

AGAIN_MS = 60_000
"""Until a request is tried again: longer than a test takes."""
WAIT_S = 20.0


@asynccontextmanager
async def consuming(broker: Broker) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer that has just been started; all that it has begun must have ended when it is left."""
    before = asyncio.all_tasks()
    consumer = AIOKafkaConsumer(
        bootstrap_servers=broker.bootstrap,
        enable_auto_commit=False,
        fetch_max_wait_ms=10_000,
        retry_backoff_ms=AGAIN_MS,
    )
    await consumer.start()
    yield consumer
    left = asyncio.all_tasks() - before
    if left:
        await asyncio.wait(left, timeout=WAIT_S)
    assert all(task.done() for task in left)
    assert not any(conn.connected() for conn in consumer._client._conns.values())


async def broken(broker: Broker, consumer: AIOKafkaConsumer) -> None:
    """Have its connections break while it waits for records."""
    place = TopicPartition(broker.topic(), 0)
    consumer.assign([place])
    consumer.seek(place, 0)
    async with asyncio.timeout(WAIT_S):
        while not any(conn._requests for conn in consumer._client._conns.values()):  # noqa: ASYNC110 - no event says so
            await asyncio.sleep(0.01)
        for conn in list(consumer._client._conns.values()):
            conn.close(reason=CloseReason.CONNECTION_BROKEN)
        await asyncio.sleep(0.1)  # for the request to fail, and to wait


def test_at_once(embedded_broker: Broker) -> None:
    """One that has not begun with anything."""

    async def body() -> None:
        async with consuming(embedded_broker) as consumer:
            await leave(consumer)

    asyncio.run(body())


def test_while_a_request_waits_to_be_tried_again(embedded_broker: Broker) -> None:
    """As a connection broke; aiokafka's own way would cancel whoever stops it."""

    async def body() -> None:
        async with consuming(embedded_broker) as consumer:
            await broken(embedded_broker, consumer)
            await leave(consumer)

    asyncio.run(body())


def test_who_is_cancelled_is(embedded_broker: Broker) -> None:
    """Somebody who ends the caller ends it, and the consumer is left all the same."""

    async def body() -> None:
        async with consuming(embedded_broker) as consumer:
            await broken(embedded_broker, consumer)
            leaving = asyncio.create_task(leave(consumer))
            await asyncio.sleep(0)
            leaving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await leaving

    asyncio.run(body())


@pytest.mark.parametrize("error", [asyncio.CancelledError(), KafkaError("a listener's")])
def test_where_the_coordinator_fails(embedded_broker: Broker, error: BaseException) -> None:
    """What the worker's fetcher has begun ends all the same, and who leaves is told of it, though of no cancelling."""

    async def close() -> None:
        raise error

    async def body() -> None:
        async with consuming(embedded_broker) as consumer:
            await consumer._fetcher.close()
            consumer._fetcher = BatchFetcher(consumer, {}, FetchOptions())
            consumer._coordinator._reset_committed_task.cancel()
            consumer._coordinator.close = close
            with nullcontext() if isinstance(error, asyncio.CancelledError) else pytest.raises(type(error)):
                await leave(consumer)

    asyncio.run(body())


def test_cancelled_where_the_client_keeps_it_to_itself() -> None:
    """Whoever is cancelled while he stops a consumer ends, though the client has swallowed it."""

    class Deaf:
        async def stop(self) -> None:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(WAIT_S)

    async def body() -> None:
        leaving = asyncio.create_task(leave(cast(AIOKafkaConsumer, Deaf())))
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.wait([leaving])
        assert leaving.cancelled()

    asyncio.run(body())
