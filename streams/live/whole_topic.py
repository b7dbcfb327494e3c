"""A topic from its beginning to where it ended at the first step, for commands that print what stands there."""

import asyncio
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as Place
from aiokafka.errors import KafkaError
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError as ReadingError

from schemas.errors import TransportError
from streams.live.connection import failure, for_aiokafka, for_kafka_python
from streams.live.leaving import leave
from streams.live.topics import ANSWER_MS
from streams.settings import KafkaSettings

POLL_MS: Final = 500
"""How often is looked whether a partition has come to its end without a record."""


def records(
    kafka: KafkaSettings, name: str, partitions: int | Collection[int], since_ms: int = 0, **options: int
) -> Iterator[Any]:
    """Every record, partition by partition in order; ``options`` are those of kafka-python's consumer.

    With ``since_ms`` each partition is read from the first record that has that time, or a later one. ``partitions`` is
    how many there are, or which of them are wanted.

    Raises:
        TransportError: the broker cannot be reached or refuses.
    """
    wanted = range(partitions) if isinstance(partitions, int) else partitions
    numbers = [TopicPartition(name, number) for number in wanted]
    with refusals(kafka):
        consumer = KafkaConsumer(
            **for_kafka_python(kafka), enable_auto_commit=False, auto_offset_reset="earliest", **options
        )
        with closing(consumer):
            consumer.assign(numbers)
            ends = consumer.end_offsets(numbers)
            found_at = consumer.offsets_for_times(dict.fromkeys(numbers, since_ms)) if since_ms else {}
            for number, at in found_at.items():
                consumer.seek(number, ends[number] if at is None else at.offset)
            yield from _up_to(kafka, consumer, ends)


def _up_to(kafka: KafkaSettings, consumer: Any, ends: Mapping[Any, int]) -> Iterator[Any]:
    """Records below ``ends``. What lies there may be no record, as at the end of a transaction, so positions count."""
    at = {number: consumer.position(number) for number in ends}
    heard_s = time.monotonic()
    while any(at[number] < end for number, end in ends.items()):
        polled = consumer.poll(timeout_ms=POLL_MS)
        for found in polled.values():
            # What somebody goes on writing must not keep us.
            yield from (
                record for record in found if record.offset < ends[TopicPartition(record.topic, record.partition)]
            )
        before, at = at, {number: consumer.position(number) for number in ends}
        consumer.pause(*(number for number, end in ends.items() if at[number] >= end))
        if polled or at != before:
            heard_s = time.monotonic()
        elif time.monotonic() > heard_s + ANSWER_MS / 1000:
            raise TransportError(f"kafka {kafka.bootstrap}: no answer within {ANSWER_MS / 1000:g} s")


def beginnings(kafka: KafkaSettings, name: str, partitions: Collection[int]) -> dict[int, int]:
    """The first offset that each of these partitions still has; raises as `records`."""
    numbers = [TopicPartition(name, number) for number in partitions]
    with refusals(kafka):
        consumer = KafkaConsumer(**for_kafka_python(kafka), enable_auto_commit=False)
        with closing(consumer):
            return {number.partition: offset for number, offset in consumer.beginning_offsets(numbers).items()}


def last_values(kafka: KafkaSettings, name: str, partitions: int) -> dict[str, bytes | None]:
    """The last value of each key of a compacted topic, by aiokafka: it reads twenty times as fast.

    Raises:
        TransportError: the broker cannot be reached or refuses.
    """
    with refusals(kafka):
        return asyncio.run(_last_values(kafka, [Place(name, number) for number in range(partitions)]))


async def _last_values(kafka: KafkaSettings, places: Sequence[Place]) -> dict[str, bytes | None]:
    found: dict[str, bytes | None] = {}
    consumer = AIOKafkaConsumer(**for_aiokafka(kafka), enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        at = [await consumer.position(place) for place in places]
        while any(position < ends[place] for position, place in zip(at, places, strict=True)):
            polled = await consumer.getmany(timeout_ms=ANSWER_MS)
            before, at = at, [await consumer.position(place) for place in places]
            # What lies at the end may be no record: of a transaction, or taken away by compaction.
            if not polled and before == at:
                raise TransportError(f"kafka {kafka.bootstrap}: no answer within {ANSWER_MS / 1000:g} s")
            for read in polled.values():
                found |= {_text(record.key): record.value for record in read}
    finally:
        await leave(consumer)
    return found


def _text(key: bytes | None) -> str:
    return (key or b"").decode("utf-8", "replace")


@contextmanager
def refusals(kafka: KafkaSettings) -> Iterator[None]:
    """What either library says of a broker becomes one line that names it."""
    try:
        yield
    except (KafkaError, ReadingError, OSError) as error:
        raise failure(kafka, error) from error
