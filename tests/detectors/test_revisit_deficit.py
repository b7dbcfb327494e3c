"""New or seen before, against a model in which every number is known."""

import math
from itertools import pairwise
from typing import Any, Final, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from detectors.core.columns import Columns
from detectors.core.contract import Detector, DetectorConfig, Evidence
from detectors.core.model import Model
from detectors.core.popularity import empty
from detectors.revisit_deficit import BINS, Config, RevisitDeficit, ratios
from schemas.sighting import Flag, Kind
from tests.detectors.columns_of import Judge, columns_of

LEARNED: Final = np.array([[0.8, 0.2], [0.75, 0.25], [0.7, 0.3], [0.65, 0.35], [0.6, 0.4], [0.5, 0.5]]).ravel() * 1e6
MODEL: Final = Model(empty(), {"revisit_deficit.visits": LEARNED})


def judge(config: Config | None = None) -> Judge:
    """The detector with a state of its own."""
    return Judge(cast("Detector[DetectorConfig]", RevisitDeficit(config or Config())))


def views(first: list[bool] | bool, count: int = 0, **given: Any) -> Columns:
    """Views of one account a minute apart."""
    length = count or len(cast("list[bool]", first))
    return columns_of([60.0 * n for n in range(length)], first=first, **given)


def nats(columns: Columns, model: Model = MODEL) -> NDArray[np.float64]:
    """Evidence at each row."""
    found = judge().judge(columns, model).nats
    assert found is not None
    return found


def places(columns: Columns) -> list[int]:
    """The place of the table that each row counts at."""
    return [int(place) for place in judge().judge(columns).lessons["visits"]]


class TestRatios:
    """What a view is worth."""

    def test_known(self) -> None:
        """Somebody new speaks for a scraper, somebody known against, more so where people return more."""
        ratio = ratios(LEARNED).reshape(BINS, 2)
        people = (LEARNED[10] + 500 * 0.97) / (1e6 + 500)
        assert ratio[5, 0] == pytest.approx(math.log(0.97 / (0.7 * people + 0.3 * 0.97)), rel=1e-9)
        assert (np.diff(ratio[:, 0]) > 0).all()
        assert (ratio[:, 1] < 0).all()

    def test_empty(self) -> None:
        """Before anything is learned nothing speaks."""
        assert ratios(np.zeros(2 * BINS)) == pytest.approx(np.zeros(2 * BINS))

    def test_bounded(self) -> None:
        """Where people never see anybody new, a new one is worth no more than ln(1 / 0.3)."""
        assert ratios(np.tile([0, 1e9], BINS)).max() == pytest.approx(math.log(1 / 0.3), rel=1e-4)

    def test_one_observation(self) -> None:
        """A single lesson moves no ratio by a twelfth."""
        before = ratios(np.zeros(2 * BINS))
        assert max(np.abs(ratios(lesson) - before).max() for lesson in np.eye(2 * BINS)) < 1 / 12

    def test_people_who_never_return(self) -> None:
        """Where people see nobody twice, seeing nobody twice is no evidence."""
        assert ratios(np.tile([1e9, 0], BINS))[::2].max() <= 0


class TestWhatCounts:
    """Views that disclosed a profile, after the first."""

    @pytest.mark.parametrize(("place", "bound"), list(enumerate((3, 6, 11, 21, 41))))
    def test_bins(self, place: int, bound: int) -> None:
        """A bin holds its lower bound of views so far and not its upper one; new stands before again."""
        assert places(views(True, bound + 1))[-2:] == [2 * place if bound > 1 else -1, 2 * place + 2]
        assert places(views([True] * bound + [False]))[-1] == 2 * place + 3

    def test_first_of_all(self) -> None:
        """The first view of all cannot be of somebody known, so it says nothing."""
        evidence = judge().judge(views(True, 2), MODEL)
        assert evidence.moved is not None
        assert evidence.moved.tolist() == [False, True]
        assert evidence.lessons["visits"].tolist() == [-1, 0]

    def test_last_bin(self) -> None:
        """Views beyond all bounds stay in the last bin."""
        assert set(places(views(True, 400))[41:]) == {2 * BINS - 2}

    @pytest.mark.parametrize(
        "given",
        [
            {"kind": Kind.LOOKUP},
            {"kind": Kind.SEARCH},
            {"kind": Kind.TOUCH},
            {"flags": Flag.PRINCIPAL | Flag.MISS},
            {"principal_slot": -1},
        ],
    )
    def test_nothing_else(self, given: dict[str, Any]) -> None:
        """What else there is does not count, and is no view so far."""
        one = judge()
        evidence = one.judge(views(True, 20, **given), MODEL)
        assert evidence.moved is not None
        assert not evidence.moved.any()
        assert not one.state["views"].any()

    def test_actors_apart(self) -> None:
        """Each principal has its own views so far."""
        assert places(views(True, 6, slot=[0, 1, 0, 1, 0, 1])) == [-1, -1, 0, 0, 0, 0]


