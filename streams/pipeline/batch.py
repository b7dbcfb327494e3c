"""A batch: the records of one partition from one fetch."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Header = tuple[str, bytes | None]


@dataclass(frozen=True, slots=True)
class Batch:
    """Records of one partition in offset order, covering the half-open offset range ``[lo, hi)`` whole.

    On compacted or transactional topics offsets have holes: ``offsets`` then names each record's own, and is None where
    record ``i`` has offset ``lo + i``. ``keys``, ``headers`` and ``timestamps_ms`` are parallel to ``values``, or None
    where nobody asked for them.
    """

    topic: str
    partition: int
    lo: int
    hi: int
    values: Sequence[bytes | None]
    offsets: NDArray[np.int64] | None = None
    keys: Sequence[bytes | None] | None = None
    headers: Sequence[Sequence[Header]] | None = None
    timestamps_ms: NDArray[np.int64] | None = None
    nbytes: int = 0

    def __len__(self) -> int:
        return len(self.values)

    def offset_of(self, index: int) -> int:
        """Source offset of record ``index``."""
        return self.lo + index if self.offsets is None else int(self.offsets[index])
