"""Regular pace: gaps of known spread on both sides of each limit."""

import math
from itertools import pairwise
from typing import Any, Final, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from detectors.core.columns import Columns
from detectors.core.contract import Detector, DetectorConfig, Evidence
from detectors.metronome import Config, Metronome, evidence_of, spread_of_people
from schemas.sighting import Flag, Kind
from tests.detectors.columns_of import START_S, Judge, columns_of

OFF_S: Final = 0.37
"""Begin of what is asked, so that no time is a whole second."""
A_GAP: Final = math.log(0.9 / 0.05) - 0.5 * (1 - (0.05 / 0.9) ** 2)
"""What each gap of a steady pace is worth."""


def judge(config: Config | None = None) -> Judge:
    """The detector with a state of its own."""
    return Judge(cast("Detector[DetectorConfig]", Metronome(config or Config())))


def at_gaps(gaps_s: Any, **given: Any) -> Columns:
    """First contacts of one account that far apart."""
    return columns_of((OFF_S + np.concatenate([[0.0], np.cumsum(gaps_s)])).tolist(), **given)


def nats(columns: Columns) -> NDArray[np.float64]:
    """Evidence at each row."""
    found = judge().judge(columns).nats
    assert found is not None
    return found


class TestLevel:
    """How much a pace is worth, and from when on."""

    @pytest.mark.parametrize("gap_s", [5.0, 120.0, 6 * 3600.0])
    def test_steady(self, gap_s: float) -> None:
        """Nothing is said before the eighth contact; then each gap adds as much, up to sixteen, whatever the pace."""
        expected = [0.0] * 7 + [min(n, 16) * A_GAP - 3 for n in range(7, 25)]
        assert nats(at_gaps([gap_s] * 24)) == pytest.approx(expected, abs=1e-3)

    def test_limits(self) -> None:
        """An alert needs 12 nats, which the eighth contact has, a block half as much again, which the tenth has."""
        one = judge()
        level = one.judge(at_gaps([5.0] * 12)).level
        assert level[-1] == pytest.approx((12 * A_GAP - 3) / 12, abs=1e-3)
        assert np.flatnonzero(level >= 1)[0] == 7
        assert np.flatnonzero(level >= one.detector.config.block_ratio)[0] == 9
        nearly = judge(Config(limit=12.5)).judge(at_gaps([5.0] * 12)).level
        assert 1.45 < nearly[9] < 1.5
        assert np.flatnonzero(nearly >= Config().block_ratio)[0] == 10

    @pytest.mark.parametrize(("limit", "speaks"), [(13.7, True), (13.8, False)])
    def test_configured(self, limit: float, speaks: bool) -> None:
        """The operator's limit holds: eight contacts are worth 13.74."""
        assert bool((judge(Config(limit=limit)).judge(at_gaps([5.0] * 7)).level >= 1).any()) is speaks

    def test_formula(self) -> None:
        """The evidence is that of the standard deviation of the logarithms of the gaps held."""
        gaps = 40 * np.exp(np.random.default_rng(3).normal(0, 0.25, 16))
        s = float(np.log(gaps).std(ddof=1))
        assert 0.1 < s < 0.4
        expected = 16 * (math.log(0.9 / s) - 0.5 * (1 - (s / 0.9) ** 2)) - 3
        assert nats(at_gaps(gaps))[-1] == pytest.approx(expected, abs=0.02)

    def test_more_of_the_same(self) -> None:
        """A steady pace never looks better for going on, while the ring of gaps turns round many times."""
        assert (np.diff(nats(at_gaps([7.0] * 2_500))) >= 0).all()

    def test_last_sixteen(self) -> None:
        """After a thousand contacts the evidence is still that of the last sixteen gaps alone."""
        gaps = 40 * np.exp(np.random.default_rng(6).normal(0, 0.2, 1_040))
        found = nats(at_gaps(gaps))
        assert [nats(at_gaps(gaps[n - 16 : n]))[-1] for n in range(1_016, 1_041)] == pytest.approx(found[1_016:])

    def test_irregular_takes_it_back(self) -> None:
        """One long pause among sixteen gaps ends it, a stated blind spot; after sixteen more it is as before."""
        found = nats(at_gaps([5.0] * 20 + [3600.0] + [5.0] * 16))
        assert found[20] > 30
        assert set(found[21:37].tolist()) == {0.0}
        assert found[37] == pytest.approx(found[20])

    def test_a_pause_of_an_hour(self) -> None:
        """Who stops for more than an hour and goes on at the same pace is spoken of at once; an hour is a gap yet."""
        assert nats(at_gaps([5.0] * 20 + [3_601.0, 5.0]))[21:].min() > 30
        assert nats(at_gaps([5.0] * 20 + [3_600.0, 5.0]))[21:].max() == 0

    def test_slow_but_steady(self) -> None:
        """Gaps of more than an hour are a pace where the one before is nearly as long: up to twenty times."""
        assert nats(at_gaps([200.0] * 20 + [3_990.0]))[21] == 0
        assert nats(at_gaps([200.0] * 20 + [4_010.0]))[21] > 30

    def test_wider_than_people(self) -> None:
        """Gaps that differ more than people's are no evidence: the ratio counts on one side only."""
        assert not nats(at_gaps([5.0, 3_000.0] * 20)).any()

    def test_people(self) -> None:
        """Of a hundred people with 100 gaps each, as people leave them, nobody comes near the limit."""
        rng = np.random.default_rng(7)
        found = [nats(at_gaps(30 * np.exp(rng.normal(0, 0.9, 100)) + 0.5)).max() for _ in range(100)]
        assert max(found) < 6

    @pytest.mark.parametrize(("jitter", "speaks"), [(0.1, True), (0.9, False)])
    def test_jitter(self, jitter: float, speaks: bool) -> None:
        """A tenth of jitter on a sleep does not hide it; that of people does."""
        gaps = 60 * np.exp(np.random.default_rng(5).normal(0, jitter, 40)) + 0.5
        assert bool((judge().judge(at_gaps(gaps)).level >= 1.5).any()) is speaks

    def test_flicking(self) -> None:
        """People spread by 0.3 up to 1 s, by 0.9 from 4 s, in between by the logarithm."""
        spread = spread_of_people(np.array([0.5, 1.0, 2.0, 4.0, 600.0]))
        assert spread == pytest.approx([0.3, 0.3, 0.6, 0.9, 0.9])

    @pytest.mark.parametrize(("mean_s", "speaks"), [(1.2, False), (5.0, True)])
    def test_hand(self, mean_s: float, speaks: bool) -> None:
        """A spread of 0.18 is the rhythm of a hand where profiles are flicked through, and none of a reader."""
        level = evidence_of(np.array([16]), np.array([mean_s]), np.array([0.18]))
        assert (level >= 12).tolist() == [speaks]

    def test_narrowest(self) -> None:
        """Below a twentieth a narrower spread is worth no more."""
        held, mean_s = np.full(3, 16), np.full(3, 9.0)
        found = evidence_of(held, mean_s, np.array([0.0, 0.05, 0.06]))
        assert found[0] == found[1] > found[2]


