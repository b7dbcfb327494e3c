"""What honest people do: visits with their views, searches, and the requests beside them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streams.offline.simulate.internet import Internet
from streams.offline.simulate.members import PAGES_MAX, Members
from streams.offline.simulate.people import Crowd
from streams.offline.simulate.plan import DAY_MS, HOUR_MS
from streams.offline.simulate.traffic import OTHERS, Origin, Traffic, What
from streams.offline.simulate.world import World

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

GAP_SIGMA: Final = 0.9
"""Spread of the gaps between views, of their logarithm."""
DEAD_LINK_SHARE: Final = 0.015
RESULT_SHARE: Final = 0.8
"""Of the views after a search in one visit, those of somebody it found."""
OFFICE_HOURS: Final = (8, 18)
OFFICE_SHARE: Final = 0.85
"""Of the visits by desktop in these local hours, those from the office, if there is one."""
CARRIER_SHARE: Final = 0.5
"""Of the visits by phone, those over a carrier and not at home."""
OTHER_DELAY_MS: Final = (60, 350)
"""Requests beside a view follow it: least, and mean of what is added."""
SEARCH_LEAD_MS: Final = (3_000, 12_000)
"""A search comes before the view: least and most."""


@dataclass(frozen=True, slots=True)
class Part:
    """Requests of people of one kind."""

    kind: str
    traffic: Traffic


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


def honest(world: World, crowd: Crowd) -> list[Part]:
    """All requests of a crowd: views, searches, and what belongs to the pages."""
    rng = world.plan.rng(f"visits/{crowd.kind.name}")
    visits = _visits(rng, world, crowd)
    origins = _origins(rng, world.internet, crowd, visits)
    views = _views(rng, visits, crowd)
    searches, found = _searches(rng, world.members, crowd, views, origins)
    ids = _targets(rng, world.members, crowd, views, found)
    shown = Traffic.views(world.members, views.time_ms, views.visit, ids, origins)
    rng = world.plan.rng(f"others/{crowd.kind.name}")
    others = beside(rng, shown, world.plan.other_ratio, crowd.furniture[views.person])
    return [Part(crowd.kind.name, traffic) for traffic in (shown, searches, others)]


def beside(rng: np.random.Generator, views: Traffic, ratio: float, furniture: Bools) -> Traffic:
    """Requests for assets and calls, `ratio` a view where `furniture` holds."""
    count = (int(ratio) + (rng.random(len(views)) < ratio % 1)) * furniture
    view = np.repeat(np.arange(len(views)), count)
    least, mean = OTHER_DELAY_MS
    delay = least + rng.exponential(mean, len(view)).astype(np.int64)
    subject = rng.integers(len(OTHERS) - 1, size=len(view))
    return Traffic.of(What.OTHER, views.time_ms[view] + delay, views.origin[view], subject, views.origins)


def _visits(rng: np.random.Generator, world: World, crowd: Crowd) -> Visits:
    person, day = _comings(rng, world.plan.calendar_days, crowd)
    local_ms = _local_time(rng, crowd.kind.hours, crowd.shift_h[person])
    start = day * DAY_MS + (local_ms - world.internet.utc_ms(crowd.first + person) - world.plan.start_ms) % DAY_MS
    order = np.lexsort((start, person))
    phone = rng.random(len(person)) < crowd.kind.phone
    least, exponent, most = crowd.kind.size
    size = np.minimum(least * (1 - rng.random(len(person))) ** (-1 / exponent), most).astype(np.int64)
    return Visits(person[order], start[order], local_ms[order] // HOUR_MS, phone, size)


def _comings(rng: np.random.Generator, days: int, crowd: Crowd) -> tuple[Ints, Ints]:
    """Person and day of each visit: Poisson around the person's level on the days that they come."""
    shape = (len(crowd), days)
    number = rng.poisson(crowd.kind.visits * crowd.level[:, None], shape) * (rng.random(shape) < crowd.kind.active)
    person, day = np.divmod(np.repeat(np.arange(number.size), number.ravel()), days)
    return person, day


def _local_time(rng: np.random.Generator, hours: tuple[float, ...], shift_h: NDArray[np.float64]) -> Ints:
    """Local time of day of each visit, in ms."""
    weight = np.array(hours) / sum(hours)
    hour = rng.choice(24, size=len(shift_h), p=weight) + rng.random(len(shift_h)) + shift_h
    return (hour * HOUR_MS).astype(np.int64) % DAY_MS


