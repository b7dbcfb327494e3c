"""One small simulated time for all tests that only look at it."""

import pytest

from streams.offline.simulate import PRESETS, Day, simulate
from streams.offline.simulate.world import World


@pytest.fixture(scope="session")
def small() -> Day:
    """A quiet day and a day with every kind of scraper."""
    return simulate(PRESETS["small"])


@pytest.fixture(scope="session")
def world() -> World:
    """The world of the small preset."""
    return World.of(PRESETS["small"])
