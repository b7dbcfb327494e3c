from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from streams.offline.simulate.internet import HOME_HOSTS
from streams.offline.simulate.members import PAGES_MAX
from streams.offline.simulate.people import Crowd
from streams.offline.simulate.plan import DAY_MS, HOUR_MS, PRESETS
from streams.offline.simulate.traffic import Traffic, What
from streams.offline.simulate.visit import Views, _again, _last_search, beside, honest
from streams.offline.simulate.world import World


@pytest.fixture(scope="module")
def demo() -> World:
    """The world of the demo."""
    return World.of(PRESETS["demo"])


def crowd_of(world: World, name: str) -> Crowd:
    """The crowd of a kind."""
    return next(crowd for crowd in world.crowds if crowd.kind.name == name)


def views_of(world: World, name: str) -> Traffic:
    """The views of a kind."""
    return honest(world, crowd_of(world, name))[0].traffic


def distinct_a_day(traffic: Traffic) -> list[int]:
    """Distinct profiles of each account on each day on which it views any."""
    seen: dict[tuple[str | None, int], set[int]] = {}
    days = (traffic.time_ms // DAY_MS).tolist()
    for origin, day, profile in zip(traffic.origin.tolist(), days, traffic.subject.tolist(), strict=True):
        seen.setdefault((traffic.origins[origin].account, day), set()).add(profile)
    return [len(profiles) for profiles in seen.values()]


def local_hours(world: World, name: str) -> NDArray[np.int64]:
    """Local hour of each view."""
    traffic = views_of(world, name)
    utc_h = {"DE": 1, "GB": 0, "FR": 1, "US": -6, "IN": 5, "BR": -3}
    ahead = np.array([utc_h[origin.address.country] for origin in traffic.origins])[traffic.origin]
    hours: NDArray[np.int64] = (traffic.time_ms // HOUR_MS + ahead) % 24
    return hours


def test_a_persons_day(demo: World) -> None:
    """Most regular people see 5 to 25 profiles a day, some 40, one in a hundred more than 60, none a thousand."""
    p25, p50, p90, p99, most = np.percentile(distinct_a_day(views_of(demo, "regular")), [25, 50, 90, 99, 100])
    assert p25 >= 5
    assert 10 <= p50 <= 20
    assert 30 <= p90 <= 50
    assert 55 <= p99 <= 110
    assert most < 250


def test_a_recruiters_day(demo: World) -> None:
    """Recruiters see hundreds of profiles a day, and their searches list many more."""
    views, searches, _ = honest(demo, crowd_of(demo, "recruiter"))
    assert 200 <= np.median(distinct_a_day(views.traffic)) <= 500
    days = 2 * len(crowd_of(demo, "recruiter"))
    assert len(searches.traffic) / days > 80
    assert (searches.traffic.subject % PAGES_MAX).max() >= 2


def test_glancers_come_often_and_briefly(demo: World) -> None:
    """A glancer's day is many visits of hardly two views."""
    traffic = views_of(demo, "glancer")
    visits = len(np.unique(traffic.origin))
    assert len(traffic) / visits < 2
    assert visits / len(crowd_of(demo, "glancer")) > 12


def test_day_and_night(demo: World) -> None:
    """Regular people sleep, night people do not, sales keep working hours: all in local time."""
    small_hours = {name: np.mean(local_hours(demo, name) < 5) for name in ("regular", "night")}
    assert small_hours["regular"] < 0.08
    assert small_hours["night"] > 0.35
    working = local_hours(demo, "sales")
    assert np.mean((working >= 7) & (working < 20)) > 0.85


def test_gaps_within_a_visit(demo: World) -> None:
    """The median gap between two views of a visit lies in people's 22 to 38 s, with a long tail."""
    traffic = views_of(demo, "regular")
    order = np.lexsort((traffic.time_ms, traffic.origin))
    same = np.diff(traffic.origin[order]) == 0
    gap_s = np.diff(traffic.time_ms[order])[same] / 1_000
    assert 22 < np.median(gap_s) < 38
    assert np.percentile(gap_s, 99) > 150


def test_sizes_of_visits_have_a_heavy_tail(demo: World) -> None:
    """Half of the visits have few views, one in a hundred more than 50, none more than 80."""
    size = np.bincount(views_of(demo, "regular").origin)
    assert 3 <= np.median(size) <= 7
    assert np.percentile(size, 99) > 50
    assert size.max() == 80


def test_dead_links(demo: World) -> None:
    """One or two in a hundred views are of nobody, and exactly those answer 404."""
    traffic = views_of(demo, "regular")
    assert np.mean(traffic.status == 404) == pytest.approx(0.015, abs=0.003)
    assert np.array_equal(traffic.status == 200, demo.members.exists(traffic.subject))


def test_addresses_of_a_person(demo: World) -> None:
    """Over a crowd, visits come from homes, carriers and offices; a VPN user's mostly from its exits."""
    shared = demo.internet.shared()
    where = {
        name: np.array([origin.address.value in shared[sort] for origin in views_of(demo, kind).origins]).mean()
        for name, kind, sort in (
            ("carrier", "regular", "carrier_nat"),
            ("office", "regular", "office_nat"),
            ("exit", "vpn", "vpn_exit"),
            ("no exit", "regular", "vpn_exit"),
        )
    }
    assert where["carrier"] == pytest.approx(0.25, abs=0.03)
    assert 0.03 < where["office"] < 0.15
    assert where["exit"] == pytest.approx(0.8, abs=0.05)
    assert where["no exit"] == 0


def test_people_never_use_rented_hosts(demo: World) -> None:
    """Hosts above .199 are left to scrapers."""
    for origin in views_of(demo, "regular").origins:
        assert ":" in origin.address.value or int(origin.address.value.rpartition(".")[2]) <= HOME_HOSTS + 1


def test_furniture(demo: World) -> None:
    """Most accounts ask for something beside every view, a few never do; a tenth of visitors never do."""
    for name, bare in (("regular", 0.007), ("anonymous", 0.08)):
        views, _, others = honest(demo, crowd_of(demo, name))
        with_views, with_others = (np.unique(part.traffic.origin) for part in (views, others))
        assert 1 - len(with_others) / len(with_views) == pytest.approx(bare, abs=0.03)
        assert (1 - len(with_others) / len(with_views)) > 0


@pytest.mark.parametrize("ratio", [0.0, 0.4, 1.0, 2.5])
def test_ratio_of_other_requests(world: World, ratio: float) -> None:
    """There are as many requests beside the views as the plan says, each shortly after a view."""
    views = views_of(world, "regular")
    others = beside(np.random.default_rng(1), views, ratio, np.ones(len(views), np.bool_))
    assert len(others) / len(views) == pytest.approx(ratio, abs=0.02)
    assert set(others.what.tolist()) <= {What.OTHER}
    if ratio == 1:
        assert (others.time_ms - views.time_ms).min() >= 60


def test_search_results_are_viewed(demo: World) -> None:
    """After a search the next views are mostly of somebody that it found; without one they rarely are."""
    views, searches, _ = (part.traffic for part in honest(demo, crowd_of(demo, "recruiter")))
    both = Traffic.merged([views, searches], 2 * DAY_MS)
    shown: dict[int, set[int]] = {}
    found = []
    for origin, what, subject in zip(both.origin.tolist(), both.what.tolist(), both.subject.tolist(), strict=True):
        if what == What.SEARCH:
            shown[origin % len(views.origins)] = set(demo.members.results(*divmod(subject, PAGES_MAX)).tolist())
        elif origin in shown:
            found.append(subject in shown[origin])
    assert len(found) > 1_000
    assert 0.6 < np.mean(found) < 0.85


def test_last_search() -> None:
    """A view belongs to the last search of its own visit, not of a later one or of another visit."""
    # visit 0:  view 10    search→20    view 30          visit 1:  view 15     search→40
    views = Views(np.zeros(5, np.int64), np.array([0, 0, 0, 1, 1]), np.array([10, 20, 30, 15, 40]))
    name, page = _last_search(views, np.array([0, 1]), np.array([20, 40]), np.array([[7, 8], [0, 2]]))
    assert page.tolist() == [-1, 0, 0, -1, 2]
    assert name[[1, 2, 4]].tolist() == [7, 7, 8]


def test_last_search_of_nobody() -> None:
    """Without a search no view has one."""
    views = Views(np.zeros(2, np.int64), np.array([0, 1]), np.array([10, 20]))
    nothing = np.empty(0, np.int64)
    assert _last_search(views, nothing, nothing, np.empty((2, 0), np.int64))[1].tolist() == [-1, -1]


def test_returns_lead_to_an_own_earlier_view() -> None:
    """A view that returns shows what an earlier view of the same person showed; a first view cannot return."""
    person = np.repeat(np.arange(50), 20)
    source = _again(np.random.default_rng(1), person, np.ones(1_000, np.bool_))
    assert np.array_equal(source, np.repeat(np.arange(50) * 20, 20))
    some = np.random.default_rng(2).random(1_000) < 0.5
    source = _again(np.random.default_rng(3), person, some)
    assert (person[source] == person).all()
    assert (source <= np.arange(1_000)).all()
    assert not some[source[source % 20 != 0]].any()


def test_an_odd_start_moves_nobodys_night(demo: World) -> None:
    """People live by the clock on the wall, whatever hour the plan begins at."""
    plan = replace(PRESETS["demo"], start=PRESETS["demo"].start.replace(hour=7))
    traffic = views_of(World.of(plan), "regular")
    utc_h = (traffic.time_ms // HOUR_MS + 7) % 24
    german = np.array([origin.address.country == "DE" for origin in traffic.origins])[traffic.origin]
    assert np.mean((utc_h[german] + 1) % 24 < 5) < 0.08
