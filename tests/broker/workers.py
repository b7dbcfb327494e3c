"""Starting, watching and ending workers under test."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.brokers import Broker

ROOT = Path(__file__).parents[2]
Entry = dict[str, Any]


class Worker:
    """One worker process and the journal it shares with others of its group."""

    def __init__(self, task: dict[str, Any]) -> None:
        self.journal = Path(task["journal"])
        self.log = self.journal.with_name(f"worker-{uuid.uuid4().hex[:6]}.log")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.broker.batch_worker", "worker", "--without-web", "-l", "info"],
                cwd=ROOT,
                env={**os.environ, "WEIR_TEST_WORKER": json.dumps(task), "NO_COLOR": "1"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def kill(self) -> None:
        """End it as the kernel would."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Ask it to end and wait; its status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=40)

    def output(self) -> str:
        """What it printed."""
        return self.log.read_text(errors="replace")


class Group:
    """Workers of one consumer group with one journal."""

    def __init__(self, broker: Broker, directory: Path, topics: dict[str, Entry], **task: object) -> None:
        self.broker = broker
        self.name = f"group-{uuid.uuid4().hex[:12]}"
        self.journal = directory / "journal"
        self.journal.touch()
        self.workers: list[Worker] = []
        self.task = {
            "bootstrap": broker.bootstrap,
            "group": self.name,
            "journal": str(self.journal),
            "topics": topics,
            **task,
        }

    def start(self, **changes: object) -> Worker:
        """Start one more worker."""
        worker = Worker({**self.task, **changes})
        self.workers.append(worker)
        return worker

    def entries(self) -> list[Entry]:
        """All lines of the journal but one that is being written."""
        *lines, _ = self.journal.read_text().split("\n")
        return [json.loads(line) for line in lines]

    def batches(self, topic: str) -> list[Entry]:
        """Batches of ``topic`` in the order agents took them."""
        return [entry for entry in self.entries() if entry.get("topic") == topic and "lo" in entry]

    def values(self, topic: str) -> list[str | None]:
        """Values of ``topic`` in the order agents took them."""
        return [value for batch in self.batches(topic) for value in batch["values"]]

    def numbers(self, topic: str) -> list[int]:
        """Values of ``topic`` as numbers, in their own order."""
        return sorted(int(value) for value in self.values(topic) if value is not None)

    def done(self, topic: str) -> list[Entry]:
        """Batches that agents are through with."""
        return [entry for entry in self.entries() if entry.get("topic") == topic and "done" in entry]

    def wait(self, reached: Callable[[], bool], what: str, timeout_s: float = 40.0) -> None:
        """Wait until ``reached``.

        Raises:
            AssertionError: it was not in time; carries what the workers printed.
        """
        deadline = time.monotonic() + timeout_s
        while not reached():
            if time.monotonic() > deadline:
                printed = (
                    "\n".join(worker.output()[-3000:] for worker in self.workers)
                    + "\n".join(str(e)[:600] for e in self.entries() if "state" not in e)[-3000:]
                )
                raise AssertionError(f"waited {timeout_s:g} s for {what}\n{printed}")
            time.sleep(0.05)

    def wait_committed(self, topic: str, offsets: dict[int, int]) -> None:
        """Wait until exactly ``offsets`` are committed."""
        self.wait(lambda: self.broker.committed(self.name, topic) == offsets, f"{topic} committed up to {offsets}")

    def close(self) -> None:
        """Kill what still runs."""
        for worker in self.workers:
            with contextlib.suppress(ProcessLookupError):
                worker.kill()


@contextlib.contextmanager
def group(broker: Broker, directory: Path, topics: dict[str, Entry], **task: object) -> Iterator[Group]:
    """A group whose workers end with the block."""
    opened = Group(broker, directory, topics, **task)
    try:
        yield opened
    finally:
        opened.close()


def tiled(batches: list[Entry], partition: int) -> tuple[int, int]:
    """The range that the batches of ``partition`` cover without a hole or an overlap.

    Raises:
        AssertionError: they do not.
    """
    ranges = [(batch["lo"], batch["hi"]) for batch in batches if batch["partition"] == partition]
    for (_, end), (begin, _) in pairwise(ranges):
        assert end == begin, ranges
    return ranges[0][0], ranges[-1][1]
