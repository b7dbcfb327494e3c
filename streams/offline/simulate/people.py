"""Honest people: their lasting traits."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from streams.offline.simulate.client import CLIENTS, draw_devices
from streams.offline.simulate.internet import Address
from streams.offline.simulate.kind import Kind, counts
from streams.offline.simulate.members import Members
from streams.offline.simulate.plan import Plan
from streams.offline.simulate.traffic import Origin

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

GAP_MEDIAN_S: Final = (22.0, 38.0)
LEVEL_SIGMA: Final = 0.45
"""Spread of people's activity, of its logarithm."""
NEVER_RETURNS_SHARE: Final = 0.05
UNKNOWN_TASTE_SHARE: Final = 0.03
"""People who mostly look at whom nobody else looks at."""
UNPOPULAR_FRIENDS_SHARE: Final = 0.5
FRIENDS_MEDIAN: Final = 30
FRIENDS_SIGMA: Final = 0.8
TWIN_SHARE: Final = 0.1
"""People who at times use both devices at once."""
ROAMING_SHARE: Final = 0.1
"""People whose phone keeps a session while it moves between home and carrier, and who now and then use a VPN."""
HOPPING_SHARE: Final = 0.25
"""People whose carrier gives them another address from one request to the next."""


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
        twin: Whether both devices are at times used at once.
        roams: Whether the phone moves between home and carrier within a session.
        hops: Whether the carrier's address changes between requests.
        cookie: Whether a session has a name although nobody is logged in.
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
    twin: NDArray[np.bool_]
    roams: NDArray[np.bool_]
    hops: NDArray[np.bool_]
    cookie: NDArray[np.bool_]
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
            level=np.minimum(np.exp(rng.normal(0, LEVEL_SIGMA, count)), kind.level_max),
            taste=_replaced(rng, rng.beta(*kind.taste, count), UNKNOWN_TASTE_SHARE, rng.uniform(0.7, 1.0, count)),
            returns=_replaced(rng, rng.beta(*kind.returns, count), NEVER_RETURNS_SHARE, np.zeros(count)),
            gap_median_s=rng.uniform(*GAP_MEDIAN_S, count),
            shift_h=rng.normal(0, 1.2, count),
            furniture=rng.random(count) < kind.furniture,
            devices=draw_devices(rng, count),
            twin=rng.random(count) < TWIN_SHARE,
            roams=rng.random(count) < ROAMING_SHARE,
            hops=rng.random(count) < HOPPING_SHARE,
            cookie=rng.random(count) < kind.cookie,
            created_at=_created(rng, plan, kind, count),
            friends=friends,
            friends_begin=friends_begin,
        )

    def origin(self, person: int, address: Address, phone: bool, day: int) -> Origin:
        """The origin of the person with this place in the crowd.

        A session is a day on an account's device; a visitor's cookie names one for as long as the visitor comes.
        """
        client = CLIENTS[int(self.devices[person, int(phone)])]
        device = "phone" if phone else "desktop"
        if self.kind.tier is None:
            session = f"anon{self.first + person + 1}.{device}" if self.cookie[person] else None
            return Origin(address, client, session=session)
        account = f"u{self.first + person + 1}"
        return Origin(address, client, account, f"{account}.{device}.{day}", self.kind.tier, self.created_at[person])


def crowds(plan: Plan, members: Members) -> list[Crowd]:
    """All honest people: accounts by kind, then anonymous visitors."""
    sizes = counts(plan.people, plan.anonymous)
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
