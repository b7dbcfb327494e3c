"""The table of sleepers is a dictionary whose oldest entries can be dropped."""

from typing import Final

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streams.pipeline.actors.sleepers import Records, Sleepers, record
from tests.streams.pipeline.rows_of import profile

DETECTORS: Final = 14


def keys_of(numbers: list[int]) -> NDArray[np.uint64]:
    """Keys as hashes give them."""
    return np.array([profile(number) for number in numbers], np.uint64)


def records_of(last_s: list[int]) -> Records:
    """Records told apart by what was exposed to them, as many as they were last seen at."""
    records = np.zeros(len(last_s), record(DETECTORS))
    records["last_seen_s"] = last_s
    records["exposed"] = [7 * each for each in last_s]
    return records


@settings(deadline=None)
@given(st.lists(st.tuples(st.lists(st.integers(0, 60), unique=True), st.lists(st.integers(0, 60), unique=True))))
def test_is_a_dictionary(steps: list[tuple[list[int], list[int]]]) -> None:
    """Who was put to sleep is woken once, with what was known, through every merge of the runs."""
    sleepers, expected, now_s = Sleepers(DETECTORS), dict[int, int](), 1
    for asleep, woken in steps:
        fresh = [number for number in asleep if number not in expected]
        sleepers.add(keys_of(fresh), records_of([now_s + k for k in range(len(fresh))]))
        expected |= {number: 7 * (now_s + k) for k, number in enumerate(fresh)}
        now_s += len(fresh)
        which, records = sleepers.wake(keys_of(woken))
        found = {woken[at]: exposed for at, exposed in zip(which.tolist(), records["exposed"].tolist(), strict=True)}
        assert found == {number: expected.pop(number) for number in woken if number in expected}
        assert sleepers.count == len(expected)


def test_forget() -> None:
    """Those last seen before a time are gone, the one seen just then is not."""
    sleepers = Sleepers(DETECTORS)
    sleepers.add(keys_of([1, 2, 3]), records_of([10, 20, 30]))
    assert sleepers.forget(20) == 1
    assert sleepers.wake(keys_of([1, 2, 3]))[0].tolist() == [1, 2]
    assert sleepers.forget(1_000) == 0


def test_evict() -> None:
    """As many as allowed stay; one more, and those unseen longest go until a tenth is free."""
    sleepers = Sleepers(DETECTORS)
    sleepers.add(keys_of(list(range(100))), records_of(list(range(200, 100, -1))))
    assert sleepers.evict(100) == 0
    sleepers.add(keys_of([100]), records_of([500]))
    assert sleepers.evict(100) == 11
    assert sleepers.count == 90
    left = sleepers.wake(keys_of(list(range(101))))[0]
    assert sorted(left.tolist()) == [*range(89), 100]


def test_evict_all() -> None:
    """Nobody may sleep where there is room for none."""
    sleepers = Sleepers(DETECTORS)
    sleepers.add(keys_of([1, 2]), records_of([10, 20]))
    assert sleepers.evict(0) == 2
    assert sleepers.wake(keys_of([1, 2]))[0].size == 0


def test_bytes() -> None:
    """With 14 detectors a sleeper takes at most 64 bytes, however many came one after the other."""
    sleepers = Sleepers(DETECTORS)
    for lot in range(20):
        sleepers.add(keys_of(list(range(lot * 500, lot * 500 + 500))), records_of([lot + 1] * 500))
    assert sleepers.count == 10_000
    assert sleepers.nbytes / sleepers.count <= 64
