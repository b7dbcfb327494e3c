import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.live.transport.alignment import GRAINS, LONG_AGO, Alignment, Lead
from streams.pipeline.batch import Batch

FIRST, SECOND, THIRD = 1, 2, 3


def batch(times_ms: list[int] | None, records: int | None = None) -> Batch:
    """Records of these times."""
    values = [b"x"] * (len(times_ms or ()) if records is None else records)
    times = None if times_ms is None else np.array(times_ms, np.int64)
    return Batch("requests", 0, 0, len(values), values, timestamps_ms=times)


def test_who_is_far_ahead_waits() -> None:
    """Until the slowest that has more to read has come as far; then it goes on."""
    alignment = Alignment[int](ahead_max=10)
    alignment.took(SECOND, batch([5]))
    for start in (10, 20, 30):
        assert alignment.may_take(FIRST, [FIRST, SECOND]) is (start < 30)
        alignment.took(FIRST, batch(list(range(start, start + 5))))
    assert not alignment.may_take(FIRST, [FIRST, SECOND])
    assert alignment.may_take(SECOND, [FIRST, SECOND])
    alignment.took(SECOND, batch([25]))
    assert alignment.may_take(FIRST, [FIRST, SECOND])


def test_nobody_waits_for_who_has_nothing_more() -> None:
    """A partition at its end, or alone, holds nobody up."""
    alignment = Alignment[int](ahead_max=1)
    for _ in range(5):
        alignment.took(FIRST, batch([100, 101]))
        assert alignment.may_take(FIRST, [FIRST])
        assert alignment.may_take(FIRST, [])
    assert not alignment.may_take(FIRST, [SECOND])


def test_records_without_time_hold_nobody_up() -> None:
    """As a producer of long ago writes them; and batches whose times nobody asked for."""
    alignment = Alignment[int](ahead_max=2)
    for made in (batch([-1, -1, -1]), batch(None, records=3), batch([])):
        alignment.took(FIRST, made)
        assert alignment.may_take(FIRST, [SECOND])
    assert alignment.reached_ms(FIRST) == LONG_AGO


def test_one_record_of_the_future_stops_nothing() -> None:
    """Its batch counts by the middle one."""
    alignment = Alignment[int](ahead_max=3)
    alignment.took(SECOND, batch([50]))
    alignment.took(FIRST, batch([10, 11, 10**15]))
    assert alignment.may_take(FIRST, [FIRST, SECOND])


def test_a_stretch_of_the_future_passes() -> None:
    """Its partition is not held any more once as much of the present came behind it."""
    alignment = Alignment[int](ahead_max=4)
    alignment.took(SECOND, batch([50]))
    alignment.took(FIRST, batch([10**15] * 4))
    assert not alignment.may_take(FIRST, [FIRST, SECOND])
    alignment.took(FIRST, batch([40] * 4))
    assert alignment.may_take(FIRST, [FIRST, SECOND])


def test_who_is_far_ahead_of_others_waits() -> None:
    """All its partitions together count, but those that are not ahead go on; and all, when nobody is waited for."""
    alignment = Alignment[int](ahead_max=1_000, ahead_of_others_max=10)
    for at_ms in (8, 7):
        alignment.took(THIRD, batch([at_ms]))
    assert alignment.heed(7)
    for partition in (FIRST, SECOND):
        assert alignment.may_take(partition, [])
        alignment.took(partition, batch([20] * 5))
    assert alignment.is_far
    assert [alignment.may_take(each, []) for each in (FIRST, SECOND, THIRD)] == [False, False, True]
    assert not alignment.heed(7)
    assert alignment.heed(19)
    assert not alignment.may_take(FIRST, [])
    assert alignment.heed(20)
    assert alignment.may_take(FIRST, [])
    assert alignment.heed(7)
    assert not alignment.may_take(FIRST, [])
    assert alignment.heed(None)
    assert alignment.may_take(FIRST, [])


@pytest.mark.parametrize(("read", "most"), [(1, 10), (5, 10), (8, 16), (100, 40)])
def test_who_is_fast_may_be_further_ahead(read: int, most: int) -> None:
    """By what it read in two looks, up to four times as far; and no longer than it is as fast."""
    alignment, taken = Alignment[int](ahead_max=1_000, ahead_of_others_max=10), 0
    alignment.took(FIRST, batch([20] * read))
    alignment.heed(30)
    while alignment.may_take(SECOND, []):
        alignment.took(SECOND, batch([40]))
        taken += 1
    assert taken == most
    for _ in range(2):
        alignment.heed(30)
    alignment.took(SECOND, batch([29]))
    assert alignment.is_far
    assert alignment.may_take(SECOND, []), "its latest are not ahead"
    alignment.took(SECOND, batch([40]))
    assert not alignment.may_take(SECOND, [])


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 400)), max_size=60), st.integers(0, 50))
def test_a_lead_is_known_as_far_as_it_matters(read: list[tuple[int, int]], time_ms: int) -> None:
    """In times that only grow: right but for a grain, and too much where it is too much; of bounded size."""
    enough = 1_000
    lead, read = Lead(enough), sorted(read)
    for at, records in read:
        lead.add(at, records)
    true = sum(records for at, records in read if at > time_ms)
    assert min(true, enough) <= lead.beyond(time_ms) <= true + enough // GRAINS


@pytest.mark.parametrize("records", [1, 7, 500, 5_000])
def test_a_lead_is_of_bounded_size(records: int) -> None:
    """However little comes at a time, for years."""
    lead = Lead(1_000)
    for at_ms in range(10_000):
        lead.add(at_ms, records)
    assert len(lead._read) <= 2 * GRAINS + 2


@given(
    st.lists(st.lists(st.integers(1, 6), min_size=1, max_size=30), min_size=2, max_size=5),
    st.lists(st.integers(0, 4), max_size=300),
)
def test_all_is_read_and_nobody_gets_far_ahead(sizes: list[list[int]], turns: list[int]) -> None:
    """Whoever is ready in whatever order: somebody may always be taken, and what is ahead stays bounded."""
    most, alignment = 8, Alignment[int](ahead_max=8)
    waiting = {number: list(batches) for number, batches in enumerate(sizes)}
    clocks = dict.fromkeys(waiting, 0)
    order = iter([*turns, *(turn for _ in range(400) for turn in range(len(sizes)))])
    while any(waiting.values()):
        behind = [number for number, batches in waiting.items() if batches]
        allowed = [number for number in behind if alignment.may_take(number, behind)]
        assert allowed
        turn = next(order) % len(sizes)
        if turn not in allowed:
            continue
        size = waiting[turn].pop(0)
        slowest = min(clocks[number] for number in behind if number != turn) if len(behind) > 1 else clocks[turn]
        assert clocks[turn] - slowest < most + 12
        alignment.took(turn, batch(list(range(clocks[turn] + 1, clocks[turn] + size + 1))))
        clocks[turn] += size
