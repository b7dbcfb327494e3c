from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from streams.offline.simulate.coming import Views, Visits, draw_views, draw_visits
from streams.offline.simulate.internet import HOME_HOSTS
from streams.offline.simulate.people import Crowd
from streams.offline.simulate.place import Whereabouts, whereabouts
from tests.streams.offline.simulate.everybody import crowd_of, demo

HABITS = ("twin", "roams", "hops")


def with_habit(crowd: Crowd, habit: str | None) -> Crowd:
    """The crowd with one habit for everybody, and no other habit for anybody."""
    twin, roams, hops = (np.full(len(crowd), name == habit) for name in HABITS)
    return replace(crowd, twin=twin, roams=roams, hops=hops)


def moves(name: str, habit: str | None) -> tuple[Crowd, Visits, Views, Whereabouts]:
    """A crowd of the demo with one habit, and where it views from."""
    crowd = with_habit(crowd_of(name), habit)
    rng = np.random.default_rng(1)
    visits = draw_visits(rng, demo(), crowd)
    views = draw_views(rng, visits, crowd)
    return crowd, visits, views, whereabouts(rng, demo().internet, crowd, visits, views)


def addresses(where: Whereabouts) -> list[str]:
    """Address of each view."""
    return [where.origins[origin].address.value for origin in where.origin.tolist()]


def test_places_of_people() -> None:
    """Visits come from homes, carriers and offices; a VPN user's mostly from its exits, nobody else's ever."""
    shared = demo().internet.shared()
    where = {name: [origin.address.value for origin in moves(name, None)[3].origins] for name in ("regular", "vpn")}
    assert np.isin(where["regular"], list(shared["carrier_nat"])).mean() == pytest.approx(0.25, abs=0.03)
    assert 0.03 < np.isin(where["regular"], list(shared["office_nat"])).mean() < 0.15
    assert np.isin(where["vpn"], list(shared["vpn_exit"])).mean() == pytest.approx(0.8, abs=0.05)
    assert not set(where["regular"]) & shared["vpn_exit"]


def test_without_habits_a_visit_stays() -> None:
    """Who neither roams nor hops nor has two devices out has one origin a visit."""
    _, visits, views, where = moves("regular", None)
    assert len(where.origins) == len(visits.person)
    assert np.array_equal(where.origin, views.visit)
    assert np.array_equal(where.phone, visits.phone[views.visit])


def test_exits_change_country() -> None:
    """A VPN user comes out of several exits, in more than one country within days."""
    crowd, _, _, where = moves("vpn", None)
    exits = demo().internet.shared()["vpn_exit"]
    countries: dict[str | None, set[str]] = {}
    for origin in where.origins:
        if origin.address.value in exits:
            countries.setdefault(origin.account, set()).add(origin.address.country)
    assert np.mean([len(codes) > 1 for codes in countries.values()]) > 0.4
    assert len(countries) > len(crowd) / 2


def test_roaming_sessions_go_to_and_fro() -> None:
    """A roaming phone keeps its session while it goes from home to the carrier and back several times."""
    crowd, _, views, where = moves("regular", "roams")
    home, carrier = (
        [demo().internet.addresses[place].value for place in places.tolist()]
        for places in (demo().internet.home, demo().internet.carrier)
    )
    sessions = [where.origins[origin].session for origin in where.origin.tolist()]
    rows = list(zip(sessions, addresses(where), (crowd.first + views.person).tolist(), strict=True))
    by_session: dict[str | None, list[str]] = {}
    for session, address, person in rows:
        if address in (home[person], carrier[person]):
            by_session.setdefault(session, []).append(address)
    switches = {name: sum(one != other for one, other in pairwise(seen)) for name, seen in by_session.items()}
    phones = [count for name, count in switches.items() if "phone" in str(name)]
    desktops = [count for name, count in switches.items() if "desktop" in str(name)]
    assert max(desktops) == 0
    assert np.mean(np.array(phones) >= 2) > 0.35


def test_roaming_people_use_a_vpn_now_and_then() -> None:
    """Of a roaming person's views about one in seven comes through a VPN."""
    shared = demo().internet.shared()["vpn_exit"]
    assert np.isin(addresses(moves("regular", "roams")[3]), list(shared)).mean() == pytest.approx(0.15, abs=0.03)


def test_a_restless_carrier() -> None:
    """Some carriers' addresses change from view to view, among few, all of the same country; other places stay."""
    crowd, visits, views, where = moves("regular", "hops")
    carriers = demo().internet.shared()["carrier_nat"]
    by_visit: dict[int, list[str]] = {}
    for visit, address in zip(views.visit.tolist(), addresses(where), strict=True):
        by_visit.setdefault(visit, []).append(address)
    german = demo().internet.country[crowd.first + visits.person] == 0
    long = {visit: seen for visit, seen in by_visit.items() if german[visit] and len(seen) >= 10}
    over_carrier = [seen for seen in long.values() if seen[0] in carriers]
    elsewhere = [seen for seen in long.values() if seen[0] not in carriers]
    assert np.mean([len(set(seen)) for seen in over_carrier]) > 1.8
    assert max(len(set(seen)) for seen in over_carrier) <= 4
    assert all(set(seen) <= carriers for seen in over_carrier)
    assert {len(set(seen)) for seen in elsewhere} == {1}


def test_two_devices_at_once() -> None:
    """In half of a twin's visits views alternate between desktop and phone, each with its own session and client."""
    _, visits, views, where = moves("regular", "twin")
    sessions = np.array([str(origin.session) for origin in where.origins])[where.origin]
    long = np.flatnonzero(visits.size >= 12)
    both = [len(np.unique(sessions[views.visit == visit])) for visit in long[:150].tolist()]
    assert set(both) == {1, 2}
    assert np.mean(np.array(both) == 2) == pytest.approx(0.5, abs=0.12)
    for origin, phone in zip(where.origin.tolist(), where.phone.tolist(), strict=True):
        assert ("phone" if phone else "desktop") in str(where.origins[origin].session)


def test_people_never_use_rented_hosts() -> None:
    """Hosts above .199 are left to scrapers."""
    for name, habit in (("regular", "roams"), ("anonymous", "hops")):
        for origin in moves(name, habit)[3].origins:
            value = origin.address.value
            assert ":" in value or int(value.rpartition(".")[2]) <= HOME_HOSTS + 1


def test_origins_are_used() -> None:
    """Every origin has a view, and none stands there twice for the same visit."""
    _, _, views, where = moves("sales", "roams")
    assert np.array_equal(np.unique(where.origin), np.arange(len(where.origins)))
    pairs = {
        (visit, where.origins[origin])
        for visit, origin in zip(views.visit.tolist(), where.origin.tolist(), strict=True)
    }
    assert len(pairs) == len(where.origins)


def test_a_crowd_of_nobody() -> None:
    """Nobody is nowhere."""
    nothing = np.empty(0, np.int64)
    visits = Visits(nothing, nothing, nothing, np.empty(0, np.bool_), nothing)
    where = whereabouts(
        np.random.default_rng(1), demo().internet, crowd_of("regular"), visits, Views(nothing, nothing, nothing)
    )
    assert where.origins == ()
