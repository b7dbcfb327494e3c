"""What results in a day are worth, by tier."""

import numpy as np
import pytest

from detectors.core.peer import CLASSES
from detectors.core.reached import BINS, bin_of, nats_of, reach


@pytest.mark.parametrize(("shown", "at"), [(0, 0), (5, 1), (8, 3), (16, 5), (2**40, BINS - 1)])
def test_bins(shown: int, at: int) -> None:
    """Half-octaves, the last open."""
    assert bin_of(shown) == at


def test_worth() -> None:
    """Nothing up to six tenths of the high, more beyond it, never above the cap."""
    assert nats_of(60, 100.0, 2.0) == 0.0
    assert 0.0 < nats_of(61, 100.0, 2.0) < nats_of(100, 100.0, 2.0)
    assert nats_of(100, 100.0, 2.0) == pytest.approx(np.log(100) - 1.5)
    assert nats_of(10**9, 100.0, 4.0) == 9.0


@pytest.mark.parametrize(("days", "judged"), [(199, False), (200, True)])
def test_enough_days(days: int, judged: bool) -> None:
    """Below so many days in all nobody is judged."""
    counts = np.zeros((CLASSES, BINS))
    counts[0, 0], counts[0, 1] = days, days // 2
    assert bool(np.isfinite(reach(counts)[:, 0]).all()) == judged


def test_own_tier() -> None:
    """A tier with days enough has its own high; who reaches far has a higher one, tiers without days that of all."""
    counts = np.zeros((CLASSES, BINS))
    counts[:2, 0] = 10_000
    counts[0, 1:5], counts[1, 1:15] = 5_000, 5_000
    highs = reach(counts)[:, 0]
    assert highs[0] < highs[1]
    assert highs[2] == highs[1]
    assert nats_of(1_000, *reach(np.zeros((CLASSES, BINS)))[0]) == 0.0
