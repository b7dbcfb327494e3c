from dataclasses import replace

import numpy as np
import pytest

from streams.offline.simulate import PRESETS
from streams.offline.simulate.client import CLIENTS
from streams.offline.simulate.plan import DAY_MS, HOUR_MS, SCRAPER_KINDS
from streams.offline.simulate.scrapers import Stage
from streams.offline.simulate.scrapers.stage import tool
from streams.offline.simulate.world import World


def stage(scraper_days: float) -> Stage:
    """The stage of the first kind after a quiet day."""
    return Stage(World.of(replace(PRESETS["small"], scraper_days=scraper_days)), 0)


def test_kind_and_names() -> None:
    """A stage is that of the kind with its number, and scrapers are named after it."""
    assert [Stage(stage(1).world, slot).kind for slot in range(len(SCRAPER_KINDS))] == list(SCRAPER_KINDS)
    assert stage(1).name("x") == "burst-x"


@pytest.mark.parametrize(("days", "count"), [(1, 25), (2, 50), (0.5, 12), (0.01, 1)])
def test_daily_numbers(days: float, count: int) -> None:
    """So many as fall into the time, and never none."""
    assert stage(days).count(25) == count


def test_spans() -> None:
    """A span begins after a share of the time, and ends with the time at the latest."""
    assert stage(1).span_ms(0.5, HOUR_MS) == (1.5 * DAY_MS, 1.5 * DAY_MS + HOUR_MS)
    assert stage(1).span_ms(0.5, DAY_MS) == (1.5 * DAY_MS, 2 * DAY_MS)


@pytest.mark.parametrize("days", [0.02, 1.0])
@pytest.mark.parametrize("count", [1, 40])
def test_times(days: float, count: int) -> None:
    """All ways to spread so many times ascend, stay within the time, and give as many as there is room for."""
    place, rng = stage(days), np.random.default_rng(1)
    for times in (place.at_random(rng, count), place.in_visits(rng, count), place.steadily(rng, 0.1, 2_000, count)):
        assert len(times) == count
        assert (np.diff(times) >= 0).all()
        assert times.min() >= place.begin_ms
        assert times.max() < place.world.plan.end_ms


def test_a_steady_pace_stops_with_the_time() -> None:
    """What would come after the end is left out."""
    times = stage(0.02).steadily(np.random.default_rng(1), 0.5, 10_000, 1_000)
    assert 60 < len(times) < 120
    assert times.max() < stage(0.02).world.plan.end_ms


def test_visits_are_those_of_people() -> None:
    """Most pauses are short, those between visits are long."""
    gap_s = np.diff(stage(1).in_visits(np.random.default_rng(1), 1_200)) / 1_000
    assert np.mean(gap_s < 120) > 0.7
    assert np.mean(gap_s > 300) > 0.03


def test_tools() -> None:
    """A library calls itself a browser; its hello is its own, and the same each time."""
    assert tool("a") == tool("a")
    assert tool("a").ja4 != tool("b").ja4
    assert tool("a").ja4 not in {client.ja4 for client in CLIENTS}
    assert tool("a").user_agent in {client.user_agent for client in CLIENTS}


def test_unused_times_and_ids() -> None:
    """Of times and ids the shorter decides how many views there are."""
    place = stage(1)
    origin = place.account("x", place.world.internet.hosted(0, 1)[0], tool("x"), 3)
    for times, ids in ((3, 5), (5, 3)):
        views = place.views_of_one(np.arange(times), place.world.members.ids[:ids], origin)
        assert len(views) == 3
