from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.core.hashing import destination
from schemas.actor import Scope
from schemas.sighting import Flag, Kind
from streams.pipeline.sightings import decode
from tests.streams.pipeline.observe.records import NOW_US, Row, key_of, observe, record, rows_in, rows_of

VALUES = {
    Scope.ACCOUNT: "u1",
    Scope.SESSION: "s1",
    Scope.IP: "203.0.113.9",
    Scope.NET: "203.0.113.0/24",
    Scope.ASN: "64500",
    Scope.FINGERPRINT: "t13d1516h2",
    Scope.FINGERPRINT_ASN: "t13d1516h2@64500",
}
MASK = 2**64 - 1
PLAIN = set(VALUES)


def session_key(session: str, account: str) -> int:
    """Key of a session of an account, by the definition: splitmix64's finaliser of both keys, one turned by half."""
    turned = key_of(account, Scope.ACCOUNT)
    word = key_of(session, Scope.SESSION) ^ (turned >> 32 | turned << 32 & MASK)
    word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9 & MASK
    word = (word ^ word >> 27) * 0x94D049BB133111EB & MASK
    return (word ^ word >> 31) & ~7 | Scope.SESSION


def scopes_of(rows: list[Row]) -> dict[Scope, Row]:
    """Rows of one event by scope."""
    return {row.scope: row for row in rows}


def test_an_event_is_seen_by_each_of_its_actors() -> None:
    """One view leaves seven sightings, which differ in the actor alone."""
    rows = scopes_of(rows_of(observe([record()], lo=40)))
    assert {scope: row.value for scope, row in rows.items()} == VALUES
    keys = {scope: key_of(value, scope) for scope, value in VALUES.items()}
    assert {scope: row.key for scope, row in rows.items()} == keys | {Scope.SESSION: session_key("s1", "u1")}
    for scope, row in rows.items():
        flags = Flag.LOGGED_IN | (Flag.PRINCIPAL if scope == Scope.ACCOUNT else Flag(0))
        common = (40, 0, NOW_US, Kind.VIEW, "free", key_of("7", 0), keys[Scope.ACCOUNT])
        assert (row.offset, row.ordinal, row.time_us, row.kind, row.tier, row.profile, row.principal) == common
        assert row.flags == flags


@pytest.mark.parametrize(
    ("without", "principal", "scopes"),
    [
        ([], Scope.ACCOUNT, PLAIN),
        (["user.id"], Scope.IP, PLAIN - {Scope.ACCOUNT}),
        (["user.id", "session.id"], Scope.IP, PLAIN - {Scope.ACCOUNT, Scope.SESSION}),
        (["user.id", "client.address"], Scope.SESSION, PLAIN - {Scope.ACCOUNT, Scope.IP, Scope.NET}),
        (["client.as.number"], Scope.ACCOUNT, PLAIN - {Scope.ASN, Scope.FINGERPRINT_ASN}),
        (["tls.client.ja4"], Scope.ACCOUNT, PLAIN - {Scope.FINGERPRINT, Scope.FINGERPRINT_ASN}),
        (["client.address", "session.id", "client.as.number", "tls.client.ja4"], Scope.ACCOUNT, {Scope.ACCOUNT}),
    ],
)
def test_the_principal_is_the_account_or_else_the_address_or_else_the_session(
    without: list[str], principal: Scope, scopes: set[Scope]
) -> None:
    """What a record leaves out is no actor; the principal is flagged, and its key stands beside every sighting."""
    rows = scopes_of(rows_of(observe([record(without=without)])))
    assert set(rows) == scopes
    assert [scope for scope, row in rows.items() if Flag.PRINCIPAL in row.flags] == [principal]
    assert {row.principal for row in rows.values()} == {rows[principal].key}
    assert {Flag.LOGGED_IN in row.flags for row in rows.values()} == {"user.id" not in without}


def test_a_session_without_account_has_the_key_of_its_id() -> None:
    """Nobody is behind it: the session is an actor by itself."""
    rows = scopes_of(rows_of(observe([record(without=["user.id"])])))
    assert rows[Scope.SESSION].key == key_of("s1", Scope.SESSION)


@pytest.mark.parametrize(
    ("changes", "without", "value"),
    [
        ({"tls.client.ja3": "771,4865"}, ["tls.client.ja4"], "771,4865"),
        ({"tls.client.ja3": "771,4865"}, [], "t13d1516h2"),
        ({"tls.client.ja3": "771,4865", "tls.client.ja4": ""}, [], "771,4865"),
    ],
)
def test_the_fingerprint_is_ja4_or_else_ja3(changes: dict[str, object], without: list[str], value: str) -> None:
    """One fingerprint an event, the more telling one."""
    rows = [row.value for row in rows_of(observe([record(changes, without)])) if row.scope == Scope.FINGERPRINT]
    assert rows == [value]


@pytest.mark.parametrize("number", [0, 9, 10, 64_500, 2**32 - 1])
def test_a_network_number_is_a_decimal_text(number: int) -> None:
    """Numbers of every length, the largest that there is included."""
    rows = [row.value for row in rows_of(observe([record({"client.as.number": number})])) if row.scope == Scope.ASN]
    assert rows == [str(number)]


