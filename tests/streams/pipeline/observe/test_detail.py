"""What is known of a request beside who asked and what was shown."""

from typing import Any, Final

import numpy as np
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from detectors.core.columns import AGENTS, NO_NUMBER, text_order
from schemas.actor import Scope
from schemas.sighting import Kind
from streams.pipeline.observe.detail import DIGITS_MAX, ORDER_BYTES, PREFIX_MAX, alphabetical, parameter, place_of
from streams.pipeline.sightings import decode
from streams.surfaces.setting import Surface
from tests.streams.pipeline.observe.records import NOW_US, actor_value, details_of, key_of, observe, record, rows_of

SURFACES: Final = [
    Surface(kind="view", path="/people/{profile}"),
    Surface(kind="search", path="/search", query="q"),
    Surface(kind="search", path="/find"),
    Surface(kind="list", path="/people/*/friends"),
]
NAMED: Final = st.text(st.characters(codec="utf-8"), max_size=30).map(str.encode) | st.binary(max_size=30)


def text(value: bytes) -> Any:
    """Bytes as compiled code takes them, between other bytes."""
    return np.frombuffer(b"z9" + value + b"9z", np.uint8)


def place(value: bytes) -> int:
    """Where an id stands."""
    return int(place_of(text(value), 2, len(value)))


def order(value: bytes) -> int:
    """Where a text stands in the alphabet."""
    return int(alphabetical(text(value), 2, len(value)))


def lower(value: bytes) -> bytes:
    """First bytes of a text in lower case, zeros behind a shorter one."""
    return value[:ORDER_BYTES].lower().ljust(ORDER_BYTES, b"\0")


def detail(name: str, changes: dict[str, object], without: tuple[str, ...] = ()) -> int:
    """A detail of the one principal's row that a record leaves, whatever else it leaves."""
    found = details_of(observe([record(changes, without)], SURFACES, destinations=1), name)
    return found[0]


class TestPlace:
    """Ids as places in an order."""

    @pytest.mark.parametrize(
        ("value", "number"),
        [
            (b"0", 0),
            (b"8123771", 8_123_771),
            (b"007", 7),
            (b"u123", 123),
            (b"id-7", 7),
            (b"9" * DIGITS_MAX, 10**DIGITS_MAX - 1),
            (b"x" * PREFIX_MAX + b"5", 5),
        ],
    )
    def test_numbers(self, value: bytes, number: int) -> None:
        """Digits are a number, with or without a short prefix."""
        assert place(value) == number

    @pytest.mark.parametrize(
        "value", [b"", b"anna", b"x" * (PREFIX_MAX + 1) + b"5", b"9" * (DIGITS_MAX + 1), b"12a", b"1-2", b"abc"]
    )
    def test_other_text(self, value: bytes) -> None:
        """One letter too many, one digit too many, or anything behind the digits: it stands in the alphabet."""
        assert place(value) == order(value) <= -2

    @given(NAMED)
    def test_whatever_it_is(self, value: bytes) -> None:
        """It is a number of 63 bits or a place in the alphabet, never "no place", whatever stands around it."""
        found = place(value)
        assert found != NO_NUMBER
        assert -(2**56) - 1 <= found < 10**DIGITS_MAX
        digits = value.lstrip(bytes(sorted(set(value) - set(b"0123456789"))))
        if found >= 0:
            assert found == int(digits)

    @given(NAMED, NAMED)
    def test_alphabet(self, left: bytes, right: bytes) -> None:
        """Later by the first seven bytes is lower, capitals stand with small letters; it can be read back."""
        assert (order(left) < order(right)) == (lower(left) > lower(right))
        back = text_order(np.array([order(left), 5, NO_NUMBER], np.int64)).tolist()
        assert back == [int.from_bytes(lower(left), "big"), -1, -1]


class TestParameter:
    """One parameter of a query."""

    @staticmethod
    def value(query: bytes, name: bytes = b"q") -> bytes | None:
        """Its value, not decoded."""
        start, size = parameter(text(query), 2, len(query), np.frombuffer(b"xx" + name, np.uint8), 2, len(name))
        return None if size < 0 else text(query)[start : start + size].tobytes()

    @pytest.mark.parametrize(
        ("query", "value"),
        [
            (b"q=anna", b"anna"),
            (b"page=2&q=anna&x=1", b"anna"),
            (b"q=", b""),
            (b"q=a=b", b"a=b"),
            (b"q=1&q=2", b"1"),
            (b"", None),
            (b"q", None),
            (b"qq=anna", None),
            (b"xq=anna", None),
            (b"q&x=1", None),
            (b"&&q=a&", b"a"),
        ],
    )
    def test_found(self, query: bytes, value: bytes | None) -> None:
        """The first of its name, the whole name, up to the next one."""
        assert self.value(query) == value

    @given(st.lists(st.binary(max_size=6)), st.sampled_from([b"q", b"query"]))
    def test_as_by_splitting(self, parts: list[bytes], name: bytes) -> None:
        """Any bytes are read as splitting them at ``&`` and the first ``=`` would, and no byte beyond them is."""
        query = b"&".join(parts)
        pairs = [part.partition(b"=") for part in query.split(b"&")]
        wanted = [value for key, equals, value in pairs if key == name and equals]
        assert self.value(query, name) == (wanted[0] if wanted else None)


