"""What honest people look for: searches, the profiles they view, and lists of connections."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streams.offline.simulate.coming import Views
from streams.offline.simulate.members import PAGES_MAX, UNPOPULAR_SHARE, Members
from streams.offline.simulate.people import Crowd
from streams.offline.simulate.plan import DAY_MS
from streams.offline.simulate.traffic import Origin, Traffic, What

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

DEAD_LINK_SHARE: Final = 0.015
RESULT_SHARE: Final = 0.8
"""Of the views after a search in one visit, those of somebody it found."""
SEARCH_LEAD_MS: Final = (3_000, 12_000)
"""A search comes before the view: least and most."""
LIST_SHARE: Final = (0.012, 0.05)
"""Of the views of strangers and of friends, those after which the list of connections is opened."""
LIST_DELAY_MS: Final = (1_500, 8_000)
FOLLOWED_SHARE: Final = 0.6
"""Of the opened lists, those out of which the next view of the visit is."""


@dataclass(frozen=True, slots=True)
class Searches:
    """Searches, and for each view what the last one of its visit showed.

    Attributes:
        traffic: The searches.
        text: Of the last search before each view, 0 without one.
        page: Of its results, -1 without one.
        found: Id of somebody on that page, -1 without one.
    """

    traffic: Traffic
    text: Ints
    page: Ints
    found: Ints


@dataclass(frozen=True, slots=True)
class Interest:
    """Whom each view shows, and from which views a list of connections is opened, ascending."""

    ids: Ints
    lists: Ints


def draw_searches(
    rng: np.random.Generator, members: Members, crowd: Crowd, views: Views, origin: Ints, origins: Sequence[Origin]
) -> Searches:
    """Searches before some views.

    A visit's searches are numbered; every `pages` of them turn the pages of one name.
    """
    pages = crowd.kind.pages
    before = np.flatnonzero(rng.random(len(views)) < crowd.kind.searches)
    before = before[np.argsort(views.visit[before], kind="stable")]
    visit, time = views.visit[before], views.time_ms[before]
    number = np.arange(len(visit))
    ordinal = number - np.searchsorted(visit, visit)
    name = members.searched_names(rng, len(visit))[number - ordinal % pages]
    page = ordinal % pages % members.pages(name)
    lead = rng.integers(*SEARCH_LEAD_MS, size=len(visit))
    made = Traffic.of(What.SEARCH, time - lead, origin[before], name * PAGES_MAX + page, origins)
    last_text, last_page = _last_search(views, visit, time, np.stack((name, page)))
    return Searches(made, last_text, last_page, members.pick_result(rng, last_text, last_page))


def draw_interest(rng: np.random.Generator, members: Members, crowd: Crowd, views: Views, found: Ints) -> Interest:
    """Whom each view shows: popular or unknown, a friend, one found, one seen before; some links are dead."""
    count = len(views)
    chance = rng.random((6, count))
    person = views.person
    ids = members.popular(rng, count)
    ids = np.where(chance[0] < crowd.taste[person], _anybody(rng, members, crowd, views), ids)
    friend = chance[1] < crowd.kind.friends
    ids = np.where(friend, _friend(rng, crowd, person), ids)
    from_results = (found >= 0) & (chance[2] < RESULT_SHARE)
    ids = np.where(from_results, found, ids)
    ids = ids[_again(rng, person, (chance[3] < crowd.returns[person]) & ~from_results)]
    lists, followers = _lists(rng, views, chance[5] < np.where(friend, LIST_SHARE[1], LIST_SHARE[0]))
    ids = _followed(rng, members, ids, lists, followers)
    return Interest(np.where(chance[4] < DEAD_LINK_SHARE, members.missing(rng, count), ids), lists)


def open_lists(
    rng: np.random.Generator,
    members: Members,
    views: Views,
    interest: Interest,
    origin: Ints,
    origins: Sequence[Origin],
) -> Traffic:
    """The first page of the connections of those whose list is opened."""
    view = interest.lists
    time = views.time_ms[view] + rng.integers(*LIST_DELAY_MS, size=len(view))
    return Traffic.lists(members, time, origin[view], interest.ids[view] * PAGES_MAX, origins)


def _last_search(views: Views, visit: Ints, time_ms: Ints, search: Ints) -> Ints:
    """For each view the text and page of the last search of its visit, shape (2, views); page -1 without one.

    Args:
        views: The views.
        visit: Of each search, ascending.
        time_ms: Of the view that each search led to, ascending within a visit.
        search: Text and page of each, shape (2, searches).
    """
    span = int(views.time_ms.max(initial=0)) + 1
    at = np.searchsorted(visit * span + time_ms, views.visit * span + views.time_ms, side="right")
    none = np.array([[0], [-1]])
    same = np.concatenate(([-1], visit))[at] == views.visit
    return np.where(same, np.concatenate((none, search), axis=1)[:, at], none)


def _anybody(rng: np.random.Generator, members: Members, crowd: Crowd, views: Views) -> Ints:
    """Somebody for each view: of all members, or of the person's subject of the day."""
    if crowd.kind.topic == 0:
        return members.anyone(rng, len(views))
    tail = rng.permutation(members.ranked[round(len(members.ranked) * (1 - UNPOPULAR_SHARE)) :])
    day = views.time_ms // DAY_MS
    days = int(day.max(initial=0)) + 1
    begin = rng.integers(len(tail), size=len(crowd) * days)[views.person * days + day]
    member = tail[(begin + rng.integers(crowd.kind.topic, size=len(views))) % len(tail)]
    ids: Ints = members.ids[member]
    return ids


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


def _lists(rng: np.random.Generator, views: Views, chosen: Bools) -> tuple[Ints, Ints]:
    """Views from which a list is opened, ascending, and for each the view out of that list, or -1.

    Nobody opens a list from a view that is out of another, so that a walk from list to list is not what people do.
    """
    order, goes_on = views.by_visit()
    follower = np.full(len(views), -1)
    follower[order[:-1]] = np.where(goes_on[1:], order[1:], -1)
    follower[rng.random(len(views)) >= FOLLOWED_SHARE] = -1
    out_of = np.zeros(len(views), np.bool_)
    out_of[follower[chosen & (follower >= 0)]] = True
    lists = np.flatnonzero(chosen & ~out_of)
    return lists, follower[lists]


def _followed(rng: np.random.Generator, members: Members, ids: Ints, lists: Ints, followers: Ints) -> Ints:
    """The ids, after each follower has chosen somebody out of the list before it."""
    chance = rng.random(len(lists))
    followed = ids.copy()
    for view, follower, share in zip(lists.tolist(), followers.tolist(), chance.tolist(), strict=True):
        if follower >= 0:
            shown = members.connections_page(int(ids[view]), 0)
            followed[follower] = shown[int(share * len(shown))] if len(shown) else ids[follower]
    return followed
