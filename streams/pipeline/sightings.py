"""Sightings as numpy columns: what assess reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.actor import Actor, Scope
from schemas.codec import DECODE_ERRORS
from schemas.errors import StopError
from schemas.sighting import (
    ACTOR_COLUMNS,
    COLUMNS,
    DETAIL_COLUMNS,
    MEMBER_COLUMNS,
    VERSION,
    Flag,
    Progress,
    SightingBatch,
)

Number = TypeVar("Number", bound=np.integer)


class _Versioned(msgspec.Struct, array_like=True):
    """The beginning of a message of any version."""

    version: int


_DECODER: Final = msgspec.msgpack.Decoder(SightingBatch)


class MemberNames(NamedTuple):
    """Principals that can be named."""

    key: NDArray[np.uint64]
    scope: NDArray[np.uint8]
    text_end: NDArray[np.uint32]
    text: bytes

    def find(self, key: int) -> Actor | None:
        """The principal with ``key``, if it is among them."""
        found = np.flatnonzero(self.key == np.uint64(key))
        if not found.size:
            return None
        at = int(found[0])
        return Actor(Scope(int(self.scope[at])).label, _value(self.text, self.text_end, at))


@dataclass(frozen=True, slots=True)
class Sightings:
    """Sightings of one source partition's offsets ``[lo, hi)``: n rows in source order, a actors. Read only."""

    others: Sequence[Progress]
    """How far other source partitions are, of which it holds no row."""
    topic: str
    partition: int
    lo: int
    start: int
    """No row before this offset."""
    hi: int
    watermark_us: int
    """-1 when none is known."""
    idle: bool
    """The source holds the watermark no longer."""
    tiers: Sequence[str]
    actor: NDArray[np.uint32]
    """[n] index into the actors"""
    time_us: NDArray[np.int64]
    offset: NDArray[np.uint32]
    """[n] source offset minus `start`"""
    ordinal: NDArray[np.uint16]
    kind: NDArray[np.uint8]
    flags: NDArray[np.uint8]
    tier: NDArray[np.uint8]
    """[n] index into `tiers`"""
    profile: NDArray[np.uint64]
    principal: NDArray[np.uint64]
    number: NDArray[np.int64]
    """[d] one entry for each row of a principal, as are those that follow; see `schemas.sighting.DETAIL_COLUMNS`"""
    address: NDArray[np.uint64]
    asn: NDArray[np.uint32]
    created_s: NDArray[np.uint32]
    country: NDArray[np.uint16]
    agent: NDArray[np.uint16]
    shown: NDArray[np.uint16]
    actor_key: NDArray[np.uint64]
    """[a]"""
    actor_scope: NDArray[np.uint8]
    actor_text_end: NDArray[np.uint32]
    actor_text: bytes
    member_key: NDArray[np.uint64]
    """[m] principals that can be named; see `schemas.sighting.MEMBER_COLUMNS`"""
    member_scope: NDArray[np.uint8]
    member_text_end: NDArray[np.uint32]
    member_text: bytes

    def __len__(self) -> int:
        return len(self.actor)

    def member(self, key: int) -> Actor | None:
        """The principal with ``key``, if this message names it."""
        return self.members.find(key)

    @property
    def members(self) -> MemberNames:
        """All that this message names."""
        return MemberNames(self.member_key, self.member_scope, self.member_text_end, self.member_text)


def _value(text: bytes, ends: NDArray[np.uint32], at: int) -> str:
    return text[int(ends[at - 1]) if at else 0 : int(ends[at])].decode()


def decode(message: bytes) -> Sightings:
    """Columns of a message, as views of it.

    Raises:
        StopError: the message is damaged, or was written by another version.
    """
    try:
        batch = _DECODER.decode(message)
    except DECODE_ERRORS as error:
        raise StopError(_complaint(message, error)) from error
    if batch.version != VERSION:
        raise StopError(f"{_place(batch)}: sightings are of version {batch.version}, this Weir reads version {VERSION}")
    return _sightings(batch)


