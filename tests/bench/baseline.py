"""What reading alone costs by the ordinary ways, when nothing is done with a record: plain aiokafka, stock Faust."""

import asyncio
import json
import subprocess
import sys

from aiokafka import AIOKafkaConsumer, TopicPartition

from tests.bench.kafka import ROOT
from tests.bench.measure import Run, timed

GETMANY = "raw aiokafka: getmany, nothing done"
FAUST_WAYS = {"take": "stock Faust: take(1000), nothing done", "each": "stock Faust: async for, nothing done"}
FAUST_S = 120


async def getmany(bootstrap: str, topic: str, partitions: int, events: int) -> Run:
    """Read ``events`` records of ``topic`` from its beginning."""
    async with AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    ) as consumer:
        consumer.assign([TopicPartition(topic, partition) for partition in range(partitions)])
        count = 0
        with timed(events) as run:
            while count < events:
                found = await consumer.getmany(timeout_ms=1000)
                count += sum(map(len, found.values()))
        run.events = count
    return run


async def stock_faust(bootstrap: str, topic: str, events: int, way: str) -> Run:
    """Read at least ``events`` records in a worker of its own; ``way`` is one of `FAUST_WAYS`.

    Raises:
        RuntimeError: it found no end.
    """
    task = json.dumps({"bootstrap": bootstrap, "topic": topic, "events": events, "way": way})
    command = [sys.executable, "-m", "tests.bench.stock_faust", task, "worker", "--without-web", "-l", "error"]
    try:
        done = await asyncio.to_thread(
            subprocess.run, command, cwd=ROOT, capture_output=True, text=True, timeout=FAUST_S, check=True
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise RuntimeError(f"stock Faust: {error}; it said {str(error.stderr)[-300:]}") from error
    found = json.loads(done.stdout.splitlines()[-1])
    return Run(found["events"], found["wall_s"], found["cpu_s"])
