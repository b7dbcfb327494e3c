"""Slots: one an actor, for ever, with its scope and name."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.actor import Actor, Scope
from streams.pipeline.actors.index import Index
from streams.pipeline.actors.store import Actors
from tests.streams.pipeline.rows_of import profile


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


class TestActors:
    """Columns over slots."""

    def test_names(self) -> None:
        """Each actor is named as it came, in any script, also when old and new ones come mixed."""
        actors = Actors({})
        first = [(Scope.ACCOUNT, "42"), (Scope.IP, "2001:db8::1"), (Scope.ACCOUNT, "Ægir-ß")]
        _add(actors, first)
        second = [(Scope.NET, "203.0.113.0/24"), first[2], (Scope.FINGERPRINT, "x" * 5_000), first[0]]
        slots = _add(actors, second)
        assert slots == [3, 2, 4, 0]
        assert [actors.actor(slot) for slot in slots] == [Actor(scope.label, value) for scope, value in second]
        assert len(actors) == 5

    def test_growth(self) -> None:
        """Everything known of the first actors survives ten thousand more; new ones begin at zero."""
        actors = Actors({"one": {"sum": "f8"}})
        _add(actors, [(Scope.ACCOUNT, "first")])
        actors.columns["exposed"][0], actors.state["one"]["sum"][0], actors.rings[0, 3] = 7, 1.5, 9
        _add(actors, [(Scope.IP, f"a{number}") for number in range(10_000)])
        assert (actors.columns["exposed"][0], actors.state["one"]["sum"][0], actors.rings[0, 3]) == (7, 1.5, 9)
        assert not actors.columns["exposed"][1:].any()
        assert not actors.state["one"]["sum"][1:].any()
        assert not actors.rings[1:].any()
        assert (actors.value(0), actors.value(10_000)) == ("first", "a9999")

    def test_size(self) -> None:
        """An actor with a few contacts takes well below 1 kB, room to grow included."""
        actors = Actors({})
        _add(actors, [(Scope.IP, f"a{number}") for number in range(20_000)])
        assert actors.nbytes / len(actors) < 500
