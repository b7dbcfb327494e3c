"""Who events concern: touches by cell, young accounts, and members that groups may be named by."""

from typing import Final

import pytest

from schemas.actor import Actor, Scope
from schemas.sighting import Flag, Kind
from streams.pipeline.observe.naming import CELL_US, NAMED_ONE_IN, YOUNG_S
from streams.pipeline.sightings import decode
from tests.streams.pipeline.observe.records import NOW_US, Row, observe, record, rows_of

CELL: Final = NOW_US // CELL_US * CELL_US
"""Begin of a cell."""
ANONYMOUS: Final = ("user.id", "session.id")


def touch(at_us: int = CELL, path: str = "/assets/a.css", without: tuple[str, ...] = (), **changes: object) -> bytes:
    """A request of no surface."""
    named = {key.replace("__", "."): value for key, value in changes.items()}
    return record({"@timestamp": at_us, "url.path": path} | named, without)


def of(values: list[bytes], scope: Scope = Scope.ACCOUNT) -> list[Row]:
    """Sightings of the actors of a scope."""
    return [row for row in rows_of(observe(values, destinations=1)) if row.scope is scope]


class TestTouches:
    """One a cell of ten seconds."""

    def test_at_the_end_of_the_cell(self) -> None:
        """Wherever in its cell it was, it is told at the last microsecond of it: no order within a cell shows."""
        for at_us in (CELL, CELL + 1, CELL + CELL_US - 1):
            assert [row.time_us for row in of([touch(at_us)])] == [CELL + CELL_US - 1]
        assert [row.time_us for row in of([touch(CELL + CELL_US)])] == [CELL + 2 * CELL_US - 1]

    @pytest.mark.parametrize(("apart_us", "count"), [(0, 1), (CELL_US - 1, 1), (CELL_US, 2)])
    def test_once_a_cell(self, apart_us: int, count: int) -> None:
        """A page with all that belongs to it is one touch, of the principal and of each group."""
        values = [touch(), touch(CELL + apart_us, "/assets/b.js")]
        assert len(of(values)) == len(of(values, Scope.NET)) == len(of(values, Scope.FINGERPRINT_ASN)) == count

    @pytest.mark.parametrize(
        "changes",
        [{"user__id": "u2"}, {"client__address": "203.0.113.10"}, {"tls__client__ja4": "other"}],
    )
    def test_of_each_principal_and_client(self, changes: dict[str, object]) -> None:
        """Somebody else, another address or another program in the same cell is another touch."""
        values = [touch(), touch(), touch(CELL, "/assets/a.css", (), **changes)]
        assert len(of(values, Scope.ASN)) == 2

    def test_neither_session_nor_address_of_an_account(self) -> None:
        """They are told what profiles the account took, and nothing beside."""
        assert of([touch()], Scope.SESSION) == of([touch()], Scope.IP) == []
        assert len(of([touch(without=ANONYMOUS)], Scope.IP)) == 1

    def test_no_profile(self) -> None:
        """It discloses nobody."""
        observed = observe([touch()], destinations=1)
        assert observed.counts.profiles == 0
        assert {(row.kind, row.profile, row.ordinal) for row in rows_of(observed)} == {(Kind.TOUCH, 0, 0)}

    def test_views_keep_their_time(self) -> None:
        """Only touches wait for the end of a cell."""
        assert [row.time_us for row in of([touch(CELL + 5, "/people/7")])] == [CELL + 5]


class TestYoung:
    """Accounts of less than 14 days."""

    @pytest.mark.parametrize(("age_s", "young"), [(0, True), (YOUNG_S - 1, True), (YOUNG_S, False)])
    def test_age(self, age_s: int, young: bool) -> None:
        """By the time of the event."""
        created_s = NOW_US // 1_000_000 - age_s
        rows = rows_of(observe([record({"weir.account.created_at": created_s})]))
        assert {Flag.YOUNG in row.flags for row in rows} == {young}

    def test_of_unknown_age(self) -> None:
        """Where nothing is said nobody is young."""
        assert not any(Flag.YOUNG in row.flags for row in rows_of(observe([record()])))


class TestMembers:
    """Names of principals who can belong to a cohort."""

    @staticmethod
    def named(values: list[bytes], destinations: int = 1) -> list[set[str]]:
        """Members that each message names."""
        found = []
        for message in observe(values, destinations=destinations).messages:
            sightings = decode(message) if message else None
            keys = [] if sightings is None else sightings.member_key.tolist()
            members = [] if sightings is None else [sightings.member(key) for key in keys]
            assert len(keys) == len(set(keys))
            found.append({member.key for member in members if member is not None})
        return found

    @pytest.mark.parametrize(
        ("age_s", "named"), [(YOUNG_S - 1, {"account:u1"}), (YOUNG_S, set[str]()), (None, set[str]())]
    )
    def test_accounts(self, age_s: int | None, named: set[str]) -> None:
        """Young ones are named at every view, others at this one are not."""
        created_s = None if age_s is None else NOW_US // 1_000_000 - age_s
        assert self.named([record({"weir.account.created_at": created_s, "url.path": "/people/8"})]) == [named]

    def test_old_accounts_at_times(self) -> None:
        """With one in eight of their views, by account and profile; so all who go on are named in the end."""
        values = [record({"user.id": f"u{n % 20}", "url.path": f"/people/{n}"}) for n in range(2_000)]
        each = [bool(self.named([value])[0]) for value in values[:400]]
        assert sum(each) == pytest.approx(400 / NAMED_ONE_IN, rel=0.4)
        assert self.named(values) == [{f"account:u{n}" for n in range(20)}]

    def test_old_accounts_by_views_alone(self) -> None:
        """What the platform picked names nobody who is not named anyhow."""
        search: dict[str, object] = {"url.path": "/search/people", "weir.targets": ["a"], "url.query": "q=a"}
        values = [record(search | {"user.id": f"u{n}"}) for n in range(100)]
        assert self.named(values) == [set()]

    def test_visitors(self) -> None:
        """Without an account by the address, else by the session; each once, in any script."""
        values = [record({"client.address": f"203.0.113.{n % 3}"}, ANONYMOUS) for n in range(9)]
        values.append(record({"session.id": "Ægir-ß"}, ("user.id", "client.address")))
        assert self.named(values) == [{"ip:203.0.113.0", "ip:203.0.113.1", "ip:203.0.113.2", "session:Ægir-ß"}]

    def test_where_the_group_is(self) -> None:
        """A name goes to every destination of a group of its principal, to no other."""
        values = [record({"tls.client.ja4": f"f{n}", "client.as.number": n}, ANONYMOUS) for n in range(20)]
        observed = observe(values, destinations=8)
        for message, named in zip(observed.messages, self.named(values, 8), strict=True):
            sightings = decode(message) if message else None
            scopes = set() if sightings is None else set(sightings.actor_scope.tolist())
            assert bool(named) == any(scope >= Scope.NET for scope in scopes)

    def test_not_for_touches(self) -> None:
        """Who takes no profile is in no cohort."""
        assert self.named([touch(without=ANONYMOUS)]) == [set()]

    def test_unknown(self) -> None:
        """A key that the message does not name is nobody."""
        message = observe([record(without=ANONYMOUS)], destinations=1).messages[0]
        assert message is not None
        sightings = decode(message)
        assert sightings.member(int(sightings.member_key[0])) == Actor("ip", "203.0.113.9")
        assert sightings.member(12_345) is None
