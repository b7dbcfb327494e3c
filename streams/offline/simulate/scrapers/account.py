"""Single accounts that view profiles: fast, slowly, in disguise, and with a session that is not theirs."""

from dataclasses import replace
from typing import Final

import numpy as np

from streams.offline.simulate.client import HEADLESS, PYTHON_REQUESTS
from streams.offline.simulate.internet import Address
from streams.offline.simulate.plan import HOUR_MS
from streams.offline.simulate.scrapers.stage import Scraper, Stage, tool
from streams.offline.simulate.traffic import Origin, Traffic
from streams.offline.simulate.visit import beside

BURST_VIEWS: Final = 2_000
BURST_MS: Final = HOUR_MS
LOW_AND_SLOW_A_DAY: Final = (150, 300)
UNPOPULAR_A_DAY: Final = (25, 50, 75, 100, 150, 300)
MIXED_A_DAY: Final = (150, 300)
MIXED_POPULAR_SHARE: Final = 0.5
MIXED_AGAIN_SHARE: Final = 0.3
NEW_ACCOUNT_HOURLY: Final = 260
NEW_ACCOUNT_A_DAY: Final = (100, 150, 300)
METRONOME_S: Final = (5, 120)
METRONOME_JITTER_MS: Final = 20
METRONOME_VIEWS: Final = 1_500
HEADLESS_A_DAY: Final = (75, 150)
STOLEN_ADDRESSES: Final = (4, 20)
STOLEN_VIEWS: Final = 800
STOLEN_STEP_MS: Final = 8_000
STOLEN_FROM: Final = 40
"""Accounts among which the most active lose their sessions: they are sure to be at home as well."""


def burst(stage: Stage) -> list[Scraper]:
    """One account takes 2,000 profiles within an hour, in no order."""
    rng = stage.rng("burst-1")
    begin, end = stage.span_ms(0.42, BURST_MS)
    ids = stage.world.members.sample(rng, BURST_VIEWS)
    origin = stage.account("burst-1", stage.world.internet.hosted(stage.slot, 1)[0], PYTHON_REQUESTS, 240)
    time = np.sort(rng.integers(begin, end, size=len(ids)))
    return [stage.scraper("1", "2,000 views in an hour", stage.views_of_one(time, ids, origin))]


def low_and_slow(stage: Stage) -> list[Scraper]:
    """Two accounts, each taking a daily number of unpopular profiles at random times of a long day."""
    homes = stage.world.internet.proxies(stage.slot, len(LOW_AND_SLOW_A_DAY))
    rows = enumerate(zip(homes, LOW_AND_SLOW_A_DAY, strict=True), 1)
    return [_unpopular(stage, str(number), home, a_day) for number, (home, a_day) in rows]


def unpopular(stage: Stage) -> list[Scraper]:
    """Six accounts, each taking 25 to 300 unpopular profiles a day at random times of a long day."""
    homes = stage.world.internet.proxies(stage.slot, len(UNPOPULAR_A_DAY))
    return [_unpopular(stage, str(a_day), home, a_day) for home, a_day in zip(homes, UNPOPULAR_A_DAY, strict=True)]


def _unpopular(stage: Stage, variant: str, home: Address, a_day: int) -> Scraper:
    name = stage.name(variant)
    rng = stage.rng(name)
    ids = stage.world.members.unpopular(rng, stage.count(a_day))
    origin = stage.account(name, home, HEADLESS, 400)
    views = stage.views_of_one(stage.at_random(rng, len(ids)), ids, origin)
    return stage.scraper(variant, f"{a_day} views a day, random delays", views)


def mixed(stage: Stage) -> list[Scraper]:
    """Two accounts that hide among popular pages: half of their views, and three in ten are of pages seen before."""
    homes = stage.world.internet.proxies(stage.slot, len(MIXED_A_DAY))
    return [_mixed(stage, home, a_day) for home, a_day in zip(homes, MIXED_A_DAY, strict=True)]


def _mixed(stage: Stage, home: Address, a_day: int) -> Scraper:
    name = stage.name(str(a_day))
    rng = stage.rng(name)
    rare = stage.world.members.unpopular(rng, stage.count(a_day))
    count = len(rare)
    ids = np.where(rng.random(count) < MIXED_POPULAR_SHARE, stage.world.members.popular(rng, count), rare)
    fresh = rng.random(count) >= MIXED_AGAIN_SHARE
    fresh[0] = True
    first = np.flatnonzero(fresh)
    earlier = first[(rng.random(count) * np.searchsorted(first, np.arange(count))).astype(np.int64)]
    ids = np.where(fresh, ids, ids[earlier])
    views = stage.views_of_one(stage.at_random(rng, count), ids, stage.account(name, home, HEADLESS, 500))
    return stage.scraper(str(a_day), f"{a_day} views a day, half popular, 30 % returns", views)


def new_account(stage: Stage) -> list[Scraper]:
    """Four accounts made that day: 260 views in an hour, and 100, 150, 300 a day, of profiles of any sort."""
    hasty, *homes = stage.world.internet.proxies(stage.slot, 1 + len(NEW_ACCOUNT_A_DAY))
    return [_hasty(stage, hasty)] + [
        _newcomer(stage, home, a_day) for home, a_day in zip(homes, NEW_ACCOUNT_A_DAY, strict=True)
    ]


