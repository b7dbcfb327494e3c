"""Request lines as widespread software gets them, read as an access log is, against the ready sets."""

from typing import get_args

import pytest

from schemas.sighting import Kind
from streams.cli.main import run
from streams.config import parse, revision
from streams.pipeline.batch import Batch
from streams.pipeline.observe import Observer
from streams.pipeline.observe.surface import compile_patterns
from streams.settings import InputSettings
from streams.surfaces.sets import NO_IDS, SETS, with_sets
from streams.surfaces.setting import DEFAULT_SURFACES, SetName, Surface
from streams.toml import toml_of, toml_of_surfaces
from tests.streams.pipeline.observe.records import key_of, rows_of

LINE = '203.0.113.9 - - [24/Nov/2026:09:15:02 +0000] "{request} HTTP/1.1" {status} 512 "-" "Mozilla/5.0"'


def asked(name: SetName, request: str, status: int = 200) -> tuple[str, int | None] | None:
    """Kind of the surface and key of the profile of a line; None where it asked none."""
    line = LINE.format(request=request if " " in request else f"GET {request}", status=status).encode()
    settings = InputSettings(format="nginx", time_skew_max_s=0)
    observed = Observer(settings, SETS[name].surfaces, 1).observe(Batch("t", 0, 0, 1, [line]))
    assert not observed.dead
    rows = [row for row in rows_of(observed) if row.kind != Kind.TOUCH]
    if not rows:
        return None
    kinds = {row.kind for row in rows} - {Kind.QUERY}
    if not kinds:
        return "asked", None
    (kind,) = kinds
    return kind.name.lower(), next(row.profile for row in rows if row.kind == kind)


SHOWN: list[tuple[SetName, str, str]] = [
    ("rest", "/users/48213", "48213"),
    ("rest", "/users/48213.json", "48213"),
    ("rest", "/api/users/jane-doe-a1b2?fields=name,photo", "jane-doe-a1b2"),
    ("rest", "/api/v3/people/7f0c2a9e-1d33-4a77-9a51-0d6c5a2f1a11", "7f0c2a9e-1d33-4a77-9a51-0d6c5a2f1a11"),
    ("rest", "/v2/members/99/", "99"),
    ("rest", "/profile/jane", "jane"),
    ("handles", "/@jane", "jane"),
    ("handles", "/in/jane-doe-123/?originalSubdomain=fr", "jane-doe-123"),
    ("handles", "/u/jane", "jane"),
    ("handles", "/%40jane", "jane"),
    ("fediverse", "/@jane", "jane"),
    ("fediverse", "/@jane@example.org", "jane@example.org"),
    ("fediverse", "/@jane.rss", "jane"),
    ("fediverse", "/api/v1/accounts/109348684", "109348684"),
    ("fediverse", "/api/v1/accounts/lookup?acct=jane", "jane"),
    ("discourse", "/u/jane_doe", "jane_doe"),
    ("discourse", "/u/jane_doe.json", "jane_doe"),
    ("discourse", "/u/jane_doe/summary.json", "jane_doe"),
    ("discourse", "/u/jane_doe/card.json?include_post_count_for=77", "jane_doe"),
    ("discourse", "/users/jane_doe.json", "jane_doe"),
    ("wordpress", "/author/jane/", "jane"),
    ("wordpress", "/author/jane/page/2/", "jane"),
    ("wordpress", "/?author=3", "3"),
    ("wordpress", "/wp-json/wp/v2/users/3?context=view", "3"),
    ("wordpress", "/?rest_route=/wp/v2/users/3", "3"),
    ("wordpress", "/?rest_route=%2Fwp%2Fv2%2Fusers%2F3&_locale=user", "3"),
    ("forums", "/memberlist.php?mode=viewprofile&u=208", "208"),
    ("forums", "/community/memberlist.php?mode=viewprofile&u=336119&sid=503689d550d00946bccb0b78f084d38c", "336119"),
    ("forums", "/memberlist.php?u=208&%6dode=view%70rofile", "208"),
    ("forums", "/member.php?action=profile&uid=912407", "912407"),
    ("forums", "/forum/member.php?u=224", "224"),
    ("forums", "/index.php?action=profile;u=523317", "523317"),
    ("forums", "/index.php?action=profile;area=statistics;u=523317", "523317"),
    ("forums", "/members/jane.4711/", "jane.4711"),
    ("forums", "/members/4711-jane.html", "4711-jane"),
    ("gitlab", "/api/v4/users/42", "42"),
    ("gitlab", "/api/v4/users?username=jane", "jane"),
    ("gitlab", "/users/jane/calendar.json", "jane"),
    ("gitea", "/api/v1/users/jane", "jane"),
]


@pytest.mark.parametrize(("name", "request_", "profile"), SHOWN)
def test_a_profile_is_seen(name: SetName, request_: str, profile: str) -> None:
    """With the id that the software has for it, however the line spells it."""
    assert asked(name, request_) == ("view", key_of(profile, 0))


