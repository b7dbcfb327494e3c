"""When a share of unreadable records is a flood: on both sides of the limit, however batches are cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.pipeline.observe.flood import Flood, Source
from streams.settings import DeadLetterSettings

HERE, THERE = Source("http.requests", 0), Source("http.requests", 1)


def flood(share_max: float = 0.5, window_records: int = 10) -> Flood:
    """By default at most five of ten."""
    return Flood(DeadLetterSettings(share_max=share_max, window_records=window_records))


def test_limit() -> None:
    """As many as the share allows are dead letters; one more within the window is a flood, and it is that one."""
    assert flood().begins(HERE, 0, [0, 1, 2, 3, 9]) is None
    assert flood().begins(HERE, 0, [0, 1, 2, 3, 8, 9]) == 9


def test_window_slides() -> None:
    """What lies a window back counts no longer; what lies one less does."""
    assert flood().begins(HERE, 0, [0, 1, 2, 3, 4, 10]) is None
    assert flood().begins(HERE, 0, [1, 2, 3, 4, 5, 10]) == 10


def test_partitions_are_apart() -> None:
    """Each has a window of its own."""
    one = flood()
    assert one.begins(HERE, 0, range(5)) is None
    assert one.begins(THERE, 5, range(5, 10)) is None
    assert one.begins(HERE, 5, [5]) == 5


def test_batch_comes_again() -> None:
    """A batch that was refused, and one that a rebalance brings again, count once."""
    one = flood()
    assert one.begins(HERE, 0, [0, 1, 2]) is None
    for _ in range(3):
        assert one.begins(HERE, 3, [3, 4, 5]) == 5
        assert one.begins(HERE, 3, [3, 4]) is None
    assert one.begins(HERE, 0, [0]) is None
    assert one.begins(HERE, 1, [1, 2, 3, 4]) is None


@pytest.mark.parametrize(("share_max", "most"), [(0.0, 0), (0.29, 29), (0.999, 99)])
def test_share(share_max: float, most: int) -> None:
    """So many of a hundred: none at 0, and no rounding takes one away."""
    one = Flood(DeadLetterSettings(share_max=share_max, window_records=100))
    assert one.begins(HERE, 0, range(most)) is None
    assert one.begins(HERE, most, [most]) == most


def test_no_limit() -> None:
    """With a share of 1 nothing is ever a flood."""
    assert flood(1.0).begins(HERE, 0, range(1000)) is None


@given(st.lists(st.booleans(), max_size=60), st.sets(st.integers(0, 60)), st.integers(1, 12), st.floats(0, 1))
def test_cuts_do_not_matter(dead: list[bool], cuts: set[int], window: int, share: float) -> None:
    """Any cut into batches finds the same first offset: the one at which a window first holds too many."""
    whole = [offset for offset, is_dead in enumerate(dead) if is_dead]
    expected = flood(share, window).begins(HERE, 0, whole)
    counted = (at for at in whole if sum(at - window < offset <= at for offset in whole) > int(share * window + 1e-9))
    assert expected == next(counted, None)
    one, found = flood(share, window), None
    for lo, hi in pairwise(sorted({0, len(dead), *(cut for cut in cuts if cut < len(dead))})):
        found = one.begins(HERE, lo, [offset for offset in whole if lo <= offset < hi])
        if found is not None:
            break
    assert found == expected
