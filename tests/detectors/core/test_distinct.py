"""How many different things a crowd saw."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from detectors.core.compiled import compiled
from detectors.core.distinct import COLUMNS, ERROR, GRAIN, RANK_MAX, REGISTERS, Sketches, meet, told, turn
from tests.detectors.core.sketching import Plain


@compiled
def _meet_all(sketches: Sketches, keys: NDArray[np.uint64]) -> None:
    for key in keys:
        meet(sketches, 0, key)


def sketches(count: int = 1) -> Sketches:
    """Sketches that met nothing."""
    return Sketches(*(np.zeros(count, dtype) for dtype in COLUMNS.values()))


def keys_of(seed: int, count: int) -> NDArray[np.uint64]:
    """Different keys."""
    return np.random.default_rng(seed).integers(1, 2**63, count).astype(np.uint64)


def met(*parts: NDArray[np.uint64]) -> int:
    """Distinct keys of all parts, by a sketch."""
    one = sketches()
    for part in parts:
        _meet_all(one, part)
    return told(one, 0)[0]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 60)), max_size=120))
def test_plain(steps: list[tuple[int, int]]) -> None:
    """Every count at every step is what sets of keys say, whatever halves lie between."""
    one, plain, half = sketches(), Plain(), 0
    for ahead, key in steps:
        half += ahead if ahead < 3 else 0
        turn(one, 0, half)
        plain.turn(half)
        assert meet(one, 0, np.uint64(key)) == plain.meet(key)
        assert told(one, 0)[0] == plain.distinct


@pytest.mark.parametrize("count", [10, 100, 1_000, 30_000])
def test_stated_error(count: int) -> None:
    """The standard error is no more than what is stated, and there is no bias to speak of."""
    shares = np.array([met(keys_of(seed, count)) / count for seed in range(120)])
    assert shares.std() < 1.2 * ERROR
    assert abs(shares.mean() - 1) < 4 * ERROR / 120**0.5


def test_a_handful_is_nearly_exact() -> None:
    """Registers that hardly ever collide count one by one."""
    assert all(abs(met(keys_of(seed, 5)) - 5) <= 2 for seed in range(50))
    assert met(keys_of(1, 1)) == 1


def test_again() -> None:
    """What was met before changes nothing, in whatever order it comes again."""
    keys = keys_of(3, 500)
    assert met(keys, keys[::-1], keys) == met(keys)


def test_full() -> None:
    """Where every register is at its highest nothing is added any more, and nothing breaks."""
    one = sketches()
    one.registers[0] = RANK_MAX
    one.raised[0] = REGISTERS << RANK_MAX
    _meet_all(one, keys_of(5, 1_000))
    assert told(one, 0) == (0, 0)


class TestHalves:
    """What is told covers this half and the one before."""

    @pytest.mark.parametrize(("half", "kept"), [(7, 40), (8, 40), (9, 0), (500, 0)])
    def test_turn(self, half: int, kept: int) -> None:
        """Keys of half 7 are told in 7 and 8, and gone from 9 on."""
        one = sketches()
        turn(one, 0, 7)
        _meet_all(one, keys_of(1, 40))
        one.contacts[0, 0] = 90
        before = told(one, 0)
        turn(one, 0, half)
        assert told(one, 0) == (before if kept else (0, 0))
        assert before[0] == pytest.approx(kept or 40, abs=12)

    def test_back(self) -> None:
        """An earlier half than the present one changes nothing."""
        one = sketches()
        turn(one, 0, 9)
        _meet_all(one, keys_of(1, 40))
        before = told(one, 0)
        turn(one, 0, 8)
        assert told(one, 0) == before
        assert one.half[0] == 9

    def test_the_half_before_is_known(self) -> None:
        """A key of the half before counts for nothing, and is kept for one half more."""
        one, keys = sketches(), keys_of(2, 30)
        turn(one, 0, 1)
        _meet_all(one, keys)
        turn(one, 0, 2)
        assert [meet(one, 0, key) for key in keys] == [0] * 30
        turn(one, 0, 3)
        assert [meet(one, 0, key) for key in keys] == [0] * 30
        turn(one, 0, 5)
        assert meet(one, 0, keys[0]) == GRAIN


def test_each_by_itself() -> None:
    """One sketch knows nothing of its neighbour."""
    three = sketches(3)
    turn(three, 1, 4)
    assert meet(three, 1, np.uint64(12)) == GRAIN
    assert [told(three, g)[0] for g in range(3)] == [0, 1, 0]
