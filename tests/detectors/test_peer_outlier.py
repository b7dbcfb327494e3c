"""Days that are unlike those of peers, with peers of whom every number is known."""

import math
from dataclasses import replace
from typing import Any, Final

import numpy as np
import pytest
from numpy.typing import NDArray

from detectors.core.columns import Columns
from detectors.core.contract import Evidence
from detectors.core.model import Model, empty
from detectors.core.peer import CLASSES, classes_of
from detectors.peer_outlier import (
    BINS,
    CHANCE,
    FARTHEST,
    FEATURES,
    LENGTH,
    MILESTONES,
    QUARTERS,
    Config,
    PeerOutlier,
    ranks,
    reached,
)
from schemas.sighting import Flag, Kind
from tests.detectors.columns_of import Judge, columns_of

DAY_S: Final = 86_400
PEERS: Final = 100_000
TIER: Final = int(classes_of(columns_of([0.0]))[0])


def quarter_of(at_s: float) -> int:
    """Quarter of the day."""
    return int(columns_of([at_s]).time_us[0] // 1_000_000 % DAY_S // 21_600)


def model(days: float = PEERS, **bins: int) -> Model:
    """Peers of the unnamed tier, in every quarter, have all their days in one bin of each feature (0 unless given)."""
    lessons = {}
    for name in FEATURES:
        table = np.zeros((CLASSES, QUARTERS, MILESTONES, BINS))
        table[TIER, :, :, bins.get(name, 0)] = days
        lessons[f"peer_outlier.{name}"] = table.ravel()
    return replace(empty(), lessons=lessons)


def detector() -> PeerOutlier:
    """The detector by its defaults."""
    return PeerOutlier(Config())


def judged(columns: Columns, by: Model | None = None) -> Evidence:
    """Evidence of one account."""
    return Judge(detector()).judge(columns, by)  # type: ignore[arg-type]  # a detector of one configuration


def views(n: int, gap_s: float = 30.0, **given: Any) -> Columns:
    """First contacts with popular profiles, evenly, unless given otherwise."""
    return columns_of([gap_s * i for i in range(n)], **({"popularity": 8} | given))


def nats(evidence: Evidence) -> NDArray[np.float64]:
    """What is stated."""
    assert evidence.nats is not None
    return evidence.nats


def placed(evidence: Evidence, row: int) -> dict[str, int]:
    """Bin of each feature that a row counts at."""
    assert all(places[row] >= 0 for places in evidence.lessons.values())
    return {name: int(places[row]) % BINS for name, places in evidence.lessons.items()}


class TestMilestones:
    """When something is stated and learned."""

    def test_at_doublings(self) -> None:
        """At 8, 16, ... 256 contacts of a day and at no other."""
        evidence = judged(views(600, 1.0), model())
        assert evidence.moved is not None
        assert (np.flatnonzero(evidence.moved) + 1).tolist() == [8, 16, 32, 64, 128, 256]
        for places in evidence.lessons.values():
            assert (np.flatnonzero(places >= 0) + 1).tolist() == [8, 16, 32, 64, 128, 256]
            assert places.max() < LENGTH
        assert evidence.profiles[[7, 255]].tolist() == [8, 256]

    def test_each_day_by_itself(self) -> None:
        """Seven contacts a day are never enough; the eighth of a day is."""
        times = [day * DAY_S + 60.0 * n for day in range(5) for n in range(7)]
        assert not judged(columns_of(times), model()).moved.any()  # type: ignore[union-attr]  # always given
        assert judged(columns_of([*times, 4 * DAY_S + 600.0]), model()).moved[-1]  # type: ignore[index]  # always given

    @pytest.mark.parametrize(("later_s", "moved"), [(-1.0, True), (0.0, False)])
    def test_midnight(self, later_s: float, moved: bool) -> None:
        """The eighth contact of a day counts up to the next day's midnight, UTC, not at it."""
        midnight_s = 16 * 3_600.0 + 2 * DAY_S
        evidence = judged(columns_of([*[midnight_s - 60.0] * 7, midnight_s + later_s]), model())
        assert evidence.moved is not None
        assert bool(evidence.moved[7]) is moved

    def test_principals_apart(self) -> None:
        """Two accounts are not added up."""
        found = judged(views(16, slot=[0, 1] * 8), model())
        assert found.moved is not None
        assert np.flatnonzero(found.moved).tolist() == [14, 15]

    @pytest.mark.parametrize(
        "given", [{"first": False}, {"answers": False}, {"principal_slot": -1}, {"kind": Kind.LOOKUP}]
    )
    def test_what_does_not_count(self, given: dict[str, Any]) -> None:
        """Known profiles, what others answer for, sessions and groups, look-ups."""
        evidence = judged(views(40, **given), model())
        assert not nats(evidence).any()
        assert all((places == -1).all() for places in evidence.lessons.values())

    def test_it_never_speaks_alone(self) -> None:
        """To be odd is a trait: no level, no block."""
        evidence = judged(views(256, 0.1, popularity=0), model())
        assert nats(evidence).max() == Config().cap == 4
        assert not evidence.level.any()
        assert not evidence.may_block.any()


class TestFeatures:
    """The bins of a day."""

    @pytest.mark.parametrize(("rare", "wanted"), [(0, 0), (1, 2), (4, 8), (8, 15)])
    def test_rare(self, rare: int, wanted: int) -> None:
        """The share of profiles in the two lowest bins of popularity."""
        popularity = [1] * rare + [2] * (8 - rare)
        assert placed(judged(views(8, popularity=popularity)), 7)["rare"] == wanted

    @pytest.mark.parametrize(("again", "wanted"), [(0, 15), (8, 8), (56, 2)])
    def test_new(self, again: int, wanted: int) -> None:
        """The share of views that are first ones."""
        first = [False] * again + [True] * 8
        assert placed(judged(views(again + 8, first=first)), again + 7)["new"] == wanted

    def test_misses_are_no_views(self) -> None:
        """What does not exist was not viewed again."""
        flags = [int(Flag.MISS)] * 8 + [0] * 8
        assert placed(judged(views(16, flags=flags, first=[False] * 8 + [True] * 8)), 15)["new"] == 15

    @pytest.mark.parametrize(
        ("gap_s", "wanted"), [(0.01, 15), (0.192, 15), (0.194, 14), (30.0, 7), (600.0, 2), (1_850.0, 1), (1_890.0, 0)]
    )
    def test_gaps(self, gap_s: float, wanted: int) -> None:
        """Short gaps lie far out: sixteen bins from an hour to a tenth of a second, evenly in the logarithm."""
        assert placed(judged(views(8, gap_s)), 7)["gaps"] == wanted

    @pytest.mark.parametrize(("searches", "wanted"), [(0, 0), (1, 3), (8, 9), (64, 15), (500, 15)])
    def test_searches(self, searches: int, wanted: int) -> None:
        """None, one to eight views, one to one, eight to one and more."""
        kind = [int(Kind.QUERY)] * searches + [int(Kind.VIEW)] * 8
        columns = columns_of([1.0] * len(kind), kind=kind, first=[each == Kind.VIEW for each in kind])
        assert placed(judged(columns), len(kind) - 1)["searches"] == wanted

    @pytest.mark.parametrize(("hours", "wanted"), [(1, 0), (2, 1), (8, 7)])
    def test_hours(self, hours: int, wanted: int) -> None:
        """Distinct hours of the day in which there was a contact."""
        times = sorted(3_600.0 * (n % hours) for n in range(8))
        assert placed(judged(columns_of(times)), 7)["hours"] == wanted

    @pytest.mark.parametrize(("later_s", "wanted"), [(3_599.0, 0), (3_600.0, 1)])
    def test_whole_hours(self, later_s: float, wanted: int) -> None:
        """An hour of the clock, and the next."""
        assert placed(judged(columns_of([0.0] * 4 + [later_s] * 4)), 7)["hours"] == wanted

    @pytest.mark.parametrize(("later_s", "quarter"), [(14_399.0, 1), (14_400.0, 2)])
    def test_quarters(self, later_s: float, quarter: int) -> None:
        """From eight in the morning the next quarter begins at noon."""
        place = judged(columns_of([later_s] * 8)).lessons["hours"][7]
        assert place // (MILESTONES * BINS) == TIER * QUARTERS + quarter

    def test_by_tier_and_quarter(self) -> None:
        """A day is learned with the tier and the quarter in which it got so far."""
        evidence = judged(views(8, tiers=("", "premium"), tier=1))
        tier = int(classes_of(columns_of([0.0], tiers=("", "premium"), tier=1))[0])
        assert evidence.lessons["hours"][7] // (MILESTONES * BINS) == tier * QUARTERS + quarter_of(0)
        evidence = judged(columns_of([21_600.0 + n for n in range(16)]))
        assert evidence.lessons["hours"][15] // BINS == (TIER * QUARTERS + quarter_of(21_600)) * MILESTONES + 1


class TestEvidence:
    """How far out is how much."""

    def test_silent_before_anything_is_learned(self) -> None:
        """By the empty model nobody has peers, and nobody is unlike them."""
        assert not nats(judged(views(600, 0.1, popularity=0))).any()
        assert (ranks(empty()) == 1).all()
        assert (reached(empty()) == 1).all()

    def test_like_all_others(self) -> None:
        """Whoever does what everybody does says nothing, however much that is."""
        same = model(rare=15, new=15, gaps=15)
        assert not nats(judged(views(256, 0.1, popularity=0), same)).any()

    def test_one_feature_is_not_enough(self) -> None:
        """Out in one respect alone, however far, is within what chance gives for two; in two it is more."""
        assert nats(judged(views(8, 1.0, popularity=0), model(new=15, gaps=15)))[7] == 0
        assert nats(judged(views(8, 1.0, popularity=0), model(new=15)))[7] == 4

    def test_sum_of_two(self) -> None:
        """The two largest -ln p, less 5.5."""
        by = model(days=150, new=15)
        p = 100 * (20 / (4 * 150 + 20)) / (150 + 100)
        assert -math.log(p) < FARTHEST
        expected = -2 * math.log(p) - CHANCE
        assert 0 < expected < 4
        assert nats(judged(views(8, 1.0, popularity=0), by))[7] == pytest.approx(expected)

    def test_few_peers_accuse_nobody(self) -> None:
        """With the days of a hundred peers the farthest out is hardly worth anything; the bound falls with days."""
        few = model(days=25, new=15)
        assert nats(judged(views(8, 1.0, popularity=0), few))[7] == 0

    def test_a_tier_without_peers_borrows(self) -> None:
        """Whoever is alone in the tier is compared with everybody."""
        columns = views(8, 1.0, popularity=0, tiers=("", "premium"), tier=1)
        by = model(days=10_000)
        assert judged(columns, by).numbers["rare"][7] == pytest.approx(20 / 40_020)

    def test_own_peers_come_first(self) -> None:
        """What is rare among all and usual in the tier is nothing."""
        by = model(days=100_000)
        tier = int(classes_of(columns_of([0.0], tiers=("", "recruiter"), tier=1))[0])
        for name in FEATURES:
            by.lessons[f"peer_outlier.{name}"].reshape(CLASSES, QUARTERS, MILESTONES, BINS)[tier, :, :, 15] = 10_000
        recruiter = views(8, 0.1, popularity=0, tiers=("", "recruiter"), tier=1)
        assert nats(judged(recruiter, by))[7] == 0
        assert nats(judged(views(8, 0.1, popularity=0), by))[7] > 0

    def test_how_few_get_so_far(self) -> None:
        """The share of days with eight contacts that come to more is a feature of its own."""
        by = model(days=10_000)
        for name in FEATURES:
            by.lessons[f"peer_outlier.{name}"].reshape(CLASSES, QUARTERS, MILESTONES, BINS)[:, :, 3:] = 0
        share = judged(views(64, 600.0), by).numbers["contacts"]
        assert share[[7, 15, 31]] == pytest.approx([1, 1, 1])
        assert share[63] == pytest.approx(100 * 20 / 40_020 / 40_100)

    def test_chance(self) -> None:
        """Among days like the peers' own, fewer than exp(-x) get x nats."""
        draw = np.random.default_rng(4)
        surprise = np.sort(draw.exponential(size=(200_000, 6)), axis=1)[:, -2:].sum(axis=1) - CHANCE
        for x in (1, 2, 3, 4):
            assert (surprise >= x).mean() < math.exp(-x)


def test_time_running_backwards() -> None:
    """A late row from before midnight counts as now, in the new day."""
    midnight_s = 16 * 3_600.0
    times = [midnight_s - 2, midnight_s, midnight_s - 1, *[midnight_s + n for n in range(1, 7)]]
    evidence = judged(columns_of(times), model())
    assert evidence.moved is not None
    assert np.flatnonzero(evidence.moved).tolist() == [8]
    assert np.isfinite(nats(evidence)).all()


def test_cut_anywhere() -> None:
    """However rows are cut, each has the same evidence and lessons."""
    draw = np.random.default_rng(2)
    n = 900
    kind = draw.choice([Kind.VIEW, Kind.VIEW, Kind.QUERY, Kind.TOUCH], n)
    slot = draw.integers(0, 3, n)
    columns = columns_of(
        np.cumsum(draw.exponential(60, n)).tolist(),
        kind=kind,
        slot=slot,
        first=(kind == Kind.VIEW) & (draw.random(n) < 0.8),
        popularity=draw.integers(0, 9, n),
    )
    whole = judged(columns, model())
    judge = Judge(detector())  # type: ignore[arg-type]  # a detector of one configuration
    names = [name for name in Columns.__slots__ if name != "tiers"]
    parts = []
    for lo in range(0, n, 11):
        cut = {name: getattr(columns, name)[lo : lo + 11] for name in names}
        parts.append(judge.judge(Columns(**cut, tiers=columns.tiers), model()))
    np.testing.assert_array_equal(np.concatenate([nats(part) for part in parts]), nats(whole))
    for name in FEATURES:
        np.testing.assert_array_equal(np.concatenate([part.lessons[name] for part in parts]), whole.lessons[name])


def test_explanation() -> None:
    """It names the two features that lie farthest out."""
    columns = views(8, 1.0, popularity=0)
    by = model(new=15)
    evidence = judged(columns, by)
    why = detector().explain(columns, evidence, 7)
    assert why.reason.startswith("after 8 first contacts of the day it is as far out as 0.00% of its peers in ")
    assert {"rare", "gaps"} == {name for name in FEATURES if f"in {name}" in why.reason}
    assert why.evidence["contacts"] == 8
    assert why.evidence["nats"] == 4
    assert why.evidence["new_share"] == 1
    assert detector().explain(columns, evidence, 0).evidence["contacts"] == 0
