"""Merges the deltas of all partitions into one model an epoch.

The model that serves epoch e knows the epochs up to e - 2, so there is a whole epoch of time to send and merge what
was learned. It is complete when every partition is done with epoch e - 2. Deltas are folded in order of their epochs
and counts are whole numbers, so the model depends neither on the number of partitions nor on the order of arrival.

An epoch that told suspects and no lessons makes a model only where others are suspect now, and that shares all else
with the one before.
"""

import dataclasses
import math
from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.core.model import Model, empty
from detectors.core.popularity import BINS, Popularity, build
from schemas.errors import ModelError
from schemas.model import Lesson, ModelDelta
from streams.pipeline.model.epochs import Epochs
from streams.settings import ModelSettings

LAG: Final = 2
PRINCIPALS: Final = "principals"
"""Table of one place: principals by the days on which they came."""
PEAKS_OF: Final = "peaks."
"""Begins the names of tables of daily peaks of the evidence; a population follows."""
DAY_S: Final = 86_400
KEPT_S: Final = 3 * DAY_S
"""Models older than this are dropped: a day more than ``weir.activity.v1`` keeps by default."""
WHOLE_S: Final = 20 * 3_600
"""Of a day that was judged by models that know people for less, peaks do not count: they had no time to rise."""
_FORGOTTEN: Final = 0.25
"""Popularity below which a profile is as good as unknown."""
_NEVER: Final = -(1 << 62)


