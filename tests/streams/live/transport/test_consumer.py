"""Rules of the consumer that need no broker."""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import cast

import faust
from faust.transport.conductor import Conductor
from faust.types import TP, ConsumerMessage

from streams.live.transport import batch_topic, register
from streams.live.transport.consumer import BatchConsumer
from streams.live.transport.ledger import AckLedger

PLAIN = TP("plain", 0)
BATCHED = TP("requests", 0)


@contextlib.contextmanager
def consumer_of(generation: int = 0) -> Iterator[BatchConsumer]:
    """A consumer of an app with one batch topic, not started; open it in a running loop."""
    register()
    app = faust.App("consumer", broker="batch://localhost:9092")
    batch_topic(app, "requests")
    app.consumer_generation_id = generation
    cast(Conductor, app.topics)._acking_topics.update(("plain", "requests"))
    consumer = cast(BatchConsumer, app.consumer)
    try:
        yield consumer
    finally:
        consumer._thread.thread_loop.close()


def message(tp: TP, offset: int, generation: int = 0) -> ConsumerMessage:
    """A message as a stream has it in hand."""
    return ConsumerMessage(
        topic=tp.topic,
        partition=tp.partition,
        offset=offset,
        timestamp=0.0,
        timestamp_type=0,
        headers=None,
        key=None,
        value=None,
        checksum=None,
        tp=tp,
        generation_id=generation,
    )


def test_record_after_hole_is_not_acknowledged() -> None:
    """On an ordinary topic the record behind a hole counts only once it is acknowledged itself."""

    async def body() -> None:
        with consumer_of() as consumer:
            for offset in (10, 11, 14):
                consumer.ack(message(PLAIN, offset))
            # Offset 12 is a transaction's marker; 13 has arrived and is still in work.
            await consumer._add_gap(PLAIN, 12, 13)
            assert consumer._new_offset(PLAIN) == 13

    asyncio.run(body())


def test_stale_acknowledgement_is_ignored() -> None:
    """What was handed out before a rebalance acknowledges nothing of what is handed out after it."""

    async def body() -> None:
        with consumer_of(generation=2) as consumer:
            consumer._ledgers[BATCHED] = AckLedger(0, 0)
            consumer._ledgers[BATCHED].deliver(0, 10)
            assert not consumer.ack(message(BATCHED, 9, generation=1))
            assert consumer._new_offset(BATCHED) is None
            assert consumer.ack(message(BATCHED, 9, generation=2))
            assert consumer._new_offset(BATCHED) == 10

    asyncio.run(body())


def test_no_commit_after_crash() -> None:
    """Once the app has crashed nothing is committed any more, however much is acknowledged."""

    async def body() -> None:
        with consumer_of() as consumer:
            consumer._ledgers[BATCHED] = AckLedger(0, 0)
            consumer._ledgers[BATCHED].deliver(0, 10)
            consumer.ack(message(BATCHED, 9))
            consumer.app._crash(RuntimeError("bug"))
            assert await consumer.force_commit() is False
            assert consumer._new_offset(BATCHED) == 10, "it was left where it was"

    asyncio.run(body())


def test_revocation_keeps_acknowledgements() -> None:
    """What Faust forgets at a revocation is still found by the commit that follows."""

    async def body() -> None:
        with consumer_of() as consumer:
            consumer._ledgers[BATCHED] = AckLedger(0, 0)
            consumer._ledgers[BATCHED].deliver(0, 10)
            consumer.ack(message(BATCHED, 9))
            consumer._note_acks(BATCHED, consumer._ledgers[BATCHED])
            consumer._acked.pop(BATCHED)
            assert BATCHED in set(consumer._filter_tps_with_pending_acks())
            assert consumer._new_offset(BATCHED) == 10

    asyncio.run(body())
