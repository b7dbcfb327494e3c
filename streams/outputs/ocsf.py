"""Alerts as Detection Findings (class 2004) of the Open Cybersecurity Schema Framework, version 1.5.0.

One finding is one incident: `finding_info.uid` is its id, and each alert on it is an activity, Create, Update or Close.
What OCSF has no place for stands under `unmapped`, as the record has it.
"""

from typing import Final

import msgspec

from schemas.actor import Actor
from schemas.alert import Alert, AlertStatus, Severity
from schemas.event_time import parse_time_us
from schemas.finding import Finding
from streams.outputs.alertmanager import Json, annotations_of

VERSION: Final = "1.5.0"
CLASS: Final = 2004
CATEGORY: Final = 2
ACTIVITIES: Final = {
    AlertStatus.OPEN: (1, "Create"),
    AlertStatus.UPDATED: (2, "Update"),
    AlertStatus.CLOSED: (3, "Close"),
}
STATUSES: Final = {
    AlertStatus.OPEN: (1, "New"),
    AlertStatus.UPDATED: (2, "In Progress"),
    AlertStatus.CLOSED: (4, "Resolved"),
}
SEVERITIES: Final = {
    Severity.LOW: (2, "Low"),
    Severity.MEDIUM: (3, "Medium"),
    Severity.HIGH: (4, "High"),
    Severity.CRITICAL: (5, "Critical"),
}
BEHAVIORAL: Final = 2
"""`analytic.type_id`."""
CONFIDENCES: Final = ((0.9, 3, "High"), (0.5, 2, "Medium"), (0.0, 1, "Low"))
"""At least so much, its id, its name."""


def finding(alert: Alert, version: str) -> Json:
    """An alert as a finding; ``version`` is that of Weir."""
    activity_id, activity = ACTIVITIES[alert.status]
    severity_id, severity = SEVERITIES[alert.severity]
    status_id, status = STATUSES[alert.status]
    _, confidence_id, confidence = next(each for each in CONFIDENCES if alert.confidence >= each[0])
    return {
        "metadata": {
            "version": VERSION,
            "uid": alert.id,
            "correlation_uid": alert.incident,
            "product": {"name": "Weir", "vendor_name": "Weir", "version": version},
        },
        "category_uid": CATEGORY,
        "category_name": "Findings",
        "class_uid": CLASS,
        "class_name": "Detection Finding",
        "activity_id": activity_id,
        "activity_name": activity,
        "type_uid": CLASS * 100 + activity_id,
        "type_name": f"Detection Finding: {activity}",
        "severity_id": severity_id,
        "severity": severity,
        "status_id": status_id,
        "status": status,
        "confidence_id": confidence_id,
        "confidence": confidence,
        "confidence_score": round(alert.confidence * 100),
        "is_alert": alert.status is not AlertStatus.CLOSED,
        "time": _ms(alert.decided_at),
        "start_time": _ms(alert.first_seen),
        "end_time": _ms(alert.event_time),
        "message": annotations_of(alert)["summary"],
        "finding_info": _info(alert),
        "evidences": [_evidence(alert.actor, each) for each in alert.findings] or [_evidence(alert.actor, None)],
        "resources": [{"name": "member profiles", "type": "profile", "data": msgspec.to_builtins(alert.exposure)}],
        "unmapped": _unmapped(alert),
    }


def _info(alert: Alert) -> Json:
    analytics = [_analytic(each, alert.config) for each in alert.findings]
    info: Json = {
        "uid": alert.incident,
        "title": "Mass enumeration of member profiles",
        "desc": annotations_of(alert)["description"],
        "types": ["scraping", *dict.fromkeys(each.detector for each in alert.findings)],
        "first_seen_time": _ms(alert.first_seen),
        "last_seen_time": _ms(alert.event_time),
        "modified_time": _ms(alert.decided_at),
    }
    if analytics:
        info["analytic"] = analytics[0]
    if len(analytics) > 1:
        info["related_analytics"] = analytics[1:]
    return info


def _analytic(found: Finding, config: str) -> Json:
    return {
        "uid": found.detector,
        "name": found.detector,
        "type_id": BEHAVIORAL,
        "type": "Behavioral",
        "version": config,
    }


def _evidence(actor: Actor, found: Finding | None) -> Json:
    """Who, as far as OCSF has a place for it, and what the detector saw."""
    evidence: Json = {"data": {"actor": actor.key} | ({} if found is None else msgspec.to_builtins(found))}
    if actor.scope == "account":
        evidence["actor"] = {"user": {"uid": actor.value}}
    elif actor.scope == "session":
        evidence["actor"] = {"session": {"uid": actor.value}}
    elif actor.scope == "ip":
        evidence["src_endpoint"] = {"ip": actor.value}
    elif actor.scope == "asn" and actor.value.isascii() and actor.value.isdecimal():
        evidence["src_endpoint"] = {"autonomous_system": {"number": int(actor.value)}}
    return evidence


def _unmapped(alert: Alert) -> Json:
    names = ("mode", "actor", "members", "watermark", "complete", "controls", "config", "model")
    return {f"weir.{name}": msgspec.to_builtins(getattr(alert, name)) for name in names}


def _ms(time: str) -> int:
    return parse_time_us(time) // 1000
