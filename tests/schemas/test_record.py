import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.alert import ALERT_CODEC, Alert, Severity
from schemas.audit import AUDIT_CODEC
from schemas.block import BLOCK_CODEC, Action, Block, decode_block
from schemas.codec import JsonCodec, MsgpackCodec
from schemas.config_revision import PUBLISHED_CODEC
from schemas.errors import RecordError
from schemas.finding import Finding
from schemas.incident import Incident
from schemas.override import OVERRIDE_CODEC
from schemas.sighting import SightingBatch
from tests.schemas import strategy

SIGHTING_CODEC = MsgpackCodec(SightingBatch)
JSON_RECORDS: list[tuple[JsonCodec[Any], st.SearchStrategy[Any]]] = [
    (ALERT_CODEC, strategy.alerts),
    (AUDIT_CODEC, strategy.audits),
    (BLOCK_CODEC, strategy.blocks),
    (PUBLISHED_CODEC, strategy.published),
    (JsonCodec(Finding), strategy.findings),
    (JsonCodec(Incident), strategy.incidents),
    (OVERRIDE_CODEC, strategy.overrides),
]
NAMES = ["alert", "audit", "block", "config", "finding", "incident", "override"]
json_records = pytest.mark.parametrize(("codec", "records"), JSON_RECORDS, ids=NAMES)


def with_unknown(value: object) -> object:
    """The same JSON with a key more in every object whose keys are fixed."""
    if isinstance(value, list):
        return [with_unknown(item) for item in value]
    if isinstance(value, dict):
        known = {key: item if key == "evidence" else with_unknown(item) for key, item in value.items()}
        return {"later": {"deep": [None]}} | known | {"also later": 10**30}
    return value


@json_records
@given(data=st.data())
def test_encode_and_decode_is_identity(
    codec: JsonCodec[Any], records: st.SearchStrategy[Any], data: st.DataObject
) -> None:
    """What is written is read as it was, and stands on one line."""
    record = data.draw(records)
    encoded = codec.encode(record)
    assert codec.decode(encoded) == record
    assert b"\n" not in encoded


@json_records
@given(data=st.data())
def test_unknown_keys_are_ignored(codec: JsonCodec[Any], records: st.SearchStrategy[Any], data: st.DataObject) -> None:
    """A later version may add keys anywhere; this one reads the rest."""
    record = data.draw(records)
    later = with_unknown(json.loads(codec.encode(record)))
    assert codec.decode(json.dumps(later).encode()) == record


@json_records
@given(data=st.data())
def test_keys_do_not_depend_on_values(
    codec: JsonCodec[Any], records: st.SearchStrategy[Any], data: st.DataObject
) -> None:
    """Readers find every key in every record."""
    record = data.draw(records)
    assert tuple(json.loads(codec.encode(record))) == type(record).__struct_encode_fields__


@json_records
@given(value=st.binary(max_size=200))
def test_bytes_that_are_no_record_give_record_error(
    codec: JsonCodec[Any], records: st.SearchStrategy[Any], value: bytes
) -> None:
    """No bytes make a codec raise anything else."""
    with pytest.raises(RecordError):
        codec.decode(value)


@given(strategy.sighting_batches)
def test_sightings_survive_the_way_to_assess(batch: SightingBatch) -> None:
    """Every column comes out byte for byte."""
    assert SIGHTING_CODEC.decode(SIGHTING_CODEC.encode(batch)) == batch


@given(strategy.sighting_batches)
def test_columns_of_a_later_version_are_ignored(batch: SightingBatch) -> None:
    """Columns are added at the end, where an older reader does not look."""
    later = [*msgspec.structs.astuple(batch), b"later"]
    assert SIGHTING_CODEC.decode(msgspec.msgpack.encode(later)) == batch


@given(st.binary(max_size=200))
def test_bytes_that_are_no_sightings_give_record_error(value: bytes) -> None:
    """Damage on the inner topic is told apart from a bug."""
    with pytest.raises(RecordError):
        SIGHTING_CODEC.decode(value)