class TestWhatCounts:
    """First contacts of a principal by view or look-up, told apart in time."""

    @pytest.mark.parametrize(
        ("given", "counts"),
        [
            ({}, True),
            ({"kind": Kind.LOOKUP}, True),
            ({"kind": Kind.SEARCH}, False),
            ({"kind": Kind.LIST}, False),
            ({"kind": Kind.TOUCH}, False),
            ({"first": False}, False),
            ({"flags": Flag.PRINCIPAL | Flag.MISS}, False),
            ({"principal_slot": -1}, False),
        ],
    )
    def test_each(self, given: dict[str, Any], counts: bool) -> None:
        """What else there is has no level and moves nothing."""
        one = judge()
        evidence = one.judge(at_gaps([5.0] * 20, **given))
        assert evidence.moved is not None
        assert bool(evidence.moved.any()) is counts
        assert bool(evidence.level.any()) is counts
        assert bool(one.state["contacts"].any()) is counts

    def test_rows_between(self) -> None:
        """Profiles met again between first contacts change nothing."""
        at_s = (OFF_S + 2.5 * np.arange(40)).tolist()
        again = judge().judge(columns_of(at_s, first=[n % 2 == 0 for n in range(40)]))
        assert again.level[::2] == pytest.approx(judge().judge(at_gaps([5.0] * 19)).level)
        assert not again.level[1::2].any()

    @pytest.mark.parametrize(("gap_s", "speaks"), [(0.499, False), (0.5, True)])
    def test_together(self, gap_s: float, speaks: bool) -> None:
        """What comes less than half a second after the last is one contact with it, however long that goes on."""
        assert bool(nats(at_gaps([gap_s] * 40)).any()) is speaks

    def test_prefetch(self) -> None:
        """Lists that an app asks for in one go, when its person likes, are no metronome."""
        rng = np.random.default_rng(9)
        pauses = 40 * np.exp(rng.normal(0, 0.9, 60)) + 0.5
        gaps = np.concatenate([[pause, *rng.uniform(0.1, 0.3, 5)] for pause in pauses])
        assert nats(at_gaps(gaps)).max() < 6

    def test_lists_at_a_steady_pace(self) -> None:
        """Five profiles at once every 30 s are, and the level stands through each list."""
        found = nats(at_gaps([29.6, 0.1, 0.1, 0.1, 0.1] * 20))
        assert found[-1] == pytest.approx(16 * A_GAP - 3, abs=1e-3)
        assert (np.diff(found) >= 0).all()

    def test_actors_apart(self) -> None:
        """Two accounts that take turns at an irregular pace each are not one at a regular pace."""
        slot = np.random.default_rng(2).integers(0, 4, 100)
        turns = columns_of((OFF_S + 5.0 * np.arange(100)).tolist(), slot=slot, profiles=np.ones((100, 4)))
        assert nats(turns).max() < 12

    def test_backwards(self) -> None:
        """A row that is late by event time leaves no gap, and the next ones are not measured from it."""
        at_s = [OFF_S + 5.0 * n for n in range(20)]
        late = [*at_s[:15], at_s[14] - 3.0, at_s[14] + 0.2, *at_s[15:]]
        found = nats(columns_of(late))
        assert found[-1] == pytest.approx(nats(columns_of(at_s))[-1])


