"""Sums over members of a group, who they are, and time."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from detectors.cohort import LEAVES, NUMBERS
from detectors.core.columns import Columns
from schemas.sighting import Kind
from tests.detectors.columns_of import START_S, Judge
from tests.detectors.groups_of import (
    DAY_S,
    MODEL,
    NEW,
    POPULAR,
    RARE,
    SOME,
    evidence,
    first_block,
    fleet,
    group,
    judge,
    noise,
    total,
)


class TestHeldBack:
    """Furniture is told at the end of the cell."""

    def test_a_cell(self) -> None:
        """What a cell adds is spoken of from the next cell on."""
        found = evidence(group([0, 1, 9.9, 10.0], [0, 1, 2, 3]))
        assert found.numbers["sum"].tolist() == pytest.approx([0, 0, 0, 3 * RARE], rel=1e-4)

    @pytest.mark.parametrize("popularity", [0, SOME])
    def test_touch_of_the_cell(self, popularity: int) -> None:
        """A visitor whose furniture comes within the cell changes nothing, be the profile rare or popular."""
        of, alone = judge(), judge()
        of.judge(fleet(20), MODEL)
        alone.judge(fleet(20), MODEL)
        of.judge(group([203], [7], popularity=popularity, profile=777), MODEL)
        of.judge(group([210], [7], kind=Kind.TOUCH), MODEL)
        assert of.judge(fleet(1, from_s=211), MODEL).numbers["sum"] == pytest.approx(
            alone.judge(fleet(1, from_s=211), MODEL).numbers["sum"], abs=1e-4
        )
        assert of.state["members"][0, 0] == alone.state["members"][0, 0] == 5
        assert of.state["contacts"][0, 0] == alone.state["contacts"][0, 0]

    def test_released(self) -> None:
        """Furniture of the next cell takes back what was released and is still held."""
        of = judge()
        of.judge(fleet(20), MODEL)
        of.judge(group([203, 211], [7, 7]), MODEL)
        assert total(of) == pytest.approx(21 * RARE, rel=1e-3)
        of.judge(group([220], [7], kind=Kind.TOUCH), MODEL)
        assert total(of) == pytest.approx(20 * RARE, rel=1e-3)
        assert not of.state["held"].any()
        assert of.state["members"][0, 0] == 5

    def test_released_popular(self) -> None:
        """What was released against the group stays."""
        of = judge()
        of.judge(fleet(20), MODEL)
        of.judge(group([203], [7], popularity=SOME), MODEL)
        of.judge(group([220], [7], kind=Kind.TOUCH), MODEL)
        assert total(of) == pytest.approx(20 * RARE + POPULAR, rel=1e-3)

    def test_the_last_one(self) -> None:
        """When all that gave turn out furnished nothing is left, and the next rise is a new one."""
        of = judge()
        of.judge(group([0, 1], [0, 1]), MODEL)
        of.judge(group([20, 20, 20], [0, 1, 1], kind=Kind.TOUCH), MODEL)
        assert (total(of), of.state["since_s"][0, 0], of.state["contacts"][0, 0]) == (0, 0, 0)
        found = of.judge(group([21], [2]), MODEL)
        assert found.since_us[0] == (START_S + 21) * 1_000_000
        assert found.profiles[0] == 1

    def test_an_earlier_rise(self) -> None:
        """What a member gave to a rise that is over is not taken from the next one."""
        of = judge()
        of.judge(group([0, 11, 12, 21, 31], [7, 1, 2, 3, 4], popularity=[0, SOME, SOME, 0, 0]), MODEL)
        assert total(of) == pytest.approx(RARE, rel=1e-3)
        of.judge(group([40], [7], kind=Kind.TOUCH), MODEL)
        assert total(of) == pytest.approx(RARE, rel=1e-3)

    def test_a_crowd_beside(self) -> None:
        """Five hundred visitors with furniture, all of rare taste, do not raise the sum."""
        at_s = np.arange(500.0) * 3
        views = [(t, m, int(Kind.VIEW)) for m, t in enumerate(at_s)]
        touches = [(math.floor(t / 10) * 10 + 10, m, int(Kind.TOUCH)) for m, t in enumerate(at_s)]
        rows = sorted(views + touches, key=lambda row: (row[0], -row[2]))
        found = evidence(group([row[0] for row in rows], [row[1] for row in rows], kind=[row[2] for row in rows]))
        assert not found.level.any()
        assert found.numbers["people"].max() > 490


class TestPeople:
    """Who stands behind a group."""

    def people(self, of: Judge, count: int, at_s: float = -30.0, **given: Any) -> None:
        """Members that look at one popular profile and ask for furniture."""
        of.judge(group([at_s] * count, 500 + np.arange(count), popularity=SOME, **given), MODEL)
        of.judge(group([at_s] * count, 500 + np.arange(count), kind=Kind.TOUCH), MODEL)

    @pytest.mark.parametrize(
        ("people", "members", "blocked"), [(2, 5, True), (3, 5, False), (3, 147, True), (4, 195, False)]
    )
    def test_limit(self, people: int, members: int, blocked: bool) -> None:
        """Above two, and above two in a hundred, a block is refused; the alert is not."""
        of = judge()
        self.people(of, people)
        found = of.judge(fleet(200, members), MODEL)
        assert (first_block(found) >= 0) is blocked
        assert found.level.max() > 1
        assert found.numbers["people"][-1] == people
        assert found.numbers["behind"][-1] == people + members

    def test_taste(self) -> None:
        """A member that drifts below -2 looks like a person without any furniture, and back above like none."""
        of = judge()
        found = of.judge(group([0, 1, 2, 3], [0, 0, 0, 1], popularity=[SOME, SOME, 0, 0]), MODEL)
        assert 2 * POPULAR < -2 < POPULAR
        assert found.numbers["people"].tolist() == [0, 1, 0, 0]

    @pytest.mark.parametrize(("rare", "popular", "people"), [(2, 3, 1), (5, 5, 0)])
    def test_how_far(self, rare: int, popular: int, people: int) -> None:
        """At -2.1 it looks like a person, at -1.9 it does not yet."""
        found = evidence(
            group([*range(rare + popular)], [7] * (rare + popular), popularity=[0] * rare + [SOME] * popular)
        )
        assert rare * RARE + popular * POPULAR == pytest.approx(-2.1 if people else -1.9, abs=0.01)
        assert found.numbers["people"][-1] == people

    def test_furniture_alone(self) -> None:
        """Who never asked for a profile is nobody behind the group."""
        of = judge()
        of.judge(group([0] * 9, np.arange(9), kind=Kind.TOUCH), MODEL)
        found = of.judge(fleet(1), MODEL)
        assert (found.numbers["people"][0], found.numbers["behind"][0]) == (0, 1)

    @pytest.mark.parametrize(("days", "people"), [(0, 4), (1, 4), (2, 0), (9, 0)])
    def test_forgotten(self, days: int, people: int) -> None:
        """They count on the day that they come and on the next one."""
        of = judge()
        self.people(of, 4, 0.0)
        assert of.judge(group([days * DAY_S + 100], [1]), MODEL).numbers["people"][0] == people

    def test_once(self) -> None:
        """Who comes again and again, today and tomorrow, is one."""
        of = judge()
        for at_s in (0.0, 20.0, DAY_S, DAY_S + 20.0):
            self.people(of, 4, at_s)
        found = of.judge(group([DAY_S + 100], [1]), MODEL)
        assert (found.numbers["people"][0], found.numbers["behind"][0]) == (4, 5)

    def test_turns_out_a_day_later(self) -> None:
        """A member that is counted yesterday and shows furniture today is a person of yesterday."""
        of = judge()
        of.judge(group([0], [7], popularity=SOME), MODEL)
        of.judge(group([DAY_S], [7], kind=Kind.TOUCH), MODEL)
        assert of.judge(group([DAY_S + 5], [1]), MODEL).numbers["people"][0] == 1
        assert of.judge(group([2 * DAY_S + 5], [1]), MODEL).numbers["people"][0] == 0

    def test_full_counts(self) -> None:
        """Counts stop at 65,535."""
        of = judge()
        of.judge(fleet(5), MODEL)
        of.state["contacts"][0] = 65_530
        of.judge(fleet(5, from_s=50), MODEL)
        assert of.state["contacts"][0, 0] == 65_535
        for name in ("contacts", "members", "people", "behind"):
            of.state[name][0] = 65_535
        of.judge(fleet(5, from_s=60), MODEL)
        of.judge(group([120], [101], kind=Kind.TOUCH), MODEL)
        assert {of.state[name][0, 0] for name in ("contacts", "members", "people", "behind")} == {65_535}


class TestTime:
    """Evidence fades; time may run backwards."""

    def test_half_life(self) -> None:
        """After 3.5 days half is left."""
        of = judge()
        of.judge(fleet(20), MODEL)
        of.judge(group([210], [1], popularity=SOME, first=0), MODEL)
        found = of.judge(group([210 + 3.5 * DAY_S], [1]), MODEL)
        assert found.numbers["sum"][0] == pytest.approx(10 * RARE, rel=1e-3)

    def test_slow_enough_is_out_of_reach(self) -> None:
        """At a pace of one unknown profile a day nothing ever adds up to a finding."""
        assert evidence(group(np.arange(90.0) * DAY_S, np.arange(90))).level.max() < 0.5

    def test_late_rows(self) -> None:
        """A late row counts as of now, begins no later than its own time, and decays nothing."""
        of = judge()
        of.judge(fleet(20), MODEL)
        found = of.judge(group([195, 50, -DAY_S], [1, 2, 3]), MODEL)
        assert found.numbers["sum"].tolist() == pytest.approx([19 * RARE] * 3, rel=1e-3)
        assert (found.since_us <= np.array([195, 50, -DAY_S]) * 1_000_000 + START_S * 1_000_000).all()

    def test_other_groups(self) -> None:
        """Groups know nothing of each other."""
        found = evidence(fleet(60, group_slot=np.arange(60) % 2))
        assert found.numbers["sum"][-1] == pytest.approx(29 * RARE, rel=1e-3)


class TestGiving:
    """What each member gave to the sum, by which an alert names it."""

    def test_what_each_gave(self) -> None:
        """A member's part of the sum, which names it; a popular profile takes all of it, and the rest from others'."""
        columns = group([0, 20, 40, 60], [0, 1, 0, 0], popularity=[0, 0, SOME, 0])
        said = evidence(columns).numbers
        assert said["gives"] == pytest.approx([RARE, RARE, 0.0, RARE], rel=1e-3)
        assert set(said["rise"].tolist()) == {START_S}
        assert set(said["subset"].tolist()) == {0.0}

    @pytest.mark.parametrize("flags", [0, NEW])
    def test_a_heavy_one_hides_nobody(self, flags: int) -> None:
        """However much one member asked for, people's views soon drain it, and a fleet is found as by itself."""
        of = judge()
        heavy = of.judge(group(np.arange(500.0), np.full(500, 1), flags=flags), MODEL).numbers
        assert float(heavy["sum"].max()) == pytest.approx(7.0, rel=1e-3)
        crowd = group(600 + np.arange(40.0), 200 + np.arange(40), flags=flags, popularity=SOME)
        of.judge(crowd, MODEL)
        found = of.judge(fleet(40, 20, from_s=700.0, flags=flags), MODEL)
        assert int((found.level >= 1).argmax()) <= math.ceil(14.0 / RARE)

    def test_a_fleet_that_stays(self) -> None:
        """What a member gave fades as the sum does, so that it gives anew: after three weeks the fleet still stands."""
        at_s = np.arange(21 * 24 * 5.0) * 720
        found = judge().judge(group(at_s, np.arange(len(at_s)) % 5), MODEL)
        assert (found.level[200:] >= 1).all()

    def test_who_leaves(self) -> None:
        """Who turns out to be furnished leaves the sum, which is said once, and not of whoever is not in it."""
        of = judge()
        of.judge(group([0, 1, 2], [0, 1, 2], popularity=[0, 0, SOME]), MODEL)
        touch = of.judge(group([3, 4, 5, 6], [0, 0, 3, 2], kind=Kind.TOUCH), MODEL).numbers
        assert touch["gives"].tolist() == [LEAVES, 0.0, 0.0, LEAVES]


