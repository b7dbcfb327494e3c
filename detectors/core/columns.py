"""What a detector reads: columns over the sightings of one judged batch."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.sighting import Flag, Kind

US: Final = 1_000_000
AGENTS: Final = 1024
"""Classes of user agents."""
NO_NUMBER: Final = -1


class Span(IntEnum):
    """Sliding windows; the value is the column of `Columns.profiles`."""

    MINUTE = 0
    TEN_MINUTES = 1
    HOUR = 2
    DAY = 3

    @property
    def seconds(self) -> int:
        """Length of the window."""
        return (60, 600, 3600, 86_400)[self]

    @property
    def label(self) -> str:
        """The name as configuration and evidence spell it."""
        return self.name.lower()

    @property
    def words(self) -> str:
        """The name in a sentence."""
        return ("a minute", "ten minutes", "an hour", "a day")[self]


@dataclass(frozen=True, slots=True)
class Columns:
    """Sightings in the order of judgement: event time, then source partition, then offset. All arrays have n rows.

    An actor *answers for* a sighting when no narrower actor does: an address or a group answers only for what was asked
    without an account. Aggregates cover what the actor answers for.
    """

    slot: NDArray[np.int32]
    """Row of the actor in the columns of `Detector.state`."""
    principal_slot: NDArray[np.int32]
    """Row in the columns of `Detector.principal_state` where the actor is the request's principal; else -1."""
    group_slot: NDArray[np.int32]
    """Row in the columns of `Detector.group_state` where the actor is a net or wider; else -1."""
    member_slot: NDArray[np.int32]
    """Row in the columns of `Detector.member_state` of this principal within this group; -1 where `group_slot` is."""
    time_us: NDArray[np.int64]
    scope: NDArray[np.uint8]
    kind: NDArray[np.uint8]
    flags: NDArray[np.uint8]
    tier: NDArray[np.uint8]
    """Index into `tiers`."""
    answers: NDArray[np.bool_]
    """The actor answers for this sighting."""
    first: NDArray[np.bool_]
    """First contact: the profile was disclosed, and not to this principal through this actor within 14 days."""
    profiles: NDArray[np.uint32]
    """[n, 4] distinct profiles within each `Span`, this sighting included."""
    popularity: NDArray[np.uint8]
    """Popularity bin of the profile by the model in force (see `popularity.bin_of`); 0 where `first` is false."""
    profile: NDArray[np.uint64]
    """XXH64 of the id; of a QUERY that of the text searched for, of a TOUCH 0."""
    number: NDArray[np.int64]
    """Where what was asked for stands in an order, on principals' rows, -1 where it stands in none: an id of decimal
    digits (a short prefix apart) as it is, other text as ``-2 - k``, k its first seven bytes in lower case as one
    big-endian number (`text_order`). On a QUERY row of the text searched for."""
    shown: NDArray[np.uint16]
    """Profiles that the response of a QUERY disclosed; 0 elsewhere."""
    address: NDArray[np.uint64]
    """On principals' rows: key of the client's address, 0 where there is none."""
    asn: NDArray[np.uint32]
    """On principals' rows; 0 where unknown."""
    country: NDArray[np.uint16]
    """On principals' rows: both letters of the code as one number; 0 where unknown."""
    created_s: NDArray[np.uint32]
    """On principals' rows: when the account was made, seconds since 1970; 0 where unknown."""
    agent: NDArray[np.uint16]
    """On principals' rows: class of the user agent, below `AGENTS`; programs that call themselves alike share one."""
    session: NDArray[np.uint16]
    """On accounts' rows: tag of the session that asked, 0 where none is known; two sessions share one by chance."""
    principal: NDArray[np.uint64]
    """Key of the request's principal, on every row."""
    together: NDArray[np.uint32]
    """[n, 2] on groups' rows what all members saw within the last day or two: distinct profiles, with a standard error
    of 10 %, and contacts, each member's first one with a profile and each result of a search or list."""
    tiers: tuple[str, ...]
    """Names of account tiers; index 0 is the unnamed one."""

    def __len__(self) -> int:
        return len(self.slot)

    @property
    def own(self) -> NDArray[np.bool_]:
        """Rows of the actor by whom the request is judged first: the account, else the address, else the session."""
        principal: NDArray[np.bool_] = self.principal_slot >= 0
        return principal

    @property
    def asked(self) -> NDArray[np.bool_]:
        """Principals' views and look-ups of one profile each, those of profiles that do not exist among them."""
        # By its number, here and elsewhere: with a member of an enumeration a comparison takes ten times as long.
        by_id: NDArray[np.bool_] = (self.kind == Kind.VIEW.value) | (self.kind == Kind.LOOKUP.value)
        return self.own & by_id

    def viewed_first(self) -> NDArray[np.bool_]:
        """First contacts by a view, the platform having picked nothing, that the actor answers for."""
        viewed: NDArray[np.bool_] = self.kind == Kind.VIEW.value
        return self.first & self.answers & viewed

    def viewed(self) -> NDArray[np.bool_]:
        """Views by principals of profiles that exist."""
        viewed: NDArray[np.bool_] = (self.kind == Kind.VIEW.value) & ((self.flags & Flag.MISS.value) == 0)
        return self.own & viewed

    def shown_since(self, since_us: NDArray[np.int64]) -> NDArray[np.int64]:
        """Distinct profiles within the shortest window that reaches back to ``since_us``, at least 1: [n]."""
        ends = np.array([span.seconds for span in Span][:-1])
        span = np.searchsorted(ends, (self.time_us - since_us) // US)
        return np.maximum(self.profiles[np.arange(len(self)), span].astype(np.int64), 1)


def text_order(number: NDArray[np.int64]) -> NDArray[np.int64]:
    """First seven bytes of text in lower case as one big-endian number, of `Columns.number`; -1 where it is no text."""
    return np.where(number < NO_NUMBER, -2 - number, -1)
