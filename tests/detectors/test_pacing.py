"""Pauses and hours: habits against a model in which every number is known."""

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
from detectors.pacing import GAP_BINS, Config, Pacing, gap_ratios, hour_ratios
from schemas.sighting import Flag, Kind
from tests.detectors.columns_of import Judge, columns_of

HOUR_S: Final = 3600
PEOPLE_GAPS: Final = 1e6 * np.array([1, 4, 20, 80, 200, 60, 20, 10, 15, 30, 30.0]) / 470
PEOPLE_HOURS: Final = 1e6 * np.array([0, *(0.7 ** np.arange(24))]) / (0.7 ** np.arange(24)).sum()
MODEL: Final = Model(empty(), {"pacing.gaps": PEOPLE_GAPS, "pacing.hours": PEOPLE_HOURS})
GAPS_ONLY: Final = Model(empty(), {"pacing.gaps": PEOPLE_GAPS})
HOURS_ONLY: Final = Model(empty(), {"pacing.hours": PEOPLE_HOURS})


def judge(config: Config | None = None) -> Judge:
    """The detector with a state of its own."""
    return Judge(cast("Detector[DetectorConfig]", Pacing(config or Config())))


def nats(columns: Columns, model: Model = MODEL) -> NDArray[np.float64]:
    """Evidence at each row."""
    found = judge().judge(columns, model).nats
    assert found is not None
    return found


def places(columns: Columns, table: str) -> list[int]:
    """The place of a table that each row counts at."""
    return [int(place) for place in judge().judge(columns).lessons[table]]


class TestGapRatios:
    """What a pause is worth."""

    def test_known(self) -> None:
        """Minutes speak for a scraper; seconds, and nights, against."""
        ratio = gap_ratios(PEOPLE_GAPS)
        scraper = 0.8 / 3
        people = (PEOPLE_GAPS[6] + 1_000 * scraper) / (1e6 + 1_000)
        assert ratio[6] == pytest.approx(math.log(scraper / (0.7 * people + 0.3 * scraper)), rel=1e-9)
        assert (ratio[6:9] > 0.8).all()
        assert (ratio[[2, 3, 4, 5, 9, 10]] < 0).all()

    def test_empty(self) -> None:
        """Before anything is learned no pause speaks."""
        assert gap_ratios(np.zeros(GAP_BINS)) == pytest.approx(np.zeros(GAP_BINS))

    @pytest.mark.parametrize("place", range(GAP_BINS))
    def test_bounded(self, place: int) -> None:
        """Whatever people do, one pause is worth at most ln(1 / 0.3)."""
        assert gap_ratios(1e9 * np.eye(GAP_BINS)[place]).max() <= math.log(1 / 0.3)

    def test_one_observation(self) -> None:
        """A single lesson moves no ratio by a twentieth."""
        before = gap_ratios(np.zeros(GAP_BINS))
        assert np.abs(gap_ratios(np.eye(GAP_BINS)[0]) - before).max() < 0.05


class TestHourRatios:
    """What the number of hours is worth."""

    def test_known(self) -> None:
        """Sixteen hours and more speak for a program, at most ln(1 / 0.3); fewer a little against it, all alike."""
        ratio = hour_ratios(PEOPLE_HOURS)
        assert ((ratio[16:] > 0.8) & (ratio[16:] <= math.log(1 / 0.3))).all()
        assert ratio[1:16] == pytest.approx(math.log(0.5 / 0.85))

    def test_empty(self) -> None:
        """Before anything is learned no number of hours speaks."""
        assert not hour_ratios(np.zeros(25)).any()

    def test_people_without_a_night(self) -> None:
        """Where people themselves know no night it is no evidence."""
        assert hour_ratios(1e6 * np.array([0] * 16 + [1 / 9] * 9)).max() < 0.01


