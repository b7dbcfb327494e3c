from dataclasses import replace

import numpy as np
import pytest

from streams.offline.simulate.plan import DAY_MS, MINUTE_MS, PRESETS
from streams.offline.simulate.robot import COLLECTOR_ACCOUNT, PEOPLE_MIN, robots
from streams.offline.simulate.traffic import Traffic, What
from streams.offline.simulate.world import World
from tests.streams.offline.simulate.everybody import demo


def of_kind(world: World, kind: str) -> list[Traffic]:
    """What robots of one kind ask for."""
    return [part.traffic for part in robots(world) if part.kind == kind]


def test_a_monitor_never_sleeps(world: World) -> None:
    """A monitor polls one profile every minute from beginning to end, without an account."""
    polls, calls = of_kind(world, "monitor")
    assert len(polls) == len(calls) == 2 * 24 * 60
    assert set(np.diff(polls.time_ms).tolist()) == {MINUTE_MS}
    assert len(np.unique(polls.subject)) == 1
    assert polls.origins[0].account is None


def test_a_collector_keeps_its_quota() -> None:
    """No 24 hours have more profiles than the quota, and every whole day has nearly as many."""
    (views,) = of_kind(demo(), "collector")
    assert len(views) == 2 * 1_480
    most = (np.searchsorted(views.time_ms, views.time_ms + DAY_MS) - np.arange(len(views))).max()
    assert 1_450 < most <= 1_500
    assert most < 1.01 * np.bincount(views.time_ms // DAY_MS).min()


def test_a_collector_goes_by_id_at_an_even_pace() -> None:
    """One existing id after the other, from the next day's first where the last stopped, with nearly equal gaps."""
    (views,) = of_kind(demo(), "collector")
    place = np.searchsorted(demo().members.ids, views.subject)
    assert set((np.diff(place) % len(demo().members.ids)).tolist()) == {1}
    assert (views.status == 200).all()
    gap_s = np.diff(views.time_ms) / 1_000
    assert gap_s.mean() == pytest.approx(58.4, abs=0.1)
    assert gap_s.std() < 6
    assert gap_s.min() > 40


def test_a_collector_is_a_partners_account() -> None:
    """One account with its own tier and program, from hosting, and nothing but views."""
    (views,) = of_kind(demo(), "collector")
    assert {(origin.account, origin.tier) for origin in views.origins} == {(COLLECTOR_ACCOUNT, "partner")}
    assert COLLECTOR_ACCOUNT == "partner-sync"
    assert len({origin.address.asn for origin in views.origins}) == 1
    assert len({origin.client for origin in views.origins}) == 1
    assert set(views.what.tolist()) == {What.VIEW}


def test_a_crawler_looks_at_the_popular() -> None:
    """A few hundred views a day without an account, of the most popular tenth, each as often as the others."""
    (views,) = of_kind(demo(), "search_bot")
    members = demo().members
    assert np.bincount(views.time_ms // DAY_MS).tolist() == [400, 400]
    assert {origin.account for origin in views.origins} == {None}
    popular = members.ids[members.ranked[: len(members.ranked) // 10]]
    assert np.isin(views.subject, popular).all()
    assert np.unique(views.subject, return_counts=True)[1].max() == 1
    assert len(np.unique(views.origin)) == len({origin.address for origin in views.origins}) == 4


def test_a_crawler_begins_anew(world: World) -> None:
    """When it has seen all that it keeps up with, a crawler sees them once more."""
    plan = replace(PRESETS["demo"], members=2_000)
    (views,) = of_kind(World.of(plan), "search_bot")
    assert np.unique(views.subject, return_counts=True)[1].tolist() == [4] * 200


@pytest.mark.parametrize(("people", "kinds"), [(PEOPLE_MIN - 1, 1), (PEOPLE_MIN, 3)])
def test_small_platforms_have_no_partners(people: int, kinds: int) -> None:
    """Below a thousand accounts the monitor is alone."""
    plan = replace(PRESETS["small"], people=people)
    assert len({part.kind for part in robots(World.of(plan))}) == kinds


def test_robots_come_on_every_day() -> None:
    """Quiet days and days with scrapers alike have their partner and crawler."""
    plan = replace(PRESETS["demo"], quiet_days=3, scraper_days=1)
    for kind in ("collector", "search_bot", "monitor"):
        for traffic in of_kind(World.of(plan), kind):
            assert set((traffic.time_ms // DAY_MS).tolist()) == {0, 1, 2, 3}


def test_the_same_seed_gives_the_same_robots() -> None:
    """Robots depend on the plan alone."""
    for one, other in zip(robots(demo()), robots(demo()), strict=True):
        assert np.array_equal(one.traffic.time_ms, other.traffic.time_ms)
        assert np.array_equal(one.traffic.subject, other.traffic.subject)
