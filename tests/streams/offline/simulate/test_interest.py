import numpy as np
import pytest

from streams.offline.simulate.coming import Views
from streams.offline.simulate.interest import _again, _last_search, _lists
from streams.offline.simulate.members import PAGES_MAX
from streams.offline.simulate.plan import DAY_MS
from streams.offline.simulate.traffic import Traffic, What
from streams.offline.simulate.visit import together
from tests.streams.offline.simulate.everybody import crowd_of, demo, doings_of


def profiles_a_day(traffic: Traffic) -> list[set[int]]:
    """Profiles of each account on each day on which it views any."""
    seen: dict[tuple[str | None, int], set[int]] = {}
    days = (traffic.time_ms // DAY_MS).tolist()
    for origin, day, profile in zip(traffic.origin.tolist(), days, traffic.subject.tolist(), strict=True):
        seen.setdefault((traffic.origins[origin].account, day), set()).add(profile)
    return list(seen.values())


def distinct_a_day(name: str) -> list[int]:
    """How many these are, of a kind."""
    return [len(profiles) for profiles in profiles_a_day(doings_of(name).views)]


def test_a_persons_day() -> None:
    """Most regular people see 5 to 25 profiles a day, some 40, one in a hundred more than 60, none a thousand."""
    p25, p50, p90, p99, most = np.percentile(distinct_a_day("regular"), [25, 50, 90, 99, 100])
    assert p25 >= 5
    assert 10 <= p50 <= 20
    assert 30 <= p90 <= 50
    assert 55 <= p99 <= 110
    assert most < 250


def test_a_recruiters_day() -> None:
    """Recruiters see hundreds of profiles a day, and their searches list up to two thousand more."""
    doings = doings_of("recruiter")
    assert 180 <= np.median(distinct_a_day("recruiter")) <= 450
    days = 2 * len(crowd_of("recruiter"))
    assert 600 < 10 * len(doings.searches) / days < 2_000
    assert (doings.searches.subject % PAGES_MAX).max() >= 2


def test_a_journalists_afternoon() -> None:
    """Journalists come on some days only, see dozens to some hundreds of little-known people, few of them twice."""
    traffic = doings_of("journalist").views
    days = profiles_a_day(traffic)
    assert len(days) < 1.5 * len(crowd_of("journalist"))
    assert 30 < np.median([len(profiles) for profiles in days]) < 250
    members = demo().members
    little_known = members.ids[members.ranked[round(0.3 * len(members.ranked)) :]]
    regular = doings_of("regular").views
    assert np.isin(traffic.subject, little_known).mean() > 0.5 > np.isin(regular.subject, little_known).mean()


def test_a_journalists_subject_is_of_the_day() -> None:
    """Little-known people of one day are out of a set of 200 that is another for another journalist or day."""
    days = profiles_a_day(doings_of("journalist").views)
    known = set(demo().members.ids[demo().members.ranked[:6_000]].tolist())
    large = [profiles - known for profiles in days if len(profiles) > 40]
    assert len(large) > 3
    assert max(len(profiles) for profiles in large) < 320
    shared = [len(one & other) / len(one) for one in large for other in large if one is not other]
    assert np.median(shared) < 0.1


def test_dead_links() -> None:
    """One or two in a hundred views are of nobody, and exactly those answer 404."""
    traffic = doings_of("regular").views
    assert np.mean(traffic.status == 404) == pytest.approx(0.015, abs=0.003)
    assert np.array_equal(traffic.status == 200, demo().members.exists(traffic.subject))


def test_visitors_see_the_unknown() -> None:
    """About four in ten views of visitors without an account are of just anybody, hardly any of them a return."""
    crowd = crowd_of("anonymous")
    assert crowd.taste.mean() == pytest.approx(0.42, abs=0.03)
    assert crowd.returns.mean() < 0.15


def test_search_results_are_viewed() -> None:
    """After a search the next views are mostly of somebody that it found."""
    doings = doings_of("recruiter")
    both = Traffic.merged([together([doings.views, doings.searches])], 2 * DAY_MS)
    shown: dict[str | None, set[int]] = {}
    found = []
    for origin, what, subject in zip(both.origin.tolist(), both.what.tolist(), both.subject.tolist(), strict=True):
        if what == What.SEARCH:
            shown[origin] = set(demo().members.results(*divmod(subject, PAGES_MAX)).tolist())
        elif origin in shown:
            found.append(subject in shown[origin])
    assert len(found) > 1_000
    assert 0.55 < np.mean(found) < 0.85


def test_lists_are_opened_now_and_then() -> None:
    """People open two or three lists of connections a hundred views, each of somebody just viewed."""
    doings = doings_of("regular")
    assert len(doings.lists) / len(doings.views) == pytest.approx(0.022, abs=0.006)
    assert set(doings.lists.what.tolist()) == {What.LIST}
    assert (doings.lists.subject % PAGES_MAX == 0).all()
    viewed = set(zip(doings.views.origin.tolist(), doings.views.subject.tolist(), strict=True))
    opened = zip(doings.lists.origin.tolist(), (doings.lists.subject // PAGES_MAX).tolist(), strict=True)
    assert set(opened) <= viewed


def test_a_view_may_follow_from_a_list() -> None:
    """After somebody's list has been opened, a view of somebody on it mostly comes next."""
    doings = doings_of("regular")
    views: dict[int, list[tuple[int, int]]] = {}
    for origin, time, subject in zip(
        *(getattr(doings.views, name).tolist() for name in ("origin", "time_ms", "subject")),
        strict=True,
    ):
        views.setdefault(origin, []).append((time, subject))
    followed = []
    for origin, time, subject in zip(
        *(getattr(doings.lists, name).tolist() for name in ("origin", "time_ms", "subject")),
        strict=True,
    ):
        shown = set(demo().members.connections_page(subject // PAGES_MAX, 0).tolist())
        after = [profile for at, profile in views[origin] if at > time - 8_000][:4]
        followed.append(bool(shown & set(after)))
    assert 0.35 < np.mean(followed) < 0.8


def test_nobody_goes_from_list_to_list() -> None:
    """A view that follows from a list opens none, though all others do; a visit's last view is followed by none."""
    views = Views(np.zeros(6, np.int64), np.array([0, 0, 0, 0, 1, 1]), np.arange(6))
    rng = np.random.default_rng(1)
    for _ in range(20):
        lists, followers = _lists(rng, views, np.ones(6, np.bool_))
        assert not set(lists.tolist()) & set(followers.tolist())
        assert all(
            follower in (-1, view + 1) for view, follower in zip(lists.tolist(), followers.tolist(), strict=True)
        )
        assert not {3, 5} & set((followers - 1).tolist())


def test_last_search() -> None:
    """A view belongs to the last search of its own visit, not of a later one or of another visit."""
    # visit 0:  view 10    search→20    view 30          visit 1:  view 15     search→40
    views = Views(np.zeros(5, np.int64), np.array([0, 0, 0, 1, 1]), np.array([10, 20, 30, 15, 40]))
    text, page = _last_search(views, np.array([0, 1]), np.array([20, 40]), np.array([[7, 8], [0, 2]]))
    assert page.tolist() == [-1, 0, 0, -1, 2]
    assert text[[1, 2, 4]].tolist() == [7, 7, 8]


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
