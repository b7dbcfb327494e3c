"""Which findings lead to a decision."""

import numpy as np

from streams.pipeline.policy.cooldown import after_cooldown

COOLDOWN_US = 100


class Actors:
    """State of two actors."""

    def __init__(self) -> None:
        self.until, self.urgency = np.zeros(2, np.int64), np.zeros(2, np.uint8)

    def passed(self, *steps: tuple[int, int, int]) -> list[bool]:
        """Slot, time, urgency; which of them lead to a decision."""
        slots, times, urgencies = zip(*steps, strict=True)
        out: list[bool] = after_cooldown(
            np.array(slots, np.int32),
            np.array(times, np.int64),
            np.array(urgencies, np.uint8),
            COOLDOWN_US,
            self.until,
            self.urgency,
        ).tolist()
        return out


def test_once_in_a_cooldown() -> None:
    """The first leads, then none until the cooldown is over, to the microsecond."""
    assert Actors().passed((0, 10, 5), (0, 50, 5), (0, 109, 5), (0, 110, 5), (0, 209, 5)) == [
        True, False, False, True, False,
    ]  # fmt: skip


def test_worse_breaks_it() -> None:
    """A worse finding leads at once and begins a cooldown of its own; what is less bad or as bad waits."""
    assert Actors().passed((0, 10, 5), (0, 20, 6), (0, 30, 5), (0, 40, 6), (0, 119, 6), (0, 120, 5)) == [
        True, True, False, False, False, True,
    ]  # fmt: skip


def test_nothing_is_no_finding() -> None:
    """Urgency 0 never leads, and ends no cooldown."""
    assert Actors().passed((0, 10, 0), (0, 20, 5), (0, 30, 0), (0, 40, 5)) == [False, True, False, False]


def test_actors_apart() -> None:
    """One actor's cooldown is none of another's."""
    assert Actors().passed((0, 10, 5), (1, 11, 5), (0, 12, 5), (1, 13, 5)) == [True, True, False, False]


def test_across_batches() -> None:
    """The cooldown is the actor's, not the batch's."""
    actors = Actors()
    assert actors.passed((0, 10, 5)) == [True]
    assert actors.passed((0, 60, 5), (0, 110, 5)) == [False, True]
