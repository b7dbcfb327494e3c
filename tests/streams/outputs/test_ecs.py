"""Alerts in the Elastic Common Schema."""

from typing import Any

import msgspec
import pytest
from hypothesis import given

from schemas.alert import ALERT_CODEC, Alert, AlertStatus, Severity
from streams.outputs.ecs import document
from tests.schemas import strategy
from tests.streams.notify.saying import alert


@given(strategy.alerts)
def test_any_alert(one: Alert) -> None:
    """Fields have the types and the values that ECS expects, and the whole record stands under `weir`."""
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(document(one, "0.1.0")))
    assert found["@timestamp"] == one.decided_at
    assert found["ecs"] == {"version": "8.17.0"}
    event = found["event"]
    assert (event["kind"], event["category"], event["type"]) == ("alert", ["web", "threat"], ["info"])
    assert event["id"] == one.id
    assert event["severity"] in (25, 50, 75, 100)
    assert 0 <= event["risk_score"] <= 100
    assert found["observer"]["version"] == "0.1.0"
    assert ALERT_CODEC.decode(msgspec.json.encode(found["weir"])) == one


@pytest.mark.parametrize(
    ("actor", "place"),
    [
        ("account:42", {"user": {"id": "42"}, "related": {"user": ["42"]}}),
        (
            "ip:2001:db8::1",
            {"client": {"ip": "2001:db8::1", "address": "2001:db8::1"}, "related": {"ip": ["2001:db8::1"]}},
        ),
        ("ip:unknown", {}),
        ("asn:64500", {"client": {"as": {"number": 64500}}}),
        ("fingerprint:t13d", {"tls": {"client": {"ja4": "t13d"}}}),
        ("net:203.0.113.0/24", {}),
    ],
)
def test_who(actor: str, place: dict[str, Any]) -> None:
    """The actor stands in ECS's own fields where it has one: what is no address never gets into a field of type ip."""
    found = document(alert("a", AlertStatus.OPEN, actor=actor, severity=Severity.CRITICAL), "0")
    assert {key: found[key] for key in ("user", "client", "related", "tls") if key in found} == place
    assert found["rule"] == {
        "id": "long_tail",
        "name": "long_tail",
        "ruleset": "weir",
        "version": "sha256:9f86d081884c7d65",
    }
