"""Alerts in the shape of Alertmanager's webhook."""

import hashlib
import hmac
from base64 import b64decode, b64encode

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas.alert import Alert, AlertStatus
from schemas.audit import AUDIT_CODEC, Audit, AuditKind, ChangeOf, DegradedReason
from streams.notify.board import Board
from streams.outputs.webhook import NO_END, document, message_id, of_alert, of_audit, signed
from tests.contract.golden_file import lines
from tests.schemas import strategy
from tests.streams.notify.saying import T0_US, US, alert, changed, degraded


def test_an_incident() -> None:
    """As Alertmanager itself would write it: labels, times, a state, and the fingerprint of the incident."""
    messages = [of_alert(alert("inc-1", status, T0_US + US), {"cluster": "eu"}) for status in AlertStatus]
    found = document(messages, "chat")
    assert {key: found[key] for key in ("version", "status", "receiver", "truncatedAlerts", "externalURL")} == {
        "version": "4",
        "status": "firing",
        "receiver": "chat",
        "truncatedAlerts": 0,
        "externalURL": "",
    }
    group = {
        "alertname": "WeirIncident",
        "cluster": "eu",
        "detector": "long_tail",
        "mode": "enforce",
        "scope": "account",
        "severity": "high",
    }
    assert found["groupLabels"] == found["commonLabels"] == group
    alerts = [one.alert for one in messages]
    assert [one["status"] for one in alerts] == ["firing", "firing", "resolved"]
    assert [one["endsAt"] for one in alerts] == [NO_END, NO_END, "2026-11-24T09:15:01.000Z"]
    assert {one["startsAt"] for one in alerts} == {"2026-11-24T09:14:00.000Z"}
    assert len({one["fingerprint"] for one in alerts}) == 1
    assert alerts[0]["labels"] == {**group, "incident": "inc-1"}
    assert [one["annotations"]["record"] for one in alerts] == [one.id for one in messages]  # type: ignore[index]


def test_audit() -> None:
    """A brake and a degraded worker fire and end under one fingerprint; what nobody need hear of is no message."""
    brake = [of_audit(changed(ChangeOf.BRAKE, "x", after, at), {}) for at, after in ((T0_US, "on"), (T0_US + US, ""))]
    worker = [of_audit(degraded("worker:1", *why), {}) for why in ((DegradedReason.LAGGING,), ())]
    for pair in (brake, worker):
        told = [one.alert for one in pair if one is not None]
        assert [one["status"] for one in told] == ["firing", "resolved"]
        assert len({one["fingerprint"] for one in told}) == 1
    assert of_audit(changed(ChangeOf.KEY, "x", "y"), {}) is None


def test_a_brake_in_two_partitions() -> None:
    """The end in one is not the end in the other."""
    made = [of_audit(changed(ChangeOf.BRAKE, f"blocks_per_minute, partition {n}", "holds"), {}) for n in range(2)]
    assert len({one.alert["fingerprint"] for one in made if one is not None}) == 2


@given(st.lists(strategy.alerts, min_size=1, max_size=4))
def test_any_alert(alerts: list[Alert]) -> None:
    """Whatever a record holds, the document is JSON with strings for labels, and its id follows from the records."""
    messages = [of_alert(one, {}) for one in alerts]
    written = msgspec.json.decode(msgspec.json.encode(document(messages, "a")))
    assert len(written["alerts"]) == len(alerts)
    for one in written["alerts"]:
        assert all(isinstance(value, str) for value in one["labels"].values())
        assert one["endsAt"] == NO_END or one["startsAt"] <= one["endsAt"]
    assert message_id(messages) == message_id([of_alert(one, {}) for one in alerts])


@given(strategy.audits)
def test_any_audit(entry: Audit) -> None:
    """Likewise."""
    made = of_audit(entry, {})
    if made is not None:
        assert msgspec.json.decode(msgspec.json.encode(document([made], "a")))["alerts"]
    elif entry.kind is AuditKind.CHANGED:
        assert entry.change is None or entry.change.of not in (ChangeOf.BRAKE, ChangeOf.KILL_SWITCH)
    else:
        assert entry.kind is AuditKind.COUNTED, "a worker's condition is told"


def test_what_a_collector_took_is_no_message() -> None:
    """It is kept for an auditor: nobody is paged for it, and nobody told that a worker has recovered."""
    entries = [AUDIT_CODEC.decode(line) for line in lines("audit.v1")]
    (counted,) = (entry for entry in entries if entry.kind is AuditKind.COUNTED)
    assert of_audit(counted, {}) is None
    board = Board(5, {}, 1)
    board.audit(counted, T0_US)
    assert board.postings(T0_US) == []


@given(st.binary(min_size=1, max_size=40), st.binary(max_size=80))
def test_signature(key: bytes, body: bytes) -> None:
    """HMAC-SHA256 over id, time and body, as Standard Webhooks has it; the secret is text, or base64 with a prefix."""
    content = b"msg_1.1795511700." + body
    for secret, used in ((f"whsec_{b64encode(key).decode()}", key), (key.hex(), key.hex().encode())):
        headers = signed(secret, "msg_1", 1_795_511_700, body)
        version, _, digest = headers["webhook-signature"].partition(",")
        assert (version, b64decode(digest)) == ("v1", hmac.new(used, content, hashlib.sha256).digest())


def test_a_published_example() -> None:
    """The example in the description of Standard Webhooks."""
    headers = signed(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
