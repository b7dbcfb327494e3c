"""Audit: what was done to a Weir, or became of it, that somebody may have to answer for."""

from enum import StrEnum
from typing import Final

import msgspec

from schemas.codec import JsonCodec
from schemas.collector_day import CollectorDay
from schemas.event_time import Time
from schemas.field import ConfigRevision, Id


class AuditKind(StrEnum):
    """What happened."""

    DEGRADED = "degraded"
    """A worker does less than it should: it is behind, holds something back, or judges by what is out of date."""
    RECOVERED = "recovered"
    """Nothing of that is so any more."""
    CHANGED = "changed"
    """Somebody, or a brake, has changed what Weir does."""
    COUNTED = "counted"
    """What an authorised collector took on one day."""


class ChangeOf(StrEnum):
    """What was changed."""

    CONFIG = "config"
    """A revision was pushed or came into force, or one was refused."""
    OVERRIDE = "override"
    """An actor was blocked, unblocked or allowed."""
    KILL_SWITCH = "kill_switch"
    """All enforcement, or that of one detector, was stopped or let on."""
    REVOKE = "revoke"
    """All blocks of a config revision were taken back."""
    BRAKE = "brake"
    """A brake was tripped or let go by itself."""
    KEY = "key"
    """An enforcer's key was made or removed."""


class Change(msgspec.Struct, frozen=True):
    """What was changed, from what to what, and why."""

    of: ChangeOf
    subject: str
    """What exactly: ``scope:value`` of an actor, a revision, a detector, a name."""
    before: str
    """Empty where there was nothing."""
    after: str
    """Empty where nothing is left."""
    reason: str


class DegradedReason(StrEnum):
    """In what a worker is degraded."""

    LAGGING = "lagging"
    """It judges events that are older than `policy.lag_max_s`."""
    BLOCKS_WITHHELD = "blocks_withheld"
    """Blocks were not sent, as they came too late (`policy.block_age_max_s`)."""
    OLDER_MODEL = "older_model"
    """The model that is due has not come in, and an older one serves."""
    DEAD_LETTER_FLOOD = "dead_letter_flood"
    """Source partitions are held, since too many of their records cannot be read."""
    REBUILDING = "rebuilding"
    """It reads what was decided before once more, since no checkpoint serves, and decides nothing meanwhile."""


class Cause(msgspec.Struct, frozen=True):
    """One reason, with its numbers in words."""

    reason: DegradedReason
    detail: str


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """One entry; a later one of the same `who` tells its whole state anew."""

    id: Id
    kind: AuditKind
    time: Time
    """By the wall clock of who wrote it."""
    who: str
    """Who acted, or whose state it is: ``worker:<host>:<process id>``, ``operator:<name>``, ``collector:<actor>``."""
    causes: list[Cause]
    """All that hold now; none when it has recovered."""
    config: ConfigRevision
    change: Change | None = None
    """Of an entry that tells of one."""
    counted: CollectorDay | None = None
    """Of an entry that tells of a day; a later one on the same day replaces it."""


AUDIT_CODEC: Final = JsonCodec(Audit)
