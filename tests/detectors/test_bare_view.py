"""Views with and without anything beside them, on both sides of a minute."""

import math
from dataclasses import replace
from typing import Any, Final

import numpy as np
import pytest
from numpy.typing import NDArray

from detectors.bare_view import BareView, Config
from detectors.core.columns import AGENTS, Columns
from detectors.core.contract import Detector, Evidence
from detectors.core.model import Model, empty
from schemas.sighting import Flag, Kind
from tests.detectors.columns_of import Judge, columns_of

BROWSER, BARE_APP = 3, 4
FURNISHED, BARE = 2 * BROWSER, 2 * BROWSER + 1
DAY_S: Final = 86_400


def model(**counts: tuple[float, float]) -> Model:
    """Furnished and bare views of browsers (one in twenty bare), of an app that is always bare, and others given."""
    table = np.zeros((AGENTS, 2))
    table[BROWSER] = counts.get("browser", (95_000, 5_000))
    table[BARE_APP] = counts.get("app", (0, 100_000))
    return replace(empty(), lessons={"bare_view.agents": table.ravel()})


USUAL: Final = (5_000 + 50 * 105_000 / 200_000) / 100_050
"""The browsers' own share, with the weight of fifty views of everybody's."""
LLR_BARE: Final = math.log(0.95 / (0.7 * USUAL + 0.3 * 0.95))
LLR_FURNISHED: Final = math.log(0.05 / (0.7 * (1 - USUAL) + 0.3 * 0.05))


def alone() -> Judge:
    """The detector by its defaults."""
    detector: Detector[Any] = BareView(Config())
    return Judge(detector)


def judged(events: list[tuple[float, Kind]], by: Model | None = None, **given: Any) -> Evidence:
    """Evidence at rows of one account with a browser."""
    times, kinds = zip(*events, strict=True)
    given = (
        dict[str, Any]({"agent": BROWSER, "kind": list(kinds), "first": [kind == Kind.VIEW for kind in kinds]}) | given
    )
    return alone().judge(columns_of(times, **given), model() if by is None else by)


def lessons(events: list[tuple[float, Kind]], **given: Any) -> list[int]:
    """Places that rows of one account count at."""
    places: list[int] = judged(events, **given).lessons["agents"].tolist()
    return places


def nats(evidence: Evidence) -> NDArray[np.float64]:
    """The sums, which are always given."""
    assert evidence.nats is not None
    return evidence.nats


class TestBefore:
    """A touch that is there already."""

    @pytest.mark.parametrize(("view_s", "furnished"), [(10.0, True), (69.9, True), (70.0, False)])
    def test_sides_of_the_minute(self, view_s: float, furnished: bool) -> None:
        """Up to the sixth cell after the touch's own a view is furnished at once; after that it waits."""
        assert lessons([(10.0, Kind.TOUCH), (view_s, Kind.VIEW)])[1] == (FURNISHED if furnished else -1)

    @pytest.mark.parametrize("kind", [Kind.TOUCH, Kind.QUERY, Kind.SEARCH, Kind.LIST])
    def test_whatever_is_no_profile(self, kind: Kind) -> None:
        """Searches and lists are other requests too."""
        assert lessons([(5.0, kind), (20.0, Kind.VIEW)])[1] == FURNISHED

    def test_a_lookup_is_none(self) -> None:
        """A look-up of a profile furnishes no view of another."""
        assert lessons([(5.0, Kind.LOOKUP), (20.0, Kind.VIEW), (40.0, Kind.LOOKUP), (90.5, Kind.LOOKUP)])[1:] == [
            -1,
            -1,
            BARE,
        ]