def _complaint(message: bytes, error: Exception) -> str:
    """What is wrong with a message that cannot be read: it may be of another version."""
    try:
        found = msgspec.msgpack.decode(message, type=_Versioned).version
    except DECODE_ERRORS:
        found = VERSION
    if found != VERSION:
        return f"a message of sightings is of version {found}, this Weir reads version {VERSION} (see CHANGELOG.md)"
    return f"a message of sightings is damaged: {error}"


def _sightings(batch: SightingBatch) -> Sightings:
    sightings = Sightings(
        others=batch.others,
        topic=batch.topic,
        partition=batch.partition,
        lo=batch.lo,
        start=batch.start,
        hi=batch.hi,
        watermark_us=batch.watermark_us,
        idle=batch.idle,
        tiers=batch.tiers,
        actor=_column(batch, "actor", np.uint32),
        time_us=_column(batch, "time_us", np.int64),
        offset=_column(batch, "offset", np.uint32),
        ordinal=_column(batch, "ordinal", np.uint16),
        kind=_column(batch, "kind", np.uint8),
        flags=_column(batch, "flags", np.uint8),
        tier=_column(batch, "tier", np.uint8),
        profile=_column(batch, "profile", np.uint64),
        principal=_column(batch, "principal", np.uint64),
        number=_column(batch, "number", np.int64),
        address=_column(batch, "address", np.uint64),
        asn=_column(batch, "asn", np.uint32),
        created_s=_column(batch, "created_s", np.uint32),
        country=_column(batch, "country", np.uint16),
        agent=_column(batch, "agent", np.uint16),
        shown=_column(batch, "shown", np.uint16),
        actor_key=_column(batch, "actor_key", np.uint64),
        actor_scope=_column(batch, "actor_scope", np.uint8),
        actor_text_end=_column(batch, "actor_text_end", np.uint32),
        actor_text=batch.actor_text,
        member_key=_column(batch, "member_key", np.uint64),
        member_scope=_column(batch, "member_scope", np.uint8),
        member_text_end=_column(batch, "member_text_end", np.uint32),
        member_text=batch.member_text,
    )
    for names in (COLUMNS, DETAIL_COLUMNS, ACTOR_COLUMNS, MEMBER_COLUMNS):
        if len({len(getattr(sightings, name)) for name in names}) != 1:
            raise StopError(f"{_place(batch)}: columns of the sightings differ in length")
    if not _is_sound(sightings):
        raise StopError(f"{_place(batch)}: sightings point beyond their actors, offsets, tiers or texts")
    return sightings


def _place(batch: SightingBatch) -> str:
    return f"{batch.topic}[{batch.partition}] offsets {batch.lo} to {batch.hi}"


def _column(batch: SightingBatch, name: str, scalar: type[Number]) -> NDArray[Number]:
    data: bytes = getattr(batch, name)
    dtype = np.dtype(scalar).newbyteorder("<")
    if len(data) % dtype.itemsize:
        raise StopError(f"{_place(batch)}: column {name} of the sightings is cut off")
    return np.frombuffer(data, dtype)


def _is_sound(sightings: Sightings) -> bool:
    """Whether all indices point at something: compiled code behind this reads without looking."""
    ends = sightings.actor_text_end.astype(np.int64)
    member_ends = sightings.member_text_end.astype(np.int64)
    return (
        0 <= sightings.lo <= sightings.start <= sightings.hi
        and all(0 <= word.lo <= word.hi for word in sightings.others)
        and _below(sightings.actor, len(ends))
        and _below(sightings.offset, sightings.hi - sightings.start)
        and _below(sightings.tier, len(sightings.tiers))
        and int(np.count_nonzero(sightings.flags & Flag.PRINCIPAL.value)) == len(sightings.number)
        and _is_cut(ends, sightings.actor_text)
        and _is_cut(member_ends, sightings.member_text)
    )


def _is_cut(ends: NDArray[np.int64], text: bytes) -> bool:
    return bool((np.diff(ends, prepend=0) >= 0).all()) and int(ends.max(initial=0)) == len(text)


def _below(column: NDArray[Number], end: int) -> bool:
    return len(column) == 0 or int(column.max()) < end
