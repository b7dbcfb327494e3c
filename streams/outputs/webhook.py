"""Alerts in the shape of Alertmanager's own webhook (version 4), which many programs take, and a signature for it.

Signed as Standard Webhooks describes: HMAC-SHA256 over ``id.timestamp.body``, so that a receiver can tell a
message that somebody else made, or sends once more.
"""

import hashlib
import hmac
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Sequence
from typing import Final

import msgspec

from schemas.alert import Alert, AlertStatus
from schemas.audit import Audit, AuditKind
from schemas.event_time import format_time, parse_time_us
from schemas.identity import stable_id
from streams.outputs.alertmanager import (
    DEGRADED,
    Json,
    Labels,
    annotations_of,
    change_annotations,
    change_labels,
    cut,
    goes_on,
    kind_of,
)

FIRING: Final = "firing"
RESOLVED: Final = "resolved"
NO_END: Final = "0001-01-01T00:00:00Z"
"""How Alertmanager writes that there is no end yet."""
SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - how a secret in base64 begins
FINGERPRINT_DIGITS: Final = 16


class Message(msgspec.Struct, frozen=True):
    """One alert of a message."""

    id: str
    """Of the record that it was made of."""
    group: tuple[tuple[str, str], ...]
    """Labels that all alerts of a message share."""
    subject: str
    """Of what it tells: what is told of one subject is told in order."""
    alert: Json


def of_alert(alert: Alert, labels: Labels) -> Message:
    """A message on an incident; ``labels`` are put on it as well."""
    shared = {**labels, **kind_of(alert)}
    closed = alert.status is AlertStatus.CLOSED
    made = _alert(
        {**shared, "incident": alert.incident},
        annotations_of(alert) | {"record": alert.id},
        alert.first_seen,
        alert.event_time if closed else None,
        alert.incident,
    )
    return Message(alert.id, tuple(sorted(shared.items())), alert.incident, made)


def of_audit(entry: Audit, labels: Labels) -> Message | None:
    """An entry of the audit that people should hear of; None of any other."""
    found = change_labels(entry)
    if found is not None and entry.change is not None:
        # Whole: what ends in one partition goes on in another, and each message stands for itself.
        shared = {**labels, **found, "subject": cut(entry.change.subject)}
        annotations = change_annotations(entry) | {"record": entry.id}
    elif entry.kind in (AuditKind.DEGRADED, AuditKind.RECOVERED):
        shared = {**labels, "alertname": DEGRADED, "severity": "high", "worker": cut(entry.who)}
        causes = "; ".join(f"{cause.reason}: {cause.detail}" for cause in entry.causes)
        annotations = {"summary": cut(f"{entry.who} does {'less than it should' if causes else 'all that it should'}")}
        annotations |= {"description": cut(causes or "nothing is wrong any more"), "record": entry.id}
    else:
        return None
    identity = [f"{name}={shared[name]}" for name in sorted(shared)]
    made = _alert(shared, annotations, entry.time, None if goes_on(entry) else entry.time, *identity)
    return Message(entry.id, tuple(sorted(shared.items())), entry.who, made)


def _alert(labels: Labels, annotations: dict[str, str], starts: str, ends: str | None, *identity: str) -> Json:
    """The fingerprint follows from ``identity``, not from labels, which change as an incident becomes more severe."""
    return {
        "status": FIRING if ends is None else RESOLVED,
        "labels": dict(labels),
        "annotations": annotations,
        "startsAt": starts if ends is None else format_time(min(parse_time_us(starts), parse_time_us(ends))),
        "endsAt": ends or NO_END,
        "generatorURL": "",
        "fingerprint": stable_id("subject", *identity)[:FINGERPRINT_DIGITS],
    }


def document(messages: Sequence[Message], receiver: str) -> Json:
    """One message with alerts that share their group."""
    group = dict(messages[0].group)
    common = ", ".join(f'{name}="{value}"' for name, value in sorted(group.items()))
    return {
        "version": "4",
        "groupKey": f"{{}}:{{{common}}}",
        "truncatedAlerts": 0,
        "status": FIRING if any(one.alert["status"] == FIRING for one in messages) else RESOLVED,
        "receiver": receiver,
        "groupLabels": group,
        "commonLabels": group,
        "commonAnnotations": {},
        "externalURL": "",
        "alerts": [one.alert for one in messages],
    }


def message_id(messages: Sequence[Message]) -> str:
    """Follows from the records: each try of a message has the same."""
    return stable_id("webhook", *(one.id for one in messages))


def signed(secret: str, name: str, time_s: int, body: bytes) -> dict[str, str]:
    """Headers that show who made ``body``: whoever has the secret."""
    content = b"%s.%d.%s" % (name.encode(), time_s, body)
    digest = hmac.new(_key(secret), content, hashlib.sha256).digest()
    return {
        "webhook-id": name,
        "webhook-timestamp": str(time_s),
        "webhook-signature": f"v1,{b64encode(digest).decode()}",
    }


def _key(secret: str) -> bytes:
    """The secret's bytes; one that begins with ``whsec_`` is in base64."""
    if secret.startswith(SECRET_PREFIX):
        try:
            return b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
        except NotBase64:
            pass
    return secret.encode()
