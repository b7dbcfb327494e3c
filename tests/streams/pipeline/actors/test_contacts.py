"""Whom an actor met, against a dictionary in the order of last meetings; and the stated errors."""

from typing import Final

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streams.pipeline.actors.contacts import (
    CAP,
    FIRST_TAG,
    GRAIN,
    HORIZON_DAYS,
    NEED,
    NEW,
    Blocks,
    Contacts,
    class_of,
    meet,
    places_of,
)
from tests.streams.pipeline.rows_of import profile

CLASSES: Final = 24


class Meeting:
    """Contacts that make room when they must, and tell days by themselves."""

    def __init__(self, slots: int = 4) -> None:
        self.contacts = Contacts()
        self.contacts.grow_slots(slots)
        self._day: dict[int, int] = {}

    def meet(self, slot: int, number: int, day: int = 20_000) -> int:
        """Meet a key; how many were met after it was met last, or `NEW`."""
        return self.meet_key(slot, profile(number), day)

    def meet_key(self, slot: int, key: int, day: int = 20_000) -> int:
        """Likewise of a key as it is."""
        days = day - self._day.get(slot, day)
        self._day[slot] = day
        while True:
            after = meet(self.contacts.blocks, slot, np.uint64(key), days)
            if after != NEED:
                return int(after)
            assert self.contacts.wanting
            self.contacts.grow_needed()


class Dictionary:
    """The same by the definition: a dictionary a slot, in the order of last meetings."""

    def __init__(self) -> None:
        self._met: dict[int, dict[int, int]] = {}

    def meet(self, slot: int, number: int, day: int) -> int:
        """Meet a key; how many were met after it was met last, or `NEW`."""
        met = {one: on for one, on in self._met.get(slot, {}).items() if day - on <= HORIZON_DAYS}
        after = list(reversed(met)).index(number) if number in met else NEW
        met.pop(number, None)
        self._met[slot] = met | {number: day}
        return after


def owned(blocks: Blocks) -> list[tuple[int, int]]:
    """Place and size in places of each block that a slot has."""
    heads = blocks.head[blocks.head[:, 0] > 0].tolist()
    assert all(state // 64 <= places_of(state % 32) * GRAIN for _, state in heads)
    return [(place, places_of(state % 32)) for place, state in heads]


def free(blocks: Blocks) -> list[tuple[int, int]]:
    """Likewise of each that is free."""
    found = []
    for size_class in range(CLASSES):
        place = int(blocks.free[size_class])
        while place:
            found.append((place, places_of(size_class)))
            low, high = blocks.entries[place * GRAIN : place * GRAIN + 2].tolist()
            place = low + (high << 16)
    return found


def assert_sound(contacts: Contacts) -> None:
    """Every block has one owner or is free, and there is no room between blocks."""
    end = 1
    for place, size in sorted(owned(contacts.blocks) + free(contacts.blocks)):
        assert place == end
        end += size
    assert end == contacts.blocks.room[0]


meeting = st.tuples(
    st.integers(0, 3), st.integers(0, 40), st.sampled_from([0, 0, 0, 0, 1, 1, 2, 7, 13, 14, 15, 16, 40])
)


@settings(deadline=None, max_examples=300)
@given(st.lists(meeting, max_size=150))
@example([(0, 1, 0), (0, 2, 14), (0, 1, 0), (0, 2, 1)])
@example([(0, 1, 0), (0, 2, 8), (0, 2, 7), (0, 1, 0)])
def test_dictionary(meetings: list[tuple[int, int, int]]) -> None:
    """Below the cap it is a dictionary in the order of last meetings, over any pauses."""
    contacts, dictionary, day = Meeting(), Dictionary(), 20_000
    for slot, number, pause in meetings:
        day += pause
        assert contacts.meet(slot, number, day) == dictionary.meet(slot, number, day)
    assert_sound(contacts.contacts)


@pytest.mark.parametrize(("days", "known"), [(0, True), (14, True), (15, False), (400, False)])
def test_horizon(days: int, known: bool) -> None:
    """A profile is known for fourteen days and to the end of the day behind them."""
    contacts = Meeting()
    contacts.meet(0, 1, 20_000)
    assert (contacts.meet(0, 1, 20_000 + days) == 0) is known


def test_days_that_nobody_is_left_of() -> None:
    """Where all whom an actor met on a day were met again, what came before that day still ends when it should."""
    contacts = Meeting()
    for number, day in ((1, 20_000), (2, 20_005), (2, 20_009), (2, 20_014)):
        contacts.meet(0, number, day)
    assert contacts.meet(0, 2, 20_015) == 0
    assert contacts.meet(0, 1, 20_015) == NEW


@pytest.mark.parametrize("tag", [0, 1, HORIZON_DAYS, FIRST_TAG])
def test_tags_are_no_marks(tag: int) -> None:
    """A profile whose tag could be read as a mark of days is known like any other, and ages nobody."""
    contacts = Meeting()
    contacts.meet(0, 1)
    assert contacts.meet_key(0, tag << 48) == NEW
    assert contacts.meet_key(0, tag << 48) == 0
    assert contacts.meet(0, 1) == 1


def test_sizes() -> None:
    """Each class is the smallest that holds its entries; no block is more than a quarter and 3 entries too large."""
    for entries in range(1, CAP + 1):
        size = places_of(class_of(entries)) * GRAIN
        assert entries <= size <= 1.25 * entries + 3
        assert class_of(entries) == 0 or places_of(class_of(entries) - 1) * GRAIN < entries
    assert class_of(CAP) == CLASSES - 1


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 19), st.integers(1, 300)), max_size=12), st.sets(st.integers(0, 19)))
def test_copies(grown: list[tuple[int, int]], picked: set[int]) -> None:
    """What is copied and put elsewhere is what stood there, whatever was there before."""
    contacts, other = Meeting(20), Meeting(20)
    for at, (slot, count) in enumerate(grown):
        for number in range(count):
            contacts.meet(slot, 1_000 * at + number)
            other.meet(19 - slot, number)
    slots = np.array(sorted(picked), np.int64)
    copied = contacts.contacts.copy(np.arange(20)).pick(slots)
    other.contacts.put(slots, copied)
    for stood, stands in zip(contacts.contacts.copy(slots), other.contacts.copy(slots), strict=True):
        assert stood.tolist() == stands.tolist()
    assert_sound(other.contacts)


