"""Rows: sightings that found their actors' slots, on their way to judgement."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Rows(NamedTuple):
    """Parallel columns of n sightings."""

    slot: NDArray[np.int32]
    time_us: NDArray[np.int64]
    source: NDArray[np.int32]
    """Place of the source partition among all, in the order of their names and numbers."""
    offset: NDArray[np.int64]
    kind: NDArray[np.uint8]
    flags: NDArray[np.uint8]
    tier: NDArray[np.uint8]
    profile: NDArray[np.uint64]
    principal: NDArray[np.uint64]
    number: NDArray[np.int64]
    """Of principals' rows, as those that follow; see `detectors.core.columns.Columns`."""
    address: NDArray[np.uint64]
    asn: NDArray[np.uint32]
    created_s: NDArray[np.uint32]
    country: NDArray[np.uint16]
    agent: NDArray[np.uint16]
    shown: NDArray[np.uint16]

    def __len__(self) -> int:
        return int(self.slot.size)

    def pick(self, which: NDArray[np.generic] | slice) -> "Rows":
        """Rows that an index array, a mask or a slice names."""
        return Rows(*(column[which] for column in self))  # type: ignore[arg-type]  # each column keeps its dtype

    def at(self, slot: NDArray[np.int32]) -> "Rows":
        """The same rows, their actors in these slots."""
        # `_replace` asks for the length, which is that of the columns here.
        return Rows(slot, *self[1:])

    def event_end(self, row: int) -> int:
        """End of the rows that come from the same event as ``row``."""
        end = row + 1
        while end < len(self) and self.offset[end] == self.offset[row] and self.source[end] == self.source[row]:
            # A record may hold several events, which share its offset.
            if self.time_us[end] != self.time_us[row] or self.principal[end] != self.principal[row]:
                break
            end += 1
        return end


def join(parts: Sequence[Rows]) -> Rows:
    """Rows of all parts, one after the other."""
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return NOTHING
    return Rows(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _no_rows() -> Rows:
    dtypes = ("i4", "i8", "i4", "i8", "u1", "u1", "u1", "u8", "u8", "i8", "u8", "u4", "u4", "u2", "u2", "u2")
    return Rows(*(np.zeros(0, dtype) for dtype in dtypes))


NOTHING = _no_rows()
