"""What the benchmark does with a broker: start one, fill topics, read offsets, run a worker."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, Self

import psutil
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError

from deploy.kafka.cluster import Cluster
from tests.bench.measure import Run

ROOT: Final = Path(__file__).resolve().parents[2]
BUILD: Final = ROOT / "build"
BATCH_BYTES: Final = 256 << 10
WAIT_S: Final = 120.0
STOP_S: Final = 40.0


@contextlib.contextmanager
def broker(bootstrap: str | None, directory: Path) -> Iterator[str]:
    """The one that was named, or Apache Kafka of our own in ``directory``."""
    if bootstrap is not None:
        yield bootstrap
        return
    with Cluster(directory / "kafka") as cluster:
        yield cluster.bootstrap


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A directory of this run alone, which goes when the run ends well: what workers said tells why one did not."""
    BUILD.mkdir(exist_ok=True)
    directory = Path(tempfile.mkdtemp(prefix="bench-", dir=BUILD))
    yield directory
    shutil.rmtree(directory)


async def write(
    producer: AIOKafkaProducer,
    topic: str,
    parts: Sequence[Sequence[bytes]],
    time_ms: Callable[[bytes], int | None] = lambda _: None,
) -> None:
    """Write the values of each partition, in large record batches, and wait until the broker has them.

    The records' times are as ``time_ms`` says, or that of writing.
    """
    sent = []
    for partition, values in enumerate(parts):
        if not values:
            continue
        builder = producer.create_batch()
        for value in values:
            while builder.append(key=None, value=value, timestamp=time_ms(value)) is None:
                sent.append(await producer.send_batch(builder, topic, partition=partition))
                builder = producer.create_batch()
        sent.append(await producer.send_batch(builder, topic, partition=partition))
    for future in sent:
        await future


def producer(bootstrap: str, transaction: str | None = None) -> AIOKafkaProducer:
    """A producer for `write`; the caller starts and stops it."""
    settings: dict[str, object] = {"bootstrap_servers": bootstrap, "max_batch_size": BATCH_BYTES, "acks": "all"}
    if transaction is not None:
        settings |= {"transactional_id": transaction, "transaction_timeout_ms": 600_000}
    return AIOKafkaProducer(**settings)


class Progress:
    """How far a consumer group is, and how far topics go."""

    def __init__(self, bootstrap: str, group: str) -> None:
        self._group = group
        self._admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        self._consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)

    async def __aenter__(self) -> Self:
        await self._admin.start()
        await self._consumer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()
        await self._admin.close()

    async def ends(self, topic: str, partitions: int) -> list[int]:
        """Where each partition ends."""
        numbers = [TopicPartition(topic, partition) for partition in range(partitions)]
        ends: dict[TopicPartition, int] = await self._consumer.end_offsets(numbers)
        return [ends[number] for number in numbers]

    async def committed(self, topic: str, partitions: int) -> list[int]:
        """What the group has committed of each partition, 0 where it has not."""
        try:
            found = await self._admin.list_consumer_group_offsets(self._group)
        except GroupCoordinatorNotAvailableError:
            return [0] * partitions  # the first group on a broker waits for the topic of offsets to be made
        offsets = (found.get(TopicPartition(topic, partition)) for partition in range(partitions))
        return [0 if one is None else max(one.offset, 0) for one in offsets]

    async def is_done(self, topic: str, partitions: int) -> bool:
        """The group has committed everything that the topic holds, and each partition holds something."""
        ends = await self.ends(topic, partitions)
        return min(ends) > 0 and await self.committed(topic, partitions) == ends

    async def delete(self, topics: Sequence[str]) -> None:
        """Remove topics."""
        await self._admin.delete_topics(list(topics))


class Worker:
    """One ``weir worker`` with both stages."""

    def __init__(self, config: Path, log_level: str = "warning", root: Path = ROOT) -> None:
        self.log = config.with_suffix(".log")
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "streams.cli", "worker", "--config", str(config), "--log-level", log_level],
                cwd=root,
                env={name: value for name, value in os.environ.items() if not name.startswith("WEIR_")},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._seen = psutil.Process(self._process.pid)

    def cpu_s(self) -> float:
        """CPU it has taken so far, all threads."""
        times = self._seen.cpu_times()
        return float(times.user + times.system)

    def resident_bytes(self) -> int:
        """Memory it holds."""
        return int(self._seen.memory_info().rss)

    def peak_bytes(self) -> int:
        """The most memory it has held, by the kernel; what it holds now where the kernel does not tell."""
        with contextlib.suppress(OSError):
            status = Path(f"/proc/{self._process.pid}/status").read_text()
            (peak,) = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
            return int(peak) << 10
        return self.resident_bytes()

    def check(self) -> None:
        """Raise with its last words if it has ended."""
        if self._process.poll() is not None:
            said = self.log.read_text(errors="replace").splitlines()[-3:]
            raise RuntimeError(f"the worker ended with {self._process.returncode}: {' / '.join(said)}")

    @contextlib.contextmanager
    def timed(self, events: int) -> Iterator[Run]:
        """Time what it does meanwhile."""
        run = Run(events)
        wall, cpu = time.perf_counter(), self.cpu_s()
        yield run
        run.wall_s, run.cpu_s = time.perf_counter() - wall, self.cpu_s() - cpu

    def signal(self, number: signal.Signals) -> None:
        """Send it one."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it as the kernel would."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """Ask it to end, and end it if it does not."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout=STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


async def until(condition: Callable[[], Awaitable[bool]], worker: Worker, what: str, wait_s: float = WAIT_S) -> None:
    """Ask again and again.

    Raises:
        RuntimeError: the worker ended.
        TimeoutError: it took too long.
    """
    deadline = time.monotonic() + wait_s
    while not await condition():
        worker.check()
        if time.monotonic() > deadline:
            raise TimeoutError(f"no {what} within {wait_s:g} s")
        await asyncio.sleep(0.1)
