"""The thread of the consumer."""

import asyncio

from streams.live.transport.thread import BatchConsumerThread
from tests.brokers import Broker
from tests.streams.live.test_leaving import broken, consuming


def test_it_ends_while_connections_break(embedded_broker: Broker) -> None:
    """A stop waits for it to say that it has ended, which it would not if it were cancelled by its own consumer."""

    async def body() -> None:
        async with consuming(embedded_broker) as consumer:
            await broken(embedded_broker, consumer)
            thread = BatchConsumerThread.__new__(BatchConsumerThread)
            thread._consumer = consumer
            await thread.on_thread_stop()

    asyncio.run(body())
