"""Limits from the tail of honest days."""

import math
from typing import Final

import numpy as np
import pytest
from numpy.typing import NDArray

from detectors.core.model import PEAK_STEP, PEAKS, Limit, Model, empty, tail

DAYS: Final = 1_000_000


def exponential(theta: float, days: float = DAYS, body: float = 0.0) -> NDArray[np.float64]:
    """Peaks of which so many a share lie at zero, the others spread with mean 1 / theta: [PEAKS]."""
    edges = np.arange(PEAKS + 1) * PEAK_STEP
    peaks: NDArray[np.float64] = -np.diff(np.exp(-theta * edges)) * days * (1 - body)
    peaks[0] += body * days
    return peaks


def model(peaks: NDArray[np.float64], principals: float = 10_000.0) -> Model:
    """A model that knows these peaks."""
    return Model(empty().popularity, {}, {"all": peaks}, principals)


class TestTail:
    """Start and mean excess."""

    @pytest.mark.parametrize("theta", [0.3, 0.5, 1.0, 2.0])
    def test_exponential(self, theta: float) -> None:
        """Of exponential peaks it gives back their mean, wherever the tail begins."""
        for share in (0.01, 0.1):
            start, excess = tail(exponential(theta), share)
            assert start == pytest.approx(-math.log(share) / theta, abs=PEAK_STEP)
            assert excess == pytest.approx(1 / theta, rel=0.03)

    def test_no_excess(self) -> None:
        """Peaks that all lie in one bin have a tail of a bin, not of nothing."""
        peaks = np.zeros(PEAKS)
        peaks[8] = 5_000
        assert tail(peaks, 0.002) == (8 * PEAK_STEP, PEAK_STEP)


class TestLimit:
    """Evidence that a budget of honest principals exceeds."""

    @pytest.mark.parametrize("budget", [0.1, 1.0, 20.0])
    def test_budget(self, budget: float) -> None:
        """So many of ten thousand principals exceed it on a day."""
        found = model(exponential(0.5)).limit("all", budget, 99.0)
        exceeding = 10_000 * math.exp(-0.5 * found.value)
        assert found.fitted
        assert exceeding == pytest.approx(budget, rel=0.25)

    def test_a_large_budget(self) -> None:
        """No limit lies within the body of honest days, whatever the budget."""
        one = model(exponential(0.5))
        assert one.limit("all", 1e9, 99.0).value == tail(exponential(0.5), 0.002)[0]

    @pytest.mark.parametrize(("days", "fitted"), [(199, False), (200, True)])
    def test_enough(self, days: int, fitted: bool) -> None:
        """Too few days fit nothing: the fallback holds, and it is said so."""
        peaks = np.zeros(PEAKS)
        peaks[0] = days
        found = model(peaks).limit("all", 1.0, 99.0)
        assert found.fitted is fitted
        assert (found.value == 99.0) is not fitted

    def test_few_days(self) -> None:
        """Where a hundredth is too little the tail is a larger share, of so many peaks."""
        days = 400
        peaks = exponential(0.5, days)
        found = model(peaks, 1_000.0).limit("all", 1.0, 99.0)
        start, excess = tail(peaks, 20 / float(peaks.sum()))
        assert found.value == pytest.approx(start + math.log(0.05 / 0.001) * excess, rel=1e-3)

    @pytest.mark.parametrize(("principals", "budget"), [(0.0, 1.0), (10.0, 0.0)])
    def test_nobody(self, principals: float, budget: float) -> None:
        """Without principals or budget nothing follows."""
        assert model(exponential(0.5), principals).limit("all", budget, 99.0) == Limit(99.0, False)

    def test_nobody_known(self) -> None:
        """Likewise while nobody was counted."""
        unaware = Model(empty().popularity, {}, {"all": exponential(0.5)})
        assert unaware.limit("all", 1.0, 99.0) == Limit(99.0, False)

    def test_unknown(self) -> None:
        """What was never learned has no limit of its own."""
        assert empty().limit("all", 1.0, 7.0) == Limit(7.0, False)


class TestCounts:
    """Tables of detectors."""

    def test_length(self) -> None:
        """A table of another length was another version's: nothing is known."""
        one = Model(empty().popularity, {"d.t": np.array([1.0, 2.0])})
        assert one.counts("d.t", 2).tolist() == [1, 2]
        assert one.counts("d.t", 3).tolist() == one.counts("d.u", 3).tolist() == [0, 0, 0]

    def test_label(self) -> None:
        """A model is named as its popularity is."""
        assert empty().label == "none"
