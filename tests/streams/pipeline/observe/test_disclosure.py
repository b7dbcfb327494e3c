import pytest

from schemas.actor import Scope
from schemas.sighting import Flag, Kind
from streams.pipeline.observe import Observed, Outcome
from streams.surfaces.setting import Surface
from tests.streams.pipeline.observe.records import details_of, key_of, observe, profiles_of, record, rows_of

SURFACES = [
    Surface(kind="view", path="/people/{profile}"),
    Surface(kind="lookup", path="/contacts/{profile}"),
    Surface(kind="search", path="/search"),
    Surface(kind="list", path="/lists/{profile}"),
]


def see(path: str, status: int | None = 200, **platform: object) -> Observed:
    """One request, and what the platform says of it."""
    names = {"target": "weir.target.id", "targets": "weir.targets"}
    keys = {names[name]: value for name, value in platform.items()}
    return observe([record({"url.path": path, "http.response.status_code": status} | keys)], SURFACES)


def outcome_of(observed: Observed) -> Outcome:
    """The outcome of the one record."""
    counts = observed.counts
    by = (counts.dead, counts.disclosed, counts.missed, counts.asked, counts.denied, counts.other, counts.exempt)
    assert sorted(by) == [0, 0, 0, 0, 0, 0, 1]
    return Outcome(by.index(1))


def kinds_of(observed: Observed) -> dict[int, Kind]:
    """Kind of each profile."""
    return {row.profile: row.kind for row in rows_of(observed) if row.kind < Kind.TOUCH}


def items_of(observed: Observed) -> list[tuple[Kind, Scope]]:
    """Kind of each sighting, and whose it is."""
    return [(row.kind, row.scope) for row in rows_of(observed)]


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (None, Outcome.DISCLOSED),
        (199, Outcome.OTHER),
        (200, Outcome.DISCLOSED),
        (299, Outcome.DISCLOSED),
        (300, Outcome.OTHER),
        (302, Outcome.OTHER),
        (304, Outcome.DISCLOSED),
        (400, Outcome.OTHER),
        (401, Outcome.DENIED),
        (402, Outcome.OTHER),
        (403, Outcome.DENIED),
        (404, Outcome.MISSED),
        (410, Outcome.MISSED),
        (429, Outcome.DENIED),
        (500, Outcome.OTHER),
        (0, Outcome.OTHER),
    ],
)
def test_the_status_decides_what_a_view_discloses(status: int | None, outcome: Outcome) -> None:
    """Served views disclose, views of nothing miss, and no other response leaves a sighting."""
    observed = see("/people/7", status)
    assert outcome_of(observed) == outcome
    left = {key_of("7", 0)} if outcome in (Outcome.DISCLOSED, Outcome.MISSED) else set()
    assert profiles_of(observed) == left
    assert all((Flag.MISS in row.flags) == (outcome == Outcome.MISSED) for row in rows_of(observed))
    assert observed.counts.profiles == (1 if outcome == Outcome.DISCLOSED else 0)


@pytest.mark.parametrize(
    ("path", "platform", "status", "expected"),
    [
        ("/people/7", {}, 200, {"7": Kind.VIEW}),
        ("/people/7", {"target": "u7"}, 200, {"u7": Kind.VIEW}),
        ("/people/7", {"target": ""}, 200, {"7": Kind.VIEW}),
        ("/people/7", {"targets": ["a", "b"]}, 200, {"a": Kind.VIEW, "b": Kind.VIEW}),
        ("/people/7", {"targets": []}, 200, {}),
        ("/people/7", {"target": "a", "targets": ["b", "a"]}, 200, {"a": Kind.VIEW, "b": Kind.VIEW}),
        ("/contacts/7", {}, 200, {"7": Kind.LOOKUP}),
        ("/contacts/7", {}, 404, {"7": Kind.LOOKUP}),
        ("/search", {}, 200, {}),
        ("/search", {"targets": ["a", "", "a"]}, 200, {"a": Kind.SEARCH}),
        ("/search", {"target": "a"}, 404, {}),
        ("/lists/7", {}, 200, {}),
        ("/lists/7", {}, 404, {}),
        ("/lists/7", {"targets": ["a"]}, 200, {"a": Kind.LIST}),
        ("/elsewhere", {}, 200, {}),
        ("/elsewhere", {"target": "a", "targets": ["a", "b"]}, 200, {"a": Kind.VIEW, "b": Kind.SEARCH}),
        ("/elsewhere", {"target": "a"}, 404, {"a": Kind.VIEW}),
        ("/elsewhere", {"targets": ["a"]}, 404, {}),
        ("/people/7", {"target": "a", "targets": ["b"]}, 404, {"a": Kind.VIEW}),
        ("/people/7", {"target": "a", "targets": ["b"]}, 403, {}),
    ],
)
def test_what_the_platform_says_counts_before_the_path(
    path: str, platform: dict[str, object], status: int, expected: dict[str, Kind]
) -> None:
    """Profiles and their kinds by surface, path, `weir.target.id` and `weir.targets`."""
    assert kinds_of(see(path, status, **platform)) == {key_of(name, 0): kind for name, kind in expected.items()}


