"""Decisions as Kafka records: CloudEvents 1.0 in binary mode, headers that say what the value is, and the record."""

from typing import Final, NamedTuple

from schemas import topic
from schemas.alert import ALERT_CODEC, Alert
from schemas.audit import AUDIT_CODEC, Audit
from schemas.block import BLOCK_CODEC, Block
from schemas.config_revision import PUBLISHED_CODEC, PublishedConfig
from schemas.event_time import format_time
from schemas.identity import stable_id
from schemas.override import OVERRIDE_CODEC, Override
from streams.pipeline.policy.decide import Decision, Lift

SOURCE: Final = "/weir"
ALERT_TYPE: Final = "weir.alert.v1"
BLOCK_TYPE: Final = "weir.block.v1"
AUDIT_TYPE: Final = "weir.audit.v1"
OVERRIDE_TYPE: Final = "weir.override.v1"
CONFIG_TYPE: Final = "weir.config.v1"


class Record(NamedTuple):
    """What a producer sends."""

    topic: str
    key: bytes
    value: bytes | None
    headers: list[tuple[str, bytes]]


def record_of(decision: Decision, decided_us: int) -> Record:
    """The record of a decision; ``decided_us`` dates a `Lift`, whose record has no value that could."""
    if isinstance(decision, Alert):
        headers = alert_headers(decision)
        return Record(topic.ALERTS.name, decision.incident.encode(), ALERT_CODEC.encode(decision), headers)
    if isinstance(decision, Block):
        headers = _headers(BLOCK_TYPE, decision.id, decision.decided_at, decision.actor.key)
        return Record(topic.BLOCKS.name, decision.actor.key.encode(), BLOCK_CODEC.encode(decision), headers)
    return _tombstone(decision, decided_us)


def alert_headers(alert: Alert, kind: str = ALERT_TYPE) -> list[tuple[str, bytes]]:
    """Headers of an alert whose value is of that ``kind``."""
    return _headers(kind, alert.id, alert.decided_at, alert.actor.key)


def audit_record(entry: Audit) -> Record:
    """The record of an entry in the audit; its key is who acted."""
    headers = _headers(AUDIT_TYPE, entry.id, entry.time, entry.who)
    return Record(topic.AUDIT.name, entry.who.encode(), AUDIT_CODEC.encode(entry), headers)


def override_record(override: Override) -> Record:
    """The record of an override, which stands for all that its key names."""
    headers = _headers(OVERRIDE_TYPE, override.id, override.since, override.key)
    return Record(topic.OVERRIDES.name, override.key.encode(), OVERRIDE_CODEC.encode(override), headers)


def override_end(override: Override, at: str) -> Record:
    """What takes an override back before its end: a tombstone under its key, dated ``at``."""
    headers = _headers(OVERRIDE_TYPE, stable_id("end", override.id), at, override.key)
    return Record(topic.OVERRIDES.name, override.key.encode(), None, headers)


def config_record(published: PublishedConfig) -> Record:
    """The record of a published configuration."""
    headers = _headers(CONFIG_TYPE, published.id, published.pushed_at, published.revision)
    return Record(topic.CONFIG.name, published.key.encode(), PUBLISHED_CODEC.encode(published), headers)


def _tombstone(lift: Lift, decided_us: int) -> Record:
    headers = _headers(
        BLOCK_TYPE, stable_id("lift", lift.actor.key, lift.until_us), format_time(decided_us), lift.actor.key
    )
    return Record(topic.BLOCKS.name, lift.actor.key.encode(), None, headers)


def _headers(kind: str, event_id: str, at: str, subject: str) -> list[tuple[str, bytes]]:
    headers = {
        "ce_specversion": "1.0",
        "ce_type": kind,
        "ce_source": SOURCE,
        "ce_id": event_id,
        "ce_time": at,
        "ce_subject": subject,
        "content-type": "application/json",
    }
    return [(name, value.encode()) for name, value in headers.items()]
