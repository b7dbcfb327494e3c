"""What an app asks for before anybody wants it: the next profiles of a list, in one go."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streams.offline.simulate.client import PREFETCHES
from streams.offline.simulate.coming import Views
from streams.offline.simulate.interest import Searches
from streams.offline.simulate.members import PAGE_PROFILES, Members
from streams.offline.simulate.people import Crowd
from streams.offline.simulate.plan import MINUTE_MS

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

PREFETCH_SHARE: Final = (0.03, 0.18)
"""Of the views with such an app, those that come with a list of friends, and those after a search that come with it."""
PREFETCHED: Final = (3, 6)
"""Fewest and most profiles in one go."""
PREFETCH_GAP_MS: Final = (100, 300)


@dataclass(frozen=True, slots=True)
class Ahead:
    """Profiles asked for ahead: the view that each comes with, its time, its id."""

    view: Ints
    time_ms: Ints
    ids: Ints


def prefetch(
    rng: np.random.Generator, members: Members, crowd: Crowd, views: Views, phone: Bools, searches: Searches
) -> Ahead:
    """What comes ahead of anybody's wish, at most once a minute for one person.

    Args:
        rng: Generator.
        members: Member base.
        crowd: Who views.
        views: Their views.
        phone: Whether each view is by phone.
        searches: What was searched before each view.
    """
    app = phone & PREFETCHES[crowd.devices[views.person, 1]]
    chance = np.where(searches.found >= 0, PREFETCH_SHARE[1], PREFETCH_SHARE[0])
    view = np.flatnonzero(app & (rng.random(len(views)) < chance))
    view = view[_apart(views.person[view], views.time_ms[view])]
    begin, count = _stretch(rng, members, crowd, views.person[view], searches, view)
    row = np.repeat(np.arange(len(view)), count)
    at = begin[row] + np.arange(len(row)) - (np.cumsum(count) - count)[row]
    ids = _listed(members, crowd, at, searches.found[view[row]] >= 0)
    gap = rng.integers(PREFETCH_GAP_MS[0], PREFETCH_GAP_MS[1] + 1, size=len(row))
    passed = np.cumsum(gap)
    since = passed - (passed - gap)[np.searchsorted(row, row)]
    return Ahead(view[row], views.time_ms[view[row]] + since, ids)


def _apart(person: Ints, time_ms: Ints) -> Bools:
    """Which of these, in order of person, then time, come a minute or more after the one before of the person."""
    apart = np.ones(len(person), np.bool_)
    apart[1:] = (np.diff(person) != 0) | (np.diff(time_ms) >= MINUTE_MS)
    return apart


def _stretch(
    rng: np.random.Generator, members: Members, crowd: Crowd, person: Ints, searches: Searches, view: Ints
) -> tuple[Ints, Ints]:
    """Where in its list the profiles that come with each view begin, and how many they are."""
    text, page = searches.text[view], searches.page[view]
    results = members.text_begin[text] + page * PAGE_PROFILES
    shown = np.minimum(members.text_end[text] - results, PAGE_PROFILES)
    first = crowd.friends_begin[person]
    found = searches.found[view] >= 0
    begin, length = np.where(found, results, first), np.where(found, shown, crowd.friends_begin[person + 1] - first)
    count = np.minimum(rng.integers(PREFETCHED[0], PREFETCHED[1] + 1, size=len(view)), length)
    return begin + (rng.random(len(view)) * (length - count + 1)).astype(np.int64), count


def _listed(members: Members, crowd: Crowd, at: Ints, found: Bools) -> Ints:
    """Ids at these places: of all members by name where a search found them, else of the friends of all."""
    ids = np.empty(len(at), np.int64)
    ids[found] = members.ids[members.alphabetical[at[found]]]
    ids[~found] = crowd.friends[at[~found]]
    return ids