@given(strategy.sighting_batches, st.data())
def test_truncated_sightings_give_record_error(batch: SightingBatch, data: st.DataObject) -> None:
    """A batch cut anywhere is refused as a whole, with the byte where it ends."""
    value = SIGHTING_CODEC.encode(batch)
    end = data.draw(st.integers(0, len(value) - 1))
    with pytest.raises(RecordError, match=f"byte {end}: record is truncated"):
        SIGHTING_CODEC.decode(value[:end])


def test_contract_lists_exactly_these_keys() -> None:
    """Section 4 of the contract, key by key and in its order."""
    assert Alert.__struct_encode_fields__ == (
        "id",
        "incident",
        "status",
        "mode",
        "severity",
        "confidence",
        "actor",
        "members",
        "event_time",
        "decided_at",
        "watermark",
        "first_seen",
        "complete",
        "findings",
        "exposure",
        "controls",
        "config",
        "model",
    )
    assert Block.__struct_encode_fields__ == (
        "id",
        "incident",
        "actor",
        "action",
        "mode",
        "status",
        "event_time",
        "decided_at",
        "until",
        "detectors",
        "reason",
        "public_reason",
        "exposure",
        "collateral",
        "config",
        "model",
    )
    assert Finding.__struct_encode_fields__ == ("detector", "score", "reason", "evidence")


@given(strategy.blocks)
def test_tombstone_is_no_block(block: Block) -> None:
    """A null value ends an actor's block; JSON's null does not, since enforcers would differ on it."""
    assert decode_block(None) is None
    assert decode_block(BLOCK_CODEC.encode(block)) == block
    with pytest.raises(RecordError):
        decode_block(b"null")


def test_ladders_go_upwards() -> None:
    """Ranks order severities and actions as the contract lists them."""
    assert [item.rank for item in Severity] == [0, 1, 2, 3]
    assert Severity.CRITICAL.rank > Severity.HIGH.rank > Severity.MEDIUM.rank > Severity.LOW.rank
    assert Action.BLOCK.rank > Action.THROTTLE.rank > Action.CHALLENGE.rank == 0


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_evidence_must_be_finite(number: float) -> None:
    """JSON has no NaN: it would reach people as null, so the finding is not made at all."""
    with pytest.raises(ValueError, match="evidence gap must be finite"):
        Finding(detector="metronome", score=0.5, reason="", evidence={"gap": number})


@pytest.mark.parametrize("score", [-0.0001, 1.0001, float("nan")])
def test_score_must_be_a_ratio(score: float) -> None:
    """Both limits hold where a finding is made and where it is read."""
    with pytest.raises(ValueError, match="score must lie in"):
        Finding(detector="metronome", score=score, reason="", evidence={})
    with pytest.raises(RecordError):
        JsonCodec(Finding).decode(msgspec.json.encode({"detector": "d", "score": score, "reason": "", "evidence": {}}))


@given(strategy.alerts, st.sampled_from([-0.0001, 1.0001, float("nan")]))
def test_confidence_must_be_a_ratio(alert: Alert, confidence: float) -> None:
    """An alert cannot be made with a confidence that no reader would take."""
    with pytest.raises(ValueError, match="confidence must lie in"):
        msgspec.structs.replace(alert, confidence=confidence)


@pytest.mark.parametrize(
    "time", ["2026-11-24T09:15:02Z", "2026-11-24T09:15:02.118+00:00", "2026-11-24T09:15:02.118123Z"]
)
@given(block=strategy.blocks)
def test_other_spellings_of_a_time_are_refused(time: str, block: Block) -> None:
    """Records have one spelling of a time, so that their texts sort and compare."""
    record = json.loads(BLOCK_CODEC.encode(block)) | {"until": time}
    with pytest.raises(RecordError, match=r"^\$\.until: "):
        BLOCK_CODEC.decode(json.dumps(record).encode())
