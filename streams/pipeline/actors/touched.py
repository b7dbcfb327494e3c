"""Which actors, and which members within groups, have changed since the last checkpoint: only these are written."""

import numpy as np
from numpy.typing import NDArray

from streams.pipeline.actors.table import grown


class Touched:
    """A mark for each slot. Arrays move when they grow."""

    def __init__(self) -> None:
        self.actors, self.pairs = np.zeros(0, np.bool_), np.zeros(0, np.bool_)
        self.everything = True
        """Nothing was written yet, or something was given up: a mark says what changed, but not what is gone."""

    def reserve(self, actors: int, pairs: int) -> None:
        """Make room for marks of so many slots of actors and of pairs."""
        if actors > self.actors.size:
            self.actors = grown(self.actors, actors)
        if pairs > self.pairs.size:
            self.pairs = grown(self.pairs, pairs)

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self.actors.nbytes + self.pairs.nbytes

    def take(self, actors: int, pairs: int) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
        """The marked among the first ``actors`` slots and ``pairs``, None for all; the marks are gone then."""
        marks = self.actors[:actors], self.pairs[:pairs]
        marked = None if self.everything else (np.flatnonzero(marks[0]), np.flatnonzero(marks[1]))
        self.actors[:], self.pairs[:], self.everything = False, False, False
        return marked
