"""A Faust worker under test, told by the environment what to do; what its agents get goes into a journal file."""

import asyncio
import hashlib
import json
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import faust

from streams.live.transport import (
    FetchOptions,
    TopicOptions,
    batch_topic,
    configure,
    on_last_call,
    partition_states,
    register,
)
from streams.pipeline.batch import Batch

TASK = json.loads(os.environ["WEIR_TEST_WORKER"])
register()
app = faust.App(
    TASK["group"],
    broker=f"batch://{TASK['bootstrap']}",
    broker_session_timeout=6,
    broker_rebalance_timeout=4,
    broker_heartbeat_interval=1,
    broker_commit_interval=TASK.get("commit_s", 0.2),
    stream_recovery_delay=0.0,
    topic_replication_factor=1,
    topic_partitions=TASK.get("partitions", 1),
    datadir=str(Path(TASK["journal"]).parent / f"data-{os.getpid()}"),
)
configure(app, FetchOptions(**TASK.get("fetch", {})))


def write(entry: dict[str, Any]) -> None:
    """Append one line to the journal, whole or not at all, so that kill -9 leaves no half of one."""
    line = json.dumps({**entry, "pid": os.getpid(), "time": time.time()}) + "\n"
    with Path(TASK["journal"]).open("ab", buffering=0) as journal:
        journal.write(line.encode())


def shown(value: bytes | None) -> str | None:
    """Short values as they are, long ones by length and digest."""
    if value is None or len(value) < 100:
        return None if value is None else value.decode()
    return f"{len(value)}:{hashlib.sha1(value).hexdigest()}"


def entry_of(batch: Batch) -> dict[str, Any]:
    """What the journal says of a batch."""
    return {
        "topic": batch.topic,
        "partition": batch.partition,
        "lo": batch.lo,
        "hi": batch.hi,
        "values": [shown(value) for value in batch.values],
        "offsets": [batch.offset_of(index) for index in range(len(batch))],
        "keys": None if batch.keys is None else [shown(key) for key in batch.keys],
        "headers": batch.headers and [[[name, shown(value)] for name, value in headers] for headers in batch.headers],
        "timestamps": None if batch.timestamps_ms is None else batch.timestamps_ms.tolist(),
        "nbytes": batch.nbytes,
    }


class Reader:
    """The agent of one batch topic."""

    def __init__(self, name: str, task: dict[str, Any]) -> None:
        self.task = task
        self.held: list[faust.types.EventT[Any]] = []
        options = TopicOptions(**task.get("options", {}))
        self.topic = batch_topic(app, name, options, maxsize=task.get("maxsize", 4))
        app.agent(self.topic, name=f"read-{name}")(self.read)

    async def read(self, stream: faust.types.StreamT[Any]) -> None:
        """Note each batch, then work on it for a while, then acknowledge it as told."""
        opened = cast("faust.Stream[Any]", stream)
        automatic = self.task.get("ack", "auto") == "auto"
        async for event in (opened if automatic else opened.noack()).events():
            batch = cast(Batch, event.value)
            waiting = max((channel.queue.qsize() for channel in self.topic._subscribers), default=0)
            write({**entry_of(batch), "waiting": waiting})
            if "fail" in self.task and self.task["fail"] in map(shown, batch.values):
                raise LookupError(f"no such thing: {self.task['fail']}")
            await asyncio.sleep(self.task.get("pause_s", 0))
            write({"done": batch.hi, "topic": batch.topic, "partition": batch.partition})
            if not automatic:
                self.held.append(event)
                await self.acknowledge(opened)

    async def acknowledge(self, stream: "faust.Stream[Any]") -> None:
        """``reverse``: in pairs, the later first. ``skip_first``: all but the first. ``last_call``: none yet."""
        way = self.task["ack"]
        if way == "reverse" and len(self.held) == 2:
            while self.held:
                await stream.ack(self.held.pop())
        if way == "skip_first" and len(self.held) > 1:
            await stream.ack(self.held.pop())

    async def last_call(self) -> None:
        """Acknowledge what was held for it."""
        if self.task.get("ack") == "last_call":
            for event in self.held:
                event.ack()


READERS = [Reader(name, task) for name, task in TASK["topics"].items()]
for reader in READERS:
    on_last_call(app, reader.last_call)

if "plain" in TASK:
    counts = app.Table("counts", default=int, key_type=str, partitions=TASK.get("partitions", 1))

    @app.agent(app.topic(TASK["plain"], key_type=str, partitions=TASK.get("partitions", 1)))
    async def plain(stream: faust.StreamT[dict[str, int]]) -> AsyncIterator[None]:
        """An agent as Faust knows it, with a table."""
        async for event in stream.events():
            counts[event.key] += event.value["n"]
            write({"plain": event.value["n"], "count": counts[event.key], "offset": event.message.offset})
            yield


async def states() -> None:
    """Journal how far each partition is."""
    for tp, state in partition_states(app).items():
        write(
            {
                "state": [state.committed, state.position, state.end],
                "idle": state.idle,
                "topic": tp.topic,
                "partition": tp.partition,
            }
        )


app.timer(0.2)(states)

if __name__ == "__main__":
    app.main()
