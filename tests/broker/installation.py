"""One Weir on a broker for tests: its topics, its configuration, its workers, what is fed to it and what comes out."""

import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import RetriableError

from schemas import topic
from schemas.sighting import Progress
from streams.config import parse
from streams.live.topics import create, layouts
from streams.pipeline.sightings import decode
from streams.settings import Settings
from tests.brokers import Broker, Sent

ROOT: Final = Path(__file__).parents[2]
PARTITIONS: Final = 8
IDLE_MS: Final = 1000
WAIT_S: Final = 60.0

CONFIG: Final = """
[mode]
default = "{mode}"
[detectors.long_tail]
searching_tiers = ["recruiter"]
[detectors.profile_rate.account]
minute = 30
ten_minutes = 100
hour = 250
day = 500
[detectors.profile_rate.tiers.recruiter]
minute = 60
ten_minutes = 200
hour = 600
day = 1500
[model]
learning_s = 0
[input]
topic = "{requests}"
time_skew_max_s = {skew_s}
idle_after_ms = {idle_ms}
[policy]
block_age_max_s = 0
[kafka]
bootstrap = "{bootstrap}"
application = "{name}"
prefix = "{name}."
partitions = {partitions}
replication = {replication}
batch_records = {batch_records}
session_timeout_ms = 6000
model_wait_ms = 600000
[checkpoint]
interval_s = 1
"""
"""Days of long ago are judged. A worker that died is noticed after 6 s, the least that Kafka allows; no judgement goes
by an older model."""

Record = dict[str, Any]


class ConsumerRecord(Protocol):
    """What is read of a consumed record."""

    partition: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Received:
    """One record as a topic holds it."""

    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]

    @property
    def record(self) -> Record:
        """The value, decoded."""
        assert self.value is not None
        decoded: Record = msgspec.json.decode(self.value)
        return decoded


@dataclass(slots=True)
class Worker:
    """One worker process and its log."""

    process: subprocess.Popen[bytes]
    log: Path

    def kill(self) -> None:
        """End it as the kernel would."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Ask it to end and wait; its status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)

    def output(self) -> str:
        """What it printed."""
        return self.log.read_text(errors="replace")


@dataclass(slots=True)
class Installation:
    """A Weir of its own on a broker that several share."""

    broker: Broker
    directory: Path
    mode: str = "enforce"
    batch_records: int = 10_000
    skew_s: int = 0
    idle_ms: int = IDLE_MS
    replication: int = 1
    partitions: int = PARTITIONS
    """Of the topics of requests, if it makes that, and of activity."""
    name: str = field(default_factory=lambda: f"weir-{uuid.uuid4().hex[:10]}")
    requests: str = "http.requests"
    """Topic that it reads, made if it does not exist."""
    workers: list[Worker] = field(default_factory=list)
    meanwhile: Callable[[], None] = lambda: None
    """Done again and again while waiting."""
    wait_s: float = WAIT_S

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self.directory / "weir.toml"

    @property
    def settings(self) -> Settings:
        """What the configuration file says."""
        return parse(self.config.read_text())

    def own(self, one: topic.Topic) -> str:
        """Name of one of its own topics."""
        return f"{self.name}.{one.name}"

    def install(self) -> None:
        """Write the configuration and make the topics."""
        self.configure()
        create(self.settings.kafka, layouts(self.settings), self.replication)

    def configure(self) -> None:
        """Write the configuration."""
        text = config_text(
            self.requests,
            mode=self.mode,
            name=self.name,
            bootstrap=self.broker.bootstrap,
            batch_records=self.batch_records,
            skew_s=self.skew_s,
            idle_ms=self.idle_ms,
            replication=self.replication,
            partitions=self.partitions,
        )
        self.config.write_text(text)

    def start(self, *options: str, module: str = "streams.cli") -> Worker:
        """Start ``weir worker`` with ``options``, or another module that takes the same."""
        log = self.directory / f"worker-{len(self.workers)}.log"
        command = [sys.executable, "-m", module, "worker", "--config", str(self.config), *options]
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, "NO_COLOR": "1"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.workers.append(Worker(process, log))
        return self.workers[-1]

    def read(self, name: str, partition: int | None = None) -> list[Received]:
        """All records of a topic or of one partition, partition after partition."""
        found: dict[int, list[Received]] = {}
        with self._reader(name) as reader:
            if partition is not None:
                reader.assign([TopicPartition(name, partition)])
            reader.seek_to_beginning()
            for record in remaining(reader, self._ends_of(reader)):
                found.setdefault(record.partition, []).append(Received(record.key, record.value, list(record.headers)))
        return [record for number in sorted(found) for record in found[number]]

    def ends(self, name: str) -> dict[int, int]:
        """End offset by partition, without the empty ones."""
        with self._reader(name) as reader:
            positions = self._ends_of(reader)
            if positions is None:
                reader.seek_to_end()
                list(remaining(reader))
                positions = {number.partition: reader.position(number) for number in reader.assignment()}
            return {number: end for number, end in positions.items() if end}

    def _ends_of(self, reader: KafkaConsumer) -> dict[int, int] | None:
        """End offset of each partition that ``reader`` is assigned, where the broker can be believed."""
        if self.broker.kind != "kafka":
            # What the embedded broker says lies before the last few records.
            return None
        return {number.partition: end for number, end in reader.end_offsets(list(reader.assignment())).items()}

    @contextlib.contextmanager
    def _reader(self, name: str) -> Iterator[KafkaConsumer]:
        reader = KafkaConsumer(bootstrap_servers=self.broker.bootstrap, enable_auto_commit=False)
        with contextlib.closing(reader):
            reader.assign([TopicPartition(name, number) for number in reader.partitions_for_topic(name)])
            yield reader

    def committed(self, name: str) -> dict[int, int]:
        """Committed offset by partition; none while the group is still nobody's."""
        try:
            return self.broker.committed(self.name, name)
        except RetriableError:
            return {}

    def wait(self, reached: Callable[[], bool], what: str) -> None:
        """Wait until ``reached``.

        Raises:
            AssertionError: it was not in time, or every worker has ended; carries what the workers printed.
        """
        deadline = time.monotonic() + self.wait_s
        while not reached():
            self.meanwhile()
            if time.monotonic() > deadline or all(worker.process.poll() is not None for worker in self.workers):
                printed = "\n".join(f"{worker.log.name}\n{worker.output()[-4000:]}" for worker in self.workers)
                raise AssertionError(f"{printed}\nwaited in vain for {what}")
            time.sleep(0.1)

    def wait_judged(self) -> None:
        """Wait until every request event is observed, every partition known to be idle, and every sighting judged."""
        self.wait_through(self.requests)
        ends = self.ends(self.requests)
        self.wait(lambda: self._idle() == ends, f"idleness told at {ends}")
        self.wait_through(self.own(topic.ACTIVITY))

    def _idle(self) -> dict[int, int]:
        """Where source partitions were last said to be idle, without empty ones."""
        words: list[Progress] = []
        for one in map(decode, self._told()):
            words += [Progress(one.topic, one.partition, one.lo, one.hi, one.watermark_us, one.idle), *one.others]
        return {word.partition: word.hi for word in words if word.idle and word.hi}

    def _told(self) -> list[bytes]:
        """What the partition of activity holds in which progress is told, as far as it goes by now."""
        return [message.value or b"" for message in self.read(self.own(topic.ACTIVITY), partition=0)]

    def wait_through(self, name: str) -> None:
        """Wait until all of a topic is committed."""
        ends = self.ends(name)
        # Further, where another word came meanwhile: a worker that takes a source over tells its idleness again.
        self.wait(
            lambda: _has_reached(self.committed(name), ends),
            f"{name} committed up to {ends}",
        )

    def close(self) -> None:
        """Kill what still runs."""
        for worker in self.workers:
            with contextlib.suppress(ProcessLookupError):
                worker.kill()


