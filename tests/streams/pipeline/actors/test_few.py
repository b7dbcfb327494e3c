"""Few contacts, each with its time; and the same as rings and a list once they are many."""

from typing import Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.pipeline.actors.contacts import FEW, HORIZON_DAYS, NEED, NEW, Contacts
from streams.pipeline.actors.few import KNOWN, MANY, MOST, is_few, last_of, make_many, meet_few, tell_few
from streams.pipeline.windows.rings import SPANS, WORDS, advance
from tests.streams.pipeline.rows_of import profile

DAY: Final = 4_320
START: Final = 90_000_000


class Few:
    """One actor's contacts while they are few."""

    def __init__(self) -> None:
        self.contacts = Contacts()
        self.contacts.grow_slots(1)

    def meet(self, number: int, now: int) -> int:
        """Meet a profile."""
        while True:
            after = int(meet_few(self.contacts.blocks, 0, np.uint64(profile(number)), now))
            if after != NEED:
                return after
            self.contacts.grow_needed()

    def told(self) -> list[int]:
        """What stands in each window at the last meeting."""
        out = np.zeros((1, SPANS), np.uint32)
        tell_few(self.contacts.blocks, 0, out, 0)
        sums: list[int] = out[0].tolist()
        return sums

    def as_many(self) -> tuple[list[int], list[int]]:
        """Sums of the rings that they become, and the entries of the list."""
        words = np.full((1, WORDS), 7, np.uint32)
        make_many(self.contacts.blocks, 0, words[0], words.view(np.uint16)[0])
        return words[0, :SPANS].tolist(), self.contacts.copy(np.array([0])).entries.tolist()


pause = st.one_of(st.integers(0, 3), st.integers(0, 400), st.integers(3_000, 6_000), st.integers(0, 16 * DAY))


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 30), pause), min_size=1, max_size=80))
def test_rings_tell_the_same(meetings: list[tuple[int, int]]) -> None:
    """Who is known follows from days; the rings that contacts become tell what they told, and the list keeps them."""
    few, met, now = Few(), dict[int, int](), START
    for number, before in meetings:
        now += before
        met = {one: at for one, at in met.items() if now // DAY - at // DAY <= HORIZON_DAYS}
        assert few.meet(number, now) == (KNOWN if number in met else NEW)
        met.pop(number, None)
        met[number] = now
    assert last_of(few.contacts.blocks, 0) == now
    told = few.told()
    sums, entries = few.as_many()
    assert sums == told
    expected, day = list[int](), -1
    for number, at in met.items():
        expected += [at // DAY - day] * (0 <= day < at // DAY) + [profile(number) >> 48]
        day = at // DAY
    assert entries == expected
    assert not is_few(few.contacts.blocks, 0)


def test_so_many_and_no_more() -> None:
    """The next new one is refused and changes nothing; those that are known still are."""
    few = Few()
    assert [few.meet(number, START + number) for number in range(MOST)] == [NEW] * MOST
    stood = few.contacts.copy(np.array([0])).entries.tolist()
    assert few.meet(MOST, START + MOST) == MANY
    assert few.contacts.copy(np.array([0])).entries.tolist() == stood
    assert few.meet(0, START + MOST) == KNOWN


def test_bytes() -> None:
    """Five contacts take 24 bytes, and one takes eight."""
    few = Few()
    for number, entries in ((0, 4), (1, 8), (2, 8), (3, 12), (4, 12)):
        few.meet(number, START)
        assert int(few.contacts.blocks.head[0, 1]) & 31 == entries // 4 - 1
    assert int(few.contacts.blocks.head[0, 1]) & FEW


def test_nobody() -> None:
    """Who met nobody has no windows, and no last meeting."""
    few = Few()
    assert (few.told(), last_of(few.contacts.blocks, 0)) == ([0] * SPANS, 0)


@pytest.mark.parametrize("later", [0, 5, 100, 4_000])
def test_rings_go_on(later: int) -> None:
    """Rings that few contacts became pass time as if they had been there from the first."""
    few, words = Few(), np.zeros((1, WORDS), np.uint32)
    for number in range(20):
        few.meet(number, START + 10 * number)
    make_many(few.contacts.blocks, 0, words[0], words.view(np.uint16)[0])
    now = START + 190 + later
    advance(words[0], words.view(np.uint16)[0], now)
    panes = ((1, 3), (3, 10), (15, 12), (180, 24))
    expected = [sum(now // g - (START + 10 * n) // g < count for n in range(20)) for g, count in panes]
    assert words[0, :SPANS].tolist() == expected
