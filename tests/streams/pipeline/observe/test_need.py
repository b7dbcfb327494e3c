"""What a surface wants of the query, against the rules read off the standard library."""

from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streams.pipeline.observe.need import Want, needs_of
from streams.pipeline.observe.surface import compile_patterns, match
from streams.surfaces.setting import Surface
from tests.streams.pipeline.observe.records import events_of, record

NAMES = st.sampled_from(["u", "mode", "é", "a b"])
VALUES = st.sampled_from(["view", "{profile}", "*", "/users/{profile}", "x{profile}"])
NEEDS = st.dictionaries(NAMES, VALUES, min_size=1, max_size=3).filter(
    lambda needs: sum("{profile}" in value for value in needs.values()) < 2
)
TEXTS = st.sampled_from(["view", "7", "", "x7", "/users/7", "%", "a=b", "a+b", "%2", "%zz", "é", "\N{SNOWMAN}", "a;b"])


def spelled(text: str, how: int) -> str:
    """A text in one of several spellings that mean the same in a query, or nearly so."""
    if how == 0:
        return text
    return "".join(f"%{byte:02X}" if how == 1 or byte % 2 else chr(byte) for byte in text.encode())


PARTS = st.builds(
    lambda name, value, how: f"{spelled(name, how)}={spelled(value, how)}",
    NAMES,
    TEXTS,
    st.integers(0, 1),
)
QUERIES = st.none() | st.builds(
    lambda parts, divide: divide.join(parts),
    st.lists(PARTS | st.sampled_from(["u", "=", "&", "u="])),
    st.sampled_from("&;"),
)


def decoded(text: bytes) -> bytes:
    """A name or a value as it is meant."""
    return unquote_to_bytes(text.replace(b"+", b" "))


def expected(needs: dict[str, str], query: str | None) -> tuple[bool, bytes | None]:
    """Whether a query meets the needs and the id it gives, rule by rule."""
    pairs = [part.partition(b"=") for part in (query or "").encode().replace(b";", b"&").split(b"&")]
    last = {decoded(name): decoded(value) for name, equals, value in pairs if equals}
    found = None
    for name, wanted in needs.items():
        value = last.get(name.encode(), b"")
        before, holds, _ = wanted.partition("{profile}")
        if holds:
            if not value.startswith(before.encode()) or len(value) == len(before.encode()):
                return False, None
            found = value[len(before.encode()) :]
        elif not value or (wanted != "*" and value != wanted.encode()):
            return False, None
    return True, found


def found(needs: dict[str, str], query: str | None) -> tuple[bool, bytes | None]:
    """What the compiled matcher finds."""
    path = "/a?" + "&".join(f"{name}={value}" for name, value in needs.items())
    events = events_of([record({"url.path": "/a", "url.query": query})])
    asked = match(compile_patterns([Surface("view", path)]), events)
    start, size = int(asked.start[0]), int(asked.size[0])
    return bool(asked.surface[0] == 0), None if size < 0 else events.text[start : start + size].tobytes()


@given(needs=NEEDS, query=QUERIES)
@example(needs={"u": "{profile}"}, query="u=1&u=2")
@example(needs={"u": "{profile}"}, query="u=1&u")
@example(needs={"u": "{profile}", "mode": "view"}, query="%6Dode=vie%77;u=a%2Fb+c")
@example(needs={"u": "{profile}"}, query="u=%2561&x=1")
@example(needs={"u": "{profile}"}, query=None)
@example(needs={"u": "x{profile}"}, query="u=x")
def test_the_matcher_is_the_rules_read_one_by_one(needs: dict[str, str], query: str | None) -> None:
    """Whether it fits, and the id, decoded once."""
    assert found(needs, query) == expected(needs, query)


@pytest.mark.parametrize(
    ("path", "needs"),
    [
        ("/a", []),
        ("/a?u={profile}", [("u", Want.PROFILE, "")]),
        ("/?rest_route=/users/{profile}", [("rest_route", Want.PROFILE, "/users/")]),
        ("/a?mode=view&q=*", [("mode", Want.TEXT, "view"), ("q", Want.ANY, "")]),
    ],
)
def test_needs_are_read_off_a_path(path: str, needs: list[tuple[str, Want, str]]) -> None:
    """Each with its name, what it has to be and the text for that."""
    assert list(needs_of(path)) == needs
