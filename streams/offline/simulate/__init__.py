"""A labelled synthetic time of a social platform, with people and scrapers in it.

`simulate` makes it, `write` puts it into ``events.ndjson`` and ``labels.json``. The same plan makes the same bytes with
the same version of numpy; every kind of people and of scraper draws from a generator of its own, so that leaving a
scraper out changes nothing else.
"""

from streams.offline.simulate.day import Day, simulate, write
from streams.offline.simulate.labels import Labels, PeopleLabel, ScraperLabel
from streams.offline.simulate.plan import PRESETS, Plan

__all__ = ["PRESETS", "Day", "Labels", "PeopleLabel", "Plan", "ScraperLabel", "simulate", "write"]
