import re
from urllib.parse import quote_from_bytes, unquote_to_bytes

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.errors import ConfigError
from streams.pipeline.observe.surface import compile_patterns, match
from streams.surfaces.setting import Surface
from tests.streams.pipeline.observe.records import events_of, record

Found = tuple[int, bytes | None]

LITERALS = st.sampled_from(["people", "search", "in", "é"])
PATTERN_SEGMENTS = LITERALS | st.sampled_from(["*", "{profile}", "@{profile}", "u-{profile}.json", "{profile}~"])
PATTERNS = st.builds(
    lambda segments, rest: "/" + "/".join([*segments, *(["**"] if rest else [])]),
    st.lists(PATTERN_SEGMENTS, max_size=4).filter(lambda segments: "/".join(segments).count("{profile}") < 2),
    st.booleans(),
)
SURFACES = st.lists(
    st.builds(
        Surface,
        kind=st.sampled_from(["view", "search", "lookup", "list"]),
        path=PATTERNS,
        method=st.sampled_from([None, "GET", "post"]),
    ),
    max_size=4,
)
IDS = st.sampled_from(
    ["7", "@7", "u-7.json", "u-.json", "7~", "people", "", "\u0418\u0432\u0430\u043d", "a/b", "%", "%2", "%zz", "."]
)
PATH_SEGMENTS = LITERALS | IDS | st.text(max_size=3).filter(lambda text: "\0" not in text)
ENCODED = st.builds(
    lambda text, encode: quote_from_bytes(text.encode(), safe="") if encode else text, PATH_SEGMENTS, st.booleans()
)
PATHS = st.builds(
    lambda segments, end: "/" + "/".join(segments) + end,
    st.lists(ENCODED, max_size=6),
    st.sampled_from(["", "/", "//", "?q=1", "/?a/b"]),
)
ROUTE_SEGMENTS = LITERALS | st.sampled_from(["{id}", ":id", "<int:id>", "*", "@{id}", "u-{id}.json", "{id}~", "{", ":"])
ROUTES = st.none() | st.builds(lambda segments: "/" + "/".join(segments), st.lists(ROUTE_SEGMENTS, max_size=5))
PARAMETER = re.compile(rb"\{.*\}|:.+|<.*>|\*", re.DOTALL)


def segments_of(path: str) -> list[bytes]:
    """Decoded segments that are not empty, without the query."""
    return [unquote_to_bytes(segment) for segment in path.partition("?")[0].split("/") if segment]


def inner(pattern: str, segment: bytes) -> bytes | None:
    """The id in a segment, by the pattern's segment."""
    before, after = (part.encode() for part in pattern.split("{profile}"))
    found = re.fullmatch(re.escape(before) + b"(.+)" + re.escape(after), segment, re.DOTALL)
    return found[1] if found else None


def fits(pattern: str, segment: bytes, by_route: bool) -> bool:
    """Whether one segment of a pattern fits one of a path or route."""
    if pattern == "*":
        return True
    if "{profile}" not in pattern:
        return pattern.encode() == segment
    found = inner(pattern, segment)
    return found is not None and (not by_route or PARAMETER.fullmatch(found) is not None)


def all_fit(pattern: list[str], rest: bool, segments: list[bytes], by_route: bool) -> bool:
    """Whether a pattern fits a path or route."""
    count = len(segments) == len(pattern) or (rest and len(segments) > len(pattern))
    return count and all(fits(one, segment, by_route) for one, segment in zip(pattern, segments, strict=False))


def expected(surfaces: list[Surface], method: str, path: str, route: str | None) -> Found:
    """The first surface that matches and the id, read off the rules one by one; -1 if none does."""
    segments, by_route = segments_of(path), segments_of(route) if route else None
    for number, surface in enumerate(surfaces):
        pattern = [segment for segment in surface.path.split("/") if segment]
        rest = pattern[-1:] == ["**"]
        pattern = pattern[: len(pattern) - rest]
        if surface.method and surface.method.upper() != method.upper():
            continue
        at = next((place for place, one in enumerate(pattern) if "{profile}" in one), None)
        if not all_fit(pattern, rest, segments, by_route=False):
            if by_route is None or not all_fit(pattern, rest, by_route, by_route=True):
                continue
            shift = len(segments) - len(by_route)
            at = at + shift if at is not None and at + shift >= 0 else None
        else:
            shift = 0
        return number, None if at is None else inner(pattern[at - shift], segments[at])
    return -1, None


def found(surfaces: list[Surface], method: str, path: str, route: str | None) -> Found:
    """What the compiled matcher finds."""
    events = events_of([record({"http.request.method": method, "url.path": path, "http.route": route})])
    asked = match(compile_patterns(surfaces), events)
    start, size = int(asked.start[0]), int(asked.size[0])
    return int(asked.surface[0]), None if size < 0 else events.text[start : start + size].tobytes()


