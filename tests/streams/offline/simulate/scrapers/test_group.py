from datetime import datetime, timedelta

import numpy as np
import pytest
from numpy.typing import NDArray

from streams.offline.simulate.client import CLIENTS, GO_HTTP
from streams.offline.simulate.internet import net_of
from streams.offline.simulate.plan import HOUR_MS
from streams.offline.simulate.scrapers import Scraper
from streams.offline.simulate.traffic import Traffic, What
from streams.offline.simulate.world import World

FARMS = ("farm_net-20x60", "farm_scattered-20x60", "farm_furnished-20x60", "farm_aged-20x60")


@pytest.mark.parametrize(
    ("name", "addresses", "views"),
    [("fleet-1", 60, 30), ("fleets-200x20", 200, 20), ("fleets-400x6", 400, 6), ("fleet_common-60x30", 60, 30)],
)
def test_fleets(everyone: World, found: dict[str, Scraper], name: str, addresses: int, views: int) -> None:
    """Scattered addresses without accounts see so many profiles each, no two the same, each out of its own part."""
    fleet = found[name].traffic
    assert np.bincount(fleet.origin).tolist() == [views] * addresses
    assert fleet.profiles(everyone.members) == addresses * views
    assert {origin.account for origin in fleet.origins} == {None}
    assert len({net_of(origin.address.value) for origin in fleet.origins}) > 0.7 * addresses
    assert len({origin.client for origin in fleet.origins}) == 1
    assert np.ptp(fleet.time_ms) < 8 * HOUR_MS
    own = np.searchsorted(everyone.members.ids, fleet.subject[fleet.origin == 7])
    assert np.ptp(own) < len(everyone.members.ids) / addresses + 1


def test_no_address_of_the_fleet_walks(found: dict[str, Scraper]) -> None:
    """An address takes its part in no order, so that it is no walk."""
    fleet = found["fleet-1"].traffic
    steps = [np.diff(fleet.subject[fleet.origin == number]) for number in range(60)]
    assert np.mean(np.concatenate(steps) > 0) == pytest.approx(0.5, abs=0.1)


def test_clients_of_fleets(found: dict[str, Scraper]) -> None:
    """One fleet has the browser that most people use, the others a library of their own."""
    commonest = max(CLIENTS, key=lambda client: client.share)
    assert found["fleet_common-60x30"].traffic.origins[0].client == commonest
    assert found["fleet-1"].traffic.origins[0].client == GO_HTTP
    people = {client.ja4 for client in CLIENTS}
    assert found["fleets-200x20"].traffic.origins[0].client.ja4 not in people
    assert found["one_shot-600"].traffic.origins[0].client.ja4 not in people


def test_one_shot(everyone: World, found: dict[str, Scraper]) -> None:
    """Six hundred requests from six hundred addresses, each for another profile."""
    shots = found["one_shot-600"].traffic
    assert len(shots) == 600
    assert len({shots.origins[origin].address for origin in shots.origin.tolist()}) == 600
    assert shots.profiles(everyone.members) == 600
    assert {origin.account for origin in shots.origins} == {None}


@pytest.mark.parametrize("name", FARMS)
def test_farms(everyone: World, found: dict[str, Scraper], name: str) -> None:
    """Twenty accounts, each with an address of its own, see sixty profiles each in a day, no two the same."""
    farm = found[name].traffic
    viewers = [farm.origins[origin].account for origin in farm.origin[farm.what == What.VIEW].tolist()]
    assert sorted(map(viewers.count, set(viewers))) == [60] * 20
    assert farm.profiles(everyone.members) == 1_200
    assert len({(origin.account, origin.address) for origin in farm.origins}) == 20
    assert len({origin.address for origin in farm.origins}) == 20
    assert np.ptp(farm.time_ms) > 20 * HOUR_MS


def test_places_of_farms(found: dict[str, Scraper]) -> None:
    """One farm lies in one net, the others are scattered."""
    nets = [len({net_of(origin.address.value) for origin in found[name].traffic.origins}) for name in FARMS]
    assert nets[0] == 1
    assert min(nets[1:]) >= 17


@pytest.mark.parametrize(
    ("name", "youngest", "oldest"),
    [(name, 20 if "aged" in name else 2, 400 if "aged" in name else 12) for name in FARMS],
)
def test_ages_of_farms(everyone: World, found: dict[str, Scraper], name: str, youngest: int, oldest: int) -> None:
    """Fresh accounts when scrapers begin to come, or aged ones."""
    plan = everyone.plan
    begin = plan.start + timedelta(days=plan.quiet_days)
    made = {origin.account: origin.created_at or "" for origin in found[name].traffic.origins}
    ages = [(begin - datetime.fromisoformat(at)).total_seconds() / 86_400 for at in made.values()]
    assert len(ages) == 20
    assert youngest - 0.001 <= min(ages) < max(ages) <= oldest + 0.001
    assert max(ages) - min(ages) > (oldest - youngest) / 2


def test_only_one_farm_has_furniture(found: dict[str, Scraper]) -> None:
    """The farm in a browser asks for what belongs to its pages and pauses as people do; the others only view."""
    bare, furnished = found["farm_scattered-20x60"].traffic, found["farm_furnished-20x60"].traffic
    assert set(bare.what.tolist()) == {What.VIEW}
    assert (furnished.what == What.OTHER).sum() == pytest.approx(1_200, rel=0.05)
    assert furnished.origins[0].client in CLIENTS
    assert pauses(furnished.time_ms[own_views(furnished)]) > 0.5
    assert pauses(bare.time_ms[own_views(bare)]) < 0.2


def own_views(traffic: Traffic) -> NDArray[np.bool_]:
    """The views of one account."""
    mine = np.array([origin.account == traffic.origins[3].account for origin in traffic.origins])
    chosen: NDArray[np.bool_] = mine[traffic.origin] & (traffic.what == What.VIEW)
    return chosen


def pauses(time_ms: NDArray[np.int64]) -> float:
    """Share of the gaps that are a person's within a visit: under 3 minutes."""
    return float(np.mean(np.diff(np.sort(time_ms)) < 180_000))
