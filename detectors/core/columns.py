"""What a detector reads: columns over the sightings of one judged batch."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.sighting import Kind

US: Final = 1_000_000


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
    """Row of the actor in every state column."""
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
    tiers: tuple[str, ...]
    """Names of account tiers; index 0 is the unnamed one."""

    def __len__(self) -> int:
        return len(self.slot)

    def viewed_first(self) -> NDArray[np.bool_]:
        """First contacts by a view, the platform having picked nothing, that the actor answers for."""
        viewed: NDArray[np.bool_] = self.kind == Kind.VIEW
        return self.first & self.answers & viewed
