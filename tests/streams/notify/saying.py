"""Alerts and audit as a test wants them."""

from schemas.actor import Actor
from schemas.alert import Alert, AlertMode, AlertStatus, Members, Severity
from schemas.audit import Audit, AuditKind, Cause, Change, ChangeOf, DegradedReason
from schemas.event_time import format_time
from schemas.exposure import Exposure
from schemas.finding import Finding
from schemas.identity import stable_id

T0_US = 1_795_511_700_000_000
US = 1_000_000
CONFIG = "sha256:9f86d081884c7d65"


def alert(
    incident: str,
    status: AlertStatus = AlertStatus.OPEN,
    at_us: int = T0_US,
    *,
    actor: str = "account:42",
    detector: str = "long_tail",
    severity: Severity = Severity.HIGH,
    mode: AlertMode = AlertMode.ENFORCE,
    profiles: int = 231,
) -> Alert:
    """One message on an incident."""
    scope, _, value = actor.partition(":")
    return Alert(
        id=stable_id("alert", incident, status, at_us, severity),
        incident=incident,
        status=status,
        mode=mode,
        severity=severity,
        confidence=0.97,
        actor=Actor(scope, value),
        members=Members(0, []),
        event_time=format_time(at_us),
        decided_at=format_time(at_us + 100_000),
        watermark=format_time(at_us),
        first_seen=format_time(T0_US - 60 * US),
        complete=True,
        findings=[Finding(detector, 0.9, "first contacts fall where nobody looks", {"evidence_nats": 21.5})],
        exposure=Exposure(profiles, True),
        controls=["R2"],
        config=CONFIG,
        model="2026-11-24T09",
    )


def degraded(who: str, *reasons: DegradedReason, at_us: int = T0_US) -> Audit:
    """A worker does less than it should, or with no reasons all that it should."""
    kind = AuditKind.DEGRADED if reasons else AuditKind.RECOVERED
    causes = [Cause(reason, "in words") for reason in reasons]
    identity = stable_id("audit", who, at_us, *reasons)
    return Audit(id=identity, kind=kind, time=format_time(at_us), who=who, causes=causes, config=CONFIG)


def changed(of: ChangeOf, subject: str, after: str, at_us: int = T0_US) -> Audit:
    """Something was changed."""
    return Audit(
        id=stable_id("audit", of, subject, after, at_us),
        kind=AuditKind.CHANGED,
        time=format_time(at_us),
        who="worker:a:1",
        causes=[],
        config=CONFIG,
        change=Change(of, subject, "", after, "too many blocks a minute"),
    )
