from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from streams.offline.simulate.coming import Views, draw_visits, passed_ms, weekends
from streams.offline.simulate.plan import DAY_MS, HOUR_MS, PRESETS, START, Plan
from streams.offline.simulate.world import World
from tests.streams.offline.simulate.everybody import crowd_of, demo, doings_of

WEEK = Plan(people=400, anonymous=100, members=2_000, quiet_days=7, scraper_days=0)


def local_hours(name: str) -> NDArray[np.int64]:
    """Local hour of each view."""
    traffic = doings_of(name).views
    utc_h = {"DE": 1, "GB": 0, "FR": 1, "US": -6, "IN": 5, "BR": -3}
    homes = [demo().internet.addresses[place] for place in demo().internet.home.tolist()]
    accounts = [int(str(origin.account).removeprefix("u")) - 1 for origin in traffic.origins]
    ahead = np.array([utc_h[homes[account].country] for account in accounts])[traffic.origin]
    hours: NDArray[np.int64] = (traffic.time_ms // HOUR_MS + ahead) % 24
    return hours


def test_day_and_night() -> None:
    """Regular people sleep, night people do not, sales keep working hours, journalists afternoons: in local time."""
    small_hours = {name: np.mean(local_hours(name) < 5) for name in ("regular", "night")}
    assert small_hours["regular"] < 0.08
    assert small_hours["night"] > 0.35
    working, writing = local_hours("sales"), local_hours("journalist")
    assert np.mean((working >= 7) & (working < 20)) > 0.85
    assert np.mean((writing >= 12) & (writing < 20)) > 0.65


def test_an_odd_start_moves_nobodys_night() -> None:
    """People live by the clock on the wall, whatever hour the plan begins at."""
    world = World.of(replace(PRESETS["demo"], start=START.replace(hour=7)))
    crowd = crowd_of("regular", world)
    visits = draw_visits(np.random.default_rng(1), world, crowd)
    german = world.internet.country[crowd.first + visits.person] == 0
    local_h = (visits.start_ms[german] // HOUR_MS + 7 + 1) % 24
    assert np.array_equal(local_h, visits.local_h[german])
    assert np.mean(local_h < 5) < 0.08


@pytest.mark.parametrize(("name", "share"), [("regular", 0.75), ("sales", 0.15), ("night", 1.0)])
def test_weekends(name: str, share: float) -> None:
    """Fewer people come on a Saturday or Sunday, hardly any whose work it is, and night people as ever."""
    world = World.of(WEEK)
    visits = draw_visits(np.random.default_rng(1), world, crowd_of(name, world))
    a_day = np.bincount(visits.start_ms // DAY_MS, minlength=7)
    ratio = a_day[[4, 5]].mean() / a_day[[0, 1, 2, 3, 6]].mean()
    assert ratio == pytest.approx(share, abs=0.22)


def test_the_week_begins_on_a_tuesday() -> None:
    """Plans begin on a Tuesday unless told otherwise; another start has its own weekend."""
    assert np.flatnonzero(weekends(WEEK)).tolist() == [4, 5]
    assert np.flatnonzero(weekends(replace(WEEK, start=START.replace(day=28)))).tolist() == [0, 1]


def test_sizes_of_visits_have_a_heavy_tail() -> None:
    """Half of the visits have few views, one in a hundred more than 50, none more than 80."""
    size = draw_visits(np.random.default_rng(1), demo(), crowd_of("regular")).size
    assert 3 <= np.median(size) <= 7
    assert np.percentile(size, 99) > 50
    assert size.max() == 80


def test_glancers_come_often_and_briefly() -> None:
    """A glancer's day is about nine visits, each of hardly two views."""
    crowd = crowd_of("glancer")
    visits = draw_visits(np.random.default_rng(1), demo(), crowd)
    assert visits.size.mean() < 2
    assert 13 < len(visits.person) / len(crowd) < 21


def test_visits_are_in_order() -> None:
    """Visits come in order of person, then start, each with the day's hour of its start."""
    visits = draw_visits(np.random.default_rng(1), demo(), crowd_of("night"))
    assert np.array_equal(np.lexsort((visits.start_ms, visits.person)), np.arange(len(visits.person)))
    assert visits.local_h.min() >= 0
    assert visits.local_h.max() <= 23


def test_gaps_within_a_visit() -> None:
    """Gaps are log-normal around the median given, with a long tail; a visit begins with its first view."""
    size = np.full(4_000, 5)
    passed = passed_ms(np.random.default_rng(1), size, np.full(20_000, 30.0)).reshape(4_000, 5)
    assert (passed[:, 0] == 0).all()
    gap_s = np.diff(passed, axis=1) / 1_000
    assert np.median(gap_s) == pytest.approx(30, rel=0.05)
    assert np.percentile(gap_s, 99) > 200


def test_views_by_visit() -> None:
    """Overlapping visits are told apart: each in order of time, its first view going on with none."""
    # visit 0:  10    20    30        visit 1:  15    40
    views = Views(np.zeros(5, np.int64), np.array([0, 1, 0, 0, 1]), np.array([10, 15, 20, 30, 40]))
    order, goes_on = views.by_visit()
    assert order.tolist() == [0, 2, 3, 1, 4]
    assert goes_on.tolist() == [False, True, True, False, True]


def test_views_of_nobody() -> None:
    """No views are in no order."""
    nothing = np.empty(0, np.int64)
    order, goes_on = Views(nothing, nothing, nothing).by_visit()
    assert len(order) == len(goes_on) == 0
