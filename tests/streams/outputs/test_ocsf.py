"""Alerts as Detection Findings, against what OCSF 1.5.0 says of class 2004."""

from typing import Any, Final

import msgspec
import pytest
from hypothesis import given

from schemas.alert import Alert, AlertStatus, Severity
from streams.outputs.ocsf import finding
from tests.schemas import strategy
from tests.streams.notify.saying import T0_US, US, alert

REQUIRED: Final = {
    "activity_id", "category_uid", "class_uid", "finding_info", "metadata", "severity_id", "time", "type_uid",
}  # fmt: skip
KNOWN: Final = REQUIRED | {
    "activity_name", "category_name", "class_name", "confidence", "confidence_id", "confidence_score", "end_time",
    "evidences", "is_alert", "message", "resources", "severity", "start_time", "status", "status_id", "type_name",
    "unmapped",
}  # fmt: skip
INFO: Final = {
    "analytic", "desc", "first_seen_time", "last_seen_time", "modified_time", "related_analytics", "title", "types",
    "uid",
}  # fmt: skip
"""Attributes of these objects that are used, all of which the schema has."""


@given(strategy.alerts)
def test_any_alert(one: Alert) -> None:
    """What is required is there, nothing is that the schema does not know, numbers and names of enumerations agree."""
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(finding(one, "0.1.0")))
    assert found.keys() >= REQUIRED
    assert found.keys() <= KNOWN
    assert found["finding_info"].keys() <= INFO
    assert found["class_uid"] == 2004
    assert found["type_uid"] == 200_400 + found["activity_id"]
    assert (found["activity_id"], found["activity_name"]) in [(1, "Create"), (2, "Update"), (3, "Close")]
    assert (found["status_id"], found["status"]) in [(1, "New"), (2, "In Progress"), (4, "Resolved")]
    assert (found["severity_id"], found["severity"]) in [(2, "Low"), (3, "Medium"), (4, "High"), (5, "Critical")]
    assert (found["confidence_id"], found["confidence"]) in [(1, "Low"), (2, "Medium"), (3, "High")]
    assert 0 <= found["confidence_score"] <= 100
    assert found["metadata"]["version"] == "1.5.0"
    assert found["metadata"]["product"]["version"] == "0.1.0"
    for evidence in found["evidences"]:
        assert evidence.keys() <= {"actor", "src_endpoint", "data"}


def test_an_incident() -> None:
    """One finding, created, updated and closed under one uid; times are milliseconds; only the last is no alert."""
    made = [finding(alert("inc-1", status, T0_US + US), "0") for status in AlertStatus]
    info: list[Any] = [one["finding_info"] for one in made]
    assert {one["uid"] for one in info} == {"inc-1"}
    assert [one["activity_id"] for one in made] == [1, 2, 3]
    assert [one["is_alert"] for one in made] == [True, True, False]
    assert made[0]["end_time"] == (T0_US + US) // 1000
    assert info[0]["analytic"]["uid"] == "long_tail"
    assert info[0]["analytic"]["type_id"] == 2


@pytest.mark.parametrize(
    ("actor", "place"),
    [
        ("account:42", {"actor": {"user": {"uid": "42"}}}),
        ("session:s", {"actor": {"session": {"uid": "s"}}}),
        ("ip:203.0.113.7", {"src_endpoint": {"ip": "203.0.113.7"}}),
        ("asn:64500", {"src_endpoint": {"autonomous_system": {"number": 64500}}}),
        ("asn:x", {}),
        ("net:203.0.113.0/24", {}),
    ],
)
def test_who(actor: str, place: dict[str, Any]) -> None:
    """The actor stands where OCSF has a place for it, and by name in any case."""
    (evidence,) = msgspec.to_builtins(finding(alert("a", actor=actor, severity=Severity.LOW), "0"))["evidences"]
    data = evidence.pop("data")
    assert evidence == place
    assert data["actor"] == actor
    assert data["evidence"] == {"evidence_nats": 21.5}
