"""Decisions as Kafka records: CloudEvents 1.0 in binary mode, headers that say what the value is, and the record."""

from typing import Final, NamedTuple

from schemas import topic
from schemas.alert import ALERT_CODEC, Alert
from schemas.audit import AUDIT_CODEC, Audit
from schemas.block import BLOCK_CODEC, Block
from schemas.event_time import format_time
from schemas.identity import stable_id
from streams.pipeline.policy.decide import Decision, Lift

SOURCE: Final = "/weir"
ALERT_TYPE: Final = "weir.alert.v1"
BLOCK_TYPE: Final = "weir.block.v1"
AUDIT_TYPE: Final = "weir.audit.v1"


class Record(NamedTuple):
    """What a producer sends."""

    topic: str
    key: bytes
    value: bytes | None
    headers: list[tuple[str, bytes]]


def record_of(decision: Decision, decided_us: int) -> Record:
    """The record of a decision; ``decided_us`` dates a `Lift`, whose record has no value that could."""
    if isinstance(decision, Alert):
        headers = _headers(ALERT_TYPE, decision.id, decision.decided_at, decision.actor.key)
        return Record(topic.ALERTS.name, decision.incident.encode(), ALERT_CODEC.encode(decision), headers)
    if isinstance(decision, Block):
        headers = _headers(BLOCK_TYPE, decision.id, decision.decided_at, decision.actor.key)
        return Record(topic.BLOCKS.name, decision.actor.key.encode(), BLOCK_CODEC.encode(decision), headers)
    return _tombstone(decision, decided_us)


def audit_record(entry: Audit) -> Record:
    """The record of an entry in the audit; its key is who acted."""
    headers = _headers(AUDIT_TYPE, entry.id, entry.time, entry.who)
    return Record(topic.AUDIT.name, entry.who.encode(), AUDIT_CODEC.encode(entry), headers)


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
