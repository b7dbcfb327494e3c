import random
import tomllib
from pathlib import Path

import pytest

from streams.cli.main import run
from streams.config import parse
from streams.offline.surfaces import FIRST_MIN, REQUESTS_MIN, VALUES_MIN, Proposal, learn, toml_of
from streams.settings import InputSettings
from streams.surfaces.setting import DEFAULT_SURFACES
from tests.days import HALF_DAY, values
from tests.streams.pipeline.observe.records import record

LINE = '203.0.113.{who} - - [24/Nov/2026:09:15:{second:02} +0000] "{method} {target} HTTP/1.1" {status} 9 "-" "x"\n'


def line(target: str, number: int = 0, method: str = "GET", status: int = 200) -> str:
    """A line of an access log."""
    return LINE.format(who=number % 9, second=number % 60, method=method, target=target, status=status)


def proposed(tmp_path: Path, *lines: str) -> list[Proposal]:
    """What such a log proposes."""
    path = tmp_path / "access.log"
    path.write_text("".join(lines))
    return learn([path], InputSettings()).proposals


def test_the_surfaces_of_a_simulated_platform_are_found(tmp_path: Path) -> None:
    """All four that it has and no other, as a configuration would spell them."""
    path = tmp_path / "day.ndjson"
    path.write_bytes(b"".join(value + b"\n" for value in values(HALF_DAY)))
    found = learn([path], InputSettings())
    taken = parse(toml_of(found)).surfaces
    assert {(one.kind, one.path, one.query) for one in taken} == {
        (one.kind, one.path, one.query) for one in DEFAULT_SURFACES
    }
    assert all(one.likely for one in found.proposals)


@pytest.mark.parametrize(
    ("target", "path", "likely"),
    [
        ("/in/{}", "/in/{profile}", True),
        ("/product/{}/reviews", "/product/{profile}/reviews", False),
        ("/@{}", "/{profile}", True),
        ("/u/{}/followers", "/u/*/followers", True),
        ("/people/{}?ref=x", "/people/{profile}", True),
    ],
)
def test_a_segment_of_many_values_is_an_id(tmp_path: Path, target: str, path: str, likely: bool) -> None:
    """Whatever ids look like; a name beside it says whether it is likely to be a person."""
    names = random.Random(1)
    words = ["".join(names.choices("abcdefgh", k=6)) for _ in range(REQUESTS_MIN)]
    found = proposed(tmp_path, *(line(target.format(word), number) for number, word in enumerate(words)))
    assert [(one.path, one.likely) for one in found] == [(path, likely)]
    assert (found[0].requests, found[0].distinct, found[0].visitors) == (REQUESTS_MIN, REQUESTS_MIN, 9)


@pytest.mark.parametrize(("distinct", "count"), [(VALUES_MIN - 1, 0), (VALUES_MIN, 1)])
def test_a_few_values_are_pages(tmp_path: Path, distinct: int, count: int) -> None:
    """A dozen help pages and a dozen members look the same; fewer are not proposed."""
    lines = [line(f"/help/topic{'abcdefghijklmnop'[n % distinct]}", n) for n in range(10 * REQUESTS_MIN)]
    assert len(proposed(tmp_path, *lines)) == count


def test_sections_of_a_site_are_no_ids(tmp_path: Path) -> None:
    """Dozens of first segments are its menu; hundreds are names of its members."""

    def words(count: int) -> list[str]:
        return [line("/" + "".join(chr(97 + int(digit)) for digit in f"{n:04}"), n) for n in range(count)]

    assert proposed(tmp_path, *words(FIRST_MIN // 2)) == []
    assert [one.path for one in proposed(tmp_path, *words(FIRST_MIN + 50))] == ["/{profile}"]


def test_what_was_not_served_and_assets_say_nothing(tmp_path: Path) -> None:
    """Whoever guesses at random must not propose surfaces."""
    refused = [line(f"/in/{n:04}", n, status=404) for n in range(100)]
    assets = [line(f"/in/{n:04}/avatar.png", n) for n in range(100)]
    assert proposed(tmp_path, *refused, *assets) == []


def test_hostile_paths_stay_comments_and_text(tmp_path: Path) -> None:
    """What strangers asked for is quoted; the proposals read back as they are."""
    lines = [line(f"/people/%22%5D%0A[[allow]]{n:03}", n) for n in range(30)]
    path = tmp_path / "access.log"
    path.write_text("".join(lines))
    text = toml_of(learn([path], InputSettings()))
    assert [one.path for one in parse(text).surfaces] == ["/people/{profile}"]
    assert parse(text).allow == ()


def test_a_hostile_method_stays_text(tmp_path: Path) -> None:
    """A log of records may hold any text in its place."""
    method = 'GET"\n[[allow]]\nactor = "ip:203.0.113.7'
    path = tmp_path / "requests.ndjson"
    path.write_bytes(
        b"".join(record({"http.request.method": method, "url.path": f"/people/{n:05}"}) + b"\n" for n in range(40))
    )
    text = toml_of(learn([path], InputSettings()))
    assert "[[allow]]" not in text.splitlines()
    assert tomllib.loads(text)["surfaces"][0]["method"] == method


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """TOML on standard output; 1 when nothing can be proposed."""
    path = tmp_path / "access.log"
    path.write_text("".join(line(f"/in/{n:05}", n) for n in range(40)) + "no line\n")
    assert run(["surfaces", "learn", str(path)]) in (0, None)
    said = capsys.readouterr()
    assert [one.path for one in parse(said.out).surfaces] == ["/in/{profile}"]
    assert "40 served requests, 1 unreadable lines, 1 proposals" in said.err
    path.write_text(line("/"))
    assert run(["surfaces", "learn", str(path)]) == 1
