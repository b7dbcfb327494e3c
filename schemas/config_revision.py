"""Config revision: a configuration as it was published, and from which point of the stream on it is in force.

The topic is compacted by revision, so that a replay finds every one that was ever in force.
"""

from typing import Final

import msgspec

from schemas.codec import JsonCodec
from schemas.event_time import Time
from schemas.field import ConfigRevision, Id


class PublishedConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One publication; the same revision published again later has another point from which on it is in force."""

    id: Id
    revision: ConfigRevision
    text: str
    """The TOML, with what the environment changed put into it: complete and without secrets."""
    in_force_from: Time
    """Event time from which on decisions are made under it."""
    pushed_at: Time
    """By the wall clock of whoever pushed it."""
    who: str
    """Who pushed it: ``operator:<name>`` or ``worker:<host>:<process id>``."""
    reason: str

    @property
    def key(self) -> str:
        """Key on the topic: no publication hides another."""
        return f"{self.in_force_from}/{self.revision}"


PUBLISHED_CODEC: Final = JsonCodec(PublishedConfig)