class TestGaps:
    """Pauses between views of a principal."""

    @pytest.mark.parametrize(("place", "bound_s"), list(enumerate((1, 3, 8, 20, 60, 120, 300, 900, 3600, 14_400))))
    def test_bins(self, place: int, bound_s: int) -> None:
        """A bin holds its lower bound and not its upper one."""
        below = places(columns_of([5, 5 + bound_s - 0.001]), "gaps")
        at = places(columns_of([5, 5 + bound_s]), "gaps")
        assert (below, at) == ([-1, place], [-1, place + 1])

    def test_adds_up(self) -> None:
        """Each pause adds its ratio."""
        ratio = gap_ratios(PEOPLE_GAPS)
        each = nats(columns_of([0, 300, 600]), GAPS_ONLY)
        assert each == pytest.approx([0, ratio[7], 2 * ratio[7]], rel=1e-3)

    def test_half_life(self) -> None:
        """After 3.5 days half of the sum is left."""
        before, after = nats(columns_of([*range(0, 9_000, 300), 8_700 + 3.5 * 24 * HOUR_S]), GAPS_ONLY)[-2:]
        assert after == pytest.approx(before / 2 + gap_ratios(PEOPLE_GAPS)[10], rel=1e-9)

    def test_spread_out(self) -> None:
        """Whoever takes a profile every ten minutes reaches the cap within a dozen; visits of people never do."""
        assert nats(columns_of([600.0 * n for n in range(12)])).max() > Config().cap
        visits = [7 * HOUR_S * visit + 30.0 * view for visit in range(20) for view in range(12)]
        assert nats(columns_of(visits)).max() < 2

    @pytest.mark.parametrize(
        ("given", "counts"),
        [
            ({}, True),
            ({"first": False}, True),
            ({"kind": Kind.LOOKUP}, False),
            ({"kind": Kind.SEARCH}, False),
            ({"kind": Kind.TOUCH}, False),
            ({"flags": Flag.PRINCIPAL | Flag.MISS}, False),
            ({"principal_slot": -1}, False),
        ],
    )
    def test_what_counts(self, given: dict[str, Any], counts: bool) -> None:
        """Views that disclosed something, of somebody new or not; nothing else."""
        found = places(columns_of([0, 300, 600], **given), "gaps")
        assert found == ([-1, 7, 7] if counts else [-1, -1, -1])

    def test_backwards(self) -> None:
        """A late row has no pause before it, and the next is measured from the latest."""
        assert places(columns_of([1000, 900, 1299]), "gaps") == [-1, 0, 6]

    def test_actors_apart(self) -> None:
        """Each principal has its own pauses."""
        assert places(columns_of([0, 100, 300, 500], slot=[0, 1, 0, 1]), "gaps") == [-1, -1, 7, 7]


class TestHours:
    """Active hours of the last 24."""

    def test_each_begun(self) -> None:
        """An hour counts once, when it begins, with the number of hours then."""
        at_s = [0, 60, HOUR_S - 1, HOUR_S, 3 * HOUR_S, 3 * HOUR_S + 5]
        assert places(columns_of(at_s), "hours") == [1, -1, -1, 2, 3, -1]

    @pytest.mark.parametrize(("later_h", "active"), [(23, 2), (24, 1), (400, 1)])
    def test_expires(self, later_h: int, active: int) -> None:
        """An hour is forgotten when it is 24 hours back."""
        assert places(columns_of([0, later_h * HOUR_S]), "hours") == [1, active]

    def test_full_day(self) -> None:
        """There are at most 24, however long it goes on."""
        found = places(columns_of([HOUR_S * n for n in range(60)]), "hours")
        assert found == [*range(1, 25), *[24] * 36]

    def test_people_sleep(self) -> None:
        """Who is here from 8 to 22 every day counts fifteen hours, day after day."""
        found = places(columns_of([HOUR_S * (24 * day + hour) for day in range(5) for hour in range(8, 23)]), "hours")
        assert max(found) == 15

    def test_late(self) -> None:
        """A late row of an earlier hour is noted there and begins no hour."""
        late = columns_of([5 * HOUR_S, 3 * HOUR_S, 6 * HOUR_S, 6 * HOUR_S - 30 * HOUR_S, 7 * HOUR_S])
        assert places(late, "hours") == [1, -1, 3, -1, 4]

    @pytest.mark.parametrize(
        ("given", "counts"),
        [
            ({"kind": Kind.LOOKUP}, True),
            ({"flags": Flag.PRINCIPAL | Flag.MISS}, True),
            ({"kind": Kind.TOUCH}, False),
            ({"kind": Kind.QUERY}, False),
            ({"principal_slot": -1}, False),
        ],
    )
    def test_what_counts(self, given: dict[str, Any], counts: bool) -> None:
        """Whatever profile was asked for, disclosed or not; nothing else."""
        found = places(columns_of([0, HOUR_S], **given), "hours")
        assert found == ([1, 2] if counts else [-1, -1])

    def test_no_night(self) -> None:
        """The sixteenth hour is the first that speaks; a night keeps it silent."""
        found = nats(columns_of([HOUR_S * n for n in range(24)]), HOURS_ONLY)
        assert np.flatnonzero(found > 0)[0] == 15
        assert not nats(columns_of([HOUR_S * (24 * d + h) for d in range(9) for h in range(15)]), HOURS_ONLY).any()


