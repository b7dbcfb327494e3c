"""The topics on a broker: how each is laid out, making them, and saying what differs.

`schemas/topic.py` says what the topics are; here stands what a broker is told about them. An existing topic is never
changed: to lower a retention deletes records, and another number of partitions sends an actor's sightings to another
worker than the one that remembers it. `check` says what differs, and a person decides.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import (
    KafkaError,
    KafkaTimeoutError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    for_code,
)
from msgspec import structs

from schemas import topic as catalogue
from schemas.errors import TransportError
from schemas.topic import Cleanup, Topic
from streams.live.connection import failure, for_kafka_python
from streams.live.probe import listens, refusal
from streams.settings import KafkaSettings, Settings

DAY_MS: Final = 86_400_000
FOREVER: Final = -1
RECORD_BYTES: Final = 1 << 20
"""Kafka's own default, for records that people read."""
REQUEST_BYTES: Final = 8 << 20
"""Above `input.record_max_bytes`, so that a record that is too long becomes a dead letter, not a shipper's error."""
LARGE_BYTES: Final = 16 << 20
"""For packed columns of a batch, and for a dead letter, which is a request with headers about it."""
TOMBSTONE_MS: Final = 7 * DAY_MS
"""How long an enforcer may be away and still learn that a block has ended."""
SEGMENT_MAX_MS: Final = 7 * DAY_MS
ANSWER_MS: Final = 8_000
"""How long a broker may take to answer."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How a topic lies on the broker."""

    topic: Topic
    partitions: int
    retention_ms: int = FOREVER
    """A compacted topic with a retention forgets keys that nobody has written for so long."""
    record_max_bytes: int = RECORD_BYTES
    segment_bytes: int | None = None
    """Smaller than Kafka's own 1 GiB where keys are written again and again: only closed segments are compacted."""
    compaction_lag_ms: int = 0
    """How long each record stays, whatever comes after it under its key."""
    ours: bool = True
    """False for the topic of requests: it belongs to whoever feeds it, so all that is asked of it is that it exists."""

    @property
    def cleanup(self) -> str:
        """Value of ``cleanup.policy``."""
        if self.topic.cleanup is Cleanup.COMPACT and self.retention_ms != FOREVER:
            return "compact,delete"
        return self.topic.cleanup.value

    @property
    def segment_ms(self) -> int:
        """How long a segment is written to: an eighth of the retention, since only closed ones are ever deleted."""
        if self.retention_ms == FOREVER:
            return DAY_MS
        return min(self.retention_ms // 8, SEGMENT_MAX_MS)

    def settings(self, replication: int) -> dict[str, str]:
        """Its configuration as Kafka names it; of three copies, two must have a record before it counts."""
        values: dict[str, str | int] = {
            "cleanup.policy": self.cleanup,
            "segment.ms": self.segment_ms,
            "max.message.bytes": self.record_max_bytes,
            "min.insync.replicas": 2 if replication > 2 else 1,
        }
        if self.segment_bytes is not None:
            values["segment.bytes"] = self.segment_bytes
        if self.topic.cleanup is Cleanup.COMPACT:
            values["delete.retention.ms"] = TOMBSTONE_MS
        if self.compaction_lag_ms:
            values["min.compaction.lag.ms"] = self.compaction_lag_ms
        if self.retention_ms != FOREVER:
            values["retention.ms"] = self.retention_ms
        return {key: str(value) for key, value in values.items()}


def layouts(settings: Settings) -> tuple[Layout, ...]:
    """Every topic that Weir reads or writes, in the order of the catalogue, then those of other formats."""
    workers = settings.kafka.partitions
    requests = structs.replace(catalogue.REQUESTS, name=settings.input.topic)

    def own(topic: Topic) -> Topic:
        return structs.replace(topic, name=settings.kafka.prefix + topic.name)

    return (
        Layout(requests, workers, 7 * DAY_MS, REQUEST_BYTES, ours=False),
        Layout(own(catalogue.ALERTS), 6, 30 * DAY_MS),
        # Who serves decisions must know when a block would have ended that was made longer since, for a day after all.
        Layout(own(catalogue.BLOCKS), 6, compaction_lag_ms=DAY_MS + 2_000 * settings.policy.block_max_s),
        Layout(own(catalogue.DEAD_LETTERS), 6, 14 * DAY_MS, LARGE_BYTES),
        # Longer than a year: what an auditor asks for is the year that has ended.
        Layout(own(catalogue.AUDIT), 1, 400 * DAY_MS),
        Layout(own(catalogue.CONFIG), 1),
        Layout(own(catalogue.OVERRIDES), 1),
        # The longest window twice: a worker that begins anew reads it from the start.
        Layout(own(catalogue.ACTIVITY), workers, 2 * DAY_MS, LARGE_BYTES),
        # One partition: every worker reads all of it, in one order.
        Layout(own(catalogue.MODEL), 1, 60 * DAY_MS, LARGE_BYTES),
        # The partition of an actor's sightings has its state, under the same number.
        Layout(own(catalogue.STATE), workers, record_max_bytes=LARGE_BYTES, segment_bytes=64 << 20),
        *(Layout(own(catalogue.FORMATS[name]), 6, 30 * DAY_MS) for name in settings.notify.topics()),
    )


Description = dict[str, Any]
"""A topic as kafka-python describes it."""

POLICY: Final = "cleanup.policy"
EXISTS: Final = "exists"
COMPARED: Final = (
    "partitions",
    "replication",
    POLICY,
    "retention.ms",
    "delete.retention.ms",
    "min.compaction.lag.ms",
    "max.message.bytes",
    "min.insync.replicas",
)
"""The policy must be the same, a number at least as large; the rest of a topic's settings is the operator's own."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One way in which a topic is not as Weir needs it."""

    topic: str
    what: str
    """One of `COMPARED`, or `EXISTS`."""
    found: str
    needed: str

    @property
    def needed_in_words(self) -> str:
        """The same for a person to read."""
        return self.needed if self.what in (EXISTS, POLICY) else f"at least {self.needed}"


@dataclass(frozen=True, slots=True)
class Found:
    """A topic as the broker describes it."""

    partitions: int
    replication: int
    settings: Mapping[str, str]

    def value(self, what: str) -> str:
        """What it says for one of `COMPARED`; empty where the broker does not tell."""
        if what == "partitions":
            return str(self.partitions)
        if what == "replication":
            return str(self.replication)
        return self.settings.get(what, "")


def create(kafka: KafkaSettings, wanted: Sequence[Layout], replication: int = 1) -> tuple[str, ...]:
    """Make the topics that do not exist yet and wait until each has leaders; existing ones stay as they are.

    Returns:
        Names of those that were made; empty the second time.

    Raises:
        TransportError: the broker cannot be reached or refuses; some topics may have been made, ask again.
    """
    with admin_of(kafka) as admin:
        existing = set(admin.list_topics())
        missing = [layout for layout in wanted if layout.topic.name not in existing]
        made = [layout.topic.name for layout in missing if _make(admin, layout, replication)]
        admin.wait_for_topics([layout.topic.name for layout in missing], timeout_ms=ANSWER_MS)
    return tuple(made)


def check(kafka: KafkaSettings, wanted: Sequence[Layout], replication: int = 1) -> tuple[Difference, ...]:
    """What differs from what Weir needs, topic by topic; empty when nothing does.

    Raises:
        TransportError: the broker cannot be reached or refuses.
    """
    with admin_of(kafka) as admin:
        found = _describe(admin, [layout.topic.name for layout in wanted])
    return tuple(
        difference for layout in wanted for difference in _compare(layout, found.get(layout.topic.name), replication)
    )


def partitions(kafka: KafkaSettings, names: Sequence[str]) -> dict[str, int]:
    """How many partitions each topic has.

    Raises:
        TransportError: the broker cannot be reached or refuses, or one of the topics does not exist.
    """
    with admin_of(kafka) as admin:
        found = {each["name"]: len(each["partitions"]) for each in _existing(admin, names)}
    missing = sorted(set(names) - set(found))
    if missing:
        advice = "weir topics create makes Weir's own"
        raise TransportError(f"kafka {kafka.bootstrap}: no topic {', '.join(missing)}; {advice}")
    return {name: found[name] for name in names}


def ids(kafka: KafkaSettings, names: Sequence[str]) -> tuple[str, ...]:
    """What the broker calls each topic, in the same order: another id means that it was deleted and made anew.

    Empty for one that does not exist, and where the broker does not tell.

    Raises:
        TransportError: the broker cannot be reached or refuses.
    """
    with admin_of(kafka) as admin:
        found = {each["name"]: str(each.get("topic_id") or "") for each in _existing(admin, names)}
    return tuple(found.get(name, "") for name in names)


def _make(admin: KafkaAdminClient, layout: Layout, replication: int) -> bool:
    """Whether it was made here; false when somebody else was quicker."""
    options = {
        "num_partitions": layout.partitions,
        "replication_factor": replication,
        "configs": layout.settings(replication),
    }
    try:
        admin.create_topics({layout.topic.name: options})
    except TopicAlreadyExistsError:
        return False
    return True


def _existing(admin: KafkaAdminClient, names: Sequence[str]) -> list[Description]:
    """Those that exist. Asked for by name: one that may not be seen is then told apart from one that does not exist."""
    described: list[Description] = admin.describe_topics(sorted(set(names))) if names else []
    existing = [each for each in described if each["error_code"] != UnknownTopicOrPartitionError.errno]
    for each in existing:
        _require_ok(each["name"], each["error_code"])
    return existing


def _describe(admin: KafkaAdminClient, names: Sequence[str]) -> dict[str, Found]:
    existing = _existing(admin, names)
    if not existing:
        return {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, each["name"]) for each in existing]
    described = admin.describe_configs(resources, config_filter="all").get("topic", {})
    return {
        each["name"]: Found(
            partitions=len(each["partitions"]),
            replication=min(len(partition["replica_nodes"]) for partition in each["partitions"]),
            settings={key: str(entry["value"]) for key, entry in described.get(each["name"], {}).items()},
        )
        for each in existing
    }