class TestFold:
    """Row by row, whatever comes."""

    def test_cut_anywhere(self) -> None:
        """However rows are cut, each has the same evidence."""
        columns = noise(np.random.default_rng(1))
        whole = evidence(columns)
        assert (whole.level > 0).sum() > 300
        of = judge()
        places = [0, *np.sort(np.random.default_rng(2).integers(0, len(columns), 50)).tolist(), len(columns)]
        names = [name for name in Columns.__slots__ if name != "tiers"]
        parts = [
            of.judge(Columns(tiers=("",), **{name: getattr(columns, name)[lo:hi] for name in names}), MODEL)
            for lo, hi in pairwise(places)
        ]
        for name in ("level", "since_us", "profiles", "may_block"):
            np.testing.assert_array_equal(np.concatenate([getattr(part, name) for part in parts]), getattr(whole, name))
        for name in NUMBERS:
            np.testing.assert_array_equal(np.concatenate([part.numbers[name] for part in parts]), whole.numbers[name])

    def test_sound(self) -> None:
        """Numbers are finite and not negative, and findings began before and disclosed something."""
        columns = noise(np.random.default_rng(3))
        found = evidence(columns)
        for name, column in (("level", found.level), *found.numbers.items()):
            assert np.isfinite(column).all()
            assert ((column >= 0) | ((name == "gives") & (column == LEAVES))).all()
        assert (found.since_us <= columns.time_us).all()
        assert (found.profiles[found.level >= 1] >= 10).all()

    def test_knows_nothing_yet(self) -> None:
        """By the empty model nobody is accused."""
        assert not judge().judge(fleet(200)).level.any()