@contextlib.contextmanager
def installed(broker: Broker, directory: Path, **options: Any) -> Iterator[Installation]:
    """An installation whose workers end with the block; see `Installation` for the options."""
    made = Installation(broker, directory, **options)
    made.install()
    try:
        yield made
    finally:
        made.close()


def _has_reached(committed: dict[int, int], ends: dict[int, int]) -> bool:
    return all(committed.get(number, 0) >= end for number, end in ends.items())


def remaining(reader: KafkaConsumer, ends: Mapping[int, int] | None = None) -> Iterator[ConsumerRecord]:
    """Records from where ``reader`` stands to the end, of a topic that nobody writes to.

    Where the ``ends`` of its partitions are known, nobody has to wait whether more comes.
    """

    def reached() -> bool:
        return ends is not None and all(reader.position(one) >= ends[one.partition] for one in reader.assignment())

    quiet = 0
    while quiet < 3 and not reached():
        polled = reader.poll(timeout_ms=200)
        quiet = 0 if polled else quiet + 1
        for records in polled.values():
            yield from records


def config_text(
    requests: str,
    *,
    mode: str = "enforce",
    name: str = "",
    bootstrap: str = "localhost",
    batch_records: int = 10_000,
    skew_s: int = 0,
    idle_ms: int = IDLE_MS,
    replication: int = 1,
    partitions: int = PARTITIONS,
) -> str:
    """A configuration; what comes after ``mode`` changes no decision, ``skew_s`` apart."""
    return CONFIG.format(
        requests=requests,
        mode=mode,
        name=name or "weir",
        bootstrap=bootstrap,
        batch_records=batch_records,
        skew_s=skew_s,
        idle_ms=idle_ms,
        replication=replication,
        partitions=partitions,
    )


def feed(broker: Broker, name: str, events: Iterable[bytes]) -> None:
    """Write request events to topic ``name``, those of one principal into one partition."""
    broker.send(name, [Sent(event, partition=partition_of(event, PARTITIONS)) for event in events])


def partition_of(event: bytes, partitions: int) -> int:
    """Where a shipper that keys by principal would put ``event``."""
    read = msgspec.json.decode(event)
    return zlib.crc32(str(read.get("user.id") or read.get("client.address")).encode()) % partitions


def content(record: Record) -> Record:
    """A decision without what depends on when and in which batch it was made."""
    return {key: value for key, value in record.items() if key not in ("decided_at", "watermark")}


def by_id(records: Sequence[Record]) -> dict[str, Record]:
    """Content by id.

    Raises:
        AssertionError: an id came again with another content.
    """
    found: dict[str, Record] = {}
    for record in map(content, records):
        assert found.setdefault(record["id"], record) == record, "an id came again with another content"
    return found