def test_blocks_come_back() -> None:
    """What a growing actor leaves behind serves the next one: room does not grow with traffic."""
    contacts = Meeting(200)
    for slot in range(200):
        for number in range(12):
            contacts.meet(slot, number)
    # Two hundred blocks of twelve entries, and one of each size that every slot began with and left to the next.
    assert int(contacts.contacts.blocks.room[0]) == 1 + 200 * 3 + 1 + 2


def test_room_follows_what_is_held() -> None:
    """After all moves at most a fifth of the room is empty, and what was cleared is given back with the next one."""
    contacts = Meeting(400)
    for number in range(100):
        for slot in range(400):
            contacts.meet(slot, number)
    held = contacts.contacts
    assert held.blocks.entries.size <= 1.25 * 400 * 112
    held.clear(np.arange(300))
    held.grow_needed()
    assert held.blocks.entries.size <= 1.25 * 100 * 112
    assert_sound(held)


class TestAboveTheCap:
    """Stated errors."""

    def test_oldest_gives_way(self) -> None:
        """At the cap the contact met longest ago gives way, the actor says so, and all others are still known."""
        contacts = Meeting()
        for number in range(CAP):
            contacts.meet(0, number)
        assert not contacts.contacts.blocks.overflowed[0]
        contacts.meet(0, CAP)
        assert contacts.contacts.blocks.overflowed[0]
        known = [contacts.meet(0, number) != NEW for number in range(CAP, 0, -1)]
        assert sum(known) >= CAP - 2
        assert contacts.contacts.copy(np.array([0])).used.tolist() == [CAP]

    def test_a_new_day_at_the_cap(self) -> None:
        """A mark takes the place of the oldest contact."""
        contacts = Meeting()
        for number in range(CAP):
            contacts.meet(0, number)
        assert contacts.meet(0, CAP - 1, 20_001) == 0
        assert contacts.contacts.blocks.overflowed[0]
        assert contacts.meet(0, 0, 20_001) == NEW
        assert contacts.meet(0, 3, 20_001) != NEW

    @settings(deadline=None, max_examples=20)
    @given(st.integers(1, CAP), st.integers(0, 1_000))
    def test_false_memories(self, known: int, seed: int) -> None:
        """A profile never met is taken for a known one no more often than stated; one that was met never is missed."""
        contacts, rng = Meeting(), np.random.default_rng(seed)
        met = rng.integers(1, 1 << 63, known, np.uint64) * np.uint64(2)
        for key in met.tolist():
            contacts.meet_key(0, key)
        blocks = contacts.contacts.blocks
        head, entries, false = blocks.head.copy(), blocks.entries.copy(), 0
        for key in rng.integers(1, 1 << 63, 4_000, np.uint64).tolist():
            false += meet(blocks, 0, np.uint64(2 * key), 0) >= 0
            blocks.head[:], blocks.entries[: entries.size] = head, entries
        # Of so many chances the mean and four standard deviations.
        mean = 4_000 * known / 65_536
        assert false <= min(mean + 4 * mean**0.5 + 4, 4_000 * (known / 32_768) + 12)
        assert all(contacts.meet_key(0, key) != NEW for key in met.tolist())
