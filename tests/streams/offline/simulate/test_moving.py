from collections import defaultdict
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from streams.offline.simulate.coming import Views
from streams.offline.simulate.internet import FIRST_ASN, GUESTS, RELAY
from streams.offline.simulate.moving import HOTSPOT_SWITCH_SHARE, TRIPS_A_DAY, draw_trips
from streams.offline.simulate.plan import DAY_MS, PRESETS
from streams.offline.simulate.traffic import Origin, Traffic
from streams.offline.simulate.visit import doings
from streams.offline.simulate.world import World
from tests.streams.offline.simulate.everybody import crowd_of

PLAN = replace(PRESETS["demo"], people=4_000, quiet_days=3.0)


@cache
def worlds() -> tuple[World, World]:
    """Four days of 4,000 people who move, and of the same people who do not."""
    return World.of(replace(PLAN, moving=True)), World.of(PLAN)


@cache
def views_of(name: str) -> tuple[Traffic, Traffic]:
    """Views of a kind, of both worlds."""
    moving, still = (doings(world, crowd_of(name, world)).views for world in worlds())
    return moving, still


def of(views: Traffic) -> list[Origin]:
    """Origin of each view."""
    return [views.origins[origin] for origin in views.origin.tolist()]


def provider(origin: Origin) -> int:
    """Number of the network's provider."""
    return origin.address.asn - FIRST_ASN


def is_guest(origin: Origin) -> bool:
    """Whether it comes from a guests' network."""
    return GUESTS <= provider(origin) < RELAY


@pytest.mark.parametrize("name", ["regular", "recruiter", "vpn"])
def test_only_places_and_programs_change(name: str) -> None:
    """The same people ask for the same at the same moments with the same accounts."""
    moving, still = views_of(name)
    assert np.array_equal(moving.time_ms, still.time_ms)
    assert np.array_equal(moving.subject, still.subject)
    assert [origin.account for origin in of(moving)] == [origin.account for origin in of(still)]
    assert [origin.address for origin in of(moving)] != [origin.address for origin in of(still)]


def test_who_has_no_account_stays() -> None:
    """Visitors without an account come from where they came from."""
    moving, still = views_of("anonymous")
    assert of(moving) == of(still)


def test_presets() -> None:
    """People move in the days to judge by, not in those that tests and the demo are made of."""
    assert {name for name, plan in PRESETS.items() if plan.moving} == {"day", "evaluate"}


def test_trips() -> None:
    """At any moment some 4 in 100 people are away, a quarter of them abroad."""
    world = worlds()[0]
    crowd = crowd_of("regular", world)
    trips = draw_trips(world, crowd)
    for day in range(4):
        away = (trips.begin_ms <= day * DAY_MS) & (day * DAY_MS < trips.end_ms)
        assert away.mean() == pytest.approx(TRIPS_A_DAY * 5.1, abs=0.012)
    seen = trips.begin_ms < world.plan.end_ms
    home = world.internet.country[crowd.first : crowd.first + len(crowd)]
    assert np.mean((trips.country != home)[seen]) == pytest.approx(0.27, abs=0.05)


def test_who_travels_meets_networks_of_guests() -> None:
    """Some 7 in 100 people do so within four days, on networks of their own, by the carrier beside them."""
    moving, still = views_of("regular")
    places: dict[str | None, set[str]] = defaultdict(set)
    for origin in of(moving):
        if is_guest(origin):
            places[origin.account].add(origin.address.value)
    assert len(places) / len({origin.account for origin in of(still)}) == pytest.approx(0.065, abs=0.02)
    assert np.mean([len(met) > 1 for met in places.values()]) > 0.4
    assert not any(is_guest(origin) for origin in of(still))


def test_a_session_under_way_changes_networks() -> None:
    """Sessions under way come from a hotspot and a carrier within minutes."""
    moving, _ = views_of("regular")
    last: dict[str | None, tuple[int, Origin]] = {}
    hops = 0
    order = np.argsort(moving.time_ms, kind="stable")
    origins = of(moving)
    for at in order.tolist():
        origin, time_ms = origins[at], int(moving.time_ms[at])
        before = last.get(origin.session)
        if before and time_ms - before[0] < 300_000 and is_guest(origin) != is_guest(before[1]):
            hops += 1
        last[origin.session] = time_ms, origin
    guests = sum(map(is_guest, origins))
    assert 0.01 * guests < hops < HOTSPOT_SWITCH_SHARE * guests


