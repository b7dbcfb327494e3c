"""Windows of panes, and the tail of a day's peaks."""

import math
from typing import Final

import numpy as np
import pytest
from numpy.typing import NDArray

from detectors.core.columns import US
from detectors.core.peak import PLACES, largest, middles, place_of, tails, windows
from detectors.core.peer import CLASSES, VISITORS, classes_of
from schemas.actor import Scope
from tests.detectors.columns_of import START_S, columns_of

HOUR_S: Final = 3_600
DAY_S: Final = 86_400
MIDNIGHT_S: Final = START_S // DAY_S * DAY_S


class Counter:
    """One principal's windows of an hour and a day, in ten panes each."""

    def __init__(self) -> None:
        self.state = (
            np.zeros((2, 2, 10), np.uint16),
            np.zeros(2, np.int64),
            np.zeros(2, np.uint16),
            np.zeros((2, 2), np.uint8),
            np.zeros(2, np.uint8),
        )

    def take(
        self, at_s: list[float], counts: bool = True, of: int = 0, slot: int = 0
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Counts and places told at seconds after midnight."""
        n = len(at_s)
        return windows(
            np.full(n, slot, np.int32),
            ((np.array(at_s) + MIDNIGHT_S) * US).astype(np.int64),
            np.full(n, counts),
            np.ones(n, np.bool_),
            np.full(n, of, np.int64),
            np.array([HOUR_S, DAY_S], np.int64) * US,
            *self.state,
        )


class TestPlaces:
    """Counts in places, one a count at first, then four an octave."""

    def test_each_count_lies_in_its_place(self) -> None:
        """A count is not above the end of its own place; above sixteen it is not below the end of the one before."""
        ends = largest()
        for count in (*range(1, 400), 5_000, 77_777, 1_000_000):
            place = place_of(count)
            assert count <= ends[place] * (1 + 1e-12)
            assert place == count - 1 if count <= 16 else count >= ends[place - 1] * (1 - 1e-12)

    def test_beyond_the_last(self) -> None:
        """Whatever is larger lies in the last place."""
        assert place_of(10**9) == PLACES - 1 == len(largest()) - 1 == len(middles()) - 1

    def test_middles(self) -> None:
        """A place of one count stands for it, a wider one for its middle."""
        assert middles()[[0, 6, 15]].tolist() == [1, 7, 16]
        assert 16 < middles()[16] < largest()[16] == pytest.approx(16 * 2**0.25)


class TestWindows:
    """What is in a window, and what is told of a day."""

    @pytest.mark.parametrize(("gap_s", "hour"), [(9 * 360, 2), (10 * 360 - 1, 2), (10 * 360, 1)])
    def test_the_hour(self, gap_s: float, hour: int) -> None:
        """A contact at the start of a pane is counted for ten panes, and no longer."""
        count, _ = Counter().take([0, gap_s])
        assert count[:, :2].tolist() == [[1, 1], [hour, 2]]

    def test_never_more_than_the_span(self) -> None:
        """A contact at the end of a pane is gone after nine tenths of the span."""
        count, _ = Counter().take([359, 359 + 9 * 360, 360 + 9 * 360])
        assert count[:, 0].tolist() == [1, 2, 2]

    @pytest.mark.parametrize(("at_s", "newest"), [(0, 1), (359, 2), (719, 2), (720, 1), (HOUR_S, 1)])
    def test_the_newest_two_panes_of_the_first_window(self, at_s: float, newest: int) -> None:
        """A contact at the start of a pane is among the newest until the second pane after it begins."""
        count, _ = Counter().take([0, at_s] if at_s else [0])
        assert count[-1, 2] == newest

    def test_after_a_long_time(self) -> None:
        """Nothing is left after a gap of many spans."""
        count, _ = Counter().take([*[1.0] * 50, 40 * DAY_S])
        assert count[[49, 50]].tolist() == [[50, 50, 50], [1, 1, 1]]

    def test_late_rows(self) -> None:
        """An earlier time counts as the last one."""
        count, told = Counter().take([5_000, 1_000, 5_001])
        assert count[:, 0].tolist() == [1, 2, 3]
        assert set(told.ravel().tolist()) == {-1}

    def test_the_counter_of_a_pane_is_bounded(self) -> None:
        """A flood fills a pane and does not run over."""
        count, _ = Counter().take([1.0] * 65_540)
        assert count[-1].tolist() == [65_535, 65_535, 65_535]

    def test_a_day_is_told_once_on_a_later_day(self) -> None:
        """The peak of each window on the last day, at the first contact of the next and at no other."""
        counter = Counter()
        _, told = counter.take([*[100.0 + n for n in range(7)], 40_000, 40_001])
        assert set(told.ravel().tolist()) == {-1}
        count, told = counter.take([DAY_S + 30_000, DAY_S + 30_001])
        assert told.tolist() == [[place_of(7), place_of(9)], [-1, -1]]
        assert count[0].tolist() == [1, 3, 1]

    def test_both_sides_of_midnight(self) -> None:
        """A second before it the day goes on."""
        counter = Counter()
        counter.take([DAY_S + 100.0])
        assert counter.take([2 * DAY_S - 1])[1].tolist() == [[-1, -1]]
        assert counter.take([2 * DAY_S])[1].tolist() == [[place_of(1), place_of(2)]]

    def test_told_by_a_row_that_does_not_count(self) -> None:
        """Whoever no longer counts still tells of the last day that did, and only once."""
        counter = Counter()
        counter.take([100.0, 101.0], of=1)
        count, told = counter.take([DAY_S, DAY_S + 1], counts=False)
        assert not count.any()
        assert told.tolist() == [[PLACES + 1, PLACES + 1], [-1, -1]]

    def test_told_of_its_own_class(self) -> None:
        """The day is told of the class of that day, not of the row that tells it."""
        counter = Counter()
        counter.take([100.0], of=3)
        assert counter.take([DAY_S], of=5)[1].tolist() == [[3 * PLACES, 3 * PLACES]]

    def test_slots_apart(self) -> None:
        """Nobody counts for another."""
        counter = Counter()
        counter.take([100.0] * 5)
        assert counter.take([100.0], slot=1)[0].tolist() == [[1, 1, 1]]


def days_of(peaks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Table of days with these peaks: [80]."""
    return np.bincount([place_of(int(n)) for n in peaks], minlength=PLACES).astype(float)


def pareto(exponent: float, days: int = 40_000) -> NDArray[np.float64]:
    """Whole peaks of at least 40 with a power law."""
    return np.round(40 * (1 - np.random.default_rng(3).random(days)) ** (-1 / exponent))


class TestTails:
    """What is unusual."""

    @pytest.mark.parametrize("exponent", [2.0, 3.0])
    def test_fits(self, exponent: float) -> None:
        """q99 is at most a place too high, and the exponent is found."""
        found = tails(days_of(pareto(exponent))[None])
        q99 = 40 * 100 ** (1 / exponent)
        assert q99 * 0.97 <= found.q99[0] <= q99 * 2**0.25 * 1.03
        assert found.exponent[0] == pytest.approx(exponent, rel=0.2)

    @pytest.mark.parametrize(("exponent", "wanted"), [(0.8, 1.5), (9.0, 4.0)])
    def test_exponent_is_bounded(self, exponent: float, wanted: float) -> None:
        """Neither a handful of giants nor a sharp edge makes a law of its own."""
        assert tails(days_of(pareto(exponent))[None]).exponent[0] == wanted

    def test_nobody_beyond(self) -> None:
        """Where all days are alike, the steepest law begins at their end."""
        found = tails(days_of(np.full(3_000, 10))[None])
        assert (found.q99[0], found.exponent[0]) == (10.0, 4.0)

    @pytest.mark.parametrize(("days", "known"), [(499, False), (500, True)])
    def test_enough(self, days: int, known: bool) -> None:
        """With fewer than five hundred days in all, nothing is unusual."""
        found = tails(days_of(np.full(days, 10))[None])
        assert bool(np.isfinite(found.q99[0])) is known
        assert bool(found.nats(np.array([10**6]), np.array([0]))[0] > 0) is known

    def test_small_classes_are_judged_by_all(self) -> None:
        """A class with its own days goes by them; one with too few goes by all classes together."""
        table = np.stack([days_of(np.full(500, 10)), days_of(np.full(499, 100)), np.zeros(PLACES)])
        found = tails(table)
        assert found.q99[0] == 10
        assert 100 <= found.q99[1] == found.q99[2] <= 119

    def test_nats(self) -> None:
        """Nothing up to six tenths of q99; at q99 ln 100 - 1.5; beyond it by the exponent, never less for more."""
        found = tails(days_of(np.full(3_000, 10))[None])
        count = np.array([0, 5, 6, 7, 10, 20, 100])
        nats = found.nats(count, np.zeros(7, np.int64))
        assert nats[:3].tolist() == [0, 0, 0]
        body = math.log(100) - 1.5
        assert nats[3:] == pytest.approx([body + 4 * math.log(n / 10) for n in (7, 10, 20, 100)])
        many = found.nats(np.arange(5_000), np.zeros(5_000, np.int64))
        assert (np.diff(many) >= 0).all()

    @pytest.mark.parametrize(("days", "share"), [(500, 0.04), (1_000, 0.02), (1_999, 20 / 1_999), (2_000, 0.01)])
    def test_of_few_days_the_last_twenty_are_the_tail(self, days: int, share: float) -> None:
        """Then a count at its begin is worth less than where one day in a hundred lies beyond."""
        found = tails(days_of(np.full(days, 10))[None])
        assert found.share[0] == pytest.approx(share)
        assert found.nats(np.array([10]), np.array([0]))[0] == pytest.approx(-math.log(share) - 1.5)


class TestPeers:
    """Who is compared with whom."""

    def test_by_tier(self) -> None:
        """A tier has one class wherever it stands in the batch; whoever has no account has the last."""
        one = classes_of(columns_of([0.0, 1.0], tiers=("", "free"), tier=[0, 1]))
        other = classes_of(columns_of([0.0, 1.0], tiers=("", "pro", "free"), tier=[0, 2]))
        assert one.tolist() == other.tolist()
        assert one[0] != one[1]
        assert classes_of(columns_of([0.0], tiers=("", "free"), tier=1, scope=Scope.IP)).tolist() == [VISITORS]

    def test_usual_names_stand_apart(self) -> None:
        """Tiers as most platforms have them share no class."""
        names = ("", "free", "basic", "premium", "pro", "business", "recruiter")
        found = classes_of(columns_of([0.0] * 7, tiers=names, tier=list(range(7))))
        assert len(set(found.tolist())) == 7

    def test_any_name(self) -> None:
        """However many tiers there are, the classes are eight."""
        names = tuple(f"tier {n} ü" for n in range(200))
        found = classes_of(columns_of([0.0] * 200, tiers=names, tier=list(range(200))))
        assert set(found.tolist()) == set(range(CLASSES - 1))


@pytest.mark.parametrize("exponent", [1.5, 3.0])
def test_promise(exponent: float) -> None:
    """On days not learned from, x nats are passed in fewer than exp(-x) of cases."""
    found = tails(days_of(pareto(exponent))[None])
    fresh = 40 * (1 - np.random.default_rng(8).random(400_000)) ** (-1 / exponent)
    nats = found.nats(fresh.astype(np.int64), np.zeros(fresh.size, np.int64))
    for x in (2, 4, 6, 8):
        assert 0 < (nats >= x).mean() < math.exp(-x)
