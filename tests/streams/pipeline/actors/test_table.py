"""Columns over slots: zero at first, kept through growth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.pipeline.actors.table import Table, grown


def table() -> Table:
    """Own columns and those of two detectors, plain numbers and short rows of them."""
    return Table({"at_us": "i8", "ring": "(3,)u4"}, {"one": {"sum": "f4"}, "two": {"hours": "(2,4)u1"}, "none": {}})


@given(st.lists(st.integers(0, 2_000), max_size=12))
def test_growth(steps: list[int]) -> None:
    """Whatever is written stays, whatever is new is zero, in every column of whatever shape; it never shrinks."""
    some, written = table(), 0
    for step in steps:
        some.reserve(step)
        for columns in (some.columns, *some.state.values()):
            for column in columns.values():
                assert len(column) == some.capacity >= some.count >= written
                assert not column[written:].any()
                assert (column[:written] == 7).all()
                column[: some.count] = 7
        written = some.count
    assert some.count == max(steps, default=0)


@pytest.mark.parametrize(("slots", "grows"), [(256, False), (257, True)])
def test_room_to_grow(slots: int, grows: bool) -> None:
    """Arrays move when there is no room, and then by an eighth, not for every slot."""
    some = table()
    some.reserve(1)
    before = some.columns["at_us"]
    some.reserve(slots)
    assert (some.columns["at_us"] is not before) is grows
    assert some.capacity == (288 if grows else 256)


def test_size() -> None:
    """All columns count: 8 + 12 + 4 + 8 bytes a slot."""
    some = table()
    some.reserve(1_000)
    assert some.nbytes == 32 * 1_000


def test_grown() -> None:
    """Behind what was there stand zeros of the same sort."""
    column = grown(np.array([[1, 2]], np.uint16), 3)
    assert column.tolist() == [[1, 2], [0, 0], [0, 0]]
    assert column.dtype == np.uint16


def test_room_for_a_few() -> None:
    """Only where there is none left, a little, and nobody is there yet."""
    some = table()
    some.make_room()
    room = some.capacity
    some.make_room()
    assert (some.count, some.capacity) == (0, room)
    some.columns["at_us"][:] = 7
    some.reserve(room)
    some.make_room()
    assert room < some.capacity <= room + 40
    assert (some.count, some.columns["at_us"].tolist()) == (room, [7] * room + [0] * (some.capacity - room))