class TestSum:
    """How it adds up."""

    def test_adds_up(self) -> None:
        """Each view adds its ratio."""
        ratio = ratios(LEARNED)
        assert nats(views(True, 3)) == pytest.approx([0, ratio[0], 2 * ratio[0]], rel=1e-3)

    def test_half_life(self) -> None:
        """After 3.5 days half of the sum is left."""
        before, after = nats(columns_of([*range(0, 600, 60), 540 + 302_400]))[-2:]
        assert after == pytest.approx(before / 2 + ratios(LEARNED)[4], rel=1e-9)

    def test_one_return_in_three(self) -> None:
        """Who takes one after the other passes the cap; who returns now and then stays at zero."""
        assert nats(views(True, 60))[-1] > Config().cap
        assert nats(views([n % 3 != 2 for n in range(60)]))[-1] < 0.5

    def test_returns_on_purpose(self) -> None:
        """A stated blind spot: one view in ten of somebody known halves what there is to see, one in five ends it."""
        tenth = nats(views([n % 10 != 9 for n in range(41)]))[-1]
        assert tenth < nats(views(True, 41))[-1] / 2
        assert nats(views([n % 5 != 4 for n in range(41)])).max() < Config().cap

    def test_empty_model(self) -> None:
        """Before anything is learned nobody has evidence."""
        assert nats(views(True, 200), Model(empty())) == pytest.approx(np.zeros(200))


class TestReported:
    """What is said."""

    def test_never_alone(self) -> None:
        """However much there is it has no level and is no ground for a block: it counts up to 3 in the sum."""
        evidence = judge().judge(views(True, 500), MODEL)
        assert evidence.nats is not None
        assert evidence.nats.max() > 100
        assert not evidence.level.any()
        assert not evidence.may_block.any()
        assert Config().cap == 3

    def test_explanation(self) -> None:
        """It names the sum, its bound and the views before; also where there is nothing."""
        columns = views(True, 30)
        one = judge()
        evidence = one.judge(columns, MODEL)
        why = one.detector.explain(columns, evidence, 29)
        assert why.evidence["views_before"] == 29
        assert why.evidence["cap"] == 3
        assert why.evidence["last_ratio"] == pytest.approx(ratios(LEARNED)[8], abs=1e-4)
        assert why.reason.startswith("hardly any profile opened twice after 29 views")
        assert one.detector.explain(columns, evidence, 0).evidence["log_likelihood_ratio"] == 0

    def test_cut_anywhere(self) -> None:
        """However the rows are cut, each has the same evidence."""
        rng = np.random.default_rng(8)
        first = rng.random(300) < 0.9
        slot = rng.integers(0, 3, 300)
        at_s = 60.0 * np.arange(300)
        expected = judge().judge(columns_of(at_s.tolist(), slot=slot, first=first), MODEL)
        one = judge()
        cuts = [0, 1, 2, *sorted(rng.integers(0, 300, 20).tolist()), 300]
        parts: list[Evidence] = [
            one.judge(columns_of(at_s[lo:hi].tolist(), slot=slot[lo:hi], first=first[lo:hi]), MODEL)
            for lo, hi in pairwise(cuts)
        ]
        assert expected.nats is not None
        assert expected.nats.any()
        for name in ("nats", "since_us", "profiles", "moved"):
            cut = np.concatenate([getattr(part, name) for part in parts])
            np.testing.assert_array_equal(cut, getattr(expected, name))

    def test_state(self) -> None:
        """What is kept of a principal fits the bound of 64 bytes."""
        assert sum(np.dtype(dtype).itemsize for dtype in RevisitDeficit.principal_state.values()) <= 64
