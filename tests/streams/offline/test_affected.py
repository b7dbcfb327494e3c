import json
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.actor import Actor
from schemas.event_time import format_time
from streams.offline.affected import Affected, affected
from streams.settings import Settings
from streams.surfaces.setting import Surface
from tests.days import HALF_DAY, QUICK, values
from tests.streams.pipeline.observe.records import NOW_US, record

S = 1_000_000
ANN, BOB = Actor("account", "ann"), Actor("account", "bob")


def line(who: str, second: int, **changes: object) -> bytes:
    """A view, so many seconds after."""
    return record({"user.id": who, "@timestamp": NOW_US + second * S, **changes}) + b"\n"


def found(tmp_path: Path, *lines: bytes, actor: Actor = ANN, begin: int = 0, end: int = 100) -> Affected:
    """What a log of these lines tells of an actor between two seconds."""
    path = tmp_path / "requests.ndjson"
    path.write_bytes(b"".join(lines))
    return affected([path], Settings(), actor, [(NOW_US + begin * S, NOW_US + end * S)])


def profiles(result: Affected) -> list[str | None]:
    """Ids of the members."""
    return [member.profile for member in result.members]


def test_each_member_once_with_first_and_last_time(tmp_path: Path) -> None:
    """Whoever else saw them, and before or after, is left out; both ends of the span count."""
    path = {"url.path": "/people/8"}
    result = found(
        tmp_path, line("ann", -1), line("ann", 0), line("bob", 1, **path), line("ann", 50, **path),
        line("ann", 100), line("ann", 101, **{"url.path": "/people/9"}),
    )  # fmt: skip
    assert profiles(result) == ["7", "8"]
    first = result.members[0]
    assert (first.first, first.last, first.times) == (format_time(NOW_US), format_time(NOW_US + 100 * S), 2)
    assert len(result.requests) == 3


def test_what_was_not_shown_is_left_out(tmp_path: Path) -> None:
    """A refused request and a profile that does not exist harm nobody."""
    refused = line("ann", 1, **{"http.response.status_code": 403})
    missed = line("ann", 2, **{"http.response.status_code": 404})
    assert profiles(found(tmp_path, refused, missed)) == []


def test_members_of_a_list_and_ids_that_are_spelt_oddly(tmp_path: Path) -> None:
    """All of them are named, as the platform or the path names them."""
    many = line("ann", 1, **{"url.path": "/search/people", "weir.targets": ["a", "b", "a"]})
    odd = line("ann", 2, **{"url.path": "/people/%C3%A9%2F1"})
    assert profiles(found(tmp_path, many, odd)) == ["a", "b", "é/1"]


def test_a_group_has_what_its_members_saw(tmp_path: Path) -> None:
    """A net, a fingerprint: what anybody was shown through it."""
    lines = line("ann", 1), line("bob", 2, **{"url.path": "/people/8"})
    assert profiles(found(tmp_path, *lines, actor=Actor("net", "203.0.113.0/24"))) == ["7", "8"]
    assert profiles(found(tmp_path, *lines, actor=Actor("no_scope", "x"))) == []


@pytest.mark.parametrize(("begin", "end", "covers"), [(0, 9, True), (-5, 9, False), (0, 30, False)])
def test_the_statement_says_what_was_read(tmp_path: Path, begin: int, end: int, covers: bool) -> None:
    """Whether the log reaches over the span at both ends, and how much of it could not be read."""
    lines = line("bob", 0), line("ann", 3), b"no record\n", line("bob", 10)
    statement = found(tmp_path, *lines, begin=begin, end=end).statement
    assert (statement.files, statement.lines, statement.unreadable) == (["requests.ndjson"], 4, 1)
    assert (statement.covers, statement.members, statement.responses) == (covers, 1, 1)


def test_between_two_spans_nobody_is_listed_and_what_was_served_is_counted(tmp_path: Path) -> None:
    """While a block stood; who was shown after it had ended is among the members."""
    path = tmp_path / "requests.ndjson"
    shown = {1: "before", 20: "blocked", 21: "blocked", 40: "after", 60: "later"}
    path.write_bytes(b"".join(line("ann", second, **{"url.path": f"/people/{name}"}) for second, name in shown.items()))
    spans = [(NOW_US + S, NOW_US + 10 * S), (NOW_US + 30 * S, NOW_US + 50 * S)]
    result = affected([path], Settings(), ANN, spans)
    assert profiles(result) == ["before", "after"]
    assert (result.statement.responses, result.statement.served_while_blocked) == (2, 2)
    assert result.statement.covers


@pytest.mark.parametrize(
    ("surface", "request_"),
    [
        ("/@{profile}", {"url.path": "/@jane"}),
        ("/u/{profile}.json", {"url.path": "/u/jane.json"}),
        ("/member.php?u={profile}", {"url.path": "/member.php", "url.query": "s=1&u=j%61ne"}),
        ("/?rest_route=/wp/v2/users/{profile}", {"url.path": "/", "url.query": "rest_route=/wp/v2/users/jane"}),
    ],
)
def test_an_id_within_a_segment_or_a_query_is_named(tmp_path: Path, surface: str, request_: dict[str, str]) -> None:
    """As its surface has it: the hash alone tells nobody whom to write to."""
    path = tmp_path / "requests.ndjson"
    path.write_bytes(line("ann", 1, **request_))
    settings = Settings(surfaces=(Surface("view", surface),))
    assert profiles(affected([path], settings, ANN, [(0, 1 << 62)])) == ["jane"]


def test_it_finds_what_a_plain_reading_finds(tmp_path: Path) -> None:
    """On half a day with every kind of scraper, for the ten busiest accounts."""
    path = tmp_path / "day.ndjson"
    path.write_bytes(b"".join(value + b"\n" for value in values(HALF_DAY)))
    shown: dict[str, set[str]] = defaultdict(set)
    for event in map(json.loads, values(HALF_DAY)):
        if "user.id" in event and event.get("http.response.status_code", 200) == 200:
            shown[event["user.id"]] |= set(event.get("weir.targets", []))
            if event["url.path"].startswith("/people/"):
                shown[event["user.id"]].add(event.get("weir.target.id") or event["url.path"].split("/")[2])
    busiest = sorted(shown, key=lambda who: -len(shown[who]))[:10]
    assert len(shown[busiest[0]]) > 100
    for who in busiest:
        result = affected([path], QUICK, Actor("account", who), [(0, 1 << 62)])
        assert set(profiles(result)) == shown[who]


@given(st.lists(st.sampled_from(["7", "8", "9"]), max_size=8), st.integers(0, 8))
def test_two_logs_are_one(tmp_path_factory: pytest.TempPathFactory, targets: list[str], cut: int) -> None:
    """However the requests are spread over files, the members are the same."""
    directory = tmp_path_factory.mktemp("logs")
    lines = [line("ann", second, **{"url.path": f"/people/{target}"}) for second, target in enumerate(targets)]
    paths = [directory / "a", directory / "b"]
    for path, some in zip(paths, (lines[:cut], lines[cut:]), strict=True):
        path.write_bytes(b"".join(some))
    result = affected(paths, Settings(), ANN, [(NOW_US, NOW_US + 10 * S)])
    assert sorted(profiles(result), key=str) == sorted(set(targets))
    assert result.statement.responses == len(targets)
