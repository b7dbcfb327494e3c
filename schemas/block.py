"""Block: what Weir tells enforcement. Always with an expiry, which enforcers must apply by themselves.

The topic is keyed by the actor's `key` and compacted: the last record is the whole truth on an actor, and a tombstone
(null value) says that there is nothing to enforce and nothing to remember.
"""

from enum import StrEnum
from typing import Final

import msgspec

from schemas.actor import Actor
from schemas.codec import JsonCodec
from schemas.event_time import Time
from schemas.exposure import Exposure
from schemas.field import ConfigRevision, Count, Id, ModelEpoch


class Action(StrEnum):
    """What enforcement does with the actor's requests."""

    CHALLENGE = "challenge"
    THROTTLE = "throttle"
    BLOCK = "block"

    @property
    def rank(self) -> int:
        """Place on the ladder challenge < throttle < block, from 0."""
        return list(Action).index(self)


class BlockMode(StrEnum):
    """Whether enforcement acts on it."""

    SHADOW = "shadow"
    """It would have been enforced: for reading only."""
    ENFORCE = "enforce"


class BlockStatus(StrEnum):
    """Whether it holds. Nobody writes `expired`: it is over at its `until`, and a tombstone takes the record away."""

    ACTIVE = "active"
    REVOKED = "revoked"
    EXPIRED = "expired"


class Collateral(msgspec.Struct, frozen=True, gc=False):
    """Who else is hit."""

    accounts: Count
    """Accounts behind the actor within the last 24 h, itself included."""


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """One instruction to enforcement, the actor's whole state."""

    id: Id
    incident: Id
    actor: Actor
    action: Action
    mode: BlockMode
    status: BlockStatus
    event_time: Time
    """Of the event that made the decision."""
    decided_at: Time
    """By the wall clock of the worker."""
    until: Time
    """End of the block, exclusive."""
    detectors: list[str]
    reason: str
    """For operators."""
    public_reason: str
    """For the one who is blocked: names no detector and no threshold."""
    exposure: Exposure
    """At the decision, so what had leaked before the block."""
    collateral: Collateral
    config: ConfigRevision
    model: ModelEpoch


BLOCK_CODEC: Final = JsonCodec(Block)
BLOCKS_FILE: Final = "blocks.ndjson"
"""How the file is called that a replay or a watch writes them to, in a directory of its own."""


def decode_block(value: bytes | None) -> Block | None:
    """The block, or None for a tombstone.

    Raises:
        RecordError: it is neither.
    """
    return None if value is None else BLOCK_CODEC.decode(value)
