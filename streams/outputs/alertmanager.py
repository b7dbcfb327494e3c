"""Alerts as Alertmanager's API v2 takes them (`POST /api/v2/alerts`), and the words that a person reads.

Alertmanager knows an alert by its labels alone, so these stay few and stable; what changes stands in annotations.
"""

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from schemas.alert import Alert, Severity
from schemas.audit import Audit, AuditKind, ChangeOf
from schemas.event_time import format_time, parse_time_us

Labels = Mapping[str, str]
Json = dict[str, object]

INCIDENT: Final = "WeirIncident"
"""``alertname`` of everything about incidents."""
DEGRADED: Final = "WeirWorkersDegraded"
BRAKE: Final = "WeirBrakeHolds"
KILL_SWITCH: Final = "WeirEnforcementOff"
PAGED: Final = {ChangeOf.BRAKE: (BRAKE, Severity.CRITICAL), ChangeOf.KILL_SWITCH: (KILL_SWITCH, Severity.HIGH)}
"""What somebody or something has changed that people must hear of while it lasts."""
LET_GO: Final = frozenset({"", "off"})
"""What such a change leaves when it is over."""
UNTIL: Final = re.compile(r" until (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z)")
TEXT_MAX: Final = 1_000
"""Characters of a text: an actor may have a name of any length."""


class Posting(msgspec.Struct, frozen=True):
    """One alert: who it is (labels), what is to be read, and since when."""

    labels: dict[str, str]
    annotations: dict[str, str]
    starts_us: int


def postable(posting: Posting, ends_us: int) -> Json:
    """As the API takes it; with an end that has passed the alert is resolved."""
    return {
        "labels": posting.labels,
        "annotations": posting.annotations,
        "startsAt": format_time(min(posting.starts_us, ends_us)),
        "endsAt": format_time(ends_us),
    }


def kind_of(alert: Alert) -> dict[str, str]:
    """Labels that incidents of one kind share: a bounded number of sets, however many actors there are."""
    return {
        "alertname": INCIDENT,
        "detector": alert.findings[0].detector if alert.findings else "none",
        "severity": alert.severity.value,
        "mode": alert.mode.value,
        "scope": alert.actor.scope,
    }


def profiles_of(alert: Alert) -> str:
    """How many profiles the actor has been shown, in words."""
    about = "" if alert.exposure.exact else "about "
    return f"{about}{alert.exposure.profiles:,} profiles"


def annotations_of(alert: Alert) -> dict[str, str]:
    """What a person reads of one incident."""
    members = f", {alert.members.total:,} members" if alert.members.total else ""
    found = "; ".join(f"{finding.detector}: {finding.reason}" for finding in alert.findings)
    return {
        "summary": cut(f"{alert.actor.key} was shown {profiles_of(alert)}{members}"),
        "description": cut(found or "no finding"),
        "actor": cut(alert.actor.key),
        "confidence": f"{alert.confidence:.2f}",
        "look_up": f"weir incidents {alert.incident}",
    }


def cut(text: str) -> str:
    """A text that is not too long to send, with only what JSON in UTF-8 can hold."""
    clean = text.encode("utf-8", "replace").decode()
    return clean if len(clean) <= TEXT_MAX else f"{clean[: TEXT_MAX - 3]}..."


def change_labels(entry: Audit) -> dict[str, str] | None:
    """Labels of an entry on a brake or a kill switch; None of any other."""
    if entry.kind is not AuditKind.CHANGED or entry.change is None or entry.change.of not in PAGED:
        return None
    name, severity = PAGED[entry.change.of]
    # A brake's subject names the partition too: a wave trips it in all of them.
    subject = entry.change.subject.partition(",")[0]
    return {"alertname": name, "severity": severity.value, "subject": cut(subject)}


def change_annotations(entry: Audit) -> dict[str, str]:
    """What a person reads of it."""
    assert entry.change is not None
    change = entry.change
    return {
        "summary": cut(f"{change.of.value.replace('_', ' ')} {change.subject}: {change.after or 'over'}"),
        "description": cut(change.reason),
        "who": cut(entry.who),
    }


def ends_us(entry: Audit) -> int | None:
    """When a change ends by itself; None where it does not. Nobody writes an entry of that end, it stands in words."""
    found = UNTIL.search(entry.change.after) if entry.change is not None else None
    return parse_time_us(found[1]) if found else None


def goes_on(entry: Audit) -> bool:
    """Whether what the entry tells of lasts."""
    if entry.change is not None:
        return entry.change.after not in LET_GO
    return entry.kind is AuditKind.DEGRADED
