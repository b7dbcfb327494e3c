"""Brokers for tests: the embedded one, and real Apache Kafka where this machine can run it."""

import contextlib
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, NamedTuple, Protocol

from kafka import KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient

from deploy.embedded import running_broker
from deploy.kafka.cluster import Cluster
from streams.settings import KafkaSettings

Kind = Literal["embedded", "kafka"]
KNOWN_S: Final = 30.0


class Sent(NamedTuple):
    """One record as a test writes it."""

    value: bytes | None
    key: bytes | None = None
    headers: Sequence[tuple[str, bytes]] = ()
    timestamp_ms: int | None = None
    partition: int = 0


@dataclass(slots=True)
class Broker:
    """A running broker and what tests do with it."""

    kind: Kind
    bootstrap: str
    label: str
    _admin: KafkaAdminClient | None = field(default=None, repr=False)

    @property
    def kafka(self) -> KafkaSettings:
        """How Weir reaches it."""
        return KafkaSettings(bootstrap=self.bootstrap)

    @property
    def admin(self) -> KafkaAdminClient:
        """An admin client, made at the first use."""
        if self._admin is None:
            self._admin = KafkaAdminClient(bootstrap_servers=self.bootstrap)
        return self._admin

    def topic(self, partitions: int = 1, **configs: str) -> str:
        """Create a topic of a name nobody used; in ``configs`` write `_` for the dots of Kafka's names."""
        name = f"test-{uuid.uuid4().hex[:12]}"
        dotted = {key.replace("_", "."): value for key, value in configs.items()}
        self.create(name, {"num_partitions": partitions, "replication_factor": 1, "configs": dotted})
        return name

    def create(self, name: str, shape: Mapping[str, object]) -> None:
        """Create a topic, and wait until whoever asks is told of it: the answer comes a moment earlier."""
        self.admin.create_topics({name: shape})
        until = time.monotonic() + KNOWN_S
        while name not in self.admin.list_topics():
            if time.monotonic() > until:
                raise TimeoutError(f"{name} was created and is not known after {KNOWN_S:.0f} s")
            time.sleep(0.02)

    def producer(self, **settings: object) -> KafkaProducer:
        """A producer of raw bytes; the caller closes it."""
        return KafkaProducer(bootstrap_servers=self.bootstrap, max_request_size=20_000_000, **settings)

    def send(self, topic: str, records: Sequence[Sent], **settings: object) -> None:
        """Write ``records`` and wait until the broker has them."""
        with contextlib.closing(self.producer(**settings)) as producer:
            futures = [send_with(producer, topic, record) for record in records]
            producer.flush()
            for future in futures:
                future.get(timeout=10)

    def committed(self, group: str, topic: str) -> dict[int, int]:
        """Committed offset by partition, without those that have none."""
        offsets: Mapping[TopicPartition, object] = self.admin.list_group_offsets({group: None})[group]
        return {
            tp.partition: int(found.offset)  # type: ignore[attr-defined]  # kafka-python has no types
            for tp, found in offsets.items()
            if tp.topic == topic and found.offset >= 0  # type: ignore[attr-defined]
        }

    def close(self) -> None:
        """Let go of the clients; the next use makes new ones."""
        if self._admin is not None:
            self._admin.close()
            self._admin = None


class Future(Protocol):
    """What kafka-python gives back for a record on its way."""

    def get(self, timeout: float) -> object:
        """Wait for the broker to have it."""


def send_with(producer: KafkaProducer, topic: str, record: Sent) -> Future:
    """Hand ``record`` to ``producer``; the future of its acknowledgement."""
    future: Future = producer.send(
        topic,
        value=record.value,
        key=record.key,
        headers=list(record.headers),
        partition=record.partition,
        timestamp_ms=record.timestamp_ms,
    )
    return future


def kinds() -> list[Kind]:
    """Which brokers tests run on, by WEIR_TEST_KAFKA: require (real Kafka), off (embedded), auto (what there is)."""
    wanted = os.environ.get("WEIR_TEST_KAFKA", "auto")
    if wanted not in ("require", "auto", "off"):
        raise ValueError(f"WEIR_TEST_KAFKA={wanted}: it is one of require, auto, off")
    if wanted == "require" or (wanted == "auto" and has_kafka()):
        return ["kafka"]
    return ["embedded"]


def has_kafka() -> bool:
    """Whether real Kafka runs already or can be started here."""
    return "BOOTSTRAP" in os.environ or all(map(shutil.which, ("java", "mvn")))


@contextlib.contextmanager
def running_kafka() -> Iterator[Broker]:
    """The Kafka that BOOTSTRAP names, or a node of our own."""
    bootstrap = os.environ.get("BOOTSTRAP")
    if bootstrap:
        yield from opened(Broker("kafka", bootstrap, f"Kafka at {bootstrap}"))
        return
    settings = {"log.cleaner.backoff.ms": "200"}
    with (
        tempfile.TemporaryDirectory(prefix="weir-kafka-") as directory,
        Cluster(Path(directory), settings=settings) as cluster,
    ):
        yield from opened(Broker("kafka", cluster.bootstrap, "Apache Kafka (one node)"))
        # Its directory goes with it: there is nothing to leave in good order.
        for node in cluster.nodes:
            cluster.kill(node)


@contextlib.contextmanager
def running_embedded() -> Iterator[Broker]:
    """The embedded broker: memory only, without transactions and compaction."""
    with running_broker() as bootstrap:
        yield from opened(Broker("embedded", bootstrap, "embedded broker"))


def opened(broker: Broker) -> Iterator[Broker]:
    """Yield ``broker``, then let go of its clients."""
    try:
        yield broker
    finally:
        broker.close()
