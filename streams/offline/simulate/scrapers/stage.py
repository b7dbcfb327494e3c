"""What the kinds of scrapers share: what one is, where it plays, and when it asks."""

from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256
from typing import Final
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from streams.offline.simulate.client import HEADLESS, Client
from streams.offline.simulate.internet import Address
from streams.offline.simulate.people import created
from streams.offline.simulate.plan import DAY_MS, SCRAPER_KINDS
from streams.offline.simulate.traffic import Origin, Traffic
from streams.offline.simulate.world import World

Ints = NDArray[np.int64]

VISIT_VIEWS: Final = 12
VISIT_GAP_MEDIAN_MS: Final = 30_000
VISIT_GAP_SIGMA: Final = 0.9
"""A visit as people make them: mean number of views, and the gaps between them, log-normal."""


@dataclass(frozen=True, slots=True)
class Scraper:
    """One scraper.

    Attributes:
        id: Its name in the labels: the kind, and what tells it from others of the kind.
        kind: One of `SCRAPER_KINDS`.
        rate: How fast it is, in words.
        traffic: Its requests.
        stolen: Accounts that it uses and that are people's.
    """

    id: str
    kind: str
    rate: str
    traffic: Traffic
    stolen: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Stage:
    """Where one kind of scraper plays; `slot` is the kind's number, to which its addresses belong."""

    world: World
    slot: int

    @property
    def kind(self) -> str:
        """The kind's name."""
        return SCRAPER_KINDS[self.slot]

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

    def count(self, a_day: int) -> int:
        """How many of a daily number fall into the time of scrapers, at least one."""
        return max(1, round(a_day * self.length_ms / DAY_MS))

    def name(self, variant: str) -> str:
        """Id of one scraper of the kind."""
        return f"{self.kind}-{variant}"

    def scraper(self, variant: str, rate: str, traffic: Traffic) -> Scraper:
        """One scraper of the kind."""
        return Scraper(self.name(variant), self.kind, rate, traffic)

    def account(self, name: str, address: Address, client: Client, age_days: int) -> Origin:
        """A scraper's log-in, its number far from people's."""
        account = f"u{90_000_000 + crc32(name.encode()) % 10_000_000}"
        return Origin(address, client, account, f"{account}.1", "free", created(self.world.plan, age_days))

    def new_account(self, name: str, address: Address, client: Client, age_days: int = 0) -> Origin:
        """A log-in made when scrapers begin to come, or so many days before."""
        made = self.world.plan.start + timedelta(days=-age_days, milliseconds=self.begin_ms)
        return replace(self.account(name, address, client, 0), created_at=f"{made:%Y-%m-%dT%H:%M:%SZ}")

    def views(self, time_ms: Ints, origin: Ints, ids: Ints, origins: tuple[Origin, ...]) -> Traffic:
        """Views of profiles and nothing beside them."""
        return Traffic.views(self.world.members, time_ms, origin, ids, origins)

    def views_of_one(self, time_ms: Ints, ids: Ints, origin: Origin) -> Traffic:
        """Views by one account; where there are more times than ids, the last times stay unused."""
        time_ms = time_ms[: len(ids)]
        return self.views(time_ms, np.zeros_like(time_ms), ids[: len(time_ms)], (origin,))

    def at_random(self, rng: np.random.Generator, count: int) -> Ints:
        """Ascending times with log-normal gaps over all the time of scrapers, so many a day whatever the hour."""
        gap = np.exp(rng.normal(0, 1.0, count + 1))
        times: Ints = self.begin_ms + (np.cumsum(gap)[:-1] / gap.sum() * self.length_ms).astype(np.int64)
        return times

    def in_visits(self, rng: np.random.Generator, count: int) -> Ints:
        """Ascending times as people have them: visits, and log-normal pauses within; what runs over comes first."""
        visits = max(1, round(count / VISIT_VIEWS))
        visit = np.sort(rng.integers(visits, size=count))
        start = np.sort(rng.integers(self.length_ms, size=visits))
        gap = (np.exp(rng.normal(0, VISIT_GAP_SIGMA, count)) * VISIT_GAP_MEDIAN_MS).astype(np.int64)
        passed = np.cumsum(gap)
        since = start[visit] + passed - passed[np.searchsorted(visit, visit)]
        inside: Ints = self.begin_ms + np.sort(since % self.length_ms)
        return inside

    def steadily(self, rng: np.random.Generator, share: float, step_ms: int, count: int) -> Ints:
        """At most `count` ascending times, begun after a share of the time; each gap is 0.5 to 1.5 steps."""
        begin, end = self.span_ms(share, self.length_ms)
        time = begin + np.cumsum(rng.integers(step_ms // 2, step_ms + step_ms // 2, size=count))
        kept: Ints = time[time < end]
        return kept


def tool(name: str) -> Client:
    """A scraper's own library: it calls itself the commonest browser, and its hello is nobody else's."""
    digest = sha256(name.encode()).hexdigest()
    return Client(f"t13d1811h2_{digest[:12]}_{digest[12:24]}", HEADLESS.user_agent)
