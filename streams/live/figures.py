"""What assess holds, in numbers: taken in the thread that judges, so that nothing moves meanwhile."""

import time
from collections.abc import Sequence
from typing import NamedTuple

from streams.live.owned import Owned
from streams.pipeline.assess.release import LONG_AGO
from streams.pipeline.policy.brake import Brake
from streams.pipeline.policy.overrides import Overrides


class Figures(NamedTuple):
    """Over all partitions of a worker."""

    awake: int = 0
    """Actors of whom all is known."""
    asleep: int = 0
    memory_bytes: int = 0
    unkept_s: float = 0.0
    """How long the state of a partition has not been kept, the longest."""
    bounds_us: tuple[tuple[int, int], ...] = ()
    """Of each partition that knows one: its number, and the event time before which all is judged."""
    brakes: tuple[Brake, ...] = ()
    """That hold, one for each partition in which it does."""
    off: frozenset[str] = frozenset()
    """Detectors whose kill switch is on, with `EVERYTHING` for all."""
    waiting_us: tuple[tuple[int, int], ...] = ()
    """Likewise of each with a source that is not idle; the time of its first sighting where nothing is judged yet."""


def figures(held: Sequence[tuple[int, Owned]], overrides: Overrides, now_us: int) -> Figures:
    """Of partitions by number, and of the ``overrides`` that they go by."""
    assessors = [(number, owned.assessor) for number, owned in held]
    now_s = time.monotonic()
    unkept_s = (now_s - owned.kept_s for _, owned in held if owned.series is not None and owned.mark != owned.kept)
    bounds = [(number, bound) for number, one in assessors if (bound := one.release.bound()) > LONG_AGO]
    known = dict(bounds)
    awake = [(number, one.release.earliest()) for number, one in assessors if one.release.awake]
    return Figures(
        sum(len(one.actors) for _, one in assessors),
        sum(one.bounds.sleepers.count for _, one in assessors),
        sum(one.actors.nbytes + one.bounds.sleepers.nbytes for _, one in assessors),
        max(unkept_s, default=0.0),
        tuple(bounds),
        tuple(brake for _, one in assessors for brake in one.decider.braked),
        overrides.off("", now_us),
        tuple((number, known.get(number, first)) for number, first in awake if number in known or first < -LONG_AGO),
    )
