"""Slots: one an actor, for ever, with its scope and name."""

from collections.abc import Mapping
from typing import ClassVar, Final

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.core.columns import Columns
from detectors.core.contract import Detector, DetectorConfig, Evidence, Explanation, State
from detectors.core.model import Model
from schemas.actor import Actor, Scope
from schemas.sighting import Flag
from streams.pipeline.actors.index import Index
from streams.pipeline.actors.store import Actors, Slots
from tests.streams.pipeline.rows_of import actors_of, profile, rows_of


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 3_000), max_size=300), max_size=12))
def test_index_is_a_dictionary(batches: list[list[int]]) -> None:
    """Slots are given out from 0 in order of first appearance, and found again through every growth of the table."""
    index, expected = Index(), dict[int, int]()
    for batch in batches:
        known = len(expected)
        wanted = [expected.setdefault(number, len(expected)) for number in batch]
        slots, new = index.slots(np.array([profile(number) for number in batch], np.uint64))
        assert slots.tolist() == wanted
        assert (new, index.count) == (len(expected) - known, len(expected))


def _add(actors: Actors, named: list[tuple[Scope, str]]) -> list[int]:
    texts = [value.encode() for _, value in named]
    keys = [abs(hash_of(scope, value)) for scope, value in named]
    slots: list[int] = actors.slots(
        np.array(keys, np.uint64),
        np.array([scope for scope, _ in named], np.uint8),
        np.frombuffer(b"".join(texts), np.uint8),
        np.cumsum([len(text) for text in texts]).astype(np.uint32),
    ).tolist()
    return slots


def hash_of(scope: Scope, value: str) -> int:
    """A key that is the same in every process."""
    return profile(int.from_bytes(f"{scope}{value}".encode(), "big") % (1 << 62))


class Remembering(Detector[DetectorConfig]):
    """Keeps something of each kind, and judges nothing."""

    state: ClassVar[Mapping[str, str]] = {"sum": "f8"}
    principal_state: ClassVar[Mapping[str, str]] = {"days": "(3,)u2"}
    group_state: ClassVar[Mapping[str, str]] = {"total": "f4"}
    member_state: ClassVar[Mapping[str, str]] = {"met": "u1"}

    def judge(self, columns: Columns, state: State, model: Model) -> Evidence:
        """Not asked."""
        raise NotImplementedError

    def explain(self, columns: Columns, evidence: Evidence, row: int) -> Explanation:
        """Not asked."""
        raise NotImplementedError


OWN, LOGGED_IN = int(Flag.PRINCIPAL), int(Flag.LOGGED_IN)


class TestPlaces:
    """Slots in the tables that not every actor has a place in."""

    SCOPES: Final = (Scope.ACCOUNT, Scope.SESSION, Scope.IP, Scope.NET, Scope.FINGERPRINT_ASN)

    def places(self, slots: list[int], flags: list[int], principals: list[int] | int = 7) -> Slots:
        """Places of rows of actors that were never seen before."""
        some = rows_of([1] * len(slots), slots=slots, flags=flags, principals=principals)
        return actors_of(self.SCOPES).places(some)

    def test_windows(self) -> None:
        """Groups have windows from the first; others only once they met many."""
        actors = actors_of(self.SCOPES)
        actors.places(rows_of([1] * 5, slots=range(5), flags=[LOGGED_IN] * 5))
        assert actors.places_of(np.arange(5))[:, 0].tolist() == [-1, -1, -1, 0, 1]

    def test_principals(self) -> None:
        """Who a request was judged by first, on those rows alone."""
        assert self.places([0, 2, 2, 3], [OWN, OWN, LOGGED_IN, 0]).principal.tolist() == [0, 1, -1, -1]

    def test_groups_and_members(self) -> None:
        """Nets and wider are groups; each principal is another member of each of them."""
        found = self.places([2, 3, 3, 4, 3], [OWN, 0, 0, 0, 0], [1, 1, 2, 1, 1])
        assert found.group.tolist() == [-1, 0, 0, 1, 0]
        assert found.member.tolist() == [-1, 0, 1, 2, 0]

    def test_state(self) -> None:
        """A detector finds all it declares by name, whichever table holds it, with room for each that has a place."""
        detector = Remembering(DetectorConfig())
        actors = actors_of(self.SCOPES, [detector])
        assert actors.state(detector.name).keys() == {"sum", "days", "total", "met"}
        found = actors.places(rows_of([1] * 2, slots=[0, 3], flags=[OWN, 0]))
        state = actors.state(detector.name)
        assert state["days"].shape[1:] == (3,)
        assert len(state["days"]) > found.principal.max()
        assert len(state["met"]) > found.member.max()


class TestActors:
    """Columns over slots."""

    def test_names(self) -> None:
        """Each actor is named as it came, in any script, also when old and new ones come mixed."""
        actors = Actors([])
        first = [(Scope.ACCOUNT, "42"), (Scope.IP, "2001:db8::1"), (Scope.ACCOUNT, "Ægir-ß")]
        _add(actors, first)
        second = [(Scope.NET, "203.0.113.0/24"), first[2], (Scope.FINGERPRINT, "x" * 5_000), first[0]]
        slots = _add(actors, second)
        assert slots == [3, 2, 4, 0]
        assert [actors.actor(slot) for slot in slots] == [Actor(scope.label, value) for scope, value in second]
        assert len(actors) == 5

    def test_growth(self) -> None:
        """Everything known of the first actors survives ten thousand more; new ones begin at zero."""
        detector = Remembering(DetectorConfig())
        actors = Actors([detector])
        _add(actors, [(Scope.ACCOUNT, "first")])
        actors.columns["exposed"][0], actors.state(detector.name)["sum"][0] = 7, 1.5
        _add(actors, [(Scope.IP, f"a{number}") for number in range(10_000)])
        assert (actors.columns["exposed"][0], actors.state(detector.name)["sum"][0]) == (7, 1.5)
        assert not actors.columns["exposed"][1:].any()
        assert not actors.state(detector.name)["sum"][1:].any()
        assert (actors.value(0), actors.value(10_000)) == ("first", "a9999")

    def test_size(self) -> None:
        """An actor with a few contacts takes well below 1 kB, room to grow included."""
        actors = Actors([])
        _add(actors, [(Scope.IP, f"a{number}") for number in range(20_000)])
        assert actors.nbytes / len(actors) < 500


def test_found_by_name() -> None:
    """All that records name so, whatever their keys: a session's hangs on its account. Nobody else."""
    actors = Actors([])
    named = [(Scope.ACCOUNT, "ä42"), (Scope.SESSION, "ä42"), (Scope.ACCOUNT, "ä43"), (Scope.ACCOUNT, "ä422")]
    slots = _add(actors, named)
    for (scope, value), slot in zip(named, slots, strict=True):
        assert actors.find(Actor(scope.label, value)) == [slot]
    for label, value in ((Scope.IP.label, "ä42"), ("host", "ä42"), (Scope.ACCOUNT.label, ""), ("account", "ä44")):
        assert actors.find(Actor(label, value)) == []
