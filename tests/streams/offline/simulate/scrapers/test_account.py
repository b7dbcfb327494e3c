from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from streams.offline.simulate import PRESETS
from streams.offline.simulate.client import CLIENTS, HEADLESS
from streams.offline.simulate.members import Members
from streams.offline.simulate.plan import DAY_MS, HOUR_MS
from streams.offline.simulate.scrapers import Scraper, scrapers
from streams.offline.simulate.traffic import What
from streams.offline.simulate.world import World

UNPOPULAR = [(f"unpopular-{a_day}", a_day) for a_day in (25, 50, 75, 100, 150, 300)]
SLOW = [("low_and_slow-1", 150), ("low_and_slow-2", 300), *UNPOPULAR]


def popular(members: Members) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Ids of the three tenths that are most popular."""
    return members.ids[members.ranked[: len(members.ids) * 3 // 10]]


def test_burst(everyone: World, found: dict[str, Scraper]) -> None:
    """One account sees 2,000 different profiles in an hour, in no order of ids."""
    burst = found["burst-1"].traffic
    assert len(np.unique(burst.subject)) == 2_000
    assert burst.profiles(everyone.members) == 2_000
    assert np.ptp(burst.time_ms) < HOUR_MS
    assert len(burst.origins) == 1
    assert np.mean(np.abs(np.diff(burst.subject)) <= 16) < 0.05


@pytest.mark.parametrize(("name", "views"), SLOW)
def test_low_and_slow(everyone: World, found: dict[str, Scraper], name: str, views: int) -> None:
    """An account sees its daily number of unpopular profiles, none twice, in no hour more than a person might."""
    slow = found[name].traffic
    assert slow.profiles(everyone.members) == len(slow) == views
    assert not np.isin(slow.subject, popular(everyone.members)).any()
    assert np.bincount((slow.time_ms - DAY_MS) // HOUR_MS).max() < 60
    gap = np.diff(slow.time_ms)
    assert gap.std() > 0.5 * gap.mean()
    assert np.ptp(slow.time_ms) > 18 * HOUR_MS


@pytest.mark.parametrize(("kind", "views"), [("low_and_slow", [450, 900]), ("new_account", [260, 300, 450, 900])])
def test_a_daily_number_is_of_every_day(kind: str, views: list[int]) -> None:
    """Over three days an account sees three times as many."""
    world = World.of(replace(PRESETS["small"], scraper_days=3, scrapers=(kind,)))
    assert [len(scraper.traffic) for scraper in scrapers(world)] == views


@pytest.mark.parametrize("a_day", [150, 300])
def test_mixed(everyone: World, found: dict[str, Scraper], a_day: int) -> None:
    """Half of the views are drawn by popularity, and three in ten are of a page that was seen before."""
    mixed = found[f"mixed-{a_day}"].traffic
    assert len(mixed) == a_day
    first = np.isin(np.arange(a_day), np.unique(mixed.subject, return_index=True)[1])
    assert 0.3 < np.mean(~first) < 0.5
    by_popularity = np.isin(mixed.subject, popular(everyone.members))
    assert by_popularity.mean() == pytest.approx(0.5 * 0.85, abs=0.1)


def test_new_accounts(everyone: World, found: dict[str, Scraper]) -> None:
    """Each account was made the moment scrapers begin, and sees its number of different profiles."""
    made = everyone.plan.start + timedelta(days=1)
    for variant, views in {"hour": 260, "100": 100, "150": 150, "300": 300}.items():
        new = found[f"new_account-{variant}"].traffic
        assert new.profiles(everyone.members) == len(new) == views
        assert {origin.created_at for origin in new.origins} == {made.isoformat().replace("+00:00", "Z")}
    assert np.ptp(found["new_account-hour"].traffic.time_ms) < HOUR_MS
    assert np.ptp(found["new_account-100"].traffic.time_ms) > 20 * HOUR_MS


@pytest.mark.parametrize(("step_s", "views"), [(5, 1_500), (120, 684)])
def test_metronome(everyone: World, found: dict[str, Scraper], step_s: int, views: int) -> None:
    """An unpopular profile every so many seconds, none more than 20 ms off."""
    beats = found[f"metronome-{step_s}s"].traffic
    assert beats.profiles(everyone.members) == len(beats) == views
    off = beats.time_ms - beats.time_ms[0] - np.arange(views) * step_s * 1_000
    assert np.ptp(off) <= 40
    assert np.ptp(off) > 0
    assert not np.isin(beats.subject, popular(everyone.members)).any()


@pytest.mark.parametrize("a_day", [75, 150])
def test_headless(everyone: World, found: dict[str, Scraper], a_day: int) -> None:
    """In the commonest browser an account sees unpopular profiles in visits, with a request beside each view."""
    hidden = found[f"headless-{a_day}"].traffic
    views = hidden.what == What.VIEW
    assert hidden.profiles(everyone.members) == views.sum() == a_day
    assert (hidden.what == What.OTHER).sum() == pytest.approx(a_day, rel=0.1)
    assert {origin.client for origin in hidden.origins} == {HEADLESS}
    gap_s = np.diff(np.sort(hidden.time_ms[views])) / 1_000
    assert 15 < np.median(gap_s) < 60
    assert gap_s.max() > 1_800


def test_headless_needs_no_furniture_where_people_have_none() -> None:
    """In a plan without requests beside views it makes none either."""
    world = World.of(replace(PRESETS["small"], other_ratio=0.0, scrapers=("headless", "farm_furnished")))
    assert {int(what) for scraper in scrapers(world) for what in scraper.traffic.what} == {What.VIEW}


@pytest.mark.parametrize("addresses", [4, 20])
def test_stolen_session(everyone: World, found: dict[str, Scraper], addresses: int) -> None:
    """One session of a person's account takes 800 profiles in turns from so many addresses, every 4 to 12 s."""
    thief = found[f"stolen_session-{addresses}"]
    traffic = thief.traffic
    assert traffic.profiles(everyone.members) == len(traffic) == 800
    assert len({origin.address for origin in traffic.origins}) == len(traffic.origins) == addresses
    (account,) = thief.stolen
    assert {(origin.account, origin.session) for origin in traffic.origins} == {(account, f"{account}.stolen")}
    assert traffic.origins[0].client in CLIENTS
    gap_ms = np.diff(traffic.time_ms)
    assert gap_ms.min() >= 4_000
    assert gap_ms.max() < 12_000
    assert np.bincount(traffic.origin).min() > 800 / addresses / 3


def test_the_robbed_are_active_people(everyone: World, found: dict[str, Scraper]) -> None:
    """The two accounts are different ordinary people who come more often than most, with their own tier and age."""
    (crowd,) = (crowd for crowd in everyone.crowds if crowd.kind.name == "regular")
    thieves = [found["stolen_session-4"], found["stolen_session-20"]]
    robbed = [int(account[1:]) - 1 - crowd.first for thief in thieves for account in thief.stolen]
    assert len(set(robbed)) == 2
    assert (crowd.level[robbed] > np.median(crowd.level)).all()
    for thief, person in zip(thieves, robbed, strict=True):
        assert thief.traffic.origins[0].created_at == crowd.created_at[person]
        assert thief.traffic.origins[0].tier == crowd.kind.tier