class TestAfter:
    """A touch that is yet to come."""

    @pytest.mark.parametrize(("touch_s", "place"), [(10.0, FURNISHED), (70.0, FURNISHED), (80.0, BARE)])
    def test_sides_of_the_minute(self, touch_s: float, place: int) -> None:
        """A touch furnishes what waits in its own cell and the six before; it comes at the end of its cell."""
        assert lessons([(5.0, Kind.VIEW), (touch_s, Kind.TOUCH)]) == [-1, place]

    @pytest.mark.parametrize(("later_s", "place"), [(70.0, -1), (70.001, BARE)])
    def test_found_by_a_later_request(self, later_s: float, place: int) -> None:
        """Once the last touch that could furnish it would have come, the next request of any kind finds it bare."""
        assert lessons([(0.5, Kind.VIEW), (later_s, Kind.VIEW)])[1] == place

    def test_all_that_wait_are_found_at_once(self) -> None:
        """Fast scrapers have many views waiting; each counts, and the one that finds them does not."""
        events = [(n * 0.1, Kind.VIEW) for n in range(50)]
        evidence = judged([*events, (200.0, Kind.VIEW)])
        assert nats(evidence)[:50].max() == 0
        assert nats(evidence)[50] == pytest.approx(50 * LLR_BARE)
        assert evidence.profiles[50] == 50

    def test_each_cell_by_itself(self) -> None:
        """At a steady pace views are found bare cell by cell, and a touch at last furnishes the last minute's alone."""
        events = [(5.0 + 10 * n, Kind.VIEW) for n in range(20)]
        evidence = judged([*events, (210.0, Kind.TOUCH)])
        found = np.diff(evidence.profiles)
        assert evidence.profiles[19] == 13
        assert found[:19].tolist() == [0] * 6 + [1] * 13
        assert nats(evidence)[20] == pytest.approx(max(14 * LLR_BARE + 6 * LLR_FURNISHED, 0), rel=1e-3)

    def test_a_touch_twice_is_one(self) -> None:
        """The same cell's touch may be told again."""
        once = judged([(5.0, Kind.VIEW), (10.0, Kind.TOUCH), (200.0, Kind.VIEW)])
        twice = judged([(5.0, Kind.VIEW), (10.0, Kind.TOUCH), (10.0, Kind.TOUCH), (200.0, Kind.VIEW)])
        np.testing.assert_array_equal(nats(once)[[0, 1, 2]], nats(twice)[[0, 1, 3]])
        assert twice.lessons["agents"].tolist() == [-1, FURNISHED, -1, -1]


class TestRatios:
    """What a view is worth."""

    def test_by_what_is_usual(self) -> None:
        """Bare speaks for a scraper, furnished against, by the numbers of the model."""
        ratios = BareView(Config()).ratios(BareView(Config()).usual(model()))
        assert ratios[BROWSER] == pytest.approx([LLR_FURNISHED, LLR_BARE])
        assert LLR_BARE > 1
        assert LLR_FURNISHED < -2

    def test_silent_where_nobody_is_furnished(self) -> None:
        """With an app that is always bare, or where assets are not in the stream, neither says anything."""
        ratios = BareView(Config()).ratios(BareView(Config()).usual(model()))
        assert ratios[BARE_APP] == pytest.approx([0, 0], abs=1e-12)
        nowhere = BareView(Config()).usual(model(browser=(0, 50_000)))
        assert BareView(Config()).ratios(nowhere) == pytest.approx(0, abs=1e-12)

    def test_silent_before_anything_is_learned(self) -> None:
        """By the empty model a thousand bare views are nothing."""
        events = [(n * 100.0, Kind.VIEW) for n in range(1_000)]
        assert nats(judged(events, empty())).max() == pytest.approx(0, abs=1e-9)

    def test_few_lessons_say_little(self) -> None:
        """A single furnished view, of a class or of everybody, moves the share by a fiftieth at most."""
        usual = BareView(Config()).usual(model(browser=(1, 0), app=(0, 0)))
        assert 0.9 < usual.min() < 0.95
        known = BareView(Config()).usual(model(browser=(95_000, 5_000), app=(0, 1)))
        assert known[BARE_APP] == pytest.approx(0.05, abs=0.03)

    @pytest.mark.parametrize("mix", [0.1, 0.3, 0.9])
    def test_bounded(self, mix: float) -> None:
        """One view is worth at most ln(1 / mix)."""
        detector = BareView(Config(mix=mix))
        assert detector.ratios(np.zeros(AGENTS)).max() == pytest.approx(math.log(1 / mix))