def _origins(rng: np.random.Generator, internet: Internet, crowd: Crowd, visits: Visits) -> tuple[Origin, ...]:
    """One origin a visit."""
    places = _places(rng, internet, crowd, visits)
    columns = (visits.person, places, visits.phone, visits.start_ms // DAY_MS)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return tuple(crowd.origin(person, internet.addresses[place], phone, day) for person, place, phone, day in rows)


def _places(rng: np.random.Generator, internet: Internet, crowd: Crowd, visits: Visits) -> Ints:
    """Place of each visit's address: VPN exit, carrier, office or home."""
    who = crowd.first + visits.person
    chance = rng.random((3, len(who)))
    working = (visits.local_h >= OFFICE_HOURS[0]) & (visits.local_h < OFFICE_HOURS[1]) & (internet.office[who] >= 0)
    by_vpn = chance[0] < crowd.kind.vpn
    by_carrier = visits.phone & (chance[1] < CARRIER_SHARE)
    at_office = ~visits.phone & working & (chance[2] < OFFICE_SHARE)
    shared = [internet.vpn[who], internet.carrier[who], internet.office[who]]
    return np.select([by_vpn, by_carrier, at_office], shared, internet.home[who])


def _views(rng: np.random.Generator, visits: Visits, crowd: Crowd) -> Views:
    """Views of each visit, the gaps between them log-normal around the person's median."""
    visit = np.repeat(np.arange(len(visits.size)), visits.size)
    person = visits.person[visit]
    gap_ms = (np.exp(rng.normal(0, GAP_SIGMA, len(visit))) * crowd.gap_median_s[person] * 1_000).astype(np.int64)
    first = np.cumsum(visits.size) - visits.size
    gap_ms[first] = 0
    passed = np.cumsum(gap_ms)
    time = visits.start_ms[visit] + passed - passed[first][visit]
    order = np.lexsort((time, person))
    return Views(person[order], visit[order], time[order])


def _searches(
    rng: np.random.Generator, members: Members, crowd: Crowd, views: Views, origins: Sequence[Origin]
) -> tuple[Traffic, Ints]:
    """Searches before some views; for each view an id that the last search of its visit found, or -1.

    A visit's searches are numbered; every `pages` of them turn the pages of one name.
    """
    pages = crowd.kind.pages
    before = np.flatnonzero(rng.random(len(views.visit)) < crowd.kind.searches)
    before = before[np.argsort(views.visit[before], kind="stable")]
    visit, time = views.visit[before], views.time_ms[before]
    number = np.arange(len(visit))
    ordinal = number - np.searchsorted(visit, visit)
    name = members.searched_names(rng, len(visit))[number - ordinal % pages]
    page = ordinal % pages % members.pages(name)
    lead = rng.integers(*SEARCH_LEAD_MS, size=len(visit))
    made = Traffic.of(What.SEARCH, time - lead, visit, name * PAGES_MAX + page, origins)
    found = members.pick_result(rng, *_last_search(views, visit, time, np.stack((name, page))))
    return made, found


def _last_search(views: Views, visit: Ints, time_ms: Ints, search: Ints) -> Ints:
    """For each view the name and page of the last search of its visit, shape (2, views); page -1 without one.

    Args:
        views: The views.
        visit: Of each search, ascending.
        time_ms: Of the view that each search led to, ascending within a visit.
        search: Name and page of each, shape (2, searches).
    """
    span = int(views.time_ms.max(initial=0)) + 1
    at = np.searchsorted(visit * span + time_ms, views.visit * span + views.time_ms, side="right")
    none = np.array([[0], [-1]])
    same = np.concatenate(([-1], visit))[at] == views.visit
    return np.where(same, np.concatenate((none, search), axis=1)[:, at], none)


def _targets(rng: np.random.Generator, members: Members, crowd: Crowd, views: Views, found: Ints) -> Ints:
    """Whom each view shows: popular or unknown, a friend, one found, one seen before; some links are dead."""
    count = len(views.person)
    chance = rng.random((5, count))
    person = views.person
    ids = members.popular(rng, count)
    ids = np.where(chance[0] < crowd.taste[person], members.anyone(rng, count), ids)
    ids = np.where(chance[1] < crowd.kind.friends, _friend(rng, crowd, person), ids)
    from_results = (found >= 0) & (chance[2] < RESULT_SHARE)
    ids = np.where(from_results, found, ids)
    ids = ids[_again(rng, person, (chance[3] < crowd.returns[person]) & ~from_results)]
    return np.where(chance[4] < DEAD_LINK_SHARE, members.missing(rng, count), ids)


def _friend(rng: np.random.Generator, crowd: Crowd, person: Ints) -> Ints:
    begin = crowd.friends_begin[person]
    number = crowd.friends_begin[person + 1] - begin
    ids: Ints = crowd.friends[begin + (rng.random(len(person)) * number).astype(np.int64)]
    return ids


def _again(rng: np.random.Generator, person: Ints, returns: Bools) -> Ints:
    """For each view the view whose profile it shows: itself, or an earlier one of the person."""
    here = np.arange(len(person))
    first = np.searchsorted(person, person)
    earlier = first + (rng.random(len(person)) * (here - first)).astype(np.int64)
    source = np.where(returns & (here > first), earlier, here)
    while not np.array_equal(source[source], source):
        source = source[source]
    return source
