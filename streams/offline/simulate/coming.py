"""When honest people come, and how many profiles they view in which rhythm."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streams.offline.simulate.people import Crowd
from streams.offline.simulate.plan import DAY_MS, HOUR_MS, Plan
from streams.offline.simulate.world import World

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

GAP_SIGMA: Final = 0.9
"""Spread of the gaps between views, of their logarithm."""
SATURDAY: Final = 5
"""Number of the day in a week that begins on Monday with 0."""


@dataclass(frozen=True, slots=True)
class Visits:
    """Visits in order of person, then start.

    Attributes:
        person: Place in the crowd.
        start_ms: Since the plan's start.
        local_h: Local hour of the start.
        phone: Whether by phone.
        size: Number of views, at least one.
    """

    person: Ints
    start_ms: Ints
    local_h: Ints
    phone: Bools
    size: Ints


@dataclass(frozen=True, slots=True)
class Views:
    """Views in order of person, then time; `visit` is a place in the visits."""

    person: Ints
    visit: Ints
    time_ms: Ints

    def __len__(self) -> int:
        return len(self.person)

    def by_visit(self) -> tuple[Ints, Bools]:
        """Places of the views in order of visit, then time, and whether each of these goes on with the visit before."""
        order = np.lexsort((self.time_ms, self.visit))
        visit = self.visit[order]
        return order, np.concatenate((np.zeros(min(1, len(visit)), np.bool_), visit[1:] == visit[:-1]))

    def turned(self, switches: Bools) -> Bools:
        """Which views come after an odd number of switches within their visit.

        ``. . | x x x | .``: a switch turns all views of its visit that follow, its own among them.

        Args:
            switches: In the order of `by_visit`; of a visit's first view it does not count.
        """
        order, goes_on = self.by_visit()
        passed = np.cumsum(switches & goes_on)
        first = np.maximum.accumulate(np.where(goes_on, 0, np.arange(len(self))))
        out = np.empty(len(self), np.bool_)
        out[order] = (passed - passed[first]) % 2 == 1
        return out

    def kept(self, values: Ints, again: Bools) -> Ints:
        """For each view what was drawn last within its visit.

        Args:
            values: What is drawn, in the order of `by_visit`.
            again: Before which views, in that order, it is drawn anew; it is before a visit's first.
        """
        order, goes_on = self.by_visit()
        drawn = np.maximum.accumulate(np.where(again | ~goes_on, np.arange(len(self)), 0))
        out = np.empty(len(self), np.int64)
        out[order] = values[drawn]
        return out


def draw_visits(rng: np.random.Generator, world: World, crowd: Crowd) -> Visits:
    """All visits of a crowd."""
    person, day = _comings(rng, world.plan, crowd)
    local_ms = local_time(rng, crowd.kind.hours, crowd.shift_h[person])
    start = day * DAY_MS + clock_ms(world, crowd, person, local_ms)
    order = np.lexsort((start, person))
    phone = rng.random(len(person)) < crowd.kind.phone
    least, exponent, most = crowd.kind.size
    size = np.minimum(least * (1 - rng.random(len(person))) ** (-1 / exponent), most).astype(np.int64)
    return Visits(person[order], start[order], local_ms[order] // HOUR_MS, phone, size)


def draw_views(rng: np.random.Generator, visits: Visits, crowd: Crowd) -> Views:
    """Views of each visit, the gaps between them log-normal around the person's median."""
    visit = np.repeat(np.arange(len(visits.size)), visits.size)
    person = visits.person[visit]
    time = visits.start_ms[visit] + passed_ms(rng, visits.size, crowd.gap_median_s[person])
    order = np.lexsort((time, person))
    return Views(person[order], visit[order], time[order])


def passed_ms(rng: np.random.Generator, size: Ints, gap_median_s: Floats) -> Ints:
    """How long after the first view of its visit each view comes, in ms.

    Args:
        rng: Generator.
        size: Views of each visit, at least one.
        gap_median_s: Of each view, visit after visit.
    """
    gap_ms = (np.exp(rng.normal(0, GAP_SIGMA, len(gap_median_s))) * gap_median_s * 1_000).astype(np.int64)
    first = np.cumsum(size) - size
    gap_ms[first] = 0
    passed = np.cumsum(gap_ms)
    since: Ints = passed - np.repeat(passed[first], size)
    return since


def local_time(rng: np.random.Generator, hours: tuple[float, ...], shift_h: Floats) -> Ints:
    """Local time of day of as many visits as there are shifts (in hours), in ms."""
    weight = np.array(hours) / sum(hours)
    hour = rng.choice(24, size=len(shift_h), p=weight) + rng.random(len(shift_h)) + shift_h
    return (hour * HOUR_MS).astype(np.int64) % DAY_MS


def clock_ms(world: World, crowd: Crowd, person: Ints, local_ms: Ints) -> Ints:
    """How long after the begin of a day of the plan it is so late where each person lives, in ms."""
    after: Ints = (local_ms - world.internet.utc_ms(crowd.first + person) - world.plan.start_ms) % DAY_MS
    return after


def weekends(plan: Plan) -> Bools:
    """Which of the plan's days begin on a Saturday or Sunday, in UTC."""
    days: Bools = (plan.start.weekday() + np.arange(plan.calendar_days)) % 7 >= SATURDAY
    return days


def _comings(rng: np.random.Generator, plan: Plan, crowd: Crowd) -> tuple[Ints, Ints]:
    """Person and day of each visit: Poisson around the person's level on the days that they come."""
    shape = (len(crowd), plan.calendar_days)
    active = crowd.kind.active * np.where(weekends(plan), crowd.kind.weekend, 1.0)
    number = rng.poisson(crowd.kind.visits * crowd.level[:, None], shape) * (rng.random(shape) < active)
    person, day = np.divmod(np.repeat(np.arange(number.size), number.ravel()), plan.calendar_days)
    return person, day
