"""What honest people do: visits with their views, searches and lists, imports, and the requests beside them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streams.offline.simulate.address_book import imports
from streams.offline.simulate.coming import draw_views, draw_visits
from streams.offline.simulate.interest import draw_interest, draw_searches, open_lists
from streams.offline.simulate.moving import moved
from streams.offline.simulate.people import Crowd
from streams.offline.simulate.place import whereabouts
from streams.offline.simulate.prefetch import prefetch
from streams.offline.simulate.traffic import OTHERS, Traffic, What
from streams.offline.simulate.world import World

Bools = NDArray[np.bool_]

OTHER_DELAY_MS: Final = (60, 350)
"""Requests beside a view follow it: least, and mean of what is added."""


@dataclass(frozen=True, slots=True)
class Part:
    """Requests of people of one kind."""

    kind: str
    traffic: Traffic


@dataclass(frozen=True, slots=True)
class Doings:
    """All requests of a crowd by what they are.

    Attributes:
        views: Profiles that people wanted to see.
        searches, lists: Pages of results and of connections.
        ahead: Profiles that an app asked for before anybody wanted them.
        others: What belongs to the pages of `views` and `ahead`.
        lookups, found: Numbers of address books, and views of friends they belong to.
        others_found: What belongs to the pages of `found`.
    """

    views: Traffic
    searches: Traffic
    lists: Traffic
    ahead: Traffic
    others: Traffic
    lookups: Traffic
    found: Traffic
    others_found: Traffic

    def parts(self, kind: str) -> list[Part]:
        """All of them, so that no origin is held twice."""
        visits = together([self.views, self.searches, self.lists, self.ahead, self.others])
        return [Part(kind, visits), Part(kind, together([self.lookups, self.found, self.others_found]))]


def honest(world: World, crowd: Crowd) -> list[Part]:
    """All requests of a crowd."""
    return doings(world, crowd).parts(crowd.kind.name)


def doings(world: World, crowd: Crowd) -> Doings:
    """All requests of a crowd by what they are."""
    rng = world.plan.rng(f"visits/{crowd.kind.name}")
    visits = draw_visits(rng, world, crowd)
    views = draw_views(rng, visits, crowd)
    where = moved(world, crowd, views, whereabouts(rng, world.internet, crowd, visits, views))
    searches = draw_searches(rng, world.members, crowd, views, where.origin, where.origins)
    interest = draw_interest(rng, world.members, crowd, views, searches.found)
    lists = open_lists(rng, world.members, views, interest, where.origin, where.origins)
    ahead = prefetch(rng, world.members, crowd, views, where.phone, searches)
    wanted = Traffic.views(world.members, views.time_ms, where.origin, interest.ids, where.origins)
    unasked = Traffic.views(world.members, ahead.time_ms, where.origin[ahead.view], ahead.ids, where.origins)
    book = imports(world, crowd)
    rng, ratio = world.plan.rng(f"others/{crowd.kind.name}"), world.plan.other_ratio
    asked = together([wanted, unasked])
    person = views.person[np.concatenate((np.arange(len(views)), ahead.view))]
    others = beside(rng, asked, ratio, crowd.furniture[person])
    others_found = beside(rng, book.views, ratio, crowd.furniture[book.person])
    return Doings(wanted, searches.traffic, lists, unasked, others, book.lookups, book.views, others_found)


def together(traffics: Sequence[Traffic]) -> Traffic:
    """Requests of the same origins, one traffic after the other."""
    time_ms, origin, what, subject, status = (
        np.concatenate([getattr(traffic, name) for traffic in traffics])
        for name in ("time_ms", "origin", "what", "subject", "status")
    )
    return Traffic(time_ms, origin, what, subject, status, traffics[0].origins)


def beside(rng: np.random.Generator, views: Traffic, ratio: float, furniture: Bools) -> Traffic:
    """Requests for assets and calls, `ratio` a view where `furniture` holds."""
    count = (int(ratio) + (rng.random(len(views)) < ratio % 1)) * furniture
    view = np.repeat(np.arange(len(views)), count)
    least, mean = OTHER_DELAY_MS
    delay = least + rng.exponential(mean, len(view)).astype(np.int64)
    subject = rng.integers(len(OTHERS) - 1, size=len(view))
    return Traffic.of(What.OTHER, views.time_ms[view] + delay, views.origin[view], subject, views.origins)
