"""What looks like an attack and is none: a celebrity's evening, a class sent to one page, welcome programs."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streams.offline.simulate.coming import weekends
from streams.offline.simulate.kind import CLASS
from streams.offline.simulate.people import Crowd
from streams.offline.simulate.plan import MINUTE_MS
from streams.offline.simulate.robot import robots
from streams.offline.simulate.traffic import Traffic
from streams.offline.simulate.visit import Part, beside
from streams.offline.simulate.world import World

Ints = NDArray[np.int64]

WAVE_SHARE: Final = 0.2
WAVE_HOUR: Final = 19
WAVE_MEAN_MS: Final = 50 * MINUTE_MS
WAVE_VIEWS: Final = (1, 4)
WAVE_KINDS: Final = ("regular", "glancer", "anonymous")
LESSON_HOUR: Final = 9
LESSON_MS: Final = 40 * MINUTE_MS
LESSON_VIEWS: Final = (2, 7)


@dataclass(frozen=True, slots=True)
class Gathering:
    """Views of one profile by people of one crowd on one day.

    Attributes:
        person: Place in the crowd of each view.
        time_ms: Of each view, since the plan's start.
        place: Of each person of the crowd, the place of the address.
        profile: Id.
        day: Number of the day.
    """

    person: Ints
    time_ms: Ints
    place: Ints
    profile: int
    day: int


def gatherings(world: World) -> list[Part]:
    """All of them."""
    return [*_celebrity(world), *_lessons(world), *robots(world)]


def _celebrity(world: World) -> list[Part]:
    """A share of people looks at one little-known profile on the evening of the last day."""
    profile = int(world.members.unpopular(world.plan.rng("celebrity"), 1)[0])
    crowds = (crowd for crowd in world.crowds if crowd.kind.name in WAVE_KINDS)
    return [part for crowd in crowds for part in _wave(world, crowd, profile)]


def _wave(world: World, crowd: Crowd, profile: int) -> list[Part]:
    rng = world.plan.rng(f"celebrity/{crowd.kind.name}")
    comers = np.flatnonzero(rng.random(len(crowd)) < WAVE_SHARE)
    person = np.repeat(comers, rng.integers(*WAVE_VIEWS, size=len(comers)))
    day = world.plan.calendar_days - 1
    time = world.plan.at_ms(day, WAVE_HOUR) + rng.exponential(WAVE_MEAN_MS, len(person)).astype(np.int64)
    place = world.internet.home[crowd.first : crowd.first + len(crowd)]
    return _gathered(rng, world, crowd, Gathering(person, time, place, profile, day))


def _lessons(world: World) -> list[Part]:
    """Each morning but on weekends the class looks at one page from the school's address."""
    crowd = next(crowd for crowd in world.crowds if crowd.kind is CLASS)
    return [part for day in np.flatnonzero(~weekends(world.plan)).tolist() for part in _lesson(world, crowd, day)]


def _lesson(world: World, crowd: Crowd, day: int) -> list[Part]:
    rng = world.plan.rng(f"lesson/{day}")
    person = np.repeat(np.arange(len(crowd)), rng.integers(*LESSON_VIEWS, size=len(crowd)))
    time = world.plan.at_ms(day, LESSON_HOUR) + rng.integers(LESSON_MS, size=len(person))
    place = np.full(len(crowd), world.internet.school)
    return _gathered(rng, world, crowd, Gathering(person, time, place, int(world.members.popular(rng, 1)[0]), day))


def _gathered(rng: np.random.Generator, world: World, crowd: Crowd, gathering: Gathering) -> list[Part]:
    """The requests of a gathering; all come by phone."""
    places = enumerate(gathering.place.tolist())
    addresses = world.internet.addresses
    origins = tuple(crowd.origin(person, addresses[place], True, gathering.day) for person, place in places)
    ids = np.full(len(gathering.person), gathering.profile)
    views = Traffic.views(world.members, gathering.time_ms, gathering.person, ids, origins)
    others = beside(rng, views, world.plan.other_ratio, crowd.furniture[gathering.person])
    return [Part(crowd.kind.name, views), Part(crowd.kind.name, others)]
