"""The floored, decaying sum against its definition in plain Python."""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from detectors.core.evidence import floored_sum

HALF_LIFE_US = 1_000.0


class Sums:
    """State of three actors, and the same by the definition."""

    def __init__(self) -> None:
        self.total = np.zeros(3)
        self.at_us, self.since_us = np.zeros(3, np.int64), np.zeros(3, np.int64)
        self.contacts = np.zeros(3, np.uint32)

    def move(self, steps: list["Step"]) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
        """Move on by steps."""
        return floored_sum(
            np.array([step.slot for step in steps], np.int32),
            np.array([step.time_us for step in steps], np.int64),
            np.array([step.counts for step in steps], np.bool_),
            np.array([step.llr for step in steps], np.float64),
            HALF_LIFE_US,
            self.total,
            self.at_us,
            self.since_us,
            self.contacts,
        )


class Step(NamedTuple):
    """One sighting."""

    slot: int
    time_us: int
    llr: float
    counts: bool = True


def by_definition(steps: list[Step]) -> list[float]:
    """S = max(0, S * 2 ** (-dt / half_life) + llr)."""
    total, at, out = dict[int, float](), dict[int, int](), list[float]()
    for slot, time_us, llr, counts in steps:
        if counts:
            decayed = total.get(slot, 0.0) * 2 ** (-max(time_us - at.get(slot, 0), 0) / HALF_LIFE_US)
            total[slot] = max(0.0, decayed + llr)
            at[slot] = max(time_us, at.get(slot, 0))
        out.append(total[slot] if counts else 0.0)
    return out


step = st.builds(Step, st.integers(0, 2), st.integers(0, 5_000), st.floats(-2, 2), st.booleans())


@settings(deadline=None)  # the first call compiles
@given(st.lists(step, max_size=60), st.integers(0, 60))
def test_definition(steps: list[Step], cut: int) -> None:
    """It is the definition, in any order of time and however the batch was cut."""
    sums = Sums()
    found = np.concatenate([sums.move(steps[:cut])[0], sums.move(steps[cut:])[0]])
    assert found == pytest.approx(by_definition(steps))


def test_decay() -> None:
    """Half is left after a half-life, before the next contact is added."""
    total, _, _ = Sums().move([Step(0, 0, 1.0), Step(0, 1_000, 0.0), Step(0, 1_000, 1.0)])
    assert total.tolist() == [1.0, 0.5, 1.5]


def test_beginning() -> None:
    """It speaks of the contacts since it last rose from zero, and of nothing before."""
    steps = [Step(0, 10, 1.0), Step(0, 20, 1.0), Step(0, 30, -5.0), Step(0, 40, 1.0), Step(0, 50, 1.0)]
    _, since, contacts = Sums().move(steps)
    assert since.tolist() == [10, 10, 30, 40, 40]
    assert contacts.tolist() == [1, 2, 1, 1, 2]


def test_what_does_not_count() -> None:
    """A row that does not count reports nothing and leaves the sum as it is."""
    sums = Sums()
    sums.move([Step(1, 0, 2.0)])
    before = [column.copy() for column in (sums.total, sums.at_us, sums.since_us, sums.contacts)]
    total, since, contacts = sums.move([Step(1, 500, 9.0, counts=False)])
    assert (total[0], since[0], contacts[0]) == (0, 0, 0)
    for was, now in zip(before, (sums.total, sums.at_us, sums.since_us, sums.contacts), strict=True):
        np.testing.assert_array_equal(was, now)
