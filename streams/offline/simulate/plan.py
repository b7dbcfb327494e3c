"""What to simulate: everything a day depends on, so that the same plan gives the same bytes."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np

from schemas.errors import UsageError

DAY_MS: Final = 86_400_000
HOUR_MS: Final = 3_600_000
MINUTE_MS: Final = 60_000
START: Final = datetime(2026, 11, 24, tzinfo=UTC)
USUAL_SCRAPERS: Final = ("burst", "low_and_slow", "fleet", "id_walk")
"""One kind for each of the detectors that need no learning, and one that hides from them."""
SCRAPER_KINDS: Final = (
    *USUAL_SCRAPERS,
    "unpopular",
    "mixed",
    "id_walks",
    "guessing",
    "fleets",
    "fleet_common",
    "one_shot",
    "farm_net",
    "farm_scattered",
    "farm_furnished",
    "stolen_session",
    "import_order",
    "import_block",
    "import_random",
    "sweep_alphabet",
    "sweep_surname",
    "graph_walk",
    "new_account",
    "metronome",
    "headless",
    "canary_toucher",
    "farm_aged",
)
"""Every kind; the place decides which addresses a kind rents, so a new one comes last."""


@dataclass(frozen=True, slots=True)
class Plan:
    """People and scrapers of a simulated time, and the seed of all that is random in it.

    Attributes:
        seed: Not negative.
        start: First instant, aware of its zone; nothing is taken from the clock.
        quiet_days: Days without scrapers that come first; 0 or more, fractions allowed.
        scraper_days: Days with scrapers that follow; 0 or more.
        people: Accounts of honest people, 40 or more.
        anonymous: Visitors who never log in.
        members: Profiles in the member base, 1,000 or more.
        popularity_exponent: Of Zipf's law over the members; 0 makes all equally popular.
        scrapers: Kinds out of `SCRAPER_KINDS`, each at most once.
        other_ratio: Requests for assets and calls beside each view of a person.
        moving: Whether people with accounts travel, have homes of two families, a relay, updates and new devices.
        route: Whether requests carry ``http.route``; about half of all deployments have none.

    Raises:
        UsageError: A value lies outside its range.
    """

    seed: int = 1
    start: datetime = START
    quiet_days: float = 1.0
    scraper_days: float = 1.0
    people: int = 2_000
    anonymous: int = 800
    members: int = 20_000
    popularity_exponent: float = 0.95
    scrapers: tuple[str, ...] = USUAL_SCRAPERS
    other_ratio: float = 1.0
    moving: bool = False
    route: bool = True

    def __post_init__(self) -> None:
        """Refuses what cannot be simulated."""
        self._require(self.seed >= 0, "seed", "0 or more")
        self._require(self.start.tzinfo is not None, "start", "a time with a zone")
        self._require(0 <= self.quiet_days <= 366, "quiet_days", "0 to 366")
        self._require(0 <= self.scraper_days <= 366, "scraper_days", "0 to 366")
        self._require(self.end_ms > 0, "quiet_days and scraper_days", "more than 0 together")
        self._require(40 <= self.people <= 1_000_000, "people", "40 to 1,000,000")
        self._require(0 <= self.anonymous <= 1_000_000, "anonymous", "0 to 1,000,000")
        self._require(1_000 <= self.members <= 100_000_000, "members", "1,000 to 100,000,000")
        self._require(0 <= self.popularity_exponent <= 3, "popularity_exponent", "0 to 3")
        self._require(0 <= self.other_ratio <= 100, "other_ratio", "0 to 100")
        known = set(self.scrapers) <= set(SCRAPER_KINDS) and len(set(self.scrapers)) == len(self.scrapers)
        self._require(known, "scrapers", f"each at most once out of {', '.join(SCRAPER_KINDS)}")

    @staticmethod
    def _require(holds: bool, name: str, wanted: str) -> None:
        if not holds:
            raise UsageError(f"{name}: must be {wanted}")

    @property
    def quiet_ms(self) -> int:
        """Length of the time without scrapers, in ms."""
        return round(self.quiet_days * DAY_MS)

    @property
    def end_ms(self) -> int:
        """Length of the whole time, in ms; no request comes at or after it."""
        return self.quiet_ms + round(self.scraper_days * DAY_MS)

    @property
    def calendar_days(self) -> int:
        """Days begun."""
        return -(-self.end_ms // DAY_MS)

    @property
    def start_ms(self) -> int:
        """Start in ms since 1970 UTC."""
        return round(self.start.timestamp() * 1_000)

    def at_ms(self, day: int, utc_hour: int) -> int:
        """When an hour of UTC comes in the 24 h from a day's begin, in ms since the start."""
        return day * DAY_MS + (utc_hour * HOUR_MS - self.start_ms) % DAY_MS

    def rng(self, part: str) -> np.random.Generator:
        """The generator of one named part: the other parts' numbers do not depend on how much it draws."""
        return np.random.default_rng([self.seed, *part.encode()])


PRESETS: Final[dict[str, Plan]] = {
    "small": Plan(people=160, anonymous=80, members=6_000),
    "demo": Plan(),
    "day": Plan(people=20_000, anonymous=8_000, members=200_000, scrapers=SCRAPER_KINDS, moving=True),
    "evaluate": Plan(
        people=20_000, anonymous=8_000, members=200_000, quiet_days=3.0, scrapers=SCRAPER_KINDS, moving=True
    ),
}
