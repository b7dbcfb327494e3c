"""The index of slots by key: slots in order of appearance, and room by what there is."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams.pipeline.actors.index import Index


@given(st.lists(st.lists(st.integers(1, 3_000), max_size=40), max_size=8))
def test_slots_in_order_of_appearance(batches: list[list[int]]) -> None:
    """A key has one slot for good, the next free one when it first appears, in whichever batch."""
    index, expected = Index(), dict[int, int]()
    for batch in batches:
        before = len(expected)
        slots, new = index.slots(np.array(batch, np.uint64))
        assert slots.tolist() == [expected.setdefault(key, len(expected)) for key in batch]
        assert (new, index.count) == (len(expected) - before, len(expected))


def test_it_grows_within_a_batch() -> None:
    """A table that is four fifths full in the middle of a batch goes on in a larger one."""
    keys = np.arange(1, 5_001, dtype=np.uint64)
    slots, new = Index().slots(np.concatenate([keys, keys[::-1]]))
    assert new == 5_000
    assert slots.tolist() == [*range(5_000), *range(4_999, -1, -1)]


def test_a_large_batch_of_few_keys_needs_no_room() -> None:
    """Room is made for keys, not for rows that name them again and again."""
    index = Index()
    empty = index.nbytes
    index.slots(np.tile(np.arange(1, 820, dtype=np.uint64), 100))
    assert index.nbytes == empty
    index.slots(np.array([820], np.uint64))
    assert empty < index.nbytes < 1.3 * empty


@given(st.integers(1_000, 40_000))
def test_room(count: int) -> None:
    """However many keys there are, no more than a third of the table's places is empty, and never less than a fifth."""
    index = Index()
    index.slots(np.arange(1, count + 1, dtype=np.uint64))
    assert 1.25 <= index.nbytes / 12 / count <= 1.6
