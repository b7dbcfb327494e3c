from dataclasses import replace

import numpy as np
import pytest

from streams.offline.simulate.internet import net_of
from streams.offline.simulate.plan import DAY_MS, HOUR_MS, PRESETS, SCRAPER_KINDS, Plan
from streams.offline.simulate.scrapers import KINDS, Scraper, scrapers
from streams.offline.simulate.world import World


@pytest.fixture(scope="module")
def found(world: World) -> dict[str, Scraper]:
    """The small preset's scrapers by id."""
    return {scraper.id: scraper for scraper in scrapers(world)}


def test_every_kind_has_its_function() -> None:
    """A kind that a plan may name is made by a function, and the other way round."""
    assert tuple(KINDS) == SCRAPER_KINDS


def test_ids(found: dict[str, Scraper]) -> None:
    """All kinds come, two accounts of the slow sort."""
    assert list(found) == ["burst-1", "low_and_slow-1", "low_and_slow-2", "fleet-1", "id_walk-1"]
    assert all(scraper.id.startswith(scraper.kind) for scraper in found.values())


def test_all_keep_to_their_time(world: World, found: dict[str, Scraper]) -> None:
    """No scraper comes before the quiet time is over."""
    for scraper in found.values():
        assert scraper.traffic.time_ms.min() >= world.plan.quiet_ms
        assert scraper.traffic.time_ms.max() < world.plan.end_ms


def test_no_two_share_an_account_or_address(found: dict[str, Scraper]) -> None:
    """Each account and address is of one scraper."""
    accounts = [scraper.traffic.origins[0].account for scraper in found.values() if scraper.kind != "fleet"]
    assert len(set(accounts)) == len(accounts) == 4
    addresses = [origin.address for scraper in found.values() for origin in scraper.traffic.origins]
    assert len(set(addresses)) == len(addresses)


def test_burst(found: dict[str, Scraper]) -> None:
    """One account sees 2,000 different profiles in an hour, in no order of ids."""
    burst = found["burst-1"].traffic
    assert len(np.unique(burst.subject)) == 2_000
    assert burst.profiles() == 2_000
    assert np.ptp(burst.time_ms) < HOUR_MS
    assert len(burst.origins) == 1
    assert np.mean(np.abs(np.diff(burst.subject)) <= 16) < 0.05


@pytest.mark.parametrize(("name", "views"), [("low_and_slow-1", 150), ("low_and_slow-2", 300)])
def test_low_and_slow(world: World, found: dict[str, Scraper], name: str, views: int) -> None:
    """An account sees its daily number of unpopular profiles, none twice, in no hour more than a person might."""
    slow = found[name].traffic
    assert slow.profiles() == len(slow) == views
    popular = world.members.ids[world.members.ranked[: len(world.members.ids) * 3 // 10]]
    assert not np.isin(slow.subject, popular).any()
    assert np.bincount((slow.time_ms - DAY_MS) // HOUR_MS).max() < 60
    gap = np.diff(slow.time_ms)
    assert gap.std() > 0.5 * gap.mean()


def test_low_and_slow_goes_on_every_day() -> None:
    """Over three days the account sees three times as many."""
    world = World.of(replace(PRESETS["small"], scraper_days=3, scrapers=("low_and_slow",)))
    assert [len(scraper.traffic) for scraper in scrapers(world)] == [450, 900]


def test_fleet(world: World, found: dict[str, Scraper]) -> None:
    """Sixty scattered addresses without accounts see thirty profiles each, and no two the same."""
    fleet = found["fleet-1"].traffic
    assert np.bincount(fleet.origin).tolist() == [30] * 60
    assert fleet.profiles() == 1_800
    assert {origin.account for origin in fleet.origins} == {None}
    assert len({net_of(origin.address.value) for origin in fleet.origins}) > 50
    assert len({origin.client.ja4 for origin in fleet.origins}) == 1
    own = np.searchsorted(world.members.ids, fleet.subject[fleet.origin == 7])
    assert np.ptp(own) < len(world.members.ids) / 60 + 1


def test_no_address_of_the_fleet_walks(found: dict[str, Scraper]) -> None:
    """An address takes its part in no order, so that it is no walk."""
    fleet = found["fleet-1"].traffic
    steps = [np.diff(fleet.subject[fleet.origin == number]) for number in range(60)]
    assert np.mean(np.concatenate(steps) > 0) == pytest.approx(0.5, abs=0.1)


def test_id_walk(world: World, found: dict[str, Scraper]) -> None:
    """Every id comes after the one before within 1 to 3 s, and some are nobody's."""
    walk = found["id_walk-1"].traffic
    assert set(np.diff(walk.subject).tolist()) == {1}
    gap = np.diff(walk.time_ms)
    assert gap.min() >= 1_000
    assert gap.max() < 3_000
    assert 0.1 < np.mean(walk.status == 404) < 0.2
    assert walk.profiles() == int(world.members.exists(walk.subject).sum())


def test_only_those_asked_for(found: dict[str, Scraper]) -> None:
    """A scraper is the same when others are left out; none comes without days for them."""
    alone = scrapers(World.of(replace(PRESETS["small"], scrapers=("id_walk",))))
    assert [scraper.id for scraper in alone] == ["id_walk-1"]
    assert np.array_equal(alone[0].traffic.time_ms, found["id_walk-1"].traffic.time_ms)
    assert alone[0].traffic.origins == found["id_walk-1"].traffic.origins
    assert scrapers(World.of(replace(PRESETS["small"], scraper_days=0))) == []


@pytest.mark.parametrize("scraper_days", [0.02, 0.25])
def test_short_time(scraper_days: float) -> None:
    """Where time is short every scraper still begins, and stops with it."""
    plan = Plan(people=40, anonymous=0, members=5_000, quiet_days=0, scraper_days=scraper_days)
    for scraper in scrapers(World.of(plan)):
        assert len(scraper.traffic) > 0
        assert scraper.traffic.time_ms.max() < plan.end_ms
