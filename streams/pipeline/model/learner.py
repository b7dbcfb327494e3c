"""Gathers, for one partition, what an epoch teaches."""

import numpy as np
from numpy.typing import NDArray

from detectors.core.popularity import BINS
from schemas.model import PART_PROFILES, VERSION, ModelDelta


class Learner:
    """First contacts of the epoch so far."""

    def __init__(self, partition: int) -> None:
        self._partition = partition
        self._met: list[NDArray[np.uint64]] = []
        self._honest = np.zeros(BINS, np.uint64)

    def learn(self, profiles: NDArray[np.uint64], popularity: NDArray[np.uint8], calm: NDArray[np.bool_]) -> None:
        """Take n first contacts of principals, the bin of each, and whether nothing speaks against the principal."""
        if profiles.size:
            self._met.append(profiles)
            self._honest += np.bincount(popularity[calm], minlength=BINS).astype(np.uint64)

    def finish(self, epoch: int) -> list[ModelDelta]:
        """The delta of the epoch, in parts; the next one begins empty."""
        met = np.concatenate(self._met) if self._met else np.zeros(0, np.uint64)
        profiles, counts = np.unique(met, return_counts=True)
        honest = self._honest.astype("<u8").tobytes()
        self._met, self._honest = [], np.zeros(BINS, np.uint64)
        parts = max(1, -(-profiles.size // PART_PROFILES))
        return [
            ModelDelta(
                VERSION,
                epoch,
                self._partition,
                part,
                parts,
                profiles[part * PART_PROFILES : (part + 1) * PART_PROFILES].astype("<u8").tobytes(),
                counts[part * PART_PROFILES : (part + 1) * PART_PROFILES].astype("<u4").tobytes(),
                honest if part == 0 else b"",
            )
            for part in range(parts)
        ]