def _require_ok(name: str, code: int) -> None:
    if code == TopicAuthorizationFailedError.errno:
        raise TransportError(f"not allowed to DESCRIBE topic {name}; deploy/README.md has the rules of each role")
    if code:
        raise TransportError(f"{name}: {for_code(code).__name__}")


def _compare(layout: Layout, found: Found | None, replication: int) -> Iterator[Difference]:
    name = layout.topic.name
    if found is None:
        yield Difference(name, EXISTS, found="no", needed="yes")
        return
    needed = layout.settings(replication)
    needed |= {"partitions": str(layout.partitions), "replication": str(replication)}
    for what in COMPARED if layout.ours else ():
        if what in needed and not _serves(what, found.value(what), needed[what]):
            yield Difference(name, what, found.value(what) or "not told", needed[what])


def _serves(what: str, found: str, needed: str) -> bool:
    if what == POLICY:
        return set(found.split(",")) == set(needed.split(","))
    return bool(found) and _number(found) >= _number(needed)


def _number(text: str) -> float:
    """A limit of Kafka's, in which -1 is none."""
    return float("inf") if int(text) == FOREVER else int(text)


@contextmanager
def admin_of(kafka: KafkaSettings) -> Iterator[KafkaAdminClient]:
    """A connection for administration; what goes wrong with it is one line that names the broker."""
    reason = refusal(kafka) if kafka.security.protocol != "plaintext" else None
    if reason is not None:
        raise TransportError(f"kafka {kafka.bootstrap}: {reason}")
    try:
        admin = _connect(kafka)
        try:
            yield admin
        finally:
            admin.close()
    except KafkaTimeoutError as error:
        # A listener that wants TLS or a name answers a client that offers neither with silence.
        wants = "; does it want another kafka.security.protocol?" if listens(kafka) else ""
        raise TransportError(f"kafka {kafka.bootstrap}: no answer within {ANSWER_MS / 1000:g} s{wants}") from error
    except (KafkaError, OSError) as error:
        raise failure(kafka, error) from error


def _connect(kafka: KafkaSettings) -> KafkaAdminClient:
    times = {"bootstrap_timeout_ms": ANSWER_MS, "request_timeout_ms": ANSWER_MS}
    arguments = for_kafka_python(kafka)
    try:
        return KafkaAdminClient(client_id="weir-topics", **arguments, **times)
    except ValueError as error:
        raise TransportError(f"kafka {kafka.bootstrap}: this is not host:port[,host:port...]") from error
