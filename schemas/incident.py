"""Incident: all findings on an actor or cohort from the first sighting to the end, as one record."""

from enum import StrEnum

import msgspec

from schemas.actor import Actor
from schemas.alert import AlertMode, Members, Severity
from schemas.event_time import Time
from schemas.exposure import Exposure
from schemas.field import ConfigRevision, Count, Id, ModelEpoch, Ratio, check_ratio
from schemas.finding import Finding


class IncidentStatus(StrEnum):
    """Whether it goes on."""

    OPEN = "open"
    CLOSED = "closed"


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one incident; severity, confidence and mode are the highest that it has had."""

    id: Id
    status: IncidentStatus
    mode: AlertMode
    severity: Severity
    confidence: Ratio
    actor: Actor
    members: Members
    first_seen: Time
    """Event time of the first sighting of the episode."""
    opened: Time
    """Event time of the first decision."""
    last_seen: Time
    """Event time of the latest finding."""
    closed: Time | None = None
    """Event time of its end; null while it goes on."""
    complete: bool
    """So were all its decisions (see `Alert.complete`)."""
    findings: list[Finding]
    """The strongest of each detector, the strongest first."""
    exposure: Exposure
    """In all."""
    exposure_before_block: Exposure | None = None
    """What had leaked when the first enforced block was decided; null where there was none."""
    alerts: Count
    """Alerts sent."""
    blocks: list[Id]
    controls: list[str]
    config: ConfigRevision
    """Of the first decision."""
    model: ModelEpoch
    """Of the first decision."""

    def __post_init__(self) -> None:
        check_ratio("confidence", self.confidence)
