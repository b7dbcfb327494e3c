"""A Faust app as its manual writes one; `baseline.stock_faust` gives it a task and reads a line of JSON."""

import json
import os
import sys
import time
import uuid
from typing import Any

import faust
from faust.types import StreamT

TASK: dict[str, Any] = json.loads(sys.argv.pop(1))
MANY = 1000

app = faust.App(
    f"bench-{uuid.uuid4().hex[:8]}",
    broker=f"kafka://{TASK['bootstrap']}",
    consumer_auto_offset_reset="earliest",
    topic_disable_leader=True,
    web_enabled=False,
)
requests = app.topic(TASK["topic"], value_type=bytes, value_serializer="raw", key_serializer="raw")


class Count:
    """Events since the first one, and when that was."""

    def __init__(self) -> None:
        self._events = 0
        self._wall_s, self._cpu_s = 0.0, 0.0

    def add(self, events: int) -> None:
        """Note so many more; with the last ones wanted, print what it took and end the process."""
        if self._events == 0:
            self._wall_s, self._cpu_s = time.perf_counter(), time.process_time()
        self._events += events
        if self._events >= TASK["events"]:
            wall_s, cpu_s = time.perf_counter() - self._wall_s, time.process_time() - self._cpu_s
            os.write(1, json.dumps({"events": self._events, "wall_s": wall_s, "cpu_s": cpu_s}).encode() + b"\n")
            os._exit(0)


COUNT = Count()


@app.agent(requests)
async def read(stream: StreamT[bytes]) -> None:
    """Count what comes, a thousand at a time or one by one."""
    if TASK["way"] == "take":
        async for values in stream.take(MANY, within=1):
            COUNT.add(len(values))
    else:
        async for _ in stream:
            COUNT.add(1)


if __name__ == "__main__":
    app.main()
