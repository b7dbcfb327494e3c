"""Those that come as many: fleets of addresses without accounts, and farms of accounts."""

from typing import Final, NamedTuple

import numpy as np

from streams.offline.simulate.client import GO_HTTP, HEADLESS, Client
from streams.offline.simulate.internet import Address
from streams.offline.simulate.plan import HOUR_MS
from streams.offline.simulate.scrapers.account import furnished
from streams.offline.simulate.scrapers.stage import Ints, Scraper, Stage, tool
from streams.offline.simulate.traffic import Origin

FLEET_MS: Final = 8 * HOUR_MS
ONE_SHOTS: Final = 600
FARM_ACCOUNTS: Final = 20
FARM_VIEWS_A_DAY: Final = 60
FRESH_DAYS: Final = (2, 12)
"""Ages of a farm's accounts when scrapers begin to come: it makes them, uses them and throws them away."""
AGED_DAYS: Final = (20, 400)


class Fleet(NamedTuple):
    """How many addresses, and how many profiles each of them takes."""

    addresses: int
    views: int


FLEET: Final = Fleet(60, 30)
FLEETS: Final = (Fleet(200, 20), Fleet(400, 6))


def fleet(stage: Stage) -> list[Scraper]:
    """Sixty rented home addresses without accounts take thirty profiles each, each out of its own part of the ids."""
    homes = stage.world.internet.proxies(stage.slot, FLEET.addresses)
    return [_fleet(stage, "1", FLEET, homes, GO_HTTP)]


def fleets(stage: Stage) -> list[Scraper]:
    """Two larger fleets: 200 addresses take 20 profiles each, 400 take 6."""
    homes = stage.world.internet.proxies(stage.slot, sum(size.addresses for size in FLEETS))
    cuts = np.cumsum([0, *(size.addresses for size in FLEETS)]).tolist()
    found = []
    for size, begin, end in zip(FLEETS, cuts, cuts[1:], strict=False):
        variant = f"{size.addresses}x{size.views}"
        found.append(_fleet(stage, variant, size, homes[begin:end], tool(stage.name(variant))))
    return found


def fleet_common(stage: Stage) -> list[Scraper]:
    """A fleet of sixty addresses whose program cannot be told from the browser that most people use."""
    return [_fleet(stage, "60x30", FLEET, stage.world.internet.proxies(stage.slot, FLEET.addresses), HEADLESS)]


def _fleet(stage: Stage, variant: str, size: Fleet, homes: list[Address], client: Client) -> Scraper:
    rng = stage.rng(stage.name(variant))
    begin, end = stage.span_ms(0.3, FLEET_MS)
    parts = np.array_split(stage.world.members.ids, size.addresses)
    taken = [rng.permutation(part)[: size.views] for part in parts]
    address = np.repeat(np.arange(size.addresses), [len(part) for part in taken])
    time = rng.integers(begin, end, size=len(address))
    views = stage.views(time, address, np.concatenate(taken), tuple(Origin(home, client) for home in homes))
    return stage.scraper(variant, f"{size.addresses} addresses, {size.views} views each in 8 hours", views)


def one_shot(stage: Stage) -> list[Scraper]:
    """Six hundred addresses of which none comes a second time; each takes one profile."""
    name = stage.name("600")
    rng = stage.rng(name)
    begin, end = stage.span_ms(0.3, FLEET_MS)
    client = tool(name)
    origins = tuple(Origin(home, client) for home in stage.world.internet.proxies(stage.slot, ONE_SHOTS))
    time = np.sort(rng.integers(begin, end, size=ONE_SHOTS))
    views = stage.views(time, np.arange(ONE_SHOTS), stage.world.members.sample(rng, ONE_SHOTS), origins)
    return [stage.scraper("600", "600 addresses, one view each in 8 hours", views)]


def farm_net(stage: Stage) -> list[Scraper]:
    """Twenty accounts in one net of a hosting provider take sixty profiles each a day, no two the same."""
    return [_farm(stage, stage.world.internet.hosted(stage.slot, FARM_ACCOUNTS), tool(stage.kind), human=False)]


def farm_scattered(stage: Stage) -> list[Scraper]:
    """Twenty accounts at scattered homes take sixty profiles each a day; only their program is the same."""
    return [_farm(stage, stage.world.internet.proxies(stage.slot, FARM_ACCOUNTS), tool(stage.kind), human=False)]


def farm_furnished(stage: Stage) -> list[Scraper]:
    """A scattered farm in the commonest browser, with all that belongs to a page and pauses as people make them."""
    return [_farm(stage, stage.world.internet.proxies(stage.slot, FARM_ACCOUNTS), HEADLESS, human=True)]


def farm_aged(stage: Stage) -> list[Scraper]:
    """A scattered farm whose accounts were left to age or were bought."""
    homes = stage.world.internet.proxies(stage.slot, FARM_ACCOUNTS)
    return [_farm(stage, homes, tool(stage.kind), human=False, age_days=AGED_DAYS)]


def _farm(
    stage: Stage, addresses: list[Address], client: Client, *, human: bool, age_days: tuple[int, int] = FRESH_DAYS
) -> Scraper:
    rng = stage.rng(stage.name("20x60"))
    ages = rng.integers(age_days[0], age_days[1], len(addresses), endpoint=True).tolist()
    origins = tuple(
        stage.new_account(f"{stage.kind}/{number}", address, client, age)
        for number, (address, age) in enumerate(zip(addresses, ages, strict=True))
    )
    ids = stage.world.members.sample(rng, FARM_ACCOUNTS * stage.count(FARM_VIEWS_A_DAY))
    who = np.repeat(np.arange(FARM_ACCOUNTS), stage.count(FARM_VIEWS_A_DAY))[: len(ids)]
    views = stage.views(_hours(stage, rng, who, human=human), who, ids, origins)
    rate = f"20 accounts, 60 views each a day{', in visits, with assets' if human else ''}"
    return stage.scraper("20x60", rate, furnished(stage, rng, views) if human else views)


def _hours(stage: Stage, rng: np.random.Generator, who: Ints, *, human: bool) -> Ints:
    """Times of the views of each account, which come account after account."""
    times = stage.in_visits if human else stage.at_random
    return np.concatenate([times(rng, count) for count in np.bincount(who).tolist()])