def _hasty(stage: Stage, home: Address) -> Scraper:
    name = stage.name("hour")
    rng = stage.rng(name)
    begin, end = stage.span_ms(0.2, HOUR_MS)
    ids = stage.world.members.sample(rng, NEW_ACCOUNT_HOURLY)
    time = np.sort(rng.integers(begin, end, size=len(ids)))
    views = stage.views_of_one(time, ids, stage.new_account(name, home, HEADLESS))
    return stage.scraper("hour", f"{NEW_ACCOUNT_HOURLY} views in an hour", views)


def _newcomer(stage: Stage, home: Address, a_day: int) -> Scraper:
    name = stage.name(str(a_day))
    rng = stage.rng(name)
    ids = stage.world.members.sample(rng, stage.count(a_day))
    views = stage.views_of_one(stage.at_random(rng, len(ids)), ids, stage.new_account(name, home, HEADLESS))
    return stage.scraper(str(a_day), f"{a_day} views a day", views)


def metronome(stage: Stage) -> list[Scraper]:
    """Two accounts that take an unpopular profile every 5 or 120 s, to 20 ms."""
    homes = stage.world.internet.proxies(stage.slot, len(METRONOME_S))
    return [_metronome(stage, home, step_s) for home, step_s in zip(homes, METRONOME_S, strict=True)]


def _metronome(stage: Stage, home: Address, step_s: int) -> Scraper:
    name = stage.name(f"{step_s}s")
    rng = stage.rng(name)
    begin, end = stage.span_ms(0.05, stage.length_ms)
    ids = stage.world.members.unpopular(rng, METRONOME_VIEWS)
    time = begin + METRONOME_JITTER_MS + np.arange(len(ids)) * (step_s * 1_000)
    time = time[time < end - METRONOME_JITTER_MS]
    time += rng.integers(-METRONOME_JITTER_MS, METRONOME_JITTER_MS + 1, size=len(time))
    views = stage.views_of_one(time, ids, stage.account(name, home, tool(name), 120))
    return stage.scraper(f"{step_s}s", f"a view every {step_s} s", views)


def headless(stage: Stage) -> list[Scraper]:
    """Two accounts in a browser that loads all that belongs to a page, in visits and with pauses of people."""
    homes = stage.world.internet.proxies(stage.slot, len(HEADLESS_A_DAY))
    return [_headless(stage, home, a_day) for home, a_day in zip(homes, HEADLESS_A_DAY, strict=True)]


def _headless(stage: Stage, home: Address, a_day: int) -> Scraper:
    name = stage.name(str(a_day))
    rng = stage.rng(name)
    ids = stage.world.members.unpopular(rng, stage.count(a_day))
    views = stage.views_of_one(stage.in_visits(rng, len(ids)), ids, stage.account(name, home, HEADLESS, 200))
    return stage.scraper(str(a_day), f"{a_day} views a day in visits, with assets", furnished(stage, rng, views))


def furnished(stage: Stage, rng: np.random.Generator, views: Traffic) -> Traffic:
    """Views with the requests for assets and calls beside them that people's browsers make."""
    others = beside(rng, views, stage.world.plan.other_ratio, np.ones(len(views), np.bool_))
    return Traffic.merged([views, others], stage.world.plan.end_ms)


def stolen_session(stage: Stage) -> list[Scraper]:
    """Sessions of two people's accounts, used from 4 and 20 addresses in turns, a view every 4 to 12 s."""
    homes = stage.world.internet.proxies(stage.slot, sum(STOLEN_ADDRESSES))
    cuts = np.cumsum([0, *STOLEN_ADDRESSES]).tolist()
    victims = _victims(stage, len(STOLEN_ADDRESSES))
    rows = zip(victims, cuts, cuts[1:], strict=False)
    return [_stolen(stage, victim, homes[begin:end]) for victim, begin, end in rows]


def _victims(stage: Stage, count: int) -> list[Origin]:
    """Log-ins of the most active people of some."""
    crowd = next(crowd for crowd in stage.world.crowds if crowd.kind.name == "regular")
    drawn = stage.rng(stage.kind).permutation(len(crowd))[:STOLEN_FROM]
    most = drawn[np.argsort(-crowd.level[drawn])][:count]
    nowhere = stage.world.internet.addresses[0]
    return [crowd.origin(int(person), nowhere, False, 0) for person in most]


def _stolen(stage: Stage, victim: Origin, homes: list[Address]) -> Scraper:
    name = stage.name(str(len(homes)))
    rng = stage.rng(name)
    account = str(victim.account)
    thief = replace(victim, client=HEADLESS, session=f"{account}.stolen")
    time = stage.steadily(rng, 0.35, STOLEN_STEP_MS, STOLEN_VIEWS)
    ids = stage.world.members.sample(rng, len(time))
    origins = tuple(replace(thief, address=home) for home in homes)
    views = stage.views(time[: len(ids)], rng.integers(len(homes), size=len(ids)), ids, origins)
    rate = f"a view every 4 to 12 s from {len(homes)} addresses"
    return replace(stage.scraper(str(len(homes)), rate, views), stolen=frozenset({account}))
