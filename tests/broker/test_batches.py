"""Batches from a broker through a real worker process: all of them, once, and right."""

import hashlib
import json
import re
from itertools import pairwise
from pathlib import Path

import pytest
from kafka import TopicPartition
from kafka.structs import OffsetAndMetadata

from tests.broker.workers import group, tiled
from tests.brokers import Broker, Sent

RECORDS = 3000


def numbered(count: int, partitions: int, first: int = 0) -> list[Sent]:
    """Records with values 0, 1, 2 … dealt out over partitions."""
    return [Sent(str(n).encode(), partition=n % partitions) for n in range(first, first + count)]


def texts(count: int, first: int = 0) -> list[str]:
    """The values of `numbered`."""
    return [str(n) for n in range(first, first + count)]


def test_undisturbed_exactly_once(broker: Broker, tmp_path: Path) -> None:
    """Two busy topics and an empty one: each record arrives once, ranges tile, everything is committed."""
    one, two, empty = broker.topic(4), broker.topic(2), broker.topic(1)
    broker.send(one, numbered(RECORDS, 4))
    broker.send(two, numbered(RECORDS, 2))
    with group(broker, tmp_path, {one: {}, two: {}, empty: {}}, fetch={"batch_records": 500}) as workers:
        worker = workers.start()
        workers.wait(lambda: len(workers.values(one)) >= RECORDS, "the first topic")
        workers.wait(lambda: len(workers.values(two)) >= RECORDS, "the second topic")
        workers.wait(lambda: any(e.get("topic") == empty and e.get("idle") for e in workers.entries()), "idleness")
        assert worker.stop() == 0
        for topic, partitions in ((one, 4), (two, 2)):
            batches = workers.batches(topic)
            assert workers.numbers(topic) == list(range(RECORDS))
            ends = dict.fromkeys(range(partitions), RECORDS // partitions)
            assert {p: tiled(batches, p) for p in ends} == {p: (0, end) for p, end in ends.items()}
            assert all(len(batch["values"]) <= 500 for batch in batches)
            assert broker.committed(workers.name, topic) == ends
        assert workers.batches(empty) == []


def test_contents(broker: Broker, tmp_path: Path) -> None:
    """Keys, headers, timestamps, null values, empty values and a 5 MB record arrive as they were written."""
    topic = broker.topic(max_message_bytes="6000000", retention_ms="-1")
    large = b"x" * 5_000_000
    sent = [
        Sent(b"a", b"k1", [("trace", b"1"), ("trace", b"2")], 1_700_000_000_001),
        Sent(None, b"k2", [], 1_700_000_000_002),
        Sent(b"", None, [("empty", b"")], 1_700_000_000_003),
        Sent(large, b"k3", [], 1_700_000_000_004),
        Sent(b"z", b"k4", [], 1_700_000_000_005),
    ]
    broker.send(topic, sent)
    options = {"keys": True, "headers": True, "timestamps": True}
    with group(broker, tmp_path, {topic: {"options": options}}, fetch={"batch_bytes": 1_000_000}) as workers:
        workers.start()
        workers.wait(lambda: len(workers.values(topic)) >= 5, "five records")
        batches = workers.batches(topic)
    got = {name: [item for batch in batches for item in batch[name]] for name in batches[0] if name in COLUMNS}
    assert got["values"] == ["a", None, "", f"5000000:{hashlib.sha1(large).hexdigest()}", "z"]
    assert got["keys"] == ["k1", "k2", None, "k3", "k4"]
    assert got["headers"] == [[["trace", "1"], ["trace", "2"]], [], [["empty", ""]], [], []]
    assert got["timestamps"] == [1_700_000_000_000 + n for n in range(1, 6)]
    assert got["offsets"] == list(range(5))
    assert [batch["values"] for batch in batches if batch["nbytes"] > 1_000_000] == [[got["values"][3]]]


COLUMNS = ("values", "keys", "headers", "timestamps", "offsets")


def test_columns_only_on_request(broker: Broker, tmp_path: Path) -> None:
    """Who does not ask for keys, headers and timestamps does not pay for them."""
    topic = broker.topic()
    broker.send(topic, [Sent(b"a", b"k", [("h", b"1")])])
    with group(broker, tmp_path, {topic: {}}) as workers:
        workers.start()
        workers.wait(lambda: len(workers.values(topic)) >= 1, "a record")
        (batch,) = workers.batches(topic)
    assert (batch["keys"], batch["headers"], batch["timestamps"]) == (None, None, None)


def test_kill_loses_nothing(broker: Broker, tmp_path: Path) -> None:
    """After kill -9 in mid-stream a new worker goes on at the committed offset: every record is seen."""
    topic = broker.topic(4)
    broker.send(topic, numbered(RECORDS, 4))
    with group(broker, tmp_path, {topic: {"pause_s": 0.05}}, fetch={"batch_records": 50}) as workers:
        first = workers.start()
        workers.wait(lambda: len(workers.values(topic)) >= RECORDS // 3, "a third of the records")
        first.kill()
        seen = len(workers.values(topic))
        assert seen < RECORDS
        workers.start()
        workers.wait(lambda: {*workers.values(topic)} == {*texts(RECORDS)}, "all records")
        ends = dict.fromkeys(range(4), RECORDS // 4)
        workers.wait_committed(topic, ends)
        again = len(workers.values(topic)) - RECORDS
        assert 0 <= again < seen, "it went on where the commit was, not at the beginning"


def test_rebalance_repeats_nothing(broker: Broker, tmp_path: Path) -> None:
    """A second worker joins and leaves in good order: nothing is lost, and nothing acknowledged comes again."""
    topic = broker.topic(4)
    broker.send(topic, numbered(RECORDS, 4))
    # Commits by the clock come too late to help: what is acknowledged is committed because partitions are given away.
    task = {"pause_s": 0.05}
    with group(broker, tmp_path, {topic: task}, fetch={"batch_records": 10}, commit_s=60) as workers:
        workers.start()
        workers.wait(lambda: len(workers.values(topic)) >= 200, "the first records")
        second = workers.start()
        workers.wait(lambda: any(b["pid"] == second.process.pid for b in workers.batches(topic)), "the second worker")
        assert second.stop() == 0
        workers.wait(lambda: {*workers.values(topic)} == {*texts(RECORDS)}, "all records")
        assert len(workers.values(topic)) == RECORDS


def test_beside_table_and_plain_topic(broker: Broker, tmp_path: Path) -> None:
    """A JSON topic, a table and its changelog work beside a batch topic, and the table survives a restart."""
    topic, plain = broker.topic(2), broker.topic(2)
    broker.send(topic, numbered(100, 2))
    with group(broker, tmp_path, {topic: {}}, plain=plain, partitions=2) as workers:
        first = workers.start()
        # One at a time: the embedded broker understates the end of a topic whose last write held several records, and
        # Faust then restores a table short of it.
        for n in (1, 2, 3):
            broker.send(plain, [Sent(json.dumps({"n": n}).encode(), b"k")])
            workers.wait(lambda: len([e for e in workers.entries() if "plain" in e]) >= n, "plain events")  # noqa: B023
        workers.wait(lambda: len(workers.values(topic)) >= 100, "batches")
        assert first.stop() == 0
        broker.send(plain, [Sent(json.dumps({"n": 4}).encode(), b"k")])
        workers.start()
        workers.wait(lambda: len([e for e in workers.entries() if "plain" in e]) >= 4, "the fourth event")
        assert [entry["count"] for entry in workers.entries() if "plain" in entry] == [1, 3, 6, 10]
        assert workers.numbers(topic) == list(range(100))


def test_bug_stops_before_acknowledgement(broker: Broker, tmp_path: Path) -> None:
    """An exception in an agent ends the process with status 70 and one clear line; the batch comes again."""
    topic = broker.topic()
    broker.send(topic, numbered(100, 1))
    with group(broker, tmp_path, {topic: {"fail": "55"}}, fetch={"batch_records": 10}, commit_s=0.05) as workers:
        worker = workers.start()
        assert worker.process.wait(timeout=40) == 70
        lines = [line for line in worker.output().splitlines() if "CRITICAL" in line]
        assert len(lines) == 1
        assert f"agent read-{topic} with {topic}/0 [50, 60): LookupError: no such thing: 55 (at " in lines[0]
        assert broker.committed(workers.name, topic).get(0, 0) <= 50
        workers.start(topics={topic: {}})
        workers.wait(lambda: workers.values(topic).count("55") == 2, "the batch that failed")
        workers.wait_committed(topic, {0: 100})


def test_acknowledged_in_reverse(broker: Broker, tmp_path: Path) -> None:
    """Acknowledged late and in the wrong order, everything is committed in the end."""
    topic = broker.topic()
    broker.send(topic, numbered(100, 1))
    with group(broker, tmp_path, {topic: {"ack": "reverse"}}, fetch={"batch_records": 10}) as workers:
        workers.start()
        workers.wait_committed(topic, {0: 100})


def test_unacknowledged_holds_commit(broker: Broker, tmp_path: Path) -> None:
    """While one batch is not acknowledged nothing behind it is committed, and after a kill all of it comes again."""
    topic = broker.topic()
    broker.send(topic, numbered(100, 1))
    with group(broker, tmp_path, {topic: {"ack": "skip_first"}}, fetch={"batch_records": 10}) as workers:
        first = workers.start()
        workers.wait(lambda: len(workers.done(topic)) >= 10, "all batches")
        workers.wait(lambda: len([e for e in workers.entries() if "idle" in e]) >= 15, "several commit intervals")
        assert broker.committed(workers.name, topic) == {}
        first.kill()
        workers.start(topics={topic: {}})
        workers.wait(lambda: len(workers.values(topic)) >= 200, "all again")
        workers.wait_committed(topic, {0: 100})


def test_late_acks_do_not_hold_rebalance(broker: Broker, tmp_path: Path) -> None:
    """What a topic with late acknowledgements has not acknowledged does not keep a worker from stopping."""
    topic = broker.topic()
    broker.send(topic, numbered(30, 1))
    task = {"ack": "skip_first", "options": {"late_acks": True}}
    with group(broker, tmp_path, {topic: task}, fetch={"batch_records": 10}) as workers:
        worker = workers.start()
        workers.wait(lambda: len(workers.done(topic)) >= 3, "all batches")
        assert worker.stop() == 0
        assert broker.committed(workers.name, topic) == {}


def test_last_call(broker: Broker, tmp_path: Path) -> None:
    """What the app acknowledges at its last call is committed before the partitions go."""
    topic = broker.topic()
    broker.send(topic, numbered(30, 1))
    with group(broker, tmp_path, {topic: {"ack": "last_call"}}, fetch={"batch_records": 10}) as workers:
        worker = workers.start()
        workers.wait(lambda: len(workers.done(topic)) >= 3, "all batches")
        assert broker.committed(workers.name, topic) == {}
        assert worker.stop() == 0
        assert broker.committed(workers.name, topic) == {0: 30}


def test_rewind(broker: Broker, tmp_path: Path) -> None:
    """A rewound topic is read from the beginning, knows what was committed, and never commits backwards."""
    topic = broker.topic()
    broker.send(topic, numbered(100, 1))
    task = {topic: {"options": {"rewind": True}}}
    with group(broker, tmp_path, task, fetch={"batch_records": 10}) as workers:
        first = workers.start()
        workers.wait_committed(topic, {0: 100})
        assert first.stop() == 0
        slow = {topic: {"options": {"rewind": True}, "pause_s": 0.3}}
        second = workers.start(topics=slow, commit_s=0.05)
        workers.wait(lambda: len(workers.values(topic)) >= 130, "the beginning once more")
        assert broker.committed(workers.name, topic) == {0: 100}
        states = [e["state"] for e in workers.entries() if "state" in e and e["pid"] == second.process.pid]
        workers.wait(lambda: len(workers.values(topic)) >= 200, "all once more")
        broker.send(topic, numbered(10, 1, first=100))
        workers.wait_committed(topic, {0: 110})
        assert workers.values(topic) == texts(100) + texts(110)
    assert {committed for committed, _, _ in states} <= {0, 100}
    assert states[-1][0] == 100


def test_back_pressure(broker: Broker, tmp_path: Path) -> None:
    """A slow agent has never more than its bound waiting, gets the next at once, and holds nobody else up."""
    slow, quick = broker.topic(4), broker.topic(1)
    broker.send(slow, numbered(400, 4))
    topics = {slow: {"pause_s": 0.1, "maxsize": 2}, quick: {}}
    with group(broker, tmp_path, topics, fetch={"batch_records": 10}) as workers:
        workers.start()
        workers.wait(lambda: len(workers.batches(slow)) >= 5, "the slow agent")
        broker.send(quick, numbered(10, 1))
        workers.wait(lambda: len(workers.values(quick)) >= 10, "the quick agent")
        assert len(workers.batches(slow)) < 30
        workers.wait(lambda: len(workers.done(slow)) >= 40, "the rest")
        batches = workers.batches(slow)
    assert max(batch["waiting"] for batch in batches) <= 2
    pauses = [later["time"] - sooner["time"] for sooner, later in pairwise(batches)]
    assert max(pauses) < 0.6, "stock Faust sleeps a second when buffers are full"
    assert workers.numbers(slow) == list(range(400))


def test_deleted_before_read(kafka_broker: Broker, tmp_path: Path) -> None:
    """Records that vanish ahead of the reader stop the worker; the next one says which they were and goes on."""
    topic = kafka_broker.topic()
    for first in range(0, 100, 10):
        kafka_broker.send(topic, numbered(10, 1, first))
    task = {topic: {"pause_s": 0.5, "maxsize": 1}}
    with group(kafka_broker, tmp_path, task, fetch={"batch_records": 10, "partition_bytes": 1}) as workers:
        first_worker = workers.start()
        workers.wait(lambda: len(workers.batches(topic)) >= 2, "the beginning")
        kafka_broker.admin.delete_records({TopicPartition(topic, 0): 90})
        assert first_worker.process.wait(timeout=40) not in (0, None)
        committed = kafka_broker.committed(workers.name, topic)[0]
        assert committed < 90
        assert re.search(r"offset \d+ should come next, but the batch is \[90, ", first_worker.output())
        second = workers.start(topics={topic: {}})
        workers.wait_committed(topic, {0: 100})
        assert f"{topic}/0: records [{committed}, 90) were deleted before they were read" in second.output()
        assert next(b["lo"] for b in workers.batches(topic) if b["pid"] == second.process.pid) == 90


def test_topic_made_anew(kafka_broker: Broker, tmp_path: Path) -> None:
    """A commit beyond the end of the topic stops the worker with the reason, and nothing is committed."""
    topic = kafka_broker.topic()
    kafka_broker.send(topic, numbered(10, 1))
    with group(kafka_broker, tmp_path, {topic: {}}) as workers:
        committed = {TopicPartition(topic, 0): OffsetAndMetadata(50, "", -1)}
        kafka_broker.admin.alter_group_offsets(workers.name, committed)
        worker = workers.start()
        assert worker.process.wait(timeout=40) not in (0, None)
        assert "offset 50 should come next, but the batch is [0, " in worker.output()
        assert workers.values(topic) == []
        assert kafka_broker.committed(workers.name, topic) == {0: 50}


def test_transactions(kafka_broker: Broker, tmp_path: Path) -> None:
    """Aborted records and markers are holes inside batches: never seen, and covered by what is committed."""
    topic = kafka_broker.topic()
    producer = kafka_broker.producer(transactional_id=f"tx-{topic}")
    producer.init_transactions()
    for first, outcome in ((0, "commit"), (10, "abort"), (20, "commit"), (30, "abort")):
        producer.begin_transaction()
        for record in numbered(10, 1, first):
            producer.send(topic, value=record.value, partition=0)
        producer.flush()
        producer.commit_transaction() if outcome == "commit" else producer.abort_transaction()
    producer.close()
    with group(kafka_broker, tmp_path, {topic: {}}, fetch={"batch_records": 7}) as workers:
        workers.start()
        workers.wait_committed(topic, {0: 44})
        batches = workers.batches(topic)
        assert workers.values(topic) == texts(10) + texts(10, 20)
        assert [offset for batch in batches for offset in batch["offsets"]] == [*range(10), *range(22, 32)]
        assert tiled(batches, 0) == (0, 44)
        workers.wait(lambda: any(e.get("state") == [0, 44, 44] for e in workers.entries()), "idleness")


def test_compacted(kafka_broker: Broker, tmp_path: Path) -> None:
    """On a compacted topic each record keeps its own offset, and ranges tile over the holes."""
    topic = kafka_broker.topic(
        cleanup_policy="compact", segment_ms="100", min_cleanable_dirty_ratio="0.01", max_compaction_lag_ms="100"
    )
    for n in range(40):
        kafka_broker.send(topic, [Sent(str(n).encode(), b"k%d" % (n % 4)), Sent(str(n).encode(), b"once-%d" % n)])
    wait_for_compaction(kafka_broker, topic, tmp_path)


def wait_for_compaction(broker: Broker, topic: str, directory: Path) -> None:
    """Read with fresh groups until the cleaner has been there, then check what a batch says."""
    for attempt in range(12):
        where = directory / str(attempt)
        where.mkdir()
        broker.send(topic, [Sent(b"roll", b"roll")])
        with group(broker, where, {topic: {"options": {"keys": True}}}) as workers:
            workers.start()
            end = 81 + attempt
            workers.wait(lambda: any(b["hi"] >= end for b in workers.batches(topic)), "the end")  # noqa: B023
            batches = workers.batches(topic)
            offsets = [offset for batch in batches for offset in batch["offsets"]]
            if len(offsets) < end:
                keys = [key for batch in batches for key in batch["keys"]]
                assert [k for k, o in zip(keys, offsets, strict=True) if k and k.startswith("once")] == [
                    f"once-{n}" for n in range(40)
                ]
                assert [o for k, o in zip(keys, offsets, strict=True) if k and k.startswith("once")] == [
                    2 * n + 1 for n in range(40)
                ]
                assert tiled(batches, 0) == (0, end)
                workers.wait_committed(topic, {0: end})
                return
    pytest.fail("the broker did not compact the topic")
