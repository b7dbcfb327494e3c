"""Actors put back to where they stood, to the last bit."""

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from detectors.core.contract import DetectorConfig
from schemas.actor import Scope
from schemas.sighting import Flag
from streams.pipeline.actors.memory import GRAIN, SIZES, Memory
from streams.pipeline.actors.saved import restore, save
from streams.pipeline.actors.store import Actors
from streams.pipeline.rows import Rows
from streams.pipeline.windows.aggregate import aggregate
from tests.streams.pipeline.actors.test_contacts import assert_sound as assert_lists_sound
from tests.streams.pipeline.actors.test_store import Remembering
from tests.streams.pipeline.rows_of import START_US, actors_of, rows_of

SCOPES = [Scope.ACCOUNT, Scope.SESSION, Scope.IP, Scope.NET, Scope.FINGERPRINT, Scope.IP]
REMEMBERING = Remembering(DetectorConfig())
STATE = [REMEMBERING]
Sights = list[tuple[int, int, int]]


def rows(sights: Sights) -> Rows:
    """Slot, seconds since the start, profile."""
    return rows_of(
        [START_US + at_s * 1_000_000 for _, at_s, _ in sights],
        slots=[slot for slot, _, _ in sights],
        profiles=[profile for _, _, profile in sights],
        principals=[profile % 37 for _, _, profile in sights],
        flags=Flag.PRINCIPAL,
    )


def move(actors: Actors, sights: Sights) -> None:
    """Change everything that an evaluation changes."""
    some = rows(sights)
    places = actors.places(some)
    aggregate(actors, some, places, 3)
    for name in ("quiet_until_us", "denied_until_us"):
        actors.columns[name][some.slot] += some.time_us
    state = actors.state(REMEMBERING.name)
    state["sum"][some.slot] += 0.1
    for name, of in (("days", places.principal), ("total", places.group), ("met", places.member)):
        state[name][of[of >= 0]] += 1
    actors.principals.columns["nats"][places.principal[places.principal >= 0]] += 0.5


def remembered(memory: Memory, slot: int) -> tuple[list[int], bool, list[int]]:
    """Head without the block's number, whether it overflowed, and the entries in their places."""
    blocks = memory.blocks
    head = int(blocks.head[slot, 0])
    entries = block_at(memory, head // 16, head % 16 - 1).tolist() if head else []
    return [head % 16, int(blocks.head[slot, 1])], bool(blocks.overflowed[slot]), entries


def picture(actors: Actors) -> list[Any]:
    """All that is known of every actor."""
    tables = (actors.all, actors.principals, actors.groups, actors.pairs)
    plain = [
        [
            column[: table.count].tolist()
            for columns in (table.columns, *table.state.values())
            for column in columns.values()
        ]
        for table in tables
    ]
    contacts = [met(actors, slot) for slot in range(len(actors))]
    return [plain, contacts, [remembered(actors.members, slot) for slot in range(len(actors))]]


def met(actors: Actors, slot: int) -> tuple[bool, bool, list[int], list[int]]:
    """Whether a slot's contacts are few and overflowed, their entries, and the rings if there are any that count."""
    copied = actors.contacts.copy(np.array([slot]))
    place, few = int(actors.places_of(np.array([slot]))[0, 0]), bool(copied.few[0])
    ring = [] if few or place < 0 else actors.windows.columns["ring"][place].tolist()
    return few, bool(copied.overflowed[0]), copied.entries.tolist(), ring


def block_at(memory: Memory, place: int, size_class: int) -> NDArray[np.uint32]:
    """Entries of the block at a place."""
    return memory.blocks.entries[place * GRAIN :][: SIZES[size_class]]


def free_places(memory: Memory, size_class: int) -> list[int]:
    """Places of the free blocks of a class, which must be empty."""
    places, place = [], int(memory.blocks.free[size_class])
    while place:
        block = block_at(memory, place, size_class)
        assert not block[1:].any()
        places.append(place)
        place = int(block[0])
    return places


def assert_sound(memory: Memory) -> None:
    """Every block is either free and empty or has exactly one owner, and there is no room between blocks."""
    blocks = [(place, SIZES[k]) for k in range(len(SIZES)) for place in free_places(memory, k)]
    heads = memory.blocks.head[:, 0]
    blocks += [(int(head) // 16, SIZES[int(head) % 16 - 1]) for head in heads[heads > 0]]
    end = 1
    for place, size in sorted(blocks):
        assert place == end
        end += size // GRAIN
    assert end == memory.blocks.room[0]


sights = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 90_000), st.integers(0, 400)), max_size=250)


@settings(deadline=None, max_examples=60)
@given(sights, sights, sights)
def test_bit_by_bit(before: Sights, undone: Sights, after: Sights) -> None:
    """Save, go on, restore: all is as it was; and what follows is as if nothing had happened."""
    actors, other = actors_of(SCOPES, STATE), actors_of(SCOPES, STATE)
    for one in (actors, other):
        move(one, sorted(before, key=lambda sight: sight[1]))
    saved = save(actors, rows(undone))
    stood = picture(actors)
    other.places(rows(undone))  # who was seen in between keeps an empty place
    move(actors, sorted(undone, key=lambda sight: sight[1]))
    restore(actors, saved)
    assert picture(actors) == stood
    for one in (actors, other):
        move(one, sorted(after, key=lambda sight: sight[1]))
    assert picture(actors) == picture(other)
    assert_sound(actors.members)
    assert_lists_sound(actors.contacts)


def test_others_keep_what_they_did() -> None:
    """Only the saved slots go back."""
    actors = actors_of(SCOPES, STATE)
    saved = save(actors, rows([(0, 1, 1)]))
    move(actors, [(0, 1, 1), (2, 1, 1)])
    restore(actors, saved)
    assert actors.columns["exposed"][:3].tolist() == [0, 0, 1]
    assert [len(met(actors, slot)[2]) for slot in (0, 2)] == [0, 4]


def test_growth_in_between() -> None:
    """A slot that grew through every size while it was not to goes back to its small block."""
    actors = actors_of(SCOPES, STATE)
    move(actors, [(2, 1, 1)])
    undone = [(2, 2, profile) for profile in range(600)]
    saved = save(actors, rows(undone))
    stood = picture(actors)
    move(actors, undone)
    assert actors.contacts.blocks.overflowed[2]
    restore(actors, saved)
    assert picture(actors) == stood
    assert_lists_sound(actors.contacts)
