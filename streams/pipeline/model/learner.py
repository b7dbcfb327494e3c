"""Gathers, for one partition, what epochs teach: suspects told with each, all else with the last one of `Epochs`."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.core.popularity import BINS
from schemas.model import PART_PROFILES, PART_SUSPECTS, VERSION, Lesson, ModelDelta
from streams.pipeline.model.epochs import Epochs

SUSPECTS_MAX: Final = 100_000
"""Suspects of one partition in one epoch; of more those of the lowest keys, whatever the order they came in."""


class LearnerState(NamedTuple):
    """A `Learner` as a checkpoint keeps it."""

    met: list[NDArray[np.uint64]]
    honest: NDArray[np.uint64]
    tables: dict[str, NDArray[np.int64]]
    suspects: NDArray[np.uint64]


class Learner:
    """What has not been told yet."""

    def __init__(self, partition: int, epochs: Epochs) -> None:
        self._partition = partition
        self.epochs: Final = epochs
        self._met: list[NDArray[np.uint64]] = []
        self._honest = np.zeros(BINS, np.uint64)
        self._tables: dict[str, NDArray[np.int64]] = {}
        self._suspects = np.zeros(0, np.uint64)

    def count(self, table: str, size: int, places: NDArray[np.int64], step: int = 1) -> None:
        """Add ``step`` in a table of ``size`` for each of the ``places`` that is not negative."""
        held = places[places >= 0]
        if held.size:
            counts = self._tables.setdefault(table, np.zeros(size, np.int64))
            counts += step * np.bincount(held, minlength=size)

    def learn(self, profiles: NDArray[np.uint64], popularity: NDArray[np.uint8], calm: NDArray[np.bool_]) -> None:
        """Take n first contacts of principals, the bin of each, and whether nothing speaks against the principal."""
        if profiles.size:
            self._met.append(profiles)
            self._honest += np.bincount(popularity[calm], minlength=BINS).astype(np.uint64)

    def suspect(self, keys: NDArray[np.uint64]) -> None:
        """Take principals that belong to a group that was found."""
        if keys.size:
            self._suspects = np.unique(np.concatenate([self._suspects, keys]))[:SUSPECTS_MAX]

    @property
    def met(self) -> int:
        """First contacts that have not been told yet."""
        return sum(one.size for one in self._met)

    def state(self) -> LearnerState:
        """What a checkpoint keeps of it."""
        tables = {name: table.copy() for name, table in self._tables.items()}
        return LearnerState(list(self._met), self._honest.copy(), tables, self._suspects)

    def load(self, state: LearnerState) -> None:
        """Become as `state` said."""
        self._met, self._tables = list(state.met), dict(state.tables)
        self._honest, self._suspects = state.honest, state.suspects

    def begin(self, epoch: int) -> list[ModelDelta]:
        """That all epochs before ``epoch`` are over; what a checkpoint brought that was not told is kept.

        It may be of ``epoch``, and whoever was told of the ones before takes nothing of them any more.
        """
        suspects, self._suspects = self._suspects, np.zeros(0, np.uint64)
        out = self.tell(epoch - 1)
        self._suspects = suspects
        return out

    def leave(self, epoch: int, begun: int) -> list[ModelDelta]:
        """What is due when ``epoch`` is over and ``begun`` begins, with nothing in between."""
        last = self.epochs.last(epoch)
        out = self.finish(epoch) if last == epoch else self.tell(epoch)
        if epoch < last < begun:
            out += self.finish(last)
        if out[-1].epoch < begun - 1:
            out += self.tell(begun - 1)
        return out

    def tell(self, epoch: int) -> list[ModelDelta]:
        """The delta of an epoch with its suspects, in parts, and that all up to it is over; lessons are kept."""
        return self._parts(epoch, np.zeros(0, np.uint64), np.zeros(0, np.int64), b"", [])

    def finish(self, epoch: int) -> list[ModelDelta]:
        """The delta of an epoch with all that has not been told, in parts; the next one begins empty."""
        met = np.concatenate(self._met) if self._met else np.zeros(0, np.uint64)
        profiles, counts = np.unique(met, return_counts=True)
        honest = self._honest.astype("<u8").tobytes()
        lessons = [_lesson(table, self._tables[table]) for table in sorted(self._tables)]
        self._met, self._honest, self._tables = [], np.zeros(BINS, np.uint64), {}
        return self._parts(epoch, profiles, counts, honest, lessons)

    def _parts(
        self, epoch: int, profiles: NDArray[np.uint64], counts: NDArray[np.int64], honest: bytes, lessons: list[Lesson]
    ) -> list[ModelDelta]:
        suspects, self._suspects = self._suspects.astype("<u8"), np.zeros(0, np.uint64)
        parts = max(1, -(-profiles.size // PART_PROFILES), -(-suspects.size // PART_SUSPECTS))
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
                lessons if part == 0 else [],
                suspects[part * PART_SUSPECTS : (part + 1) * PART_SUSPECTS].tobytes(),
                self.epochs.epoch_s,
            )
            for part in range(parts)
        ]


def _lesson(table: str, counts: NDArray[np.int64]) -> Lesson:
    places = np.flatnonzero(counts)
    return Lesson(table, counts.size, places.astype("<u4").tobytes(), counts[places].astype("<i8").tobytes())