class TestReported:
    """What is said."""

    def test_never_alone(self) -> None:
        """However much there is it has no level and is no ground for a block: it counts up to 5 in the sum."""
        evidence = judge().judge(columns_of([600.0 * n for n in range(500)]), MODEL)
        assert evidence.nats is not None
        assert evidence.nats.max() > 100
        assert not evidence.level.any()
        assert not evidence.may_block.any()
        assert Config().cap == 5

    def test_moved(self) -> None:
        """The sum is read where a pause ended or an hour began."""
        evidence = judge().judge(columns_of([0, 1, 2, HOUR_S], kind=[Kind.VIEW, Kind.LOOKUP, Kind.VIEW, Kind.LOOKUP]))
        assert evidence.moved is not None
        assert evidence.moved.tolist() == [True, False, True, True]

    def test_empty_model(self) -> None:
        """Before anything is learned nobody has evidence."""
        assert nats(columns_of([600.0 * n for n in range(300)]), Model(empty())) == pytest.approx(np.zeros(300))

    def test_explanation(self) -> None:
        """It names the sum, its bound, the hours and the last pause; also where there is nothing."""
        columns = columns_of([0, HOUR_S, HOUR_S + 600])
        one = judge()
        evidence = one.judge(columns, MODEL)
        why = one.detector.explain(columns, evidence, 2)
        assert why.evidence["hours"] == 2
        assert why.evidence["last_gap_s"] == 600
        assert why.evidence["last_ratio"] == pytest.approx(gap_ratios(PEOPLE_GAPS)[7], abs=1e-4)
        assert why.evidence["cap"] == 5
        assert why.reason.startswith("profiles in 2 hours of the last 24, the last 600 s after")
        assert one.detector.explain(columns, evidence, 0).evidence["log_likelihood_ratio"] == 0

    def test_cut_anywhere(self) -> None:
        """However the rows are cut, each has the same evidence."""
        rng = np.random.default_rng(8)
        at_s = np.cumsum(np.exp(rng.normal(5, 2, 300)))
        slot = rng.integers(0, 3, 300)
        expected = judge().judge(columns_of(at_s.tolist(), slot=slot), MODEL)
        one = judge()
        cuts = [0, 1, 2, *sorted(rng.integers(0, 300, 20).tolist()), 300]
        parts: list[Evidence] = [
            one.judge(columns_of(at_s[lo:hi].tolist(), slot=slot[lo:hi]), MODEL) for lo, hi in pairwise(cuts)
        ]
        assert expected.nats is not None
        assert expected.nats.any()
        for name in ("nats", "since_us", "profiles", "moved"):
            cut = np.concatenate([getattr(part, name) for part in parts])
            np.testing.assert_array_equal(cut, getattr(expected, name))

    def test_state(self) -> None:
        """What is kept of a principal fits the bound of 64 bytes."""
        assert sum(np.dtype(dtype).itemsize for dtype in Pacing.principal_state.values()) <= 64