@pytest.mark.parametrize(
    ("path", "outcome"), [("/search", Outcome.ASKED), ("/lists/7", Outcome.ASKED), ("/x", Outcome.OTHER)]
)
def test_what_discloses_nothing_is_counted(path: str, outcome: Outcome) -> None:
    """A search without `weir.targets` is a request of a surface, a stylesheet is not; neither discloses a profile."""
    observed = see(path)
    assert outcome_of(observed) == outcome
    assert observed.counts.profiles == 0
    assert profiles_of(observed) == set()


@pytest.mark.parametrize("path", ["/search", "/lists/7"])
def test_a_search_or_list_is_an_item_of_its_principal(path: str) -> None:
    """As such it concerns the account alone; what it disclosed stands behind it and concerns everybody."""
    assert items_of(see(path)) == [(Kind.QUERY, Scope.ACCOUNT)]
    rows = rows_of(see(path, targets=["a", "b"]))
    assert sorted(row.ordinal for row in rows if row.scope is Scope.ACCOUNT) == [0, 1, 2]
    assert [row.ordinal for row in rows if row.kind is Kind.QUERY] == [0]
    assert {row.scope for row in rows if row.kind is not Kind.QUERY} == set(Scope) - {Scope.COMBINATION}


@pytest.mark.parametrize("status", [403, 404, 500])
def test_what_was_not_served_is_no_query(status: int) -> None:
    """A search that was denied or failed showed nothing and leaves no sighting."""
    assert items_of(see("/search", status)) == []


def test_something_else_touches() -> None:
    """A request of no surface concerns the principal and the groups that it came through."""
    items = items_of(see("/x"))
    groups = {Scope.NET, Scope.ASN, Scope.FINGERPRINT, Scope.FINGERPRINT_ASN}
    assert set(items) == {(Kind.TOUCH, scope) for scope in {Scope.ACCOUNT} | groups}
    assert len(items) == 5


@pytest.mark.parametrize(("status", "touches"), [(200, True), (302, True), (404, True), (500, True), (403, False)])
def test_which_answers_touch(status: int, touches: bool) -> None:
    """A stylesheet that is missing was asked for all the same; what was denied says nothing."""
    assert bool(items_of(see("/x", status))) is touches


def test_a_failed_view_touches_nothing() -> None:
    """A surface was asked for: that is no page, asset or call beside profiles."""
    assert items_of(see("/people/7", 500)) == []


@pytest.mark.parametrize("count", [16, 17, 1000])
def test_a_profile_counts_once_within_a_response(count: int) -> None:
    """Duplicates fall out in lists short and long, the first place of each stays its ordinal."""
    names = [f"p{number}" for number in range(count)]
    observed = see("/search", targets=names + names[::-1])
    rows = [row for row in rows_of(observed) if row.value == "u1" and row.kind is not Kind.QUERY]
    assert [(row.ordinal, row.profile) for row in rows] == [(at, key_of(name, 0)) for at, name in enumerate(names, 1)]
    assert observed.counts.profiles == count
    assert observed.counts.cut == 0


def test_a_profile_counts_again_in_the_next_response() -> None:
    """What one response disclosed is not forgotten of the next, in a batch that holds a long list."""
    names = [f"p{number}" for number in range(50)]
    values = [record({"weir.targets": names}), record({"weir.targets": names[::-1]}), record({"weir.targets": names})]
    assert observe(values).counts.profiles == 150


@pytest.mark.parametrize(("extra", "cut"), [(0, 0), (1, 1), (34_465, 34_465)])
def test_a_huge_list_is_cut_where_ordinals_end(extra: int, cut: int) -> None:
    """65,535 profiles of one response are kept, the rest is counted and does no harm to the event after it."""
    names = [str(number) for number in range(65_535 + extra)]
    observed = observe([record({"weir.targets": names}, without=["session.id"]), record()], destinations=1)
    assert observed.counts.cut == cut
    assert observed.counts.profiles == 65_535 + 1
    assert observed.counts.rows == 65_535 * 6 + 7
    assert max(row.ordinal for row in rows_of(observed)) == 65_534


def test_a_list_cut_short_counts_what_no_room_was_left_for() -> None:
    """Duplicates need no room: only elements after the last place are cut."""
    names = ["0", *(str(number) for number in range(65_535))]
    observed = see("/search", targets=names)
    assert (observed.counts.profiles, observed.counts.cut) == (65_535, 0)
    assert max(row.ordinal for row in rows_of(observed)) == 65_535
    assert details_of(observed, "shown").count(65_535) == 1