class Models:
    """Models by epoch, merged when first asked for. One object serves every partition of a worker."""

    def __init__(self, settings: ModelSettings, partitions: int) -> None:
        """Expect deltas of ``partitions`` partitions."""
        self._settings = settings
        self._lengths = Epochs.of(settings)
        self.partitions: Final = partitions
        self._held = -_NEVER
        """No model of this epoch or a later one is forgotten."""
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget everything: all deltas are to come once more."""
        self._done: dict[int, int] = {}
        self._taken: set[tuple[int, int, int]] = set()
        """Epoch, end and partition of those of which all parts are here, while the epoch is not merged."""
        self._merged_upto = _NEVER
        self._parts: dict[tuple[int, int, int], dict[int, ModelDelta]] = {}
        self._waiting: dict[int, list[ModelDelta]] = {}
        self._profiles, self._counts = np.zeros(0, np.uint64), np.zeros(0, np.float32)
        self._honest = np.zeros(BINS)
        self._lessons: dict[str, NDArray[np.float64]] = {}
        self._peaks: dict[str, NDArray[np.float64]] = {}
        self._today: dict[str, NDArray[np.float64]] = {}
        self._day = 0
        self._principals: deque[tuple[int, int]] = deque()
        self._suspects, self._named_in = np.zeros(0, np.uint64), np.zeros(0, np.int64)
        """Who is suspect, ascending, and the latest epoch that said so."""
        self._folded = _NEVER
        self._ripe = False
        self._knows_s = math.inf
        """Since when models are served that know people."""
        self._first = -_NEVER
        self._epochs, self._models = [_NEVER], [empty()]
        self._needed_from = _NEVER
        """Epochs before it cannot be served any more."""

    def add(self, delta: ModelDelta) -> None:
        """Take one part of a delta; one that came before changes nothing.

        They may come in any order. A partition's stand in that of their epochs, but for one that was sent again and is
        the only one left since the topic was compacted; so whoever reads them for the first time merges none before all
        are here.

        Raises:
            ModelError: another version has written it.
        """
        if (why := delta.unreadable) is not None:
            raise ModelError(f"delta {delta.key} of the model {why}")
        # Epochs of another length are merged with the own one in which they end, and over with the last that is whole.
        epoch, over = -(-delta.end_s // self._settings.epoch_s) - 1, delta.end_s // self._settings.epoch_s - 1
        mark = epoch, delta.end_s, delta.partition
        if epoch <= self._merged_upto or mark in self._taken:
            return
        parts = self._parts.setdefault(mark, {})
        parts[delta.part] = delta
        if len(parts) == delta.parts:
            del self._parts[mark]
            self._taken.add(mark)
            self._done[delta.partition] = max(self._done.get(delta.partition, _NEVER), over)
            self._waiting.setdefault(epoch, []).extend(
                part for part in parts.values() if part.profiles or part.lessons or part.suspects
            )

    def has(self, epoch: int, partition: int) -> bool:
        """The partition's delta of ``epoch`` or a later one is here."""
        return self._done.get(partition, _NEVER) >= epoch

    def complete_for(self, epoch: int) -> bool:
        """Every partition is done with what the model of ``epoch`` must know, and that has not been forgotten."""
        return self._complete() >= epoch - LAG and self.is_kept(epoch)

    def is_kept(self, epoch: int) -> bool:
        """Whether the model of ``epoch``, or what it will be merged from, has not been forgotten."""
        return epoch >= self._needed_from

    def _complete(self) -> int:
        """The latest epoch with which every partition is done."""
        return min(self._done.values()) if len(self._done) >= self.partitions else _NEVER

    def serve(self, epoch: int) -> Model:
        """The model of ``epoch``; the newest complete one before it, or the oldest kept, while not `complete_for`."""
        known = min(epoch - LAG, self._complete())
        for waiting in sorted(e for e in self._waiting if e <= known):
            self._fold(waiting, self._waiting.pop(waiting))
        if known > self._merged_upto:
            self._merged_upto = known
            self._taken = {mark for mark in self._taken if mark[0] > known}
        return self._models[max(bisect_right(self._epochs, epoch - LAG) - 1, 0)]

    @property
    def label(self) -> str:
        """Name of the newest model merged."""
        return self._models[-1].label

    @property
    def heard(self) -> int:
        """Partitions that were heard of."""
        return len(self._done)

    @property
    def expected(self) -> int:
        """Partitions there are."""
        return self.partitions

    @property
    def complete(self) -> int:
        """The latest epoch with which every partition is done; far below zero while there is none."""
        return self._complete()

    @property
    def learned(self) -> tuple[int | None, int | None]:
        """First and last epoch merged; None while there is none."""
        return (None, None) if self._folded == _NEVER else (self._first, self._folded)

    @property
    def popularity_counts(self) -> NDArray[np.float32]:
        """Decayed count of principals of each profile known: [profiles]."""
        return self._counts

    def hold(self, epoch: int) -> None:
        """From now on keep the models that ``epoch`` and later ones need, however much is merged meanwhile."""
        self._held = epoch

    def forget(self, epoch: int) -> None:
        """Drop models that only epochs before ``epoch`` need."""
        keep = max(bisect_right(self._epochs, epoch - LAG) - 1, 0)
        if keep:
            self._needed_from = max(self._needed_from, epoch)
            del self._epochs[:keep], self._models[:keep]

    def _fold(self, epoch: int, deltas: list[ModelDelta]) -> None:
        if not deltas:
            return
        self._suspect(epoch, [delta.suspects for delta in deltas])
        if not any(delta.honest for delta in deltas):
            self._fold_suspects(epoch)
            return
        new = np.concatenate([np.frombuffer(d.profiles, "<u8") for d in deltas])
        times = np.concatenate([np.frombuffer(d.counts, "<u4") for d in deltas])
        honest = np.sum([np.frombuffer(d.honest, "<u8") for d in deltas if d.honest], axis=0)
        fade = 1.0
        if self._folded != _NEVER:
            elapsed_s = (epoch - self._folded) * self._settings.epoch_s
            fade = math.pow(0.5, elapsed_s / self._settings.popularity_half_life_s)
            self._counts *= np.float32(fade)
        self._learn(epoch, fade, [lesson for delta in deltas for lesson in delta.lessons])
        self._profiles, self._counts = self._merged(new, times)
        self._honest = self._honest * math.pow(0.5, float(honest.sum()) / self._settings.taste_half_life) + honest
        self._folded = epoch
        self._first = min(self._first, self._lengths.first(epoch))
        self._ripe = (epoch + 1 - self._first) * self._settings.epoch_s >= self._settings.learning_s
        if self._ripe:
            self._knows_s = min(self._knows_s, (epoch + LAG) * self._settings.epoch_s)
        honest = self._honest if self._ripe else np.zeros(BINS)
        self._epochs.append(epoch)
        popularity = build(self._label(epoch), self._profiles, self._counts, honest, self._settings.members)
        self._models.append(self._model(popularity))
        # Who starts folds two months in a row: nobody goes back farther than the log of sightings reaches.
        self.forget(min(epoch - KEPT_S // self._settings.epoch_s, self._held))

    def _fold_suspects(self, epoch: int) -> None:
        """A model that differs from the last one by its suspects alone, if it does and they count already."""
        last, suspects = self._models[-1], self._suspects
        if self._ripe and not np.array_equal(last.suspects, suspects):
            popularity = dataclasses.replace(last.popularity, label=self._label(epoch))
            self._epochs.append(epoch)
            self._models.append(dataclasses.replace(last, popularity=popularity, suspects=suspects))

    def _learn(self, epoch: int, fade: float, lessons: Sequence[Lesson]) -> None:
        """Let the tables fade, and add what one epoch counted."""
        self._lessons = {table: counts * fade for table, counts in self._lessons.items()}
        self._peaks = {table: counts * fade for table, counts in self._peaks.items()}
        self._end_day(epoch * self._settings.epoch_s // DAY_S)
        told: dict[str, NDArray[np.float64]] = {}
        for lesson in lessons:
            _add(self._today if lesson.table.startswith(PEAKS_OF) else told, lesson)
        # At once: the sum of what has faded and one count after the other would depend on their order.
        for table, counts in told.items():
            held = self._lessons.get(table)
            self._lessons[table] = counts if held is None or held.size != counts.size else held + counts
        new = sum(int(np.frombuffer(one.counts, "<i8").sum()) for one in lessons if one.table == PRINCIPALS)
        self._principals.append((epoch, new))
        while self._principals[0][0] <= epoch - DAY_S // self._settings.epoch_s:
            self._principals.popleft()

    def _suspect(self, epoch: int, suspects: Sequence[bytes]) -> None:
        """Add the suspects of one epoch; those of a day ago are suspect no longer."""
        new = np.concatenate([np.zeros(0, np.uint64), *(np.frombuffer(one, "<u8") for one in suspects)])
        still = self._named_in > epoch - DAY_S // self._settings.epoch_s
        if new.size or not still.all():
            named_in = np.concatenate([np.full(new.size, epoch, np.int64), self._named_in[still]])
            # The first of equal keys is taken, which is that of the latest epoch.
            self._suspects, at = np.unique(np.concatenate([new, self._suspects[still]]), return_index=True)
            self._named_in = named_in[at]

    def _end_day(self, day: int) -> None:
        """Peaks of a day count once it is over, if it was a whole one: until then they have yet to rise."""
        if day == self._day:
            return
        known_s = (self._day + 1) * DAY_S - max(self._knows_s, self._day * DAY_S)
        self._day = day
        if known_s < WHOLE_S:
            self._today = {}
        for table, counts in self._today.items():
            name = table.removeprefix(PEAKS_OF)
            self._peaks[name] = self._peaks.get(name, np.zeros(counts.size)) + counts
        self._today = {}

    def _model(self, popularity: Popularity) -> Model:
        if not self._ripe:
            return Model(popularity)
        tables, peaks = (
            {name: np.maximum(counts, 0.0) for name, counts in held.items()} for held in (self._lessons, self._peaks)
        )
        principals = float(sum(count for _, count in self._principals))
        return Model(popularity, tables, peaks, principals, self._suspects)

    def _merged(
        self, new: NDArray[np.uint64], times: NDArray[np.uint32]
    ) -> tuple[NDArray[np.uint64], NDArray[np.float32]]:
        profiles, place = np.unique(np.concatenate([self._profiles, new]), return_inverse=True)
        counts = np.zeros(profiles.size, np.float32)
        counts[place[: self._profiles.size]] = self._counts
        counts += np.bincount(place[self._profiles.size :], times, profiles.size).astype(np.float32)
        kept = np.flatnonzero(counts >= _FORGOTTEN)
        # A stable order: of equally popular profiles the same ones are kept everywhere, those of the lowest hash.
        kept = np.sort(kept[np.argsort(-counts[kept], kind="stable")[: self._settings.profiles_max]])
        return profiles[kept], counts[kept]

    def _label(self, epoch: int) -> str:
        start = datetime.fromtimestamp(epoch * self._settings.epoch_s, UTC)
        return start.strftime("%Y-%m-%dT%H" if self._settings.epoch_s % 3600 == 0 else "%Y-%m-%dT%H:%M:%S")


def _add(tables: dict[str, NDArray[np.float64]], lesson: Lesson) -> None:
    held = tables.get(lesson.table)
    if held is None or held.size != lesson.size:
        held = tables[lesson.table] = np.zeros(lesson.size)
    held[np.frombuffer(lesson.places, "<u4")] += np.frombuffer(lesson.counts, "<i8")