def test_digits_of_a_network_number_are_the_number() -> None:
    """``"64500"`` and 64500 are one actor."""
    rows = rows_of(observe([record({"client.as.number": "64500"}), record()]))
    assert {row.value for row in rows if row.scope == Scope.ASN} == {"64500"}


@pytest.mark.parametrize(("length", "named"), [(44, True), (45, False)])
def test_a_fingerprint_within_a_network_has_a_length(length: int, named: bool) -> None:
    """Both parts stand in the value; what is longer than any JA4 is no actor within its network, but one of its own."""
    rows = scopes_of(rows_of(observe([record({"tls.client.ja4": "f" * length, "client.as.number": 2**32 - 1})])))
    assert (Scope.FINGERPRINT_ASN in rows) is named
    assert Scope.FINGERPRINT in rows
    if named:
        assert rows[Scope.FINGERPRINT_ASN].value == "f" * length + "@4294967295"


@pytest.mark.parametrize("name", ["\u0418\u0432\u0430\u043d", "\U0001f600" * 40, "a" * 10_000, 'u,1 /:"\\\n'])
def test_any_text_is_a_name(name: str) -> None:
    """Names of every script and length come out as they came in."""
    keys: dict[str, object] = dict.fromkeys(("user.id", "session.id", "tls.client.ja4", "weir.account.tier"), name)
    rows = scopes_of(rows_of(observe([record(keys | {"weir.target.id": name})])))
    assert [rows[scope].value for scope in (Scope.ACCOUNT, Scope.SESSION, Scope.FINGERPRINT)] == [name] * 3
    assert rows[Scope.ACCOUNT].key == key_of(name, Scope.ACCOUNT)
    assert rows[Scope.ACCOUNT].profile == key_of(name, 0)
    assert rows[Scope.ACCOUNT].tier == name


def test_texts_of_the_same_name_are_an_actor_for_each_scope() -> None:
    """An account, a session and a fingerprint called alike do not run into one another."""
    keys: dict[str, object] = dict.fromkeys(("user.id", "session.id", "tls.client.ja4"), "x")
    rows = rows_of(observe([record(keys)], destinations=1))
    assert len({row.key for row in rows}) == 7


@given(
    people=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3), st.booleans()), min_size=1, max_size=30),
    destinations=st.integers(1, 9),
)
def test_each_actor_lives_at_one_destination(people: list[tuple[int, int, bool]], destinations: int) -> None:
    """Everything of an account lies where the account does, sessions included; rows keep the order of the source."""
    values = [
        record({"user.id": f"u{user}" if known else "", "session.id": f"s{session}", "weir.targets": ["a", "b"]})
        for user, session, known in people
    ]
    observed = observe(values, destinations=destinations)
    homes = defaultdict(set)
    for owner, message in enumerate(observed.messages):
        rows = rows_in(decode(message)) if message else []
        assert [(row.offset, row.ordinal) for row in rows] == sorted((row.offset, row.ordinal) for row in rows)
        for row in rows:
            under_account = row.scope == Scope.SESSION and Flag.LOGGED_IN in row.flags
            assert owner == destination(np.uint64(row.principal if under_account else row.key), destinations)
            homes[row.key].add(owner)
    assert all(len(owners) == 1 for owners in homes.values())
    assert len(rows_of(observed)) == len(people) * 2 * 6 + 2 * sum(known for _, _, known in people)


def test_an_actor_is_named_once_in_a_message() -> None:
    """A thousand views by one account name it once; only the rows grow."""
    observed = observe([record({"url.path": f"/people/{number}"}) for number in range(1000)], destinations=1)
    assert observed.messages[0] is not None
    sightings = decode(observed.messages[0])
    assert len(sightings) == 7000
    assert len(sightings.actor_key) == 7


def test_tiers_are_named_in_the_order_of_their_sightings() -> None:
    """Index 0 is the unnamed tier; a tier that no sighting has is not named."""
    tiers = ["gold", None, "", "free", "gold"]
    values = [record({"weir.account.tier": tier, "weir.target.id": str(at)}) for at, tier in enumerate(tiers)]
    values.insert(0, record({"weir.account.tier": "staff", "http.response.status_code": 403}))
    observed = observe(values, destinations=1)
    assert observed.messages[0] is not None
    assert list(decode(observed.messages[0]).tiers) == ["", "gold", "free"]
    assert [row.tier for row in rows_of(observed) if row.value == "u1"] == ["gold", "", "", "free", "gold"]


def test_tiers_beyond_what_a_byte_counts_are_unnamed() -> None:
    """The 256th different tier of a batch is taken for the unnamed one, and the 255th is not."""
    values = [record({"weir.account.tier": f"t{number}"}) for number in range(257)]
    tiers = [row.tier for row in rows_of(observe(values)) if row.value == "u1"]
    assert tiers == [*(f"t{number}" for number in range(255)), "", ""]
