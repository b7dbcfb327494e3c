"""What assess holds, in numbers."""

import time
from types import SimpleNamespace
from typing import Any, Final, cast

import pytest

from schemas.override import EVERYTHING
from streams.live.figures import Figures, figures
from streams.live.owned import Owned
from streams.pipeline.assess.release import LONG_AGO
from streams.pipeline.policy.brake import Brake
from streams.pipeline.policy.overrides import Overrides

NOW_US: Final = 5_000_000


class Sized(list[int]):
    """Actors, and the bytes that they take."""

    nbytes = 100


def owned(bound: int = LONG_AGO, earliest: int = -LONG_AGO, *, awake: bool = False, **more: Any) -> Owned:
    """A partition with two actors and three sleepers."""
    assessor = SimpleNamespace(
        actors=Sized([1, 2]),
        bounds=SimpleNamespace(sleepers=SimpleNamespace(count=3, nbytes=7)),
        release=SimpleNamespace(bound=lambda: bound, earliest=lambda: earliest, awake=awake),
        decider=SimpleNamespace(braked=(Brake.BLOCKED_SHARE,)),
    )
    made = Owned(cast(Any, assessor), 1, 0, series=cast(Any, object()))
    made.kept = made.mark
    for name, value in more.items():
        setattr(made, name, value)
    return made


def taken(*held: Owned) -> Figures:
    """Of partitions numbered from 0, without overrides."""
    return figures(list(enumerate(held)), Overrides(), NOW_US)


def test_sums() -> None:
    """Actors, sleepers, bytes and brakes over all partitions."""
    found = taken(owned(), owned())
    assert (found.awake, found.asleep, found.memory_bytes) == (4, 6, 214)
    assert found.brakes == (Brake.BLOCKED_SHARE,) * 2
    assert found.off == frozenset()
    assert taken() == Figures()


def test_unkept() -> None:
    """The longest that a changed state is not kept; one that has not changed counts for nothing, however old."""
    old_s = time.monotonic() - 60
    assert taken(owned(kept_s=old_s), owned()).unkept_s == 0
    assert taken(owned(kept_s=old_s, moves=1), owned(moves=1)).unkept_s == pytest.approx(60, abs=20)
    assert taken(owned(kept_s=old_s, moves=1, series=None)).unkept_s == 0, "no checkpoints are kept"


def test_bounds() -> None:
    """A partition waits while one of its sources is not idle; before it knows its bound, since its first sighting."""
    found = taken(owned(10, 11), owned(20, awake=True), owned(earliest=30, awake=True), owned(awake=True))
    assert found.bounds_us == ((0, 10), (1, 20))
    assert found.waiting_us == ((1, 20), (2, 30))


def test_switches() -> None:
    """Kill switches that are on by now."""
    overrides = cast(
        Overrides, SimpleNamespace(off=lambda config, now_us: frozenset({EVERYTHING, config, str(now_us)}))
    )
    assert figures([], overrides, NOW_US).off == {EVERYTHING, "", str(NOW_US)}
