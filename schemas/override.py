"""Override: what an operator decides about one actor, one detector or one config revision, over all that Weir finds.

The topic is compacted: the last record of a key is the whole truth on what it names, a tombstone (null value) takes it
back.
"""

from enum import StrEnum
from typing import Final

import msgspec

from schemas.actor import Actor
from schemas.block import Action
from schemas.codec import JsonCodec
from schemas.errors import RecordError
from schemas.event_time import Time
from schemas.field import ConfigRevision, Id

EVERYTHING: Final = "*"
"""In the place of a detector: all of them."""


class OverrideKind(StrEnum):
    """What is decided."""

    BLOCK = "block"
    """The actor is blocked, whatever is found."""
    UNBLOCK = "unblock"
    """What stands against the actor is taken back, and nothing new is enforced until the end."""
    ALLOW = "allow"
    """Nothing is ever enforced against the actor until the end; findings are still made."""
    KILL_SWITCH = "kill_switch"
    """Nothing is enforced on the word of the detector, or of any; what stands is taken back."""
    REVOKE = "revoke"
    """Every block decided under the config revision is taken back."""


class Override(msgspec.Struct, frozen=True, kw_only=True):
    """One override."""

    id: Id
    kind: OverrideKind
    owner: str
    """Who answers for it."""
    reason: str
    since: Time
    """By the clock of whoever wrote it, and on the stream by event time."""
    until: Time | None = None
    """End, exclusive; only a kill switch may have none."""
    actor: Actor | None = None
    """Of a block, unblock or allow."""
    action: Action | None = None
    """Of a block."""
    detector: str | None = None
    """Of a kill switch; `EVERYTHING` for all."""
    config: ConfigRevision | None = None
    """Of a revoke."""

    @property
    def key(self) -> str:
        """Key on the topic: one record an actor, a detector's switch and a revision."""
        if self.actor is not None:
            return self.actor.key
        return f"kill_switch:{self.detector}" if self.detector is not None else f"revoke:{self.config}"


OVERRIDE_CODEC: Final = JsonCodec(Override)


def decode_override(value: bytes | None) -> Override | None:
    """The override, or None for a tombstone.

    Raises:
        RecordError: it is neither, or it names not exactly what its kind needs.
    """
    if value is None:
        return None
    override = OVERRIDE_CODEC.decode(value)
    _require_named(override)
    return override


_NAMED: Final = {
    OverrideKind.BLOCK: {"actor", "action"},
    OverrideKind.UNBLOCK: {"actor"},
    OverrideKind.ALLOW: {"actor"},
    OverrideKind.KILL_SWITCH: {"detector"},
    OverrideKind.REVOKE: {"config"},
}


def _require_named(override: Override) -> None:
    given = {name for name in ("actor", "action", "detector", "config") if getattr(override, name) is not None}
    if given != _NAMED[override.kind]:
        needed = " and ".join(sorted(_NAMED[override.kind]))
        raise RecordError("$", f"kind {override.kind} names {needed} and nothing else")
    if override.until is None and override.kind is not OverrideKind.KILL_SWITCH:
        raise RecordError("$.until", f"kind {override.kind} needs an end")