def test_homes_of_two_families() -> None:
    """In half of all homes browsers go from IPv4 to IPv6 and back, within the provider's network."""
    moving, still = views_of("regular")
    turned: dict[str | None, set[bool]] = defaultdict(set)
    for after, before in zip(of(moving), of(still), strict=True):
        if provider(before) < 100 and provider(after) < 100:
            assert after.address.asn == before.address.asn
            assert after.address.country == before.address.country
            turned[after.account].add((":" in after.address.value) != (":" in before.address.value))
    assert np.mean([True in met for met in turned.values()]) == pytest.approx(0.47, abs=0.05)
    assert any(met == {False, True} for met in turned.values())


def test_a_relay_beneath_safari() -> None:
    """It is used by some of those with Safari and nobody else, changes networks, and keeps the country at home."""
    moving, still = views_of("regular")
    through: dict[str | None, list[Origin]] = defaultdict(list)
    for after in of(moving):
        if provider(after) >= RELAY:
            assert "Version/" in after.client.user_agent
            through[after.account].append(after)
    long = [met for met in through.values() if len(met) >= 20]
    assert np.mean([len({origin.address.asn for origin in met}) for met in long]) > 2.5
    assert np.mean([len({origin.address.value for origin in met}) / len(met) for met in long]) > 0.3
    safari = {origin.account for origin in of(still) if "Version/" in origin.client.user_agent}
    assert len(through) / len(safari) == pytest.approx(0.08, abs=0.03)
    home = {origin.account: origin.address.country for origin in of(still) if provider(origin) < 100}
    abroad = [{origin.address.country for origin in met} - {home.get(account)} for account, met in through.items()]
    assert np.mean([bool(met) for met in abroad]) < 0.1


def test_updates() -> None:
    """On each day some 1 in 28 programs calls itself by the next version, in the middle of it, with the same hello."""
    moving, still = views_of("regular")
    newer: dict[tuple[str | None, str], set[bool]] = defaultdict(set)
    for after, before in zip(of(moving), of(still), strict=True):
        if after.session == before.session:
            assert after.client.ja4 == before.client.ja4
            newer[after.account, before.client.user_agent].add(after.client != before.client)
    assert np.mean([True in met for met in newer.values()]) == pytest.approx(4 / 28, abs=0.03)
    assert any(met == {False, True} for met in newer.values())


def test_new_devices() -> None:
    """Few people get one within four days; it has a session of its own, and some are first used at a new place."""
    moving, still = views_of("regular")
    new = [
        (after, before) for after, before in zip(of(moving), of(still), strict=True) if after.session != before.session
    ]
    accounts = {after.account for after, _ in new}
    assert 0.002 < len(accounts) / len({origin.account for origin in of(still)}) < 0.016
    assert all(after.session == f"{before.session}.new" for after, before in new)
    assert 0 < len({after.account for after, _ in new if is_guest(after)}) < len(accounts)


def views_in_turn() -> Views:
    """Two visits of three and four views, in turns."""
    visit = np.array([0, 1, 0, 1, 0, 1, 1])
    return Views(np.zeros(7, np.int64), visit, np.arange(7))


def test_turned_within_a_visit() -> None:
    """A switch turns what follows it in its visit, not another visit, and none comes before a visit's first view."""
    # Order of visits: 0, 2, 4 | 1, 3, 5, 6.
    switches = np.array([True, True, False, True, False, True, True])
    assert views_in_turn().turned(switches).tolist() == [False, False, True, False, True, True, False]


def test_kept_within_a_visit() -> None:
    """What was drawn holds until it is drawn anew, and never beyond its visit."""
    again = np.array([False, True, False, False, False, True, False])
    assert views_in_turn().kept(np.arange(7), again).tolist() == [0, 3, 1, 3, 1, 5, 5]
