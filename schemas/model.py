"""What one partition learned in one epoch: a delta of the model, on ``weir.model.v1``."""

from typing import Final

import msgspec

from schemas.codec import MsgpackCodec

VERSION: Final = 3
READABLE: Final = (2, VERSION)
"""Version 2 tells no length of its epochs: they have an hour."""
HOURS_END_S: Final = 1_900_000_000
"""In 2030 nothing writes version 2 any more: one that seems to end then counts shorter epochs."""
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

    A delta also says that its partition is done with all epochs up to this one. Most tell suspects besides, if there
    are any, and nothing else: the rest is told with the last epoch of each hour, or as configured.
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
    """<u4: principals that met the profile first-hand since the last delta with profiles."""
    honest: bytes
    """<u8 [9]: first contacts of calm principals by popularity bin; in part 0 where more than suspects is told."""
    lessons: list[Lesson] = []
    """In part 0, by name of the table: ``<detector>.<table>``, ``peaks.<population>``, ``principals``."""
    suspects: bytes = b""
    """<u8: keys of principals that belong to a group found in this epoch, each once, ascending over all parts. Beside
    the key of one that is so for certain is its complement, each bit turned (`detectors.core.model.certainly`)."""
    epoch_s: int = 3_600
    """The epoch's length: models of another one take what ended when one of their own epochs did."""

    @property
    def end_s(self) -> int:
        """Event time at which the epoch ended, in seconds since 1970."""
        return (self.epoch + 1) * self.epoch_s

    @property
    def unreadable(self) -> str | None:
        """Why this version cannot tell what it says; None where it can."""
        if self.version not in READABLE:
            return f"has version {self.version}, this is version {VERSION}"
        if self.version != VERSION and self.end_s > HOURS_END_S:
            return f"has version {self.version} and epochs that are no hours, whose time this version cannot tell"
        return None

    @property
    def key(self) -> str:
        """Key on the topic: the same delta sent again replaces itself."""
        return f"{self.epoch}/{self.partition}/{self.part}"


MODEL_CODEC: Final = MsgpackCodec(ModelDelta)
