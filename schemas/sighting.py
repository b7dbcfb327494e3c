"""Sighting batches: what observe writes and assess reads, packed in columns.

A *sighting* is one actor and one event that matters. A response that discloses ten profiles gives each of its actors
ten sightings with the same offset, told apart by ``ordinal``. Rows stand in the order of their source records.

Columns travel as little-endian bytes, so that ``numpy.frombuffer`` reads them without a copy; `COLUMNS` and
`ACTOR_COLUMNS` name their dtypes. A message covers the half-open range ``[lo, hi)`` of source offsets whole: offsets
without a row held nothing for this destination. It begins where the last message to this destination ended.
"""

from enum import IntEnum, IntFlag
from typing import Final

import msgspec

VERSION: Final = 3


class Kind(IntEnum):
    """What kind of surface was asked."""

    VIEW = 1
    SEARCH = 2
    LOOKUP = 3
    LIST = 4
    TOUCH = 5
    """Something else than a profile was asked for, as a page, an asset or a call: one for each principal, group and
    10 s of event time, at the end of these."""
    QUERY = 6
    """A search or a list as such, whatever it disclosed; one for its principal."""


class Flag(IntFlag):
    """What else is known of a sighting."""

    MISS = 1
    """The profile does not exist: nothing was disclosed."""
    LOGGED_IN = 2
    """An account stands behind the request."""
    PRINCIPAL = 4
    """This actor is who the request is judged by first: the account if there is one, else the address."""
    YOUNG = 8
    """The account was less than 14 days old."""


COLUMNS: Final[dict[str, str]] = {
    "actor": "<u4",  # index into the batch's actors
    "time_us": "<i8",  # event time, microseconds since 1970 UTC
    "offset": "<u4",  # source offset minus `start`
    "ordinal": "<u2",  # which of the profiles that one response disclosed
    "kind": "u1",
    "flags": "u1",
    "tier": "u1",  # index into `tiers`
    "profile": "<u8",  # XXH64 of the profile id
    "principal": "<u8",  # key of the principal's actor
}

DETAIL_COLUMNS: Final[dict[str, str]] = {
    "number": "<i8",  # place of what was asked for in an order, see detectors/core/columns.py
    "address": "<u8",  # key of the client's address, 0 for none
    "asn": "<u4",  # 0 for none
    "created_s": "<u4",  # when the account was made, 0 when unknown
    "country": "<u2",  # both letters of the code, 0 for none
    "agent": "<u2",  # class of the user agent
    "shown": "<u2",  # profiles that the response disclosed, of a QUERY
}
"""One entry for each row with the flag PRINCIPAL, in their order."""

ACTOR_COLUMNS: Final[dict[str, str]] = {
    "actor_key": "<u8",  # XXH64 of scope, value and home (see streams/pipeline/observe)
    "actor_scope": "u1",
    "actor_text_end": "<u4",  # end of the value within `actor_text`
}

MEMBER_COLUMNS: Final[dict[str, str]] = {
    "member_key": "<u8",  # key of a principal
    "member_scope": "u1",
    "member_text_end": "<u4",  # end of its value within `member_text`
}
"""Principals who came through a group of the message, to name them by: those without an account or with a young one,
and other accounts at one in eight of their views."""


class Progress(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A source partition's offsets ``[lo, hi)`` hold nothing for this destination; fields mean what they do below."""

    topic: str
    partition: int
    lo: int
    hi: int
    watermark_us: int
    idle: bool


class SightingBatch(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Sightings of one source partition's offsets ``[lo, hi)`` for one destination partition, and word of others."""

    version: int
    others: list[Progress]
    """How far other source partitions are."""
    topic: str
    partition: int
    lo: int
    """Where the last message to this destination ended; before that, after a restart."""
    start: int
    """No row before this offset."""
    hi: int
    watermark_us: int
    """Highest event time among all records of the partition up to `hi`; -1 when none is known."""
    idle: bool
    """The source has nothing more for now and stops holding the watermark."""
    tiers: list[str]
    """Account tiers, index 0 is always the unnamed tier ``""``."""
    actor_key: bytes
    actor_scope: bytes
    actor_text: bytes
    actor_text_end: bytes
    actor: bytes
    time_us: bytes
    offset: bytes
    ordinal: bytes
    kind: bytes
    flags: bytes
    tier: bytes
    profile: bytes
    principal: bytes
    number: bytes
    address: bytes
    asn: bytes
    created_s: bytes
    country: bytes
    agent: bytes
    shown: bytes
    member_key: bytes
    member_scope: bytes
    member_text: bytes
    member_text_end: bytes
