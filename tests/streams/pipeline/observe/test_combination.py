from typing import Final

import pytest
import xxhash

from schemas.actor import Scope
from schemas.sighting import Flag, Kind
from streams.pipeline.observe.combination import PART_MAX
from streams.pipeline.sightings import decode
from streams.settings import GROUPS_MAX, Group
from tests.streams.pipeline.observe.records import Row, key_of, observe, record, rows_of

AGENT: Final = "Mozilla/5.0 (X11; Linux x86_64)"
WHOLE: Final[dict[str, object]] = {"user_agent.original": AGENT, "client.geo.country_iso_code": "NZ"}


def group_of(name: str, of: tuple[str, ...]) -> Group:
    """A group of these parts."""
    return Group(name, of)  # type: ignore[arg-type]  # the parts are literals


def combined(values: list[bytes], *of: str, name: str = "g", destinations: int = 4) -> list[Row]:
    """Sightings of the group called ``name`` of these parts."""
    rows = rows_of(observe(values, destinations=destinations, groups=[group_of(name, of)]))
    return [row for row in rows if row.scope is Scope.COMBINATION]


@pytest.mark.parametrize(
    ("of", "value"),
    [
        (("fingerprint", "net"), "t13d1516h2@203.0.113.0/24"),
        (("net", "fingerprint"), "203.0.113.0/24@t13d1516h2"),
        (("asn", "country"), "64500@NZ"),
        (("tier", "country", "asn"), "free@NZ@64500"),
        (("agent", "tier"), f"{xxhash.xxh64_hexdigest(AGENT.encode())}@free"),
    ],
)
def test_a_value_names_its_parts(of: tuple[str, ...], value: str) -> None:
    """In the order of the configuration, behind the name of the group; its key is that of the value."""
    (row,) = combined([record(WHOLE)], *of, name="two_of")
    assert row.value == f"two_of:{value}"
    assert row.key == key_of(row.value, Scope.COMBINATION)
    assert (row.kind, row.flags, row.principal) == (Kind.VIEW, Flag.LOGGED_IN, key_of("u1", Scope.ACCOUNT))


@pytest.mark.parametrize(
    ("part", "key"),
    [
        ("net", "client.address"),
        ("asn", "client.as.number"),
        ("fingerprint", "tls.client.ja4"),
        ("country", "client.geo.country_iso_code"),
        ("agent", "user_agent.original"),
        ("tier", "weir.account.tier"),
    ],
)
def test_without_a_part_there_is_no_group(part: str, key: str) -> None:
    """Whether it is the first part or the second; the event's other actors are as ever."""
    other = "tier" if part == "asn" else "asn"
    assert len(combined([record(WHOLE)], part, other)) == len(combined([record(WHOLE)], other, part)) == 1
    assert combined([record(WHOLE, [key])], part, other) == combined([record(WHOLE, [key])], other, part) == []
    left = rows_of(observe([record(WHOLE, [key])], groups=[group_of("g", (part, other))]))
    assert left == rows_of(observe([record(WHOLE, [key])]))


@pytest.mark.parametrize(
    ("fingerprint", "named"), [("f" * PART_MAX, True), ("f" * (PART_MAX + 1), False), ("f@64500", False), ("", False)]
)
def test_a_part_has_a_length_and_no_at(fingerprint: str, named: bool) -> None:
    """What could be taken for another group's value, or would not fit, is in none."""
    rows = combined([record({"tls.client.ja4": fingerprint})], "fingerprint", "tier", "asn")
    assert [row.value for row in rows] == [f"g:{fingerprint}@free@64500"] * named


def test_a_country_has_two_letters() -> None:
    """Anything else is no country."""
    values = [record({"client.geo.country_iso_code": country}) for country in ("N", "NZL", "NZ")]
    assert [row.value for row in combined(values, "country", "asn")] == ["g:NZ@64500"]


def test_each_event_has_its_own() -> None:
    """As many groups as there are; those with the same value are one actor, at one destination."""
    values = [record({"client.as.number": n % 50, "tls.client.ja4": f"f{n % 3}"}) for n in range(600)]
    rows = combined(values, "fingerprint", "asn", destinations=7)
    assert len(rows) == 600
    assert {row.offset: row.value for row in rows} == {n: f"g:f{n % 3}@{n % 50}" for n in range(600)}
    observed = observe(values, destinations=7, groups=[Group("g", ("fingerprint", "asn"))])
    sightings = [decode(message) for message in observed.messages if message]
    keys = [int(key) for one in sightings for key in one.actor_key[one.actor_scope == Scope.COMBINATION]]
    assert len(keys) == len(set(keys)) == 150


def test_several_groups() -> None:
    """As many as may be named, each a group of its own, though the parts be the same."""
    groups = [Group(f"g{n}", ("net", "asn", "tier")) for n in range(GROUPS_MAX)]
    rows = rows_of(observe([record(), record()], groups=groups))
    values = [row.value for row in rows if row.scope is Scope.COMBINATION]
    assert sorted(values) == sorted(f"g{n}:203.0.113.0/24@64500@free" for n in range(GROUPS_MAX) for _ in range(2))


def test_touches_and_members() -> None:
    """A group sees what its members asked for beside profiles, and knows them by name."""
    values = [record({"url.path": "/about"}, ["user.id"]), record(without=["user.id"])]
    observed = observe(values, destinations=1, groups=[Group("g", ("net", "asn"))])
    rows = [row for row in rows_of(observed) if row.scope is Scope.COMBINATION]
    assert [row.kind for row in rows] == [Kind.TOUCH, Kind.VIEW]
    assert observed.messages[0] is not None
    sightings = decode(observed.messages[0])
    assert [sightings.member(int(key)) for key in sightings.member_key] == [sightings.member(rows[0].principal)]
