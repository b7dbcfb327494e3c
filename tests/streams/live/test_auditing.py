"""Entries in the audit on brakes."""

import logging

import pytest
from msgspec.structs import replace

from schemas.audit import AUDIT_CODEC, Audit, AuditKind, ChangeOf
from streams.live.auditing import brake_entry, worker_name
from streams.outputs.cloudevents import audit_record
from streams.pipeline.policy.brake import Brake, Braking

US = 1_000_000
TRIPPED = Braking(Brake.BLOCKS_PER_MINUTE, 7, True, 1_800_000_000 * US, "more than 21 new blocks", "sha256:a")


def entry(braking: Braking = TRIPPED, after_s: int = 1) -> Audit:
    """The entry on a brake, so long after the event."""
    return brake_entry(braking, TRIPPED.event_us + after_s * US)


def test_tripped(caplog: pytest.LogCaptureFixture) -> None:
    """It says which brake of which partition holds, since when, why, and under which revision; the log says it too."""
    with caplog.at_level(logging.WARNING):
        told = entry()
    assert (told.kind, told.who, told.config, told.causes) == (AuditKind.CHANGED, worker_name(), "sha256:a", [])
    assert told.time == "2027-01-15T08:00:01.000Z"
    assert told.change is not None
    assert (told.change.of, told.change.subject) == (ChangeOf.BRAKE, "blocks_per_minute, partition 7")
    assert (told.change.before, told.change.after) == ("", "holds")
    assert told.change.reason == "more than 21 new blocks"
    assert caplog.messages == [
        "brake: 2027-01-15T08:00:00.000Z blocks_per_minute, partition 7, holds: more than 21 new blocks"
    ]


def test_let_go() -> None:
    """The same subject, so that whoever was paged is told that it is over."""
    tripped, over = entry(), entry(replace(TRIPPED, holds=False, event_us=TRIPPED.event_us + 900 * US))
    assert tripped.change is not None
    assert over.change is not None
    assert over.change.subject == tripped.change.subject
    assert (over.change.before, over.change.after) == ("holds", "")
    assert over.id != tripped.id


@pytest.mark.parametrize(
    "other",
    [
        replace(TRIPPED, brake=Brake.BLOCKED_SHARE),
        replace(TRIPPED, partition=8),
        replace(TRIPPED, event_us=TRIPPED.event_us + 1),
        replace(TRIPPED, config="sha256:b"),
    ],
)
def test_ids(other: Braking) -> None:
    """Told again after a crash, at another time, it is the same entry; any other one is another."""
    assert entry(after_s=5).id == entry().id
    assert entry(other).id != entry().id


def test_record() -> None:
    """It goes to the audit as any entry does."""
    record = audit_record(entry())
    assert record.topic == "weir.audit.v1"
    assert record.value is not None
    assert AUDIT_CODEC.decode(record.value) == entry()
