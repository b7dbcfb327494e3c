"""What one partition learned in one epoch: a delta of the model, on ``weir.model.v1``."""

from typing import Final

import msgspec

from schemas.codec import MsgpackCodec

VERSION: Final = 2
PART_PROFILES: Final = 50_000
"""Profiles in one part; 12 bytes each, so that a part stays below a broker's default of 1 MB."""
PART_SUSPECTS: Final = 25_000
"""Suspects in one part, 8 bytes each, beside its profiles."""


class Lesson(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What was counted in one table, at the places that are not zero."""

    table: str
    size: int
    """Length of the whole table."""
    places: bytes
    """<u4: each once, ascending."""
    counts: bytes
    """<i8: may be negative, where something was counted at another place before."""


class ModelDelta(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Deltas add up: the model of an epoch is the decayed sum over all partitions of the epochs before it.

    A delta also says that its partition is done with all epochs up to this one; one without profiles says only that.
    """

    version: int
    epoch: int
    """Event time divided by the epoch's length."""
    partition: int
    part: int
    parts: int
    """The delta is complete with all of its parts, from 0."""
    profiles: bytes
    """<u8: XXH64 of profile ids, each once."""
    counts: bytes
    """<u4: principals that met the profile first-hand in this epoch."""
    honest: bytes
    """<u8 [9]: first contacts of calm principals by popularity bin; in part 0, else empty."""
    lessons: list[Lesson] = []
    """In part 0, by name of the table: ``<detector>.<table>``, ``peaks.<population>``, ``principals``."""
    suspects: bytes = b""
    """<u8: keys of principals that belong to a group found in this epoch, each once, ascending over all parts. Beside
    the key of one that is so for certain is its complement, each bit turned (`detectors.core.model.certainly`)."""

    @property
    def key(self) -> str:
        """Key on the topic: the same delta sent again replaces itself."""
        return f"{self.epoch}/{self.partition}/{self.part}"


MODEL_CODEC: Final = MsgpackCodec(ModelDelta)
