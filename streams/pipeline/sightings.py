"""Sightings as numpy columns: what assess reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.errors import StopError
from schemas.sighting import ACTOR_COLUMNS, COLUMNS, VERSION, SightingBatch

Number = TypeVar("Number", bound=np.integer)

_DECODER: Final = msgspec.msgpack.Decoder(SightingBatch)


@dataclass(frozen=True, slots=True)
class Sightings:
    """Sightings of one source partition's offsets ``[lo, hi)``: n rows in source order, a actors. Read only."""

    topic: str
    partition: int
    lo: int
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
    """[n] source offset minus `lo`"""
    ordinal: NDArray[np.uint16]
    kind: NDArray[np.uint8]
    flags: NDArray[np.uint8]
    tier: NDArray[np.uint8]
    """[n] index into `tiers`"""
    profile: NDArray[np.uint64]
    principal: NDArray[np.uint64]
    actor_key: NDArray[np.uint64]
    """[a]"""
    actor_scope: NDArray[np.uint8]
    actor_text_end: NDArray[np.uint32]
    actor_text: bytes

    def __len__(self) -> int:
        return len(self.actor)

    def actor_value(self, actor: int) -> str:
        """The value of actor ``actor``, as records name it."""
        start = int(self.actor_text_end[actor - 1]) if actor else 0
        return self.actor_text[start : int(self.actor_text_end[actor])].decode()


def decode(message: bytes) -> Sightings:
    """Columns of a message, as views of it.

    Raises:
        StopError: the message is damaged, or was written by another version.
    """
    try:
        batch = _DECODER.decode(message)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StopError(f"a message of sightings is damaged: {error}") from error
    if batch.version != VERSION:
        raise StopError(f"{_place(batch)}: sightings are of version {batch.version}, this Weir reads version {VERSION}")
    return _sightings(batch)


def _sightings(batch: SightingBatch) -> Sightings:
    sightings = Sightings(
        topic=batch.topic,
        partition=batch.partition,
        lo=batch.lo,
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
        actor_key=_column(batch, "actor_key", np.uint64),
        actor_scope=_column(batch, "actor_scope", np.uint8),
        actor_text_end=_column(batch, "actor_text_end", np.uint32),
        actor_text=batch.actor_text,
    )
    for names in (COLUMNS, ACTOR_COLUMNS):
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
    return (
        0 <= sightings.lo <= sightings.hi
        and _below(sightings.actor, len(ends))
        and _below(sightings.offset, sightings.hi - sightings.lo)
        and _below(sightings.tier, len(sightings.tiers))
        and bool((np.diff(ends, prepend=0) >= 0).all())
        and int(ends.max(initial=0)) == len(sightings.actor_text)
    )


def _below(column: NDArray[Number], end: int) -> bool:
    return len(column) == 0 or int(column.max()) < end
