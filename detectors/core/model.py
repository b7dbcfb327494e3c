"""What is learned of other people, frozen for an epoch: all that a detector may know beyond its own actor."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.core.popularity import Popularity
from detectors.core.popularity import empty as no_popularity

PEAKS: Final = 512
"""Bins of a table of peaks."""
PEAK_STEP: Final = 0.125
"""Width of a bin: evidence in natural logarithms, up to 64."""
SHARE: Final = 0.002
"""Share of the honest peaks that lies beyond the body of their distribution: the tail, which is fitted.

Some people in a thousand live from looking at others; a larger share would fit the crowd and promise too much of them.
"""
BEYOND: Final = 20
"""Peaks that a tail needs: where there are fewer than 10,000, it is a larger share of them."""
ENOUGH: Final = 200
"""Days of principals below which no tail is fitted."""


@dataclass(frozen=True, slots=True)
class Limit:
    """Evidence that an alert needs, and whether it was fitted to this deployment's own people."""

    value: float
    fitted: bool


@dataclass(frozen=True, slots=True)
class Model:
    """A frozen model. By the empty one nobody is unusual."""

    popularity: Popularity
    lessons: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    """Decayed counts of calm principals, by ``<detector>.<table>`` as detectors declare them."""
    peaks: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    """Principals and days by the highest evidence of the day, by name of what was fitted: [PEAKS]."""
    principals_a_day: float = 0.0
    """Principals that came within the last day."""
    suspects: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))
    """Keys of principals that belong to a group found within the last day, each once, ascending.

    Beside the key of one of a group that nobody else stands behind is what `certainly` makes of it.
    """

    @property
    def label(self) -> str:
        """Start of the newest epoch it has learned from, ``none`` for the empty model."""
        return self.popularity.label

    def counts(self, table: str, length: int) -> NDArray[np.float64]:
        """Counts of a table, zero while nothing was learned: [length]."""
        found = self.lessons.get(table)
        return np.zeros(length) if found is None or found.size != length else found

    def limit(self, name: str, budget: float, fallback: float) -> Limit:
        """Evidence that ``budget`` honest principals a day exceed by the fitted tail; ``fallback`` while none is.

        The tail of daily peaks beyond their 99.8th percentile x0 is exponential: with its mean excess 1/theta,
        h = x0 + ln(0.002 / alpha) / theta, where alpha is the budget over the principals of a day. Of fewer than 10,000
        peaks the last `BEYOND` are the tail.
        """
        peaks = self.peaks.get(name)
        value = None if peaks is None else self.fit(peaks, budget)
        return Limit(fallback, False) if value is None else Limit(value, True)

    def fit(self, peaks: NDArray[np.float64], budget: float) -> float | None:
        """As `limit`, of given ``peaks``: [PEAKS]; None where they are too few."""
        if peaks.sum() < ENOUGH or self.principals_a_day <= 0 or budget <= 0:
            return None
        share = max(SHARE, BEYOND / float(peaks.sum()))
        alpha = min(budget / self.principals_a_day, share)
        start, mean_excess = tail(peaks, share)
        return start + float(np.log(share / alpha)) * mean_excess


def certainly(keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """What stands among `Model.suspects` for principals that are suspects for certain: their keys, each bit turned."""
    return ~keys


def tail(peaks: NDArray[np.float64], share: float) -> tuple[float, float]:
    """Where the last ``share`` of peaks begins, and their mean excess over it, at least one bin."""
    middles = (np.arange(peaks.size) + 0.5) * PEAK_STEP
    beyond = np.cumsum(peaks[::-1])[::-1]
    first = int(np.flatnonzero(beyond >= share * peaks.sum()).max(initial=0))
    start = first * PEAK_STEP
    held = peaks[first:]
    total = float(held.sum())
    excess = float((held * (middles[first:] - start)).sum()) / total if total > 0 else 0.0
    return start, max(excess, PEAK_STEP)


def empty() -> Model:
    """The model of epoch 0."""
    return Model(no_popularity())
