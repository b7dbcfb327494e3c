"""Alert: what Weir tells people."""

from enum import StrEnum
from typing import Final

import msgspec

from schemas.actor import Actor
from schemas.codec import JsonCodec
from schemas.event_time import Time
from schemas.exposure import Exposure
from schemas.field import ConfigRevision, Count, Id, ModelEpoch, Ratio, check_ratio
from schemas.finding import Finding


class AlertStatus(StrEnum):
    """Which message on its incident an alert is."""

    OPEN = "open"
    UPDATED = "updated"
    CLOSED = "closed"


class AlertMode(StrEnum):
    """The widest mode among the detectors behind the alert; a detector that is off finds nothing."""

    SHADOW = "shadow"
    ALERT = "alert"
    ENFORCE = "enforce"


class Severity(StrEnum):
    """How soon somebody should look."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Place in the order low < medium < high < critical, from 0."""
        return list(Severity).index(self)


class Members(msgspec.Struct, frozen=True):
    """Who stands behind a group or a cohort; none behind a single actor."""

    total: Count
    sample: list[Actor]
    """Some of them, not all."""


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One message on an incident; a later one on the same incident replaces it whole."""

    id: Id
    incident: Id
    status: AlertStatus
    mode: AlertMode
    severity: Severity
    confidence: Ratio
    actor: Actor
    members: Members
    event_time: Time
    """Of the event that made the decision, so `event_time` less `first_seen` is how long it took to see."""
    decided_at: Time
    """By the wall clock of the worker."""
    watermark: Time
    """Of event time, when the decision was made."""
    first_seen: Time
    """Event time of the first sighting of the episode."""
    complete: bool
    """The model was the one due; else an older one served."""
    findings: list[Finding]
    exposure: Exposure
    controls: list[str]
    """Controls of the regulators' statement that the detectors behind it serve."""
    config: ConfigRevision
    model: ModelEpoch

    def __post_init__(self) -> None:
        check_ratio("confidence", self.confidence)


ALERT_CODEC: Final = JsonCodec(Alert)
ALERTS_FILE: Final = "alerts.ndjson"
"""How the file is called that a replay or a watch writes them to, in a directory of its own."""
