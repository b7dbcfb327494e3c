"""Actors that stay when others go are what they were, in other places."""

from typing import Final

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from schemas.actor import Scope
from schemas.sighting import Flag
from streams.pipeline.actors.memory import HORIZON, remembered
from streams.pipeline.actors.store import Actors
from streams.pipeline.windows.aggregate import aggregate
from tests.streams.pipeline.rows_of import START_US, actors_of, rows_of

SCOPES: Final = (Scope.ACCOUNT, Scope.SESSION, Scope.IP, Scope.NET, Scope.FINGERPRINT) * 4
ANONYMOUS: Final = int(Flag.PRINCIPAL)
NOW: Final = START_US // 20_000_000


def lived() -> Actors:
    """Twenty actors of which each has met six profiles more than the one before it: few, and many."""
    actors = actors_of(SCOPES)
    slots = [slot for slot in range(len(SCOPES)) for _ in range(6 * slot)]
    rows = rows_of([START_US + k for k in range(len(slots))], slots=slots, principals=slots, flags=ANONYMOUS)
    places = actors.places(rows)
    actors.see(rows, places)
    aggregate(actors, rows, places, 40)
    return actors


def portrait(actors: Actors, slot: int) -> tuple[object, ...]:
    """All that is known of an actor, whatever places it has."""
    window = int(actors.places_of(np.array([slot]))[0, 0])
    own = [int(actors.columns[name][slot]) for name in ("first_seen_us", "exposed", "last_seen_s", "members_behind")]
    memories = [
        actors.contacts.copy(np.array([slot])).entries.tolist(),
        remembered(actors.members.blocks, slot, NOW, HORIZON),
    ]
    ring = actors.windows.columns["ring"][window].tolist() if window >= 0 else []
    return (actors.actor(slot), actors.keys()[slot], *own, *memories, ring)


@settings(deadline=None)
@given(st.sets(st.integers(0, len(SCOPES) - 1)))
def test_keep(staying: set[int]) -> None:
    """Name, key, columns, windows and memories of whoever stays are as before; the others are gone."""
    actors = lived()
    before = {slot: portrait(actors, slot) for slot in sorted(staying)}
    kept: NDArray[np.bool_] = np.zeros(len(SCOPES), np.bool_)
    kept[sorted(staying)] = True
    renumbered = actors.keep(kept)
    assert len(actors) == len(staying)
    assert [int(renumbered[slot]) for slot in sorted(staying)] == list(range(len(staying)))
    assert (renumbered[~kept] == -1).all()
    assert {slot: portrait(actors, int(renumbered[slot])) for slot in sorted(staying)} == before


def test_returns_as_nobody() -> None:
    """One that went gets a slot behind the others, with nothing in it."""
    actors = lived()
    kept = np.ones(len(SCOPES), np.bool_)
    kept[0] = kept[19] = False
    actors.keep(kept)
    text = np.frombuffer(b"a19", np.uint8)
    slots = actors.slots(np.array([20], np.uint64), np.array([Scope.FINGERPRINT], np.uint8), text, np.array([3], "u4"))
    assert slots.tolist() == [18]
    assert actors.actor(18).key == "fingerprint:a19"
    assert portrait(actors, 18)[2:8] == (0, 0, 0, 0, [], (0, 0))


def test_clear() -> None:
    """Nothing is known of one that was cleared but its name; of the others all is."""
    actors = lived()
    before = [portrait(actors, slot) for slot in range(len(SCOPES))]
    actors.clear(np.array([17, 18]))
    after = [portrait(actors, slot) for slot in range(len(SCOPES))]
    assert after[:17] == before[:17]
    assert after[19] == before[19]
    for slot in (17, 18):
        assert after[slot][:2] == before[slot][:2]
        assert after[slot][2:8] == (0, 0, 0, 0, [], (0, 0))


def test_pairs_follow_their_group() -> None:
    """A member is found again within its group, whatever slots either has got; that of a group that went is not."""
    actors = actors_of((Scope.IP, Scope.NET, Scope.ASN))
    rows = rows_of([START_US] * 2, slots=[1, 2], principals=[5, 5], flags=0)
    first = actors.places(rows)
    actors.pairs.columns["seen"][first.member] = [11, 12]
    actors.keep(np.array([False, False, True]))
    again = actors.places(rows_of([START_US], slots=0, principals=[5], flags=0))
    assert actors.pairs.columns["seen"][again.member].tolist() == [12]
    actors.keep_pairs(np.array([False, True]))
    again = actors.places(rows_of([START_US], slots=0, principals=[5], flags=0))
    assert (again.member.tolist(), actors.pairs.count) == ([0], 1)
    assert actors.pairs.columns["seen"][again.member].tolist() == [12]


def test_sessions_are_named_by_their_new_slots() -> None:
    """An account's sessions that stay move up to the place of those that went, with their times."""
    actors = actors_of((Scope.ACCOUNT, Scope.SESSION, Scope.SESSION, Scope.SESSION))
    actors.places(rows_of([START_US], slots=0))
    own = actors.principals.columns
    own["last_session"][0], own["last_session_s"][0] = [3, 2, 4, 0], [30, 20, 10, 0]
    actors.keep(np.array([True, True, False, True]))
    own = actors.principals.columns
    assert own["last_session"][0].tolist() == [2, 3, 0, 0]
    assert own["last_session_s"][0].tolist() == [20, 10, 0, 0]


def test_who_comes_afterwards_is_marked() -> None:
    """There may be room for more than there ever was; a mark beyond the marks would be lost, or written elsewhere."""
    count = 320
    actors = actors_of([Scope.IP] * count)
    actors.touched.take(count, 0)
    actors.keep(np.arange(count) > 0)
    actors.touched.take(len(actors), 0)
    before, room = len(actors), actors.capacity
    assert room > count
    actors.slots(
        np.arange(1 << 40, (1 << 40) + room - before, dtype=np.uint64),
        np.full(room - before, int(Scope.IP), np.uint8),
        np.zeros(room - before, np.uint8),
        np.arange(1, room - before + 1, dtype=np.uint32),
    )
    assert (len(actors), actors.capacity) == (room, room)
    marked = actors.touched.take(len(actors), 0)
    assert marked is not None
    assert marked[0].tolist() == list(range(before, room))
