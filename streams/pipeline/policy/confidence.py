"""Confidence: how often evidence of this strength turned out to be a scraper."""

from math import exp
from typing import Final

SLOPE: Final = 12.0
MIDDLE: Final = 1.0
"""Logistic curve over the level, fitted to 592 incidents of two labelled simulated days (tests/evaluate).

It holds where one principal in some hundreds scrapes, as on those days; with fewer scrapers it promises too much.
"""


def probability(level: float) -> float:
    """Probability that an incident is a scraper's, by its strongest evidence as a share of what an alert needs."""
    return 1.0 / (1.0 + exp(-SLOPE * (min(level, 10.0) - MIDDLE)))