@pytest.mark.parametrize(
    ("name", "request_"),
    [
        ("rest", "/api/users/search?q=jane"),
        ("rest", "/users/48213/followers"),
        ("rest", "/api/v1/people/48213/connections?page=2"),
        ("fediverse", "/api/v2/search?q=jane&resolve=true&type=accounts"),
        ("fediverse", "/api/v1/accounts/109348684/followers?limit=80"),
        ("fediverse", "/@jane/followers"),
        ("fediverse", "/api/v1/directory?order=new&local=true"),
        ("discourse", "/directory_items.json?period=weekly&order=likes_received"),
        ("discourse", "/u/search/users.json?term=ja&include_groups=false"),
        ("wordpress", "/wp-json/wp/v2/users?per_page=100"),
        ("wordpress", "/wp-json/wp/v2/users?search=jane"),
        ("forums", "/memberlist.php?start=25"),
        ("forums", "/index.php?action=mlist;sort=registered;start=0;desc"),
        ("gitlab", "/api/v4/users?search=jane"),
        ("gitlab", "/api/v4/users?page=7&per_page=100"),
        ("gitea", "/explore/users?q=mars"),
        ("gitea", "/api/v1/users/search?q=rec"),
    ],
)
def test_a_search_or_a_list_is_no_view(name: SetName, request_: str) -> None:
    """It counts as asked; whom it showed only `weir.targets` could say."""
    assert asked(name, request_) == ("asked", None)


@pytest.mark.parametrize(
    ("name", "request_"),
    [
        ("rest", "/users/me"),
        ("rest", "/users/sign_in"),
        ("rest", "/api/v1/users/me.json"),
        ("rest", "/users"),
        ("rest", "/users/48213/edit"),
        ("rest", "/users/default-avatar.png"),
        ("rest", "/people/app.9f2c1b.js"),
        ("rest", "POST /users/48213"),
        ("rest", "/assets/users/48213.css"),
        ("handles", "/u/login"),
        ("handles", "/@fontsource.woff2"),
        ("fediverse", "/api/v1/accounts/verify_credentials"),
        ("fediverse", "/api/v1/accounts/relationships?id[]=1&id[]=2"),
        ("fediverse", "/@jane/113456"),
        ("fediverse", "/users/jane/inbox"),
        ("discourse", "/u/hp.json"),
        ("discourse", "/u/is_local_username"),
        ("discourse", "/u/jane/preferences/account"),
        ("discourse", "/t/welcome-to-discourse/8"),
        ("wordpress", "/?p=3"),
        ("wordpress", "/"),
        ("wordpress", "/wp-json/wp/v2/users/me?context=edit"),
        ("wordpress", "/?author="),
        ("forums", "/member.php?action=login"),
        ("forums", "/index.php?action=profile"),
        ("forums", "/index.php?board=2.0"),
        ("forums", "/viewtopic.php?f=7&t=19&u=208"),
        ("forums", "/members/username-tooltip"),
        ("gitlab", "/users/sign_in"),
        ("gitlab", "/jane/project"),
        ("gitea", "/jane/project"),
        ("gitea", "/avatars/0f3a.png"),
    ],
)
def test_what_shows_nobody_is_no_surface(name: SetName, request_: str) -> None:
    """Assets, sign-in, a person's own page, other verbs, and neighbours of the shapes."""
    assert asked(name, request_) is None


def test_a_guess_is_a_miss() -> None:
    """``?author=N`` of nobody: what an enumeration of WordPress meets most."""
    assert asked("wordpress", "/?author=9999", 404) == ("view", key_of("9999", 0))
    assert asked("wordpress", "/?author=1", 301) is None


def test_the_last_of_two_ids_counts() -> None:
    """As PHP has it, so nobody hides whom they look at behind somebody else."""
    assert asked("forums", "/member.php?u=1&u=224") == ("view", key_of("224", 0))


@pytest.mark.parametrize("name", SETS)
def test_every_set_can_be_used(name: SetName) -> None:
    """Its paths are patterns, it says what it fits, and its TOML reads back as the same surfaces."""
    surfaces = SETS[name].surfaces
    assert SETS[name].fits
    assert len(set(surfaces)) == len(surfaces)
    compile_patterns(surfaces)
    assert parse(toml_of_surfaces(surfaces)).surfaces == surfaces
    assert parse(f'[surface_sets]\nuse = ["{name}"]').surfaces == surfaces


def test_the_names_are_those_of_the_settings() -> None:
    """No set that cannot be named, and no name without a set."""
    assert tuple(SETS) == get_args(SetName)


def test_ones_own_surfaces_go_first() -> None:
    """They stay, the defaults do not; each surface is there once, and sets keep the order they are named in."""
    own = Surface("lookup", "/author/{profile}")
    text = toml_of_surfaces([own]) + '[surface_sets]\nuse = ["gitea", "wordpress", "gitea"]'
    assert parse(text).surfaces == (own, *SETS["gitea"].surfaces, *SETS["wordpress"].surfaces)
    assert not set(DEFAULT_SURFACES) & set(parse(text).surfaces)
    assert with_sets((own,), ()) == (own,)


def test_what_is_published_reads_back_as_the_same() -> None:
    """All surfaces are written out, and none is added a second time."""
    settings = parse('[surface_sets]\nuse = ["forums"]')
    again = parse(toml_of(settings))
    assert again.surfaces == settings.surfaces
    assert revision(again) == revision(settings) != revision(parse(""))


def test_no_id_that_is_none_is_listed_twice() -> None:
    """A list that somebody adds to."""
    assert len(set(NO_IDS)) == len(NO_IDS)


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    """A table of all sets; one as TOML; as JSON; and a wrong name in one line, exit status 2."""
    assert run(["surfaces", "list"]) in (0, None)
    assert "discourse" in capsys.readouterr().out
    assert run(["surfaces", "list", "forums"]) in (0, None)
    assert parse(capsys.readouterr().out).surfaces == SETS["forums"].surfaces
    assert run(["surfaces", "list", "--json"]) in (0, None)
    assert '"path": "/api/v4/users/{profile}"' in capsys.readouterr().out
    assert run(["surfaces", "list", "myspace"]) == 2
