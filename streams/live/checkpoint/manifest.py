"""What a checkpoint consists of, and what its records are called.

::

    7.31/bucket/0004/1/0     blobs, cut into parts: owner / name / parity / part
    7.31/rest/0/0
    7.31/manifest            last, when the broker has all of them

An owner is a term and a generation of the consumer group. Whoever takes a partition over and finds term 6 writes as
term 7: two owners never write the same key, so that one which only believes to be the owner destroys nothing of the
other's.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Final, NamedTuple, Self

import msgspec
import xxhash

from schemas.codec import MsgpackCodec
from schemas.errors import CheckpointError

VERSION: Final = 1
PART_BYTES: Final = 4 << 20
"""A longer blob is cut: a quarter of what the topic takes."""
_KEY: Final = re.compile(r"(\d+)\.(\d+)/(?:manifest|.+/[01]/\d+)")


class Owner(NamedTuple):
    """Who writes: later owners compare greater."""

    term: int
    generation: int

    @property
    def manifest_key(self) -> str:
        """Key of its manifests: the last one counts."""
        return f"{self.term}.{self.generation}/manifest"

    def part_key(self, name: str, parity: int, part: int) -> str:
        """Key of one part of a blob."""
        return f"{self.term}.{self.generation}/{name}/{parity}/{part}"


def owner_of(key: str) -> Owner | None:
    """Whose key it is; None for one that no checkpoint has."""
    match = _KEY.fullmatch(key)
    return Owner(int(match[1]), int(match[2])) if match else None


class Blob(msgspec.Struct, frozen=True, array_like=True):
    """Where one blob lies."""

    name: str
    parity: int
    """0 or 1: a blob takes the other one each time, so that the last checkpoint's stands until the next is whole."""
    nbytes: int
    checksum: int
    """XXH3 of 64 bits over the whole of it."""
    offsets: tuple[int, ...]
    """Of its parts, in order."""
    widest: int
    """How many parts it ever had under this owner."""

    def keys(self, owner: Owner) -> Iterator[str]:
        """Every key that ``owner`` may have written it under."""
        for parity in (0, 1):
            yield from (owner.part_key(self.name, parity, part) for part in range(self.widest))

    def whole(self, parts: Iterable[bytes]) -> bytes:
        """Its bytes from those of its parts.

        Raises:
            CheckpointError: they are not what was written.
        """
        joined = b"".join(parts)
        if len(joined) != self.nbytes or xxhash.xxh3_64_intdigest(joined) != self.checksum:
            raise CheckpointError(self.name, "damaged")
        return joined


class Lineage(NamedTuple):
    """Which topics the state was made of, by the ids that the broker gave them; empty where it does not tell.

    The offsets of a topic that was deleted and made anew begin at 0 again, and mean other records.
    """

    activity: str = ""
    requests: str = ""

    def differs(self, other: Self) -> Sequence[str]:
        """Names of those that are not the same, of those that both know."""
        pairs = zip(self._fields, self, other, strict=True)
        return [name for name, mine, theirs in pairs if mine and theirs and mine != theirs]


class Manifest(msgspec.Struct, frozen=True, array_like=True):
    """A whole checkpoint: found again by this one record."""

    version: int
    term: int
    generation: int
    sequence: int
    """Counts an owner's checkpoints, from 1."""
    upto: int
    """Offset of the activity topic at which the state stands: all below is in it."""
    settled: int
    """Offset below which nothing waited for its model; at most ``upto``."""
    blobs: Annotated[tuple[Blob, ...], msgspec.Meta(min_length=1)]
    outdated: tuple[str, ...]
    """Keys of earlier owners and of blobs that no longer belong to it, which go once this record stands."""
    partitions: int
    """Of the activity topic: with another number actors belong to other partitions than their state."""
    lineage: Lineage = Lineage()

    @property
    def owner(self) -> Owner:
        """Who wrote it."""
        return Owner(self.term, self.generation)

    @property
    def rank(self) -> tuple[int, int, int]:
        """The highest one counts, whoever wrote last."""
        return self.term, self.generation, self.sequence

    @property
    def parts(self) -> int:
        """How many records it refers to."""
        return sum(len(blob.offsets) for blob in self.blobs)

    def keys(self) -> Iterator[str]:
        """Every key that its owner may have left, but for those that are outdated."""
        yield self.owner.manifest_key
        for blob in self.blobs:
            yield from blob.keys(self.owner)


MANIFEST_CODEC: Final = MsgpackCodec(Manifest)


def cut(blob: bytes) -> list[bytes]:
    """A blob in parts of at most `PART_BYTES`; an empty one is one part."""
    return [blob[start : start + PART_BYTES] for start in range(0, max(len(blob), 1), PART_BYTES)]
