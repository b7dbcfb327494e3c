from collections.abc import Sequence

import numpy as np
import pytest

from streams.offline.simulate.client import HEADLESS
from streams.offline.simulate.internet import Address
from streams.offline.simulate.members import PAGES_MAX, Members
from streams.offline.simulate.plan import Plan
from streams.offline.simulate.traffic import CHUNK, Origin, Traffic, What, events, timestamps

ADDRESS = Address("240.0.0.1", 64_512, "DE")
LOGGED_IN = Origin(ADDRESS, HEADLESS, "u1", "u1.phone.0", "free", "2026-01-01T00:00:00Z")
VISITOR = Origin(Address("2001:db8::1", 64_513, "GB"), HEADLESS)


@pytest.fixture(scope="module")
def members() -> Members:
    """A thousand members."""
    return Members.of(Plan(members=1_000))


def others(times: Sequence[int], origin: Origin = VISITOR) -> Traffic:
    """Other requests at given times."""
    time_ms = np.array(times)
    zeros = np.zeros(len(times), np.int64)
    return Traffic.of(What.OTHER, time_ms, zeros, zeros, (origin,))


def test_a_view_as_an_event(members: Members) -> None:
    """A view of a person has the contract's keys, and the origin's."""
    profile = int(members.ids[0])
    view = Traffic.views(members, np.array([1_234]), np.array([0]), np.array([profile]), (LOGGED_IN,))
    (event,) = events(view, members, 1_795_478_400_000, route=True)
    assert event == {
        "@timestamp": "2026-11-24T00:00:01.234Z",
        "http.request.method": "GET",
        "url.path": f"/people/{profile}",
        "http.route": "/people/{profile}",
        "http.response.status_code": 200,
        "client.address": "240.0.0.1",
        "client.as.number": 64_512,
        "client.geo.country_iso_code": "DE",
        "tls.client.ja4": HEADLESS.ja4,
        "user_agent.original": HEADLESS.user_agent,
        "user.id": "u1",
        "session.id": "u1.phone.0",
        "weir.account.tier": "free",
        "weir.account.created_at": "2026-01-01T00:00:00Z",
    }


def test_a_visitors_event_has_no_account(members: Members) -> None:
    """Keys that do not apply are absent and not null."""
    (event,) = events(others([0]), members, 0, route=False)
    assert not {"user.id", "session.id", "weir.account.tier", "http.route", "url.query"} & set(event)
    assert event["url.path"] == "/static/app.8d1f3c.js"


def test_a_search_as_an_event(members: Members) -> None:
    """A search names what it looked for and lists whom it disclosed."""
    subject = np.array([3 * PAGES_MAX, 3 * PAGES_MAX + 1])
    search = Traffic.of(What.SEARCH, np.array([0, 1]), np.array([0, 0]), subject, (LOGGED_IN,))
    first, second = events(search, members, 0, route=True)
    assert first["url.path"] == first["http.route"] == "/search/people"
    assert first["url.query"] == f"q={members.names[3]}"
    assert second["url.query"] == f"q={members.names[3]}&page=2"
    assert first["weir.targets"] == [str(profile) for profile in members.results(3, 0)]
    assert len(first["weir.targets"]) == 10


def test_a_search_for_a_beginning_as_an_event(members: Members) -> None:
    """A search for the first letters of names is a search like any other."""
    text = int(members.prefixes(2)[0])
    search = Traffic.of(What.SEARCH, np.array([0]), np.array([0]), np.array([text * PAGES_MAX]), (LOGGED_IN,))
    (event,) = events(search, members, 0, route=True)
    assert event["url.query"] == "q=al"
    assert event["weir.targets"] == [str(profile) for profile in members.results(text, 0)]


def test_a_lookup_as_an_event(members: Members) -> None:
    """A number is looked up by its path; only a member's has a target, and another's answers 404."""
    number = int(members.dialled[0])
    numbers = np.array([number, 7])
    asked = Traffic.lookups(members, np.array([0, 1]), np.array([0, 0]), numbers, (LOGGED_IN,))
    found, missed = events(asked, members, 0, route=True)
    assert found["url.path"] == f"/contacts/lookup/{number}"
    assert found["http.route"] == missed["http.route"] == "/contacts/lookup/{number}"
    assert (found["http.response.status_code"], missed["http.response.status_code"]) == (200, 404)
    assert found["weir.target.id"] == str(members.dialled_ids[0])
    assert missed["url.path"] == "/contacts/lookup/7"
    assert "weir.target.id" not in missed


