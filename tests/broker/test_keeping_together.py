"""Two workers that are not equally fast, and what they have read of one topic by the time of its records."""

import asyncio
import time
from pathlib import Path
from typing import Final

import pytest

from streams.live.transport.alignment import AHEAD_OF_OTHERS_MAX
from tests.bench.kafka import producer, write
from tests.broker.workers import Group, Worker, group, tiled
from tests.brokers import Broker

pytestmark = pytest.mark.timeout(120)

RECORDS: Final = 300_000
"""Of each of two partitions: much more than one worker may be ahead of another."""
BATCH: Final = 5_000
FAST_S: Final = 0.1
SLOW_S: Final = 1.0
SLOW_BATCHES: Final = 9
"""By now the fast one would be through by itself."""


def test_the_fast_one_waits(kafka_broker: Broker, tmp_path: Path) -> None:
    """A worker reads no further ahead than it may; when the slow one leaves it reads all that is left, each once."""
    topic = kafka_broker.topic(2)
    task = {"options": {"timestamps": True, "aligned": True}}
    with group(kafka_broker, tmp_path, {topic: task}, fetch={"batch_records": BATCH}) as workers:
        fast = workers.start(topics={topic: {**task, "pause_s": FAST_S}})
        slow = workers.start(topics={topic: {**task, "pause_s": SLOW_S}})
        workers.wait(lambda: len(owners(workers)) == 2, "a partition for each worker")
        asyncio.run(fill(kafka_broker, topic))
        workers.wait(lambda: read(workers, topic, slow) >= SLOW_BATCHES * BATCH, "what the slow one reads")
        ahead = read(workers, topic, fast) - read(workers, topic, slow)
        assert ahead < 2.1 * AHEAD_OF_OTHERS_MAX, "what it reads until a look is answered comes on top"
        workers.wait(lambda: "another worker has read it up to" in fast.output(), "a word of why it waits")
        assert slow.stop() == 0
        workers.wait_committed(topic, dict.fromkeys(range(2), RECORDS))
        assert [tiled(workers.batches(topic), number) for number in range(2)] == [(0, RECORDS)] * 2
        assert fast.stop() == 0


async def fill(broker: Broker, topic: str) -> None:
    """Write both partitions, whose records come in step: one a millisecond."""
    now_ms = int(time.time() * 1000) - RECORDS
    values = [b"%d" % (now_ms + number) for number in range(RECORDS)]
    async with producer(broker.bootstrap) as sink:
        await write(sink, topic, [values, values], int)


def owners(workers: Group) -> dict[int, int]:
    """Processes by the partition that they owned at their last look."""
    latest: dict[int, list[int]] = {}
    for entry in workers.entries():
        if "state" in entry:
            latest.setdefault(entry["pid"], []).append(entry["partition"])
    return {pid: partitions[-1] for pid, partitions in latest.items() if len(set(partitions[-4:])) == 1}


def read(workers: Group, topic: str, worker: Worker) -> int:
    """Records that a worker has taken."""
    taken = (entry for entry in workers.batches(topic) if entry["pid"] == worker.process.pid)
    return sum(entry["hi"] - entry["lo"] for entry in taken)
