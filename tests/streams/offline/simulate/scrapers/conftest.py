"""Scrapers of every kind in the small world, for all tests that only look at them."""

from dataclasses import replace

import pytest

from streams.offline.simulate import PRESETS
from streams.offline.simulate.plan import SCRAPER_KINDS
from streams.offline.simulate.scrapers import Scraper, scrapers
from streams.offline.simulate.world import World


@pytest.fixture(scope="session")
def everyone() -> World:
    """The world of the small preset with every kind of scraper."""
    return World.of(replace(PRESETS["small"], scrapers=SCRAPER_KINDS))


@pytest.fixture(scope="session")
def found(everyone: World) -> dict[str, Scraper]:
    """Its scrapers by id."""
    return {scraper.id: scraper for scraper in scrapers(everyone)}