class TestResolution:
    """Time stamps that make gaps equal."""

    @pytest.mark.parametrize(("gap_s", "speaks"), [(5, False), (19, False), (20, True), (120, True)])
    def test_whole_seconds(self, gap_s: int, speaks: bool) -> None:
        """In whole seconds gaps below 20 s count nothing."""
        found = nats(columns_of([gap_s * n for n in range(30)]))
        assert bool(found.any()) is speaks

    def test_one_fraction(self) -> None:
        """One time with a fraction among those held shows that time is kept finely."""
        at_s = [5.0 * n for n in range(40)]
        at_s[10] += 0.004
        found = nats(columns_of(at_s))
        assert np.flatnonzero(found > 0).tolist() == list(range(10, 27))

    @pytest.mark.parametrize(("short", "speaks"), [(8, True), (9, False)])
    def test_half_of_them(self, short: int, speaks: bool) -> None:
        """Half of sixteen gaps may be shorter than 20 s, not more."""
        gaps = [19] * short + [21] * (16 - short)
        found = nats(columns_of([0, *np.cumsum(gaps).tolist()]))
        assert bool(found[-1] > 0) is speaks


class TestReported:
    """What is said beside the level."""

    @pytest.mark.parametrize(("gaps", "held"), [(7, 7), (16, 16), (40, 16)])
    def test_since(self, gaps: int, held: int) -> None:
        """It speaks of the gaps held: since the first of these contacts, to within a hundredth of a gap."""
        evidence = judge().judge(at_gaps([60.0] * gaps))
        expected = START_S + OFF_S + 60 * (gaps - held)
        assert evidence.since_us[-1] / 1e6 == pytest.approx(expected, abs=0.6)
        assert evidence.profiles[-1] == held + 1

    def test_may_block(self) -> None:
        """No trait of people explains it, so it is ground for a block, and its share of the sum has no bound."""
        assert judge().judge(at_gaps([5.0] * 9)).may_block.all()
        assert math.isinf(Config().cap)

    @pytest.mark.parametrize("time_s", [-1e9, 9.2e12 - 2 * START_S])
    def test_strange_times(self, time_s: float) -> None:
        """Times far from any day leave finite numbers."""
        evidence = judge().judge(columns_of([OFF_S, time_s, *(time_s + 5.0 * n for n in range(20))]))
        assert np.isfinite(evidence.level).all()
        assert (evidence.since_us <= columns_of([OFF_S, time_s + 100]).time_us.max()).all()

    def test_explanation(self) -> None:
        """It names the gaps, their mean, their spread and that of people; also where there is nothing."""
        columns = at_gaps([5.0] * 30)
        one = judge()
        evidence = one.judge(columns)
        why = one.detector.explain(columns, evidence, 30)
        assert why.evidence["gaps"] == 16
        assert why.evidence["mean_gap_s"] == pytest.approx(5.0, abs=0.01)
        assert why.evidence["spread"] == pytest.approx(0.0, abs=1e-3)
        assert why.evidence["spread_of_people"] == pytest.approx(0.9)
        assert why.evidence["log_likelihood_ratio"] == pytest.approx(16 * A_GAP - 3, abs=1e-3)
        assert why.reason.startswith("16 gaps of about 5.0 s")
        assert one.detector.explain(columns, evidence, 0).evidence["gaps"] == 0

    def test_cut_anywhere(self) -> None:
        """However the rows are cut, each has the same evidence."""
        rng = np.random.default_rng(8)
        at_s = np.cumsum(rng.choice([4.9, 5.0, 5.1, 40.0], 300, p=[0.3, 0.4, 0.28, 0.02]))
        slot = np.arange(300) % 3
        expected = judge().judge(columns_of(at_s.tolist(), slot=slot))
        one = judge()
        places = [0, 1, 2, *sorted(rng.integers(0, 300, 20).tolist()), 300]
        parts: list[Evidence] = [
            one.judge(columns_of(at_s[lo:hi].tolist(), slot=slot[lo:hi])) for lo, hi in pairwise(places)
        ]
        assert expected.level.any()
        for name in ("level", "since_us", "profiles", "moved"):
            cut = np.concatenate([getattr(part, name) for part in parts])
            np.testing.assert_array_equal(cut, getattr(expected, name))

    def test_state(self) -> None:
        """What is kept of a principal fits the bound of 64 bytes."""
        assert sum(np.dtype(dtype).itemsize for dtype in Metronome.principal_state.values()) <= 64
