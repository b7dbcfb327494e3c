"""Kinds of honest people and their lasting traits."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from streams.offline.simulate.client import CLIENTS, draw_devices
from streams.offline.simulate.internet import Address
from streams.offline.simulate.members import Members
from streams.offline.simulate.plan import Plan
from streams.offline.simulate.traffic import Origin

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

Hours = tuple[float, ...]
DAY_HOURS: Final[Hours] = (2, 1, 0.5, 0.3, 0.3, 1, 3, 6, 8, 8, 7, 7, 9, 8, 6, 6, 6, 7, 8, 9, 10, 9, 7, 4)
WORK_HOURS: Final[Hours] = (0, 0, 0, 0, 0, 0, 0, 2, 6, 10, 10, 9, 5, 8, 10, 9, 8, 4, 1, 0.5, 0.5, 0.2, 0, 0)
NIGHT_HOURS: Final[Hours] = (10, 10, 9, 8, 5, 3, 1, 0.5, 0.3, 0.3, 0.5, 1, 1, 1, 1, 1, 1, 2, 2, 3, 4, 6, 8, 9)
"""Weight of each local hour for the start of a visit."""

GAP_MEDIAN_S: Final = (22.0, 38.0)
LEVEL_SIGMA: Final = 0.45
"""Spread of people's activity, of its logarithm."""
NEVER_RETURNS_SHARE: Final = 0.05
UNKNOWN_TASTE_SHARE: Final = 0.03
"""People who mostly look at whom nobody else looks at."""
UNPOPULAR_FRIENDS_SHARE: Final = 0.5
FRIENDS_MEDIAN: Final = 30
FRIENDS_SIGMA: Final = 0.8
CLASS_MAX: Final = 30


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of people; shares and rates are in [0, 1] unless said otherwise.

    Attributes:
        name: As in the labels.
        share: Of all accounts.
        tier: The platform's account tier; None for people without an account.
        active: Probability to come on a day.
        visits: Mean visits on a day when they come.
        size: Pareto visits: fewest views, exponent, most views.
        taste: Beta distribution of the share of views of just anybody, against popular people.
        returns: Beta distribution of the share of views of somebody seen before.
        friends: Share of views of own friends.
        searches: Searches per view.
        pages: Pages of results read of one search.
        hours: Weight of each local hour.
        phone: Share of visits by phone.
        furniture: Share whose client asks for what belongs to a page.
        vpn: Share of visits through a VPN.
        age_days: Youngest and oldest account at the plan's start.
    """

    name: str
    share: float = 0.0
    tier: str | None = "free"
    active: float = 0.85
    visits: float = 2.6
    size: tuple[float, float, int] = (3.0, 1.3, 80)
    taste: tuple[float, float] = (1.3, 4.0)
    returns: tuple[float, float] = (2.0, 4.0)
    friends: float = 0.35
    searches: float = 0.05
    pages: int = 1
    hours: Hours = DAY_HOURS
    phone: float = 0.5
    furniture: float = 0.993
    vpn: float = 0.0
    age_days: tuple[int, int] = (30, 3_000)


REGULAR: Final = Kind("regular")
OTHER_KINDS: Final = (
    Kind("glancer", share=0.14, visits=9, size=(1.0, 3.0, 3), friends=0.6, phone=0.85),
    Kind(
        "sales",
        share=0.08,
        tier="premium",
        visits=4.0,
        size=(4.0, 1.3, 80),
        taste=(1.6, 3.0),
        searches=0.12,
        hours=WORK_HOURS,
        phone=0.3,
    ),
    Kind("night", share=0.04, hours=NIGHT_HOURS),
    Kind("vpn", share=0.03, phone=0.2, vpn=0.8),
    Kind("newcomer", share=0.02, returns=(1.0, 4.0), searches=0.15, age_days=(0, 6)),
    Kind(
        "recruiter",
        share=0.005,
        tier="recruiter",
        active=0.95,
        visits=7.0,
        size=(22.0, 1.5, 120),
        taste=(5.0, 2.0),
        returns=(1.0, 8.0),
        friends=0.02,
        searches=0.4,
        pages=5,
        hours=WORK_HOURS,
        phone=0.05,
    ),
)
CLASS: Final = Kind("class", visits=1.6, size=(1.0, 1.6, 20), phone=0.8)
"""Pupils who, besides, are all sent to one page in one lesson."""
ANONYMOUS: Final = Kind(
    "anonymous",
    tier=None,
    active=0.6,
    visits=1.0,
    size=(1.0, 1.2, 25),
    taste=(4.0, 6.0),
    returns=(1.0, 9.0),
    friends=0.0,
    searches=0.02,
    phone=0.6,
    furniture=0.92,
)


@dataclass(frozen=True, slots=True)
class Crowd:
    """People of one kind with their traits: arrays of one entry a person.

    Attributes:
        kind: What they have in common.
        first: Number of the first of them; accounts come before anonymous visitors.
        level: Activity, a factor around 1.
        taste, returns: Shares in [0, 1].
        gap_median_s: Between two views of a visit.
        shift_h: How late they live, in hours.
        furniture: Whether their client asks for what belongs to a page.
        devices: Client numbers of desktop and phone, shape (people, 2).
        created_at: Date of each account.
        friends: Ids of all friends, person after person.
        friends_begin: Where each person's friends begin; one entry more than people.
    """

    kind: Kind
    first: int
    level: Floats
    taste: Floats
    returns: Floats
    gap_median_s: Floats
    shift_h: Floats
    furniture: NDArray[np.bool_]
    devices: Ints
    created_at: tuple[str, ...]
    friends: Ints
    friends_begin: Ints

    def __len__(self) -> int:
        return len(self.level)

    @classmethod
    def of(cls, plan: Plan, members: Members, kind: Kind, first: int, count: int) -> Self:
        """Draws the traits of `count` people."""
        rng = plan.rng(f"traits/{kind.name}")
        friends, friends_begin = _friends(rng, members, count)
        return cls(
            kind=kind,
            first=first,
            level=np.exp(rng.normal(0, LEVEL_SIGMA, count)),
            taste=_replaced(rng, rng.beta(*kind.taste, count), UNKNOWN_TASTE_SHARE, rng.uniform(0.7, 1.0, count)),
            returns=_replaced(rng, rng.beta(*kind.returns, count), NEVER_RETURNS_SHARE, np.zeros(count)),
            gap_median_s=rng.uniform(*GAP_MEDIAN_S, count),
            shift_h=rng.normal(0, 1.2, count),
            furniture=rng.random(count) < kind.furniture,
            devices=draw_devices(rng, count),
            created_at=_created(rng, plan, kind, count),
            friends=friends,
            friends_begin=friends_begin,
        )

    def origin(self, person: int, address: Address, phone: bool, day: int) -> Origin:
        """The origin of the person with this place in the crowd; a session is an account's device's day."""
        client = CLIENTS[int(self.devices[person, int(phone)])]
        if self.kind.tier is None:
            return Origin(address, client)
        account = f"u{self.first + person + 1}"
        session = f"{account}.{'phone' if phone else 'desktop'}.{day}"
        return Origin(address, client, account, session, self.kind.tier, self.created_at[person])


def crowds(plan: Plan, members: Members) -> list[Crowd]:
    """All honest people: accounts by kind, then anonymous visitors."""
    sizes = {kind: max(1, round(kind.share * plan.people)) for kind in OTHER_KINDS}
    sizes[CLASS] = min(CLASS_MAX, plan.people // 20)
    sizes = {REGULAR: plan.people - sum(sizes.values())} | sizes | {ANONYMOUS: plan.anonymous}
    first = np.cumsum([0, *sizes.values()]).tolist()
    return [Crowd.of(plan, members, kind, begin, sizes[kind]) for kind, begin in zip(sizes, first, strict=False)]


def _replaced(rng: np.random.Generator, values: Floats, share: float, others: Floats) -> Floats:
    """The values, a share of them replaced."""
    return np.where(rng.random(len(values)) < share, others, values)


def _created(rng: np.random.Generator, plan: Plan, kind: Kind, count: int) -> tuple[str, ...]:
    youngest, oldest = kind.age_days
    return tuple(created(plan, age) for age in rng.integers(youngest, oldest + 1, size=count).tolist())


def created(plan: Plan, age_days: int) -> str:
    """When an account was made that is so old at the plan's start; RFC 3339."""
    return f"{plan.start - timedelta(days=age_days):%Y-%m-%dT%H:%M:%SZ}"


def _friends(rng: np.random.Generator, members: Members, count: int) -> tuple[Ints, Ints]:
    """Friends of each person, half of them popular people; at least three."""
    number = np.clip(np.exp(rng.normal(np.log(FRIENDS_MEDIAN), FRIENDS_SIGMA, count)), 3, 400).astype(np.int64)
    total = int(number.sum())
    unpopular = rng.random(total) < UNPOPULAR_FRIENDS_SHARE
    friends = np.where(unpopular, members.anyone(rng, total), members.popular(rng, total))
    return friends, np.concatenate(([0], np.cumsum(number)))
