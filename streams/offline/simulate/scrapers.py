"""Kinds of scrapers. A new kind is one function here, one entry in `KINDS` and its name in `plan.SCRAPER_KINDS`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from streams.offline.simulate.client import CURL, GO_HTTP, HEADLESS, PYTHON_REQUESTS, Client
from streams.offline.simulate.internet import Address
from streams.offline.simulate.people import created
from streams.offline.simulate.plan import DAY_MS, HOUR_MS, SCRAPER_KINDS
from streams.offline.simulate.traffic import Origin, Traffic
from streams.offline.simulate.world import World

Ints = NDArray[np.int64]

BURST_VIEWS: Final = 2_000
BURST_MS: Final = HOUR_MS
LOW_AND_SLOW_A_DAY: Final = (150, 300)
FLEET_ADDRESSES: Final = 60
FLEET_VIEWS: Final = 30
FLEET_MS: Final = 8 * HOUR_MS
WALK_STEPS: Final = 1_500
WALK_GAP_MS: Final = (1_000, 3_000)


@dataclass(frozen=True, slots=True)
class Scraper:
    """One scraper: its name in the labels, its kind, how fast it is in words, and its requests."""

    id: str
    kind: str
    rate: str
    traffic: Traffic


@dataclass(frozen=True, slots=True)
class Stage:
    """Where one kind of scraper plays; `slot` is the kind's number, to which its addresses belong."""

    world: World
    slot: int

    @property
    def begin_ms(self) -> int:
        """Since the plan's start, when scrapers may come."""
        return self.world.plan.quiet_ms

    @property
    def length_ms(self) -> int:
        """How long they may stay."""
        return self.world.plan.end_ms - self.world.plan.quiet_ms

    def rng(self, name: str) -> np.random.Generator:
        """The generator of one scraper."""
        return self.world.plan.rng(f"scrapers/{name}")

    def span_ms(self, share: float, wanted_ms: int) -> tuple[int, int]:
        """A half-open span begun after a share of the time of scrapers, as long as wanted where there is room."""
        begin = self.begin_ms + round(self.length_ms * share)
        return begin, min(begin + wanted_ms, self.world.plan.end_ms)

    def account(self, name: str, address: Address, client: Client, age_days: int) -> Origin:
        """A scraper's log-in, its number far from people's."""
        account = f"u{90_000_000 + crc32(name.encode()) % 10_000_000}"
        return Origin(address, client, account, f"{account}.1", "free", created(self.world.plan, age_days))

    def views(self, time_ms: Ints, origin: Ints, ids: Ints, origins: tuple[Origin, ...]) -> Traffic:
        """Views of profiles and nothing beside them."""
        return Traffic.views(self.world.members, time_ms, origin, ids, origins)


def burst(stage: Stage) -> list[Scraper]:
    """One account takes 2,000 profiles within an hour, in no order."""
    rng = stage.rng("burst-1")
    begin, end = stage.span_ms(0.42, BURST_MS)
    ids = stage.world.members.sample(rng, BURST_VIEWS)
    origin = stage.account("burst-1", stage.world.internet.hosted(stage.slot, 1)[0], PYTHON_REQUESTS, 240)
    time = np.sort(rng.integers(begin, end, size=len(ids)))
    views = stage.views(time, np.zeros_like(time), ids, (origin,))
    return [Scraper("burst-1", "burst", "2,000 views in an hour", views)]


def low_and_slow(stage: Stage) -> list[Scraper]:
    """Two accounts, each taking a daily number of unpopular profiles at random times of a long day."""
    homes = stage.world.internet.proxies(stage.slot, len(LOW_AND_SLOW_A_DAY))
    return [
        _low_and_slow(stage, f"low_and_slow-{number}", address, views_a_day)
        for number, (address, views_a_day) in enumerate(zip(homes, LOW_AND_SLOW_A_DAY, strict=True), 1)
    ]


def _low_and_slow(stage: Stage, name: str, address: Address, views_a_day: int) -> Scraper:
    rng = stage.rng(name)
    ids = stage.world.members.unpopular(rng, round(views_a_day * stage.length_ms / DAY_MS))
    gap = np.exp(rng.normal(0, 1.0, len(ids) + 1))
    time = stage.begin_ms + (np.cumsum(gap)[:-1] / gap.sum() * stage.length_ms).astype(np.int64)
    origin = stage.account(name, address, HEADLESS, 400)
    views = stage.views(time, np.zeros_like(time), ids, (origin,))
    return Scraper(name, "low_and_slow", f"{views_a_day} views a day, random delays", views)


def fleet(stage: Stage) -> list[Scraper]:
    """Sixty rented home addresses without accounts take thirty profiles each, each out of its own part of the ids."""
    rng = stage.rng("fleet-1")
    begin, end = stage.span_ms(0.3, FLEET_MS)
    parts = np.array_split(stage.world.members.ids, FLEET_ADDRESSES)
    taken = [rng.permutation(part)[:FLEET_VIEWS] for part in parts]
    address = np.repeat(np.arange(FLEET_ADDRESSES), [len(part) for part in taken])
    time = rng.integers(begin, end, size=len(address))
    homes = stage.world.internet.proxies(stage.slot, FLEET_ADDRESSES)
    origins = tuple(Origin(home, GO_HTTP) for home in homes)
    views = stage.views(time, address, np.concatenate(taken), origins)
    return [Scraper("fleet-1", "fleet", "60 addresses, 30 views each in 8 hours", views)]


def id_walk(stage: Stage) -> list[Scraper]:
    """One account asks for one id after the other, a step every 1 to 3 s; some do not exist."""
    rng = stage.rng("id_walk-1")
    begin, end = stage.span_ms(0.6, stage.length_ms)
    first = int(stage.world.members.ids[rng.integers(len(stage.world.members.ids) // 2)])
    time = begin + np.cumsum(rng.integers(*WALK_GAP_MS, size=WALK_STEPS))
    time = time[time < end]
    origin = stage.account("id_walk-1", stage.world.internet.hosted(stage.slot, 1)[0], CURL, 90)
    views = stage.views(time, np.zeros_like(time), first + np.arange(len(time)), (origin,))
    return [Scraper("id_walk-1", "id_walk", "an id every 1 to 3 s, 1,500 steps", views)]


KINDS: Final[dict[str, Callable[[Stage], list[Scraper]]]] = {
    "burst": burst,
    "low_and_slow": low_and_slow,
    "fleet": fleet,
    "id_walk": id_walk,
}


def scrapers(world: World) -> list[Scraper]:
    """The scrapers of a plan, by kind; none without days for them."""
    if world.plan.scraper_days == 0:
        return []
    kinds = [(slot, kind) for slot, kind in enumerate(SCRAPER_KINDS) if kind in world.plan.scrapers]
    return [scraper for slot, kind in kinds for scraper in KINDS[kind](Stage(world, slot))]