class TestSearches:
    """What was searched for."""

    @pytest.mark.parametrize("query", ["q=Anna+B%C3%A4r", "x=1&q=Anna%20B%c3%a4r&page=2"])
    def test_decoded(self, query: str) -> None:
        """However it is spelled it is one text: plus signs are blanks, and escapes are what they stand for."""
        observed = observe([record({"url.path": "/search", "url.query": query})], SURFACES, destinations=1)
        assert [(row.kind, row.profile) for row in rows_of(observed)] == [(Kind.QUERY, key_of("Anna Bär", 0))]
        assert details_of(observed, "number") == [order("Anna Bär".encode())]

    def test_without_its_parameter(self) -> None:
        """A search for nothing that is known is a search all the same, and stands in no order."""
        for query in ("page=2", "q="):
            observed = observe([record({"url.path": "/search", "url.query": query})], SURFACES, destinations=1)
            assert [(row.kind, row.profile) for row in rows_of(observed)] == [(Kind.QUERY, 0)]
            assert details_of(observed, "number") == [NO_NUMBER]

    def test_whole_query(self) -> None:
        """A surface without a parameter searches for all of its query."""
        observed = observe([record({"url.path": "/find", "url.query": "anna"})], SURFACES, destinations=1)
        assert rows_of(observed)[0].profile == key_of("anna", 0)

    def test_lists_by_path(self) -> None:
        """A list is told apart from another by its path."""
        rows = rows_of(observe([record({"url.path": f"/people/{n}/friends"}) for n in (1, 2)], SURFACES, 1))
        assert [row.profile for row in rows] == [key_of(f"/people/{n}/friends", 0) for n in (1, 2)]

    @pytest.mark.parametrize(("targets", "shown"), [(None, 0), ([], 0), (["a"], 1), (["a", "b", "a"], 2)])
    def test_shown(self, targets: list[str] | None, shown: int) -> None:
        """How many profiles the response showed stands on its own row, and nowhere else."""
        changes: dict[str, object] = {"url.path": "/search", "url.query": "q=a", "weir.targets": targets}
        assert details_of(observe([record(changes)], SURFACES, 1), "shown") == [shown] + [0] * shown

    def test_results_stand_in_no_order(self) -> None:
        """The platform picked them."""
        changes: dict[str, object] = {"url.path": "/search", "url.query": "q=a", "weir.targets": ["7", "8"]}
        numbers = details_of(observe([record(changes)], SURFACES, 1), "number")
        assert numbers == [order(b"a"), NO_NUMBER, NO_NUMBER]


class TestDetails:
    """Columns of principals' rows."""

    def test_one_for_each_row_of_a_principal(self) -> None:
        """Seven actors see the view, one of them is its principal."""
        observed = observe([record()], SURFACES, destinations=1)
        assert len(rows_of(observed)) == 7
        assert details_of(observed, "asn") == [64_500]

    def test_what_was_asked_for_counts_before_what_was_disclosed(self) -> None:
        """The id in the path, which a walker chose; the platform's own id where the path has none."""
        assert detail("number", {"url.path": "/people/7", "weir.target.id": "99"}) == 7
        assert detail("number", {"url.path": "/elsewhere", "weir.target.id": "99"}) == 99

    @pytest.mark.parametrize(("country", "number"), [("DE", 0x4445), ("", 0), ("DEU", 0), ("D", 0)])
    def test_country(self, country: str, number: int) -> None:
        """Two letters, or nothing."""
        assert detail("country", {"client.geo.country_iso_code": country}) == number

    def test_address(self) -> None:
        """The key that the address has as an actor, so that it can be told apart and found again."""
        assert detail("address", {}) == key_of("203.0.113.9", Scope.IP)
        assert detail("address", {}, ("client.address",)) == 0

    def test_asn(self) -> None:
        """Nothing is 0."""
        assert detail("asn", {}, ("client.as.number",)) == 0

    def test_agent(self) -> None:
        """A class for each text, of so many; those without one share the first."""
        agent = "Mozilla/5.0"
        assert (
            detail("agent", {"user_agent.original": agent}) == (xxhash.xxh64_intdigest(agent.encode()) >> 32) % AGENTS
        )
        assert detail("agent", {}) == 0

    @pytest.mark.parametrize(
        ("created", "seconds"),
        [
            (None, 0),
            ("2026-11-20T00:00:00Z", 1_795_132_800),
            (1_795_132_800, 1_795_132_800),
            (NOW_US, NOW_US // 1_000_000),
            (NOW_US + 1_000_000, 0),
            ("2026-11-20 00:00:00+00:00", 1_795_132_800),
        ],
    )
    def test_created(self, created: object, seconds: int) -> None:
        """As any time is spelled; one that lies ahead of the event is not known."""
        assert detail("created_s", {"weir.account.created_at": created}) == seconds

    def test_a_creation_that_is_no_time(self) -> None:
        """The record is a dead letter, with its place."""
        [dead] = observe([record({"weir.account.created_at": "once"})], SURFACES).dead
        assert dead.where == "$.weir.account.created_at"

    def test_details_go_where_their_principal_goes(self) -> None:
        """Cut into messages by destination, each has the details of its own rows, in their order."""
        values = [record({"user.id": f"u{n}", "url.path": f"/people/{n}"}) for n in range(50)]
        for message in filter(None, observe(values, SURFACES, destinations=5).messages):
            sightings = decode(message)
            own = [row for row in range(len(sightings)) if sightings.flags[row] & 4]
            values_of = [actor_value(sightings, int(sightings.actor[row])) for row in own]
            assert values_of == [f"u{number}" for number in sightings.number.tolist()]
