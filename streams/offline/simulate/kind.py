"""Kinds of honest people: what those of one kind have in common."""

from dataclasses import dataclass
from typing import Final

Hours = tuple[float, ...]
DAY_HOURS: Final[Hours] = (2, 1, 0.5, 0.3, 0.3, 1, 3, 6, 8, 8, 7, 7, 9, 8, 6, 6, 6, 7, 8, 9, 10, 9, 7, 4)
WORK_HOURS: Final[Hours] = (0, 0, 0, 0, 0, 0, 0, 2, 6, 10, 10, 9, 5, 8, 10, 9, 8, 4, 1, 0.5, 0.5, 0.2, 0, 0)
AFTERNOON_HOURS: Final[Hours] = (0, 0, 0, 0, 0, 0, 0, 0, 0.5, 1, 1, 2, 4, 9, 10, 10, 9, 6, 2, 1, 0.5, 0.5, 0, 0)
NIGHT_HOURS: Final[Hours] = (10, 10, 9, 8, 5, 3, 1, 0.5, 0.3, 0.3, 0.5, 1, 1, 1, 1, 1, 1, 2, 2, 3, 4, 6, 8, 9)
"""Weight of each local hour for the start of a visit."""
CLASS_MAX: Final = 30


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of people; shares and rates are in [0, 1] unless said otherwise.

    Attributes:
        name: As in the labels.
        share: Of all accounts.
        rare: Whether a plan too small for one of them has none; of the other kinds every plan has somebody.
        tier: The platform's account tier; None for people without an account.
        active: Probability to come on a day.
        weekend: Probability to come on a Saturday or Sunday, as a share of `active`.
        visits: Mean visits on a day when they come.
        level_max: Highest activity of one of them, as a factor; nobody can read more than there are hours for.
        size: Pareto visits: fewest views, exponent, most views.
        taste: Beta distribution of the share of views of just anybody, against popular people.
        topic: Little-known people of one subject, another each day, who stand for anybody; 0 for no subject.
        returns: Beta distribution of the share of views of somebody seen before.
        friends: Share of views of own friends.
        searches: Searches per view.
        pages: Pages of results read of one search.
        hours: Weight of each local hour.
        phone: Share of visits by phone.
        furniture: Share whose client asks for what belongs to a page.
        vpn: Share of visits through a VPN.
        cookie: Share who, without an account, keep the cookie that names a session.
        imports: Whether they look up their address book.
        age_days: Youngest and oldest account at the plan's start.
    """

    name: str
    share: float = 0.0
    rare: bool = False
    tier: str | None = "free"
    active: float = 0.85
    weekend: float = 0.75
    visits: float = 2.6
    level_max: float = 4.0
    size: tuple[float, float, int] = (3.0, 1.3, 80)
    taste: tuple[float, float] = (1.3, 4.0)
    topic: int = 0
    returns: tuple[float, float] = (2.0, 4.0)
    friends: float = 0.35
    searches: float = 0.05
    pages: int = 1
    hours: Hours = DAY_HOURS
    phone: float = 0.5
    furniture: float = 0.993
    vpn: float = 0.0
    cookie: float = 0.0
    imports: bool = False
    age_days: tuple[int, int] = (30, 3_000)

    def count(self, people: int) -> int:
        """How many of so many accounts are of this kind."""
        return int(self.share * people) if self.rare else max(1, round(self.share * people))


REGULAR: Final = Kind("regular")
OTHER_KINDS: Final = (
    Kind("glancer", share=0.14, visits=9, size=(1.0, 3.0, 3), friends=0.6, phone=0.85),
    Kind(
        "sales",
        share=0.08,
        tier="premium",
        weekend=0.15,
        visits=4.0,
        size=(4.0, 1.3, 80),
        taste=(1.6, 3.0),
        searches=0.12,
        hours=WORK_HOURS,
        phone=0.3,
    ),
    Kind("night", share=0.04, weekend=1.0, hours=NIGHT_HOURS),
    Kind("vpn", share=0.03, phone=0.2, vpn=0.8),
    Kind("newcomer", share=0.02, returns=(1.0, 4.0), searches=0.15, age_days=(0, 6)),
    Kind(
        "importer", share=0.0125, rare=True, returns=(1.0, 4.0), friends=0.6, phone=0.9, imports=True, age_days=(0, 6)
    ),
    Kind(
        "recruiter",
        share=0.005,
        tier="recruiter",
        active=0.95,
        weekend=0.1,
        visits=5.5,
        level_max=1.8,
        size=(22.0, 1.5, 120),
        taste=(5.0, 2.0),
        returns=(1.0, 8.0),
        friends=0.02,
        searches=0.25,
        pages=5,
        hours=WORK_HOURS,
        phone=0.05,
    ),
    Kind(
        "journalist",
        share=0.004,
        rare=True,
        active=0.5,
        weekend=0.4,
        visits=2.0,
        size=(30.0, 1.5, 120),
        taste=(8.0, 2.0),
        topic=200,
        returns=(1.0, 14.0),
        friends=0.05,
        searches=0.08,
        pages=2,
        hours=AFTERNOON_HOURS,
        phone=0.1,
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
    cookie=0.6,
)


def counts(people: int, anonymous: int) -> dict[Kind, int]:
    """How many there are of each kind: accounts, most of them regular, then anonymous visitors."""
    sizes = {kind: kind.count(people) for kind in OTHER_KINDS}
    sizes[CLASS] = min(CLASS_MAX, people // 20)
    return {REGULAR: people - sum(sizes.values())} | sizes | {ANONYMOUS: anonymous}
