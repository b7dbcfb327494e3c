from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.errors import UsageError
from streams.offline.simulate.plan import DAY_MS, HOUR_MS, PRESETS, SCRAPER_KINDS, USUAL_SCRAPERS, Plan


@pytest.mark.parametrize(
    ("name", "refused", "taken"),
    [
        ("seed", -1, 0),
        ("quiet_days", -0.1, 0.0),
        ("quiet_days", 366.1, 366.0),
        ("quiet_days", float("nan"), 0.5),
        ("scraper_days", -0.1, 0.0),
        ("people", 39, 40),
        ("people", 1_000_001, 1_000_000),
        ("anonymous", -1, 0),
        ("members", 999, 1_000),
        ("popularity_exponent", -0.1, 0.0),
        ("popularity_exponent", 3.1, 3.0),
        ("other_ratio", -0.1, 0.0),
        ("start", datetime(2026, 11, 24), datetime(2026, 11, 24, tzinfo=UTC)),  # noqa: DTZ001 - what is refused
        ("scrapers", ("fleet", "fleet"), ("fleet",)),
        ("scrapers", ("swarm",), ()),
        ("scrapers", (*SCRAPER_KINDS, "all"), SCRAPER_KINDS),
    ],
)
def test_limits(name: str, refused: Any, taken: Any) -> None:
    """Each value is refused beyond its limit, with its name, and taken at it."""
    with pytest.raises(UsageError, match=f"^{name}: must be "):
        replace(Plan(), **{name: refused})
    assert getattr(replace(Plan(), **{name: taken}), name) == taken


def test_no_time_at_all() -> None:
    """A plan without any time is refused."""
    with pytest.raises(UsageError, match="quiet_days and scraper_days"):
        Plan(quiet_days=0, scraper_days=0)


def test_fractions_of_days() -> None:
    """Fractional days count to the millisecond, and every day begun is one to live through."""
    plan = Plan(quiet_days=0.5, scraper_days=0.75)
    assert plan.quiet_ms == DAY_MS // 2
    assert plan.end_ms == DAY_MS * 5 // 4
    assert plan.calendar_days == 2
    assert Plan(quiet_days=1, scraper_days=1).calendar_days == 2


def test_hours_are_of_the_clock_on_the_wall() -> None:
    """An hour of UTC is found whatever hour the plan starts at."""
    assert Plan().at_ms(1, 19) == DAY_MS + 19 * HOUR_MS
    from_noon = replace(Plan(), start=datetime(2026, 11, 24, 12, tzinfo=UTC))
    assert from_noon.at_ms(0, 19) == 7 * HOUR_MS
    assert from_noon.at_ms(0, 9) == 21 * HOUR_MS


def test_generators_of_parts() -> None:
    """A part's numbers depend on seed and name alone."""
    plan = Plan(seed=5)
    first = plan.rng("fleet").random(4).tolist()
    plan.rng("burst").random(1_000)
    assert plan.rng("fleet").random(4).tolist() == first
    assert plan.rng("burst").random(4).tolist() != first
    assert Plan(seed=6).rng("fleet").random(4).tolist() != first


def test_presets_grow() -> None:
    """Small is for tests, demo is larger, day is the largest."""
    assert PRESETS["small"].people < PRESETS["demo"].people < PRESETS["day"].people


def test_which_presets_have_all_scrapers() -> None:
    """The small ones have the usual four kinds, those for judging have all of them, on one day."""
    assert PRESETS["small"].scrapers == PRESETS["demo"].scrapers == Plan().scrapers == USUAL_SCRAPERS
    assert PRESETS["day"].scrapers == PRESETS["evaluate"].scrapers == SCRAPER_KINDS
    assert USUAL_SCRAPERS == ("burst", "low_and_slow", "fleet", "id_walk")


def test_the_preset_to_judge_by() -> None:
    """Three quiet days and one with scrapers, among 20,000 people."""
    plan = PRESETS["evaluate"]
    assert (plan.quiet_ms, plan.end_ms) == (3 * DAY_MS, 4 * DAY_MS)
    assert (plan.people, plan.anonymous, plan.members) == (20_000, 8_000, 200_000)
