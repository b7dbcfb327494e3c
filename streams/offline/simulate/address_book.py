"""Newcomers who look up their address book, number after number, and then view friends whom they found."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streams.offline.simulate.coming import clock_ms, local_time, passed_ms
from streams.offline.simulate.members import Members
from streams.offline.simulate.people import Crowd
from streams.offline.simulate.plan import DAY_MS, MINUTE_MS
from streams.offline.simulate.traffic import Origin, Traffic
from streams.offline.simulate.world import World

Ints = NDArray[np.int64]

AGAIN_SHARE: Final = 0.15
"""Of the importers, those whose app looks the same book up once more on another day."""
BOOK_MEDIAN: Final = 110
BOOK_SIGMA: Final = 0.6
BOOK: Final = (50, 400)
"""Numbers in a book, least and most."""
HIT_SHARE: Final = (9.0, 27.0)
"""Beta distribution of the share of a book's numbers that are members'; its mean is 0.25."""
HITS_MAX: Final = 70
HITS_PER_MINUTE: Final = 20
"""The app's pace: large books take longer than the minute of a small one."""
IMPORT_MS: Final = 45_000
"""Shortest import."""
FRIEND_SHARE: Final = 0.7
"""Of the members in a book, those who are friends, as far as there are as many with a number."""
PAUSE_MS: Final = (5_000, 60_000)
"""From the last number to the first friend viewed."""
VIEWED: Final = (3, 16)
"""Half-open range of how many of the friends found are viewed."""


@dataclass(frozen=True, slots=True)
class Import:
    """One look-up of a book.

    Attributes:
        person: Place in the crowd.
        numbers: In the order of the book, which is that of names.
        time_ms: Of each number.
        viewed: Ids of the friends viewed afterwards.
        viewed_ms: Of each view.
    """

    person: int
    numbers: Ints
    time_ms: Ints
    viewed: Ints
    viewed_ms: Ints


@dataclass(frozen=True, slots=True)
class Imported:
    """Look-ups, views of friends found, and whose views these are (places in the crowd)."""

    lookups: Traffic
    views: Traffic
    person: Ints


def imports(world: World, crowd: Crowd) -> Imported:
    """What a crowd's imports ask for, all by phone from home; nothing if its kind does not import."""
    rng = world.plan.rng(f"imports/{crowd.kind.name}")
    made = [
        one
        for person, begins in enumerate(_begins(rng, world, crowd) if crowd.kind.imports else [])
        for one in _of_person(rng, world.members, crowd, person, begins)
    ]
    origins = tuple(_origin(world, crowd, one) for one in made)
    times, numbers, viewed_ms, viewed = (
        _joined([getattr(one, name) for one in made]) for name in ("time_ms", "numbers", "viewed_ms", "viewed")
    )
    each = np.arange(len(made))
    looked = np.repeat(each, np.array([len(one.numbers) for one in made], np.int64))
    shown = np.repeat(each, np.array([len(one.viewed) for one in made], np.int64))
    lookups = Traffic.lookups(world.members, times, looked, numbers, origins)
    views = Traffic.views(world.members, viewed_ms, shown, viewed, origins)
    return Imported(lookups, views, np.array([one.person for one in made], np.int64)[shown])


def _begins(rng: np.random.Generator, world: World, crowd: Crowd) -> list[list[int]]:
    """When each person's imports begin, in ms since the plan's start: one, or two on different days."""
    days, count = world.plan.calendar_days, len(crowd)
    first = rng.integers(days, size=count)
    later = first + rng.integers(1, 4, size=count)
    again = (rng.random(count) < AGAIN_SHARE) & (later < days)
    clock = clock_ms(world, crowd, np.arange(count), local_time(rng, crowd.kind.hours, crowd.shift_h))
    rows = zip(*((at * DAY_MS + clock).tolist() for at in (first, later)), again.tolist(), strict=True)
    return [[one, other] if twice else [one] for one, other, twice in rows]


def _of_person(
    rng: np.random.Generator, members: Members, crowd: Crowd, person: int, begins: list[int]
) -> list[Import]:
    numbers = _book(rng, members, crowd, person)
    return [_import(rng, members, crowd, person, numbers, begin) for begin in begins]


def _import(
    rng: np.random.Generator, members: Members, crowd: Crowd, person: int, numbers: Ints, begin_ms: int
) -> Import:
    holder = members.holder(numbers)
    found = holder[holder >= 0]
    length = max(IMPORT_MS, len(found) * MINUTE_MS // HITS_PER_MINUTE)
    gap = rng.gamma(4.0, 1.0, len(numbers))
    time = begin_ms + (np.cumsum(gap) / gap.sum() * length).astype(np.int64)
    viewed = rng.permutation(found)[: int(rng.integers(*VIEWED))]
    median = np.full(len(viewed), crowd.gap_median_s[person])
    passed = passed_ms(rng, np.array([len(viewed)]), median)
    return Import(person, numbers, time, viewed, int(time[-1]) + int(rng.integers(*PAUSE_MS)) + passed)


def _book(rng: np.random.Generator, members: Members, crowd: Crowd, person: int) -> Ints:
    """The numbers of a person's book in the order of names, with which numbers have nothing to do."""
    size = int(np.clip(np.exp(rng.normal(np.log(BOOK_MEDIAN), BOOK_SIGMA)), *BOOK))
    hits = min(HITS_MAX, max(1, round(size * rng.beta(*HIT_SHARE))))
    mine = crowd.friends[crowd.friends_begin[person] : crowd.friends_begin[person + 1]]
    friends = members.number_of(np.unique(mine))
    friends = rng.permutation(friends[friends >= 0])[: round(hits * FRIEND_SHARE)]
    strangers = rng.choice(members.dialled, size=hits - len(friends))
    known = np.unique(np.concatenate((friends, strangers)))
    others = np.unique(members.any_number(rng, 2 * size))
    others = rng.permutation(others[members.holder(others) < 0])[: size - len(known)]
    book: Ints = rng.permutation(np.concatenate((known, others)))
    return book


def _origin(world: World, crowd: Crowd, made: Import) -> Origin:
    address = world.internet.addresses[world.internet.home[crowd.first + made.person]]
    return crowd.origin(made.person, address, True, int(made.time_ms[0]) // DAY_MS)


def _joined(arrays: list[Ints]) -> Ints:
    return np.concatenate(arrays) if arrays else np.empty(0, np.int64)