def test_a_list_as_an_event(members: Members) -> None:
    """Each page of a member's connections lists up to fifty; the list of nobody answers 404 and has none."""
    profile = next(profile for profile in members.ids.tolist() if len(members.connections(profile)) > 60)
    subject = np.array([profile * PAGES_MAX, profile * PAGES_MAX + 1, 7 * PAGES_MAX])
    asked = Traffic.lists(members, np.arange(3), np.zeros(3, np.int64), subject, (LOGGED_IN,))
    first, second, missed = events(asked, members, 0, route=True)
    assert first["url.path"] == second["url.path"] == f"/people/{profile}/connections"
    assert first["http.route"] == missed["http.route"] == "/people/{id}/connections"
    assert [first["url.query"], second["url.query"]] == ["page=1", "page=2"]
    assert first["weir.targets"] == [str(one) for one in members.connections(profile)[:50]]
    assert second["weir.targets"] == [str(one) for one in members.connections(profile)[50:100]]
    assert [first["http.response.status_code"], missed["http.response.status_code"]] == [200, 404]
    assert "weir.targets" not in missed


@pytest.mark.parametrize("route", [True, False])
def test_route_is_an_option(members: Members, route: bool) -> None:
    """Without routes no request has one, whatever it asks for."""
    at = np.array([0])
    parts = [
        Traffic.views(members, at, at, members.ids[:1], (LOGGED_IN,)),
        Traffic.of(What.SEARCH, at, at, at, (LOGGED_IN,)),
        Traffic.lookups(members, at, at, members.dialled[:1], (LOGGED_IN,)),
        Traffic.lists(members, at, at, members.ids[:1] * PAGES_MAX, (LOGGED_IN,)),
    ]
    made = events(Traffic.merged(parts, 10), members, 0, route)
    assert ["http.route" in event for event in made] == [route] * 4


def test_profiles_of_all_surfaces_count_once(members: Members) -> None:
    """Views, look-ups, searches and lists disclose; what fails discloses nothing, nor does an asset."""
    at = np.zeros(2, np.int64)
    profile = int(members.dialled_ids[0])
    shown = set(members.results(0, 0).tolist()) | set(members.connections(profile)[:50].tolist()) | {profile}
    lists = np.array([profile * PAGES_MAX, 7 * PAGES_MAX])
    parts = [
        Traffic.views(members, at, at, np.array([profile, 7]), (LOGGED_IN,)),
        Traffic.of(What.SEARCH, at, at, at, (LOGGED_IN,)),
        Traffic.lookups(members, at, at, np.array([members.dialled[0], 7]), (LOGGED_IN,)),
        Traffic.lists(members, at, at, lists, (LOGGED_IN,)),
        others([0]),
    ]
    assert Traffic.merged(parts, 10).profiles(members) == len(shown)


def test_a_view_of_nobody_answers_404(members: Members) -> None:
    """Exactly the views of ids that do not exist answer 404, and they disclose nothing."""
    ids = np.concatenate((members.ids[:2], members.gone[:1], members.ids[:1]))
    views = Traffic.views(members, np.arange(4), np.zeros(4, np.int64), ids, (LOGGED_IN,))
    assert views.status.tolist() == [200, 200, 404, 200]
    assert views.profiles(members) == 2


def test_merged_in_order_of_time() -> None:
    """Parts come together by time, equal times in the order of the parts, each with its own origin."""
    merged = Traffic.merged([others([5, 1], VISITOR), others([1, 3], LOGGED_IN)], 100)
    assert merged.time_ms.tolist() == [1, 1, 3, 5]
    assert [merged.origins[origin] for origin in merged.origin] == [VISITOR, LOGGED_IN, LOGGED_IN, VISITOR]


def test_the_end_is_not_part_of_the_time() -> None:
    """A request at the end is left out, one a millisecond before is not."""
    assert Traffic.merged([others([9, 10, 11])], 10).time_ms.tolist() == [9]


def test_nothing_merged(members: Members) -> None:
    """No parts give no events."""
    nothing = Traffic.merged([], 10)
    assert len(nothing) == 0
    assert list(events(nothing, members, 0, route=True)) == []


def test_events_go_on_over_chunks(members: Members) -> None:
    """No event is lost or doubled where one chunk ends and the next begins."""
    times = [event["@timestamp"] for event in events(others(range(CHUNK + 2)), members, 0, route=True)]
    assert times == timestamps(np.arange(CHUNK + 2))


def test_timestamps() -> None:
    """Times have three digits of a second, before 1970 and far from it."""
    assert timestamps(np.array([-1, 0, 1_795_478_400_010])) == [
        "1969-12-31T23:59:59.999Z",
        "1970-01-01T00:00:00.000Z",
        "2026-11-24T00:00:00.010Z",
    ]