@given(surfaces=SURFACES, method=st.sampled_from(["GET", "get", "POST", "DELETE", ""]), path=PATHS, route=ROUTES)
@example(surfaces=[Surface("view", "/a/{profile}/**")], method="GET", path="/mount/a/7/photos", route="/a/:id/photos")
@example(surfaces=[Surface("view", "/a/{profile}")], method="GET", path="/a", route="/a/:id")
@example(surfaces=[Surface("view", "/{profile}")], method="GET", path="/%", route=None)
def test_the_matcher_is_the_rules_read_one_by_one(
    surfaces: list[Surface], method: str, path: str, route: str | None
) -> None:
    """Surface and id equal those of a matcher in plain Python over `re` and `urllib`."""
    assert found(surfaces, method, path, route) == expected(surfaces, method, path, route)


VIEW = [Surface(kind="view", method="GET", path="/people/{profile}")]


@pytest.mark.parametrize(
    ("path", "profile"),
    [
        ("/people/7", b"7"),
        ("/people/7/", b"7"),
        ("//people//7", b"7"),
        ("/people/7?tab=photos", b"7"),
        ("/%70eople/7", b"7"),
        ("/people/%D0%98%D0%B2%D0%B0%D0%BD", "\u0418\u0432\u0430\u043d".encode()),
        ("/people/\u0418\u0432\u0430\u043d", "\u0418\u0432\u0430\u043d".encode()),
        ("/people/a%2Fb", b"a/b"),
        ("/people/100%", b"100%"),
        ("/people/" + "x" * 10_000, b"x" * 10_000),
    ],
)
def test_one_profile_has_one_id_however_its_path_is_spelled(path: str, profile: bytes) -> None:
    """Who walks through ids cannot hide behind another spelling of the same path."""
    assert found(VIEW, "GET", path, None) == (0, profile)


@pytest.mark.parametrize(
    "path", ["/", "", "/people", "/people/", "/people/7/photos", "/persons/7", "/people?id=7", "/people//"]
)
def test_other_paths_are_no_surface(path: str) -> None:
    """A pattern without ``**`` fits paths of its own length alone."""
    assert found(VIEW, "GET", path, None) == (-1, None)


@pytest.mark.parametrize(
    "route", ["/people/{id}", "/people/:id", "/people/<id>", "/people/<int:id>", "people/*", "/people/{id}/"]
)
def test_a_route_gives_the_id_below_a_mount_point(route: str) -> None:
    """The id is the segment of the path at the same distance from its end."""
    assert found(VIEW, "GET", "/api/v2/people/7", route) == (0, b"7")


def test_the_first_surface_in_the_order_of_the_configuration_wins() -> None:
    """A narrower pattern that stands before a wider one keeps its requests."""
    surfaces = [Surface(kind="list", path="/people/new"), Surface(kind="view", path="/people/{profile}")]
    assert found(surfaces, "GET", "/people/new", None) == (0, None)
    assert found(surfaces[::-1], "GET", "/people/new", None) == (0, b"new")


def test_a_path_of_many_segments_is_split_whole() -> None:
    """As many segments as a path can have; the rest may be long."""
    surfaces = [Surface(kind="view", path="/{profile}/**")]
    assert found(surfaces, "GET", "/a" * 50_000, None) == (0, b"a")


def test_an_excepted_id_leaves_the_request_to_the_next_surfaces() -> None:
    """By its whole text or its end, after decoding; the id of a route's path too."""
    surfaces = [
        Surface(kind="view", path="/users/{profile}", except_ids=("me", "*.png")),
        Surface(kind="list", path="/users/*"),
    ]
    assert found(surfaces, "GET", "/users/mea", None) == (0, b"mea")
    assert found(surfaces, "GET", "/users/png", None) == (0, b"png")
    for path in ("/users/me", "/users/%6De", "/users/a.png", "/users/.png"):
        assert found(surfaces, "GET", path, None) == (1, None)
    assert found(surfaces, "GET", "/v1/users/me", "/users/:id") == (1, None)


@pytest.mark.parametrize(
    "surface",
    [
        Surface("view", "/a", except_ids=("me",)),
        Surface("view", "/a?u={profile}", except_ids=("me",)),
        Surface("view", "/{profile}", except_ids=("*",)),
    ],
)
def test_excepted_ids_that_mean_nothing_are_refused(surface: Surface) -> None:
    """Where there is no id in the path, and where none would be left."""
    with pytest.raises(ConfigError, match="except_ids"):
        compile_patterns([surface])


@pytest.mark.parametrize(
    "path",
    [
        "/a/**/b",
        "/{profile}/{profile}",
        "/{profile}-{profile}",
        "/{profile}?u={profile}",
        "/a?u",
        "/a?=1",
        "/a?u={profile}x",
    ],
)
def test_a_pattern_that_means_nothing_is_refused(path: str) -> None:
    """Such a pattern would never match: it is a mistake in the configuration, and named."""
    with pytest.raises(ConfigError, match=re.escape(path)):
        compile_patterns([Surface(kind="view", path=path)])
