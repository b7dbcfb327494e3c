"""Programs that are welcome: a monitor, an authorised collector within its quota, a search engine's crawler."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from streams.offline.simulate.client import COLLECTOR, MONITOR, SEARCH_BOT
from streams.offline.simulate.people import created
from streams.offline.simulate.plan import DAY_MS, MINUTE_MS
from streams.offline.simulate.traffic import OTHERS, Origin, Traffic, What
from streams.offline.simulate.visit import Part
from streams.offline.simulate.world import World

Ints = NDArray[np.int64]

POLL_MS: Final = MINUTE_MS
POLL_SPLIT_MS: Final = 200
"""Between the two requests of a poll."""
PEOPLE_MIN: Final = 1_000
"""A platform with fewer accounts has neither partners nor a search engine's attention."""
COLLECTOR_ACCOUNT: Final = "partner-sync"
COLLECTOR_TIER: Final = "partner"
COLLECTOR_A_DAY: Final = 1_480
"""Profiles that the collector sees; it may see 1,500 in any 24 hours."""
COLLECTOR_AGE_DAYS: Final = 900
CRAWLED_A_DAY: Final = 400
CRAWLED_OF: Final = 0.1
"""The share of members, the most popular ones, whom the crawler keeps up with."""
WOBBLE_SHARE: Final = 0.1
"""How far a request is from its even place, of the gap between two."""


def robots(world: World) -> list[Part]:
    """All of them; a small plan has the monitor alone."""
    partners = [*_collector(world), *_crawler(world)] if world.plan.people >= PEOPLE_MIN else []
    return [*_polls(world), *partners]


def _polls(world: World) -> list[Part]:
    """A monitor asks for the most popular profile and for its health page every minute, to the millisecond."""
    time = np.arange(0, world.plan.end_ms, POLL_MS)
    nobody = np.zeros(len(time), np.int64)
    origins = (Origin(world.internet.addresses[world.internet.monitor], MONITOR),)
    profile = np.full(len(time), world.members.ids[world.members.ranked[0]])
    views = Traffic.views(world.members, time, nobody, profile, origins)
    health = np.full(len(time), OTHERS.index("/health"))
    calls = Traffic.of(What.OTHER, time + POLL_SPLIT_MS, nobody, health, origins)
    return [Part("monitor", views), Part("monitor", calls)]


def _collector(world: World) -> list[Part]:
    """A partner's account keeps its copy fresh: one id after the other, day and night, each day where it stopped."""
    rng = world.plan.rng("collector")
    time = _evenly(rng, world.plan.end_ms, COLLECTOR_A_DAY)
    ids = world.members.ids
    step = int(rng.integers(len(ids))) + np.arange(len(time))
    account = (COLLECTOR_ACCOUNT, None, COLLECTOR_TIER, created(world.plan, COLLECTOR_AGE_DAYS))
    places = world.internet.partner.tolist()
    origins = tuple(Origin(world.internet.addresses[place], COLLECTOR, *account) for place in places)
    # Another address the next day, and back: two machines that take turns.
    origin = time // DAY_MS % len(origins)
    return [Part("collector", Traffic.views(world.members, time, origin, ids[step % len(ids)], origins))]


def _crawler(world: World) -> list[Part]:
    """A search engine looks at popular profiles, each about as often as the others."""
    rng = world.plan.rng("search_bot")
    time = _evenly(rng, world.plan.end_ms, CRAWLED_A_DAY)
    known = world.members.ranked[: max(1, round(len(world.members.ranked) * CRAWLED_OF))]
    rounds = -(-len(time) // len(known))
    profile = np.concatenate([rng.permutation(known) for _ in range(rounds)])[: len(time)]
    origins = tuple(Origin(world.internet.addresses[place], SEARCH_BOT) for place in world.internet.crawler.tolist())
    origin = rng.integers(len(origins), size=len(time))
    return [Part("search_bot", Traffic.views(world.members, time, origin, world.members.ids[profile], origins))]


def _evenly(rng: np.random.Generator, end_ms: int, a_day: int) -> Ints:
    """Times before the end, evenly spread but for a little, so many a day."""
    gap_ms = DAY_MS / a_day
    place = np.arange(int(end_ms / gap_ms)) + 0.5 + rng.uniform(-WOBBLE_SHARE, WOBBLE_SHARE, int(end_ms / gap_ms))
    time: Ints = (place * gap_ms).astype(np.int64)
    return time
