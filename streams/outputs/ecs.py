"""Alerts in the Elastic Common Schema, version 8.17: `event.kind` is ``alert``, and under `weir` is the whole record.

`event.id` is the alert's; `weir.incident` groups the alerts of an incident.
"""

from ipaddress import ip_address
from typing import Final

import msgspec

from schemas.actor import Actor
from schemas.alert import Alert, AlertStatus
from streams.outputs.alertmanager import Json, annotations_of

VERSION: Final = "8.17.0"
ACTIONS: Final = {
    AlertStatus.OPEN: "incident-opened",
    AlertStatus.UPDATED: "incident-updated",
    AlertStatus.CLOSED: "incident-closed",
}
SEVERITY_STEP: Final = 25
"""`event.severity` is a number of the source's own: low 25 to critical 100."""
TECHNIQUE: Final = {
    "framework": "MITRE ATT&CK",
    "technique": {"id": ["T1593"], "name": ["Search Open Websites/Domains"]},
}


def document(alert: Alert, version: str) -> Json:
    """An alert as a document; ``version`` is that of Weir."""
    said = annotations_of(alert)
    return {
        "@timestamp": alert.decided_at,
        "ecs": {"version": VERSION},
        "message": said["summary"],
        "event": {
            "kind": "alert",
            "category": ["web", "threat"],
            "type": ["info"],
            "action": ACTIONS[alert.status],
            "id": alert.id,
            "module": "weir",
            "dataset": "weir.alert",
            "provider": "weir",
            "severity": (alert.severity.rank + 1) * SEVERITY_STEP,
            "start": alert.first_seen,
            "end": alert.event_time,
            "reason": said["description"],
            "risk_score": round(alert.confidence * 100, 2),
        },
        "observer": {"vendor": "Weir", "product": "Weir", "type": "scraping-detection", "version": version},
        "rule": _rule(alert),
        "threat": TECHNIQUE,
        **_who(alert.actor),
        "weir": msgspec.to_builtins(alert),
    }


def _rule(alert: Alert) -> Json:
    names = [found.detector for found in alert.findings]
    first = names[0] if names else "none"
    return {"id": first, "name": first, "ruleset": "weir", "version": alert.config}


def _who(actor: Actor) -> Json:
    """The actor in ECS's own fields, where it has one for that scope."""
    if actor.scope == "account":
        return {"user": {"id": actor.value}, "related": {"user": [actor.value]}}
    if actor.scope == "ip" and _is_address(actor.value):
        return {"client": {"ip": actor.value, "address": actor.value}, "related": {"ip": [actor.value]}}
    if actor.scope == "asn" and actor.value.isascii() and actor.value.isdecimal():
        return {"client": {"as": {"number": int(actor.value)}}}
    if actor.scope == "fingerprint":
        return {"tls": {"client": {"ja4": actor.value}}}
    return {}


def _is_address(value: str) -> bool:
    try:
        ip_address(value)
    except ValueError:
        return False
    return True