class TestSum:
    """How views add up."""

    def test_furniture_clears(self) -> None:
        """Furnished views bring the sum to zero and not below; after it the evidence starts afresh."""
        bare = [(100.0 * n, Kind.VIEW) for n in range(3)]
        page = [(1_000.0, Kind.TOUCH)] + [(1_001.0 + n, Kind.VIEW) for n in range(9)]
        evidence = judged([*bare, *page, (2_000.0, Kind.VIEW), (2_100.0, Kind.VIEW)])
        assert nats(evidence)[2] == pytest.approx(2 * LLR_BARE, rel=1e-3)
        assert nats(evidence)[12] == 0
        assert nats(evidence)[-1] == pytest.approx(LLR_BARE)
        assert evidence.profiles[-1] == 1
        assert evidence.since_us[-1] == columns_of([2_100.0]).time_us[0]

    def test_half_life(self) -> None:
        """After 3.5 days half is left."""
        events = [(0.0, Kind.VIEW), (100.0, Kind.LOOKUP), (100.0 + 3.5 * DAY_S, Kind.LOOKUP)]
        found = nats(judged(events))
        assert found[2] == pytest.approx(found[1] / 2)
        assert found[1] == pytest.approx(LLR_BARE)

    def test_it_never_speaks_alone(self) -> None:
        """However much, an odd client is a trait: no level, no block."""
        evidence = judged([(100.0 * n, Kind.VIEW) for n in range(300)])
        assert nats(evidence)[-1] > 100
        assert not evidence.level.any()
        assert not evidence.may_block.any()
        assert BareView.Config().cap == 5

    @pytest.mark.parametrize("given", [{"first": False}, {"answers": False}, {"principal_slot": -1}])
    def test_what_does_not_count(self, given: dict[str, Any]) -> None:
        """Profiles met before, what others answer for, and rows of sessions or groups."""
        evidence = judged([(100.0 * n, Kind.VIEW) for n in range(9)], **given)
        assert not nats(evidence).any()
        assert set(evidence.lessons["agents"].tolist()) == {-1}

    def test_misses_do_not(self) -> None:
        """What does not exist is no contact."""
        assert not nats(judged([(100.0 * n, Kind.VIEW) for n in range(9)], flags=Flag.MISS, first=False)).any()

    def test_time_running_backwards(self) -> None:
        """A late row counts as now: nothing is negative, nothing decays twice."""
        found = judged([(500.0, Kind.VIEW), (495.0, Kind.VIEW), (600.0, Kind.VIEW), (590.0, Kind.TOUCH)])
        assert np.isfinite(nats(found)).all()
        assert (found.profiles >= 0).all()
        assert found.profiles[2] == 2

    def test_principals_apart(self) -> None:
        """One account's page furnishes nobody else's view."""
        slots = [0, 1, 0, 1]
        evidence = judged(
            [(10.0, Kind.TOUCH), (11.0, Kind.VIEW), (12.0, Kind.VIEW), (200.0, Kind.VIEW)],
            slot=slots,
            principal_slot=slots,
        )
        assert evidence.lessons["agents"].tolist() == [-1, -1, FURNISHED, BARE]

    def test_a_flood_in_one_cell(self) -> None:
        """More views in a cell than its counter holds stay at its largest."""
        n = 70_000
        profiles = np.zeros((n, 4))
        given: dict[str, Any] = {"kind": Kind.VIEW, "agent": BROWSER, "profiles": profiles}
        judge = alone()
        judge.judge(columns_of([1.0] * n, **given), model())
        assert judge.judge(columns_of([100.0], agent=BROWSER), model()).profiles[-1] == 65_535


def walk(seed: int, n: int = 400) -> Columns:
    """Rows of three accounts with everything in them, some late."""
    draw = np.random.default_rng(seed)
    slot = draw.integers(0, 3, n)
    kind = draw.choice([Kind.VIEW, Kind.VIEW, Kind.VIEW, Kind.TOUCH, Kind.QUERY, Kind.LOOKUP], n)
    times = np.cumsum(draw.exponential(9, n)) + draw.choice([0, -4], n)
    return columns_of(times.tolist(), slot=slot, principal_slot=slot, kind=kind, first=kind == Kind.VIEW, agent=BROWSER)


def part(columns: Columns, rows: slice) -> Columns:
    """Some of the rows."""
    cut = {name: getattr(columns, name)[rows] for name in columns.__slots__ if name != "tiers"}
    return Columns(**cut, tiers=columns.tiers)


@pytest.mark.parametrize("seed", range(5))
def test_cut_anywhere(seed: int) -> None:
    """However rows are cut, each has the same evidence and the same lesson."""
    columns = walk(seed)
    whole = alone().judge(columns, model())
    judge = alone()
    parts = [judge.judge(part(columns, slice(lo, lo + 7)), model()) for lo in range(0, len(columns), 7)]
    np.testing.assert_array_equal(np.concatenate([nats(each) for each in parts]), nats(whole))
    np.testing.assert_array_equal(np.concatenate([each.lessons["agents"] for each in parts]), whole.lessons["agents"])


def test_explanation() -> None:
    """It names the bare views, the usual share and the sum; the person concerned reads no number."""
    columns = columns_of([0.0, 100.0, 200.0], agent=BROWSER)
    detector = BareView(Config())
    evidence = alone().judge(columns, model())
    why = detector.explain(columns, evidence, 2)
    assert why.evidence == {"bare_views": 2, "usual_share": round(USUAL, 4), "nats": round(2 * LLR_BARE, 3)}
    assert why.reason.startswith("2 profiles were viewed with no other request within a minute; with such a client 5%")
    assert detector.explain(columns, evidence, 0).evidence["bare_views"] == 0
