"""What an actor remembers, against a dictionary of what it met when; and the stated errors above the caps."""

from typing import Final

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streams.pipeline.actors.memory import GRAIN, HORIZON, NEED, NEW, SIZES, Memory, recall, remembered
from tests.streams.pipeline.rows_of import profile

DAY: Final = 4_320
"""Granules of 20 s."""
START: Final = 90_000_000
LARGEST: Final = len(SIZES) - 1


class Remembering:
    """A memory that grows when it must."""

    def __init__(self, slots: int = 4, cap: int = LARGEST) -> None:
        self.memory = Memory()
        self.memory.grow_slots(slots)
        self.cap = cap

    def recall(self, slot: int, number: int, now: int) -> int:
        """Meet a key; its age."""
        while True:
            age = recall(self.memory.blocks, slot, np.uint64(profile(number)), now, self.cap)
            if age != NEED:
                return int(age)
            assert self.memory.wanting
            self.memory.grow_needed()

    def count(self, slot: int, now: int, horizon: int) -> int:
        """Keys met within a horizon."""
        return int(remembered(self.memory.blocks, slot, now, horizon)[0])


class Dictionary:
    """The same by the definition: when each key was met last, forgotten after the horizon."""

    def __init__(self) -> None:
        self._met: dict[tuple[int, int], int] = {}

    def recall(self, slot: int, number: int, now: int) -> int:
        """Meet a key; its age, or `NEW`."""
        before = self._met.get((slot, number))
        self._met[slot, number] = now
        return NEW if before is None or now - before > HORIZON else now - before

    def count(self, slot: int, now: int, horizon: int) -> int:
        """Keys met within a horizon."""
        return sum(now - met <= horizon for (at, _), met in self._met.items() if at == slot)


meeting = st.tuples(
    st.integers(0, 3),
    st.integers(0, 60),
    st.one_of(st.integers(0, 30), st.integers(0, 2 * DAY), st.integers(HORIZON - 10, HORIZON + 10)),
)


@settings(deadline=None, max_examples=150)
@given(st.lists(meeting, max_size=150))
@example([(0, 1, 0), (0, 2, HORIZON - 5), (0, 1, 10_000)])
@example([(0, 1, 0), (0, 2, 60_000), (0, 3, 6_000), (0, 1, 0)])
def test_dictionary(meetings: list[tuple[int, int, int]]) -> None:
    """Below the caps it is a dictionary, over any pauses: also where the times it keeps have wrapped around."""
    memory, dictionary, now = Remembering(), Dictionary(), START
    for slot, number, pause in meetings:
        now += pause
        assert memory.recall(slot, number, now) == dictionary.recall(slot, number, now)
        assert memory.count(slot, now, DAY) == dictionary.count(slot, now, DAY)


@pytest.mark.parametrize("start", [START, 65_536 * 1_400 - 3, 65_536 * 1_400])
def test_horizon(start: int) -> None:
    """A key is known for fourteen days, to the granule, wherever the wrap lies."""
    memory = Remembering()
    memory.recall(0, 1, start)
    memory.recall(0, 2, start)
    assert memory.recall(0, 1, start + HORIZON) == HORIZON
    assert memory.recall(0, 2, start + HORIZON + 1) == NEW


@pytest.mark.parametrize("pause", [5_055, 5_056, 5_057, 6_000, 20_000, HORIZON])
def test_a_pause_after_a_sweep(pause: int) -> None:
    """A key that was nearly forgotten is forgotten after the pause, though its time looks recent again by then."""
    memory = Remembering()
    memory.recall(0, 1, START)
    memory.recall(0, 2, START + HORIZON)
    assert memory.recall(0, 1, START + HORIZON + pause) == NEW


def test_ahead() -> None:
    """What was met by an event that was ahead of this one counts as met now."""
    memory = Remembering()
    memory.recall(0, 1, START + 3)
    assert memory.recall(0, 1, START) == 0
    assert memory.recall(0, 1, START + 5) == 2


def test_empty() -> None:
    """Who met nobody remembers nobody."""
    assert Remembering().count(2, START, HORIZON) == 0


def test_odd_tags() -> None:
    """Of what is remembered those with an odd tag are counted apart."""
    memory = Remembering()
    for number in range(40):
        memory.recall(1, number, START)
    odd = sum(profile(number) >> 48 & 1 for number in range(40))
    assert tuple(remembered(memory.memory.blocks, 1, START, DAY)) == (40, odd)
    assert 0 < odd < 40


def test_growth_keeps_everything() -> None:
    """Through all sizes nothing that was met is lost, nor its time."""
    memory = Remembering()
    for number in range(400):
        memory.recall(0, number, START + number)
    lost = [number for number in range(400) if memory.recall(0, number, START + 500) != 500 - number]
    assert len(lost) <= 4


def test_blocks_come_back() -> None:
    """What a growing actor leaves behind serves the next one: room does not grow with traffic."""
    memory = Remembering(slots=200)
    for slot in range(200):
        for number in range(12):
            memory.recall(slot, number, START)
    blocks = memory.memory.blocks
    # Two hundred blocks of 16 entries, and one of each smaller size that every slot began with and left to the next.
    assert int(blocks.room[0]) == 1 + 200 * 8 + 1 + 2 + 4
    assert not any(blocks.entries[int(blocks.free[k]) * GRAIN :][: SIZES[k]].any() for k in range(3))


class TestAboveTheCap:
    """Stated errors."""

    def test_oldest_gives_way(self) -> None:
        """At the cap old keys give way, the actor says so, and the newest are still known."""
        memory = Remembering(cap=4)
        for number in range(64):
            memory.recall(0, number, START + number)
        assert memory.memory.blocks.overflowed[0]
        known = [memory.recall(0, number, START + 64) != NEW for number in range(63, 55, -1)]
        assert all(known)
        assert memory.count(0, START + 64, DAY) <= 32

    def test_below_the_cap_is_no_overflow(self) -> None:
        """Half of the cap fits without a word."""
        memory = Remembering(cap=4)
        for number in range(16):
            memory.recall(0, number, START)
        assert not memory.memory.blocks.overflowed[0]

    @pytest.mark.parametrize("known", [128, 512])
    def test_false_memories(self, known: int) -> None:
        """A key never met is taken for a known one about as often as stated: entries / 32,768 at most."""
        memory = Remembering()
        for number in range(known):
            memory.recall(0, number, START)
        blocks = memory.memory.blocks
        before = blocks.entries.copy()
        false = 0
        for number in range(10_000, 14_000):
            false += recall(blocks, 0, np.uint64(profile(number)), START, 0) >= 0
            blocks.entries[:] = before
        assert false / 4_000 <= 1.5 * known / 32_768
