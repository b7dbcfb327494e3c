"""A whole topic on real Kafka, as commands read it, whatever its end is made of."""

import threading
import time
from contextlib import closing

import pytest
from kafka import TopicPartition

from streams.live.whole_topic import beginnings, last_values, records
from tests.brokers import Broker, Sent

pytestmark = pytest.mark.timeout(120)


def committed(broker: Broker, name: str, count: int = 5) -> None:
    """Write records in one transaction: behind them lies its end, which is no record."""
    with closing(broker.producer(transactional_id=f"tx-{name}")) as producer:
        producer.init_transactions()
        producer.begin_transaction()
        for number in range(count):
            producer.send(name, b"%d" % number, key=b"%d" % number, partition=0)
        producer.flush()
        producer.commit_transaction()


def test_the_end_of_a_transaction(kafka_broker: Broker) -> None:
    """All records are read, and nothing is waited for where the last offset is none of a record."""
    name = kafka_broker.topic(2)
    committed(kafka_broker, name)
    assert [record.value for record in records(kafka_broker.kafka, name, 2)] == [b"0", b"1", b"2", b"3", b"4"]
    assert len(last_values(kafka_broker.kafka, name, 2)) == 5


def test_nothing_but_the_end_of_a_transaction(kafka_broker: Broker) -> None:
    """The records are gone and only the mark behind them is left: the partition is read, and it is empty.

    It was once taken for a broker that does not answer.
    """
    name = kafka_broker.topic()
    committed(kafka_broker, name)
    kafka_broker.admin.delete_records({TopicPartition(name, 0): 5})
    assert list(records(kafka_broker.kafka, name, 1)) == []
    assert last_values(kafka_broker.kafka, name, 1) == {}
    assert beginnings(kafka_broker.kafka, name, [0]) == {0: 5}


def test_a_tail_of_tombstones_that_compaction_took_away(kafka_broker: Broker) -> None:
    """What is left is read to the end, and ends."""
    name = kafka_broker.topic(
        cleanup_policy="compact", segment_ms="100", min_cleanable_dirty_ratio="0.01", max_compaction_lag_ms="100",
        delete_retention_ms="0",
    )  # fmt: skip
    for number in range(40):
        kafka_broker.send(name, [Sent(b"x", key=b"%d" % (number % 4))])
    for number in range(60):
        kafka_broker.send(name, [Sent(None, key=b"%d" % (number % 4))])
        time.sleep(0.2)
        found = [record.offset for record in records(kafka_broker.kafka, name, 1)]
        assert found[-1] == 40 + number
        if len(found) < 40:
            return
    pytest.fail("the broker did not compact the topic")


def test_a_topic_that_somebody_goes_on_writing_to(kafka_broker: Broker) -> None:
    """Reading ends where the topic ended when it began, in each partition, whatever comes behind it meanwhile."""
    name = kafka_broker.topic(2)
    kafka_broker.send(name, [Sent(b"first", partition=number % 2) for number in range(2_000)])
    stop = threading.Event()

    def write_on() -> None:
        while not stop.is_set():
            kafka_broker.send(name, [Sent(b"later") for _ in range(500)])

    writer = threading.Thread(target=write_on)
    found = records(kafka_broker.kafka, name, 2, max_poll_records=100)
    first = [next(found)]
    writer.start()
    try:
        values = {record.value for record in [*first, *found]}
    finally:
        stop.set()
        writer.join()
    assert values == {b"first"}


def test_some_partitions_from_a_time_on(kafka_broker: Broker) -> None:
    """Only those that are asked for, from the first record of that time."""
    name = kafka_broker.topic(3, retention_ms="-1")
    for number in range(3):
        kafka_broker.send(
            name, [Sent(b"%d" % at, partition=number, timestamp_ms=1_790_000_000_000 + at) for at in range(10)]
        )
    found = list(records(kafka_broker.kafka, name, [2], since_ms=1_790_000_000_007))
    assert [(record.partition, record.value) for record in found] == [(2, b"7"), (2, b"8"), (2, b"9")]
