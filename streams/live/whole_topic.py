"""A topic from its beginning to where it ended at the first step, for commands that print what stands there."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from aiokafka.errors import KafkaError
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError as ReadingError

from schemas.errors import TransportError
from streams.live.connection import failure, for_kafka_python
from streams.live.topics import ANSWER_MS
from streams.settings import KafkaSettings


def records(kafka: KafkaSettings, name: str, partitions: int, **options: int) -> Iterator[Any]:
    """Every record, partition by partition in order; ``options`` are those of kafka-python's consumer.

    Raises:
        TransportError: the broker cannot be reached or refuses.
    """
    numbers = [TopicPartition(name, number) for number in range(partitions)]
    with refusals(kafka):
        consumer = KafkaConsumer(
            **for_kafka_python(kafka), enable_auto_commit=False, auto_offset_reset="earliest", **options
        )
        with closing(consumer):
            consumer.assign(numbers)
            ends = consumer.end_offsets(numbers)
            while any(consumer.position(number) < ends[number] for number in numbers):
                polled = consumer.poll(timeout_ms=ANSWER_MS)
                if not polled:
                    raise TransportError(f"kafka {kafka.bootstrap}: no answer within {ANSWER_MS / 1000:g} s")
                for found in polled.values():
                    yield from found


@contextmanager
def refusals(kafka: KafkaSettings) -> Iterator[None]:
    """What either library says of a broker becomes one line that names it."""
    try:
        yield
    except (KafkaError, ReadingError, OSError) as error:
        raise failure(kafka, error) from error
