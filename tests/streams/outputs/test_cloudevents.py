"""Decisions as CloudEvents in binary mode."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from schemas import topic
from schemas.actor import Actor
from schemas.alert import ALERT_CODEC, Alert
from schemas.block import BLOCK_CODEC, Block, decode_block
from schemas.override import decode_override
from streams.outputs.cloudevents import Record, override_end, override_record, record_of
from streams.pipeline.policy.decide import Lift
from tests.schemas import strategy
from tests.streams.pipeline.policy.overriding import override

NOW_US = 1_795_511_702_118_000
LIFT = Lift(Actor("ip", "203.0.113.7"), NOW_US - 1)


def headers(record: Record) -> dict[str, str]:
    """Headers by name; each may be there once."""
    assert len({name for name, _ in record.headers}) == len(record.headers)
    return {name: value.decode() for name, value in record.headers}


@given(strategy.alerts)
def test_alert(alert: Alert) -> None:
    """An alert is keyed by its incident, its value is the whole record, and headers say what it is and about whom."""
    record = record_of(alert, NOW_US)
    assert (record.topic, record.key) == (topic.ALERTS.name, alert.incident.encode())
    assert ALERT_CODEC.decode(record.value or b"") == alert
    assert headers(record) == {
        "ce_specversion": "1.0",
        "ce_type": "weir.alert.v1",
        "ce_source": "/weir",
        "ce_id": alert.id,
        "ce_time": alert.decided_at,
        "ce_subject": f"{alert.actor.scope}:{alert.actor.value}",
        "content-type": "application/json",
    }


@given(strategy.blocks)
def test_block(block: Block) -> None:
    """A block is keyed by its actor, so that compaction keeps the latest word on each."""
    record = record_of(block, NOW_US)
    assert (record.topic, record.key) == (topic.BLOCKS.name, f"{block.actor.scope}:{block.actor.value}".encode())
    assert BLOCK_CODEC.decode(record.value or b"") == block
    assert headers(record)["ce_id"] == block.id
    assert headers(record)["ce_type"] == "weir.block.v1"
    assert headers(record)["ce_time"] == block.decided_at


def test_tombstone() -> None:
    """The end of a block is a real null under the actor's key, dated by the wall clock: it has no record that could."""
    record = record_of(LIFT, NOW_US)
    assert (record.topic, record.key, record.value) == (topic.BLOCKS.name, b"ip:203.0.113.7", None)
    assert decode_block(record.value) is None
    assert headers(record)["ce_time"] == "2026-11-24T09:15:02.118Z"
    assert headers(record)["ce_subject"] == "ip:203.0.113.7"
    assert headers(record)["ce_type"] == "weir.block.v1"


def test_tombstone_id() -> None:
    """The same end has the same id whenever it is told; the end of another block has another."""
    again, other = record_of(LIFT, NOW_US + 1), record_of(replace(LIFT, until_us=LIFT.until_us + 1), NOW_US)
    assert headers(again)["ce_id"] == headers(record_of(LIFT, NOW_US))["ce_id"]
    assert headers(other)["ce_id"] != headers(again)["ce_id"]


@given(st.text(max_size=20))
def test_any_actor(value: str) -> None:
    """Whatever an actor is called, key and subject are its UTF-8."""
    record = record_of(Lift(Actor("account", value), 0), NOW_US)
    assert record.key == dict(record.headers)["ce_subject"] == f"account:{value}".encode()


def test_override() -> None:
    """An override is keyed by what it is about, dated by its begin; a tombstone that takes it back has another id."""
    one = override("allow", "account:42")
    record, end = override_record(one), override_end(one, "2026-11-24T09:15:02.118Z")
    assert (record.topic, record.key, end.key) == (topic.OVERRIDES.name, b"account:42", b"account:42")
    assert decode_override(record.value) == one
    assert end.value is None
    assert headers(record)["ce_type"] == headers(end)["ce_type"] == "weir.override.v1"
    assert (headers(record)["ce_id"], headers(record)["ce_time"]) == (one.id, one.since)
    assert headers(end)["ce_id"] != one.id
    assert headers(end)["ce_time"] == "2026-11-24T09:15:02.118Z"
