"""Counts in sliding windows against the highest that people reach in a day.

A heavy reader makes a contact a minute, a light one a contact a week: over contacts the heavy one *is* the
distribution. So it is a principal's day that is learned from, once: the highest count that its window reached, told at
the first contact of a later day. Whoever never comes back tells nothing; those are the lighter ones, which errs on the
side of people.

A window is a ring of panes; it holds the pane that is being filled and the whole ones before it, and so between
(k - 1)/k of its span and all of it.

The tail beyond the 99th percentile is a power law (Hill 1975), so a count n stands for

    P(day's peak >= n) = 0.01 * (n / q99) ** -a,    nats = ln 100 + a * ln(n / q99) - 1.5    above 0.6 * q99

Of fewer than 2,000 days the last 20 are the tail, and their share stands in place of 0.01: newcomers are few.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.core.columns import US
from detectors.core.compiled import compiled
from detectors.core.prefetch import AHEAD, prefetch

PLACES: Final = 80
"""Places of a table of peaks: one a count up to 16, then four an octave, up to a million."""
SINGLE: Final = 16
OCTAVE: Final = 4
PANE_MAX: Final = 65_535
DAY_US: Final = 86_400 * US
ENOUGH: Final = 500
"""Days of principals below which a class is judged by all classes together, and all together by nothing."""
TAIL: Final = 0.01
BEYOND: Final = 20
"""Days that a tail needs: of fewer than 2,000 these are a larger share than `TAIL`."""
SOFTEST: Final = 1.5
STEEPEST: Final = 4.0
BODY: Final = 0.6
"""Share of q99 up to which a count is ordinary."""
MARGIN: Final = 1.5
"""Nats taken off, since a peak is the largest of several windows and q99 itself is an estimate."""


@compiled
def place_of(count: int) -> int:
    """Place of a count of at least 1."""
    if count <= SINGLE:
        return count - 1
    return min(SINGLE + int(np.floor(OCTAVE * np.log2(count / SINGLE))), PLACES - 1)


def largest() -> NDArray[np.float64]:
    """Upper end of each place: [80]."""
    return np.concatenate([np.arange(1.0, SINGLE), SINGLE * 2.0 ** (np.arange(PLACES - SINGLE + 1) / OCTAVE)])


def middles() -> NDArray[np.float64]:
    """What a count in each place is taken to be: itself, or the middle of an octave's quarter: [80]."""
    ends = largest()
    return np.where(np.arange(PLACES) < SINGLE, ends, ends * 2.0 ** (-0.5 / OCTAVE))


@compiled
def _advance(panes: NDArray[np.uint16], last: int, now: int) -> None:
    """Empty the panes after ``last`` up to ``now`` in one ring."""
    for step in range(min(now - last, panes.size)):
        panes[(now - step) % panes.size] = 0


@compiled
def windows(
    slot: NDArray[np.int32],
    time_us: NDArray[np.int64],
    counts: NDArray[np.bool_],
    tells: NDArray[np.bool_],
    of: NDArray[np.int64],
    span_us: NDArray[np.int64],
    panes: NDArray[np.uint16],
    at_us: NDArray[np.int64],
    day: NDArray[np.uint16],
    peak: NDArray[np.uint8],
    peak_of: NDArray[np.uint8],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count the rows that count in k windows each, and tell the peaks of days that are over.

    Args:
        slot: row in the state columns; read only where ``tells``.
        time_us: event time; an earlier one than the last counts as the last.
        counts: rows that are counted, a part of ``tells``.
        tells: rows at which a past day may be told.
        of: class that the row's count is compared with, in [0, 256).
        span_us: [k] lengths of the windows.
        panes: state, [slots, k, panes of a ring].
        at_us: state, time of the last row that counted.
        day: state, day of `peak`, since 1970.
        peak: state, [slots, k] highest place of the day plus one; 0 for none.
        peak_of: state, class of the day's last row.

    Returns:
        [n, k + 1] count in each window and in the newest two panes of the first, this row included, 0 where it does not
        count; and [n, k] the place of the highest count of the last day on which it counted, behind those of the
        classes before its own, at the first row of a later day, -1 elsewhere.
    """
    spans, ring = span_us.size, panes.shape[2]
    count = np.zeros((slot.size, spans + 1), np.int64)
    told = np.full((slot.size, spans), -1, np.int64)
    for i in range(slot.size):
        prefetch(slot[min(i + AHEAD, slot.size - 1)], (panes, at_us, day, peak, peak_of))
        if not tells[i]:
            continue
        s = slot[i]
        now = max(time_us[i], at_us[s])
        today = now // DAY_US
        over = today > day[s]
        for k in range(spans):
            if over and peak[s, k] > 0:
                told[i, k] = peak_of[s] * PLACES + peak[s, k] - 1
                peak[s, k] = 0
        if not counts[i]:
            continue
        for k in range(spans):
            pane_us = span_us[k] // ring
            pane = now // pane_us
            _advance(panes[s, k], at_us[s] // pane_us, pane)
            panes[s, k, pane % ring] = min(panes[s, k, pane % ring] + 1, PANE_MAX)
            for each in range(ring):
                count[i, k] += panes[s, k, each]
            peak[s, k] = max(peak[s, k], place_of(count[i, k]) + 1)
        newest = now // (span_us[0] // ring)
        count[i, spans] = np.int64(panes[s, 0, newest % ring]) + panes[s, 0, (newest - 1) % ring]
        day[s] = today
        peak_of[s] = of[i]
        at_us[s] = now
    return count, told


@dataclass(frozen=True, slots=True)
class Tails:
    """What is usual in each of c classes; by an infinite `q99` nothing is unusual."""

    q99: NDArray[np.float64]
    """[c] count that a day's peak exceeds in a `share` of cases."""
    exponent: NDArray[np.float64]
    """[c] of the power law beyond it, in [1.5, 4]."""
    share: NDArray[np.float64]
    """[c] one in a hundred, more where days are few."""

    def nats(self, count: NDArray[np.int64], of: NDArray[np.int64]) -> NDArray[np.float64]:
        """Evidence of each count against its class, not negative; never lower for more."""
        out = np.zeros(count.size)
        rows = np.flatnonzero(count > BODY * self.q99[of])
        rise = self.exponent[of[rows]] * np.log(count[rows] / self.q99[of[rows]])
        out[rows] = np.maximum(-np.log(self.share[of[rows]]) + rise - MARGIN, 0.0)
        return out


def tails(peaks: NDArray[np.float64]) -> Tails:
    """Tails of [c, 80] peaks by class; a class with fewer than 500 days takes that of all classes together."""
    together = peaks.sum(axis=0)
    judged_by = [row if row.sum() >= ENOUGH else together for row in peaks]
    found = np.array([_tail(row) for row in judged_by]).reshape(-1, 3)
    return Tails(found[:, 0], found[:, 1], found[:, 2])


def _tail(peaks: NDArray[np.float64]) -> tuple[float, float, float]:
    """q99, rounded up to the end of its place, Hill's exponent beyond it, and the share that is."""
    total = float(peaks.sum())
    if total < ENOUGH:
        return float("inf"), STEEPEST, TAIL
    share = max(TAIL, BEYOND / total)
    ends = largest()
    beyond = total - np.cumsum(peaks)
    at = int(np.argmax(beyond <= share * total))
    held = peaks[at + 1 :]
    excess = float((held * np.log(middles()[at + 1 :] / ends[at])).sum())
    exponent = float(held.sum()) / excess if excess > 0 else STEEPEST
    return float(ends[at]), min(max(exponent, SOFTEST), STEEPEST), share
