"""A start without any history, in the middle of a busy day: nobody is hurt, and what cannot be seen yet is said."""

from typing import Final

import pytest

from schemas.mode import Mode
from streams.config import parse
from streams.offline.replay import Replay, replay
from streams.offline.simulate import Plan, simulate
from streams.offline.simulate import write as write_day
from streams.offline.simulate.plan import SCRAPER_KINDS
from streams.offline.truth import Truth

PLAN: Final = Plan(
    seed=5,
    quiet_days=0.4,
    scraper_days=0.6,
    people=1_500,
    anonymous=500,
    members=60_000,
    other_ratio=0.5,
    scrapers=SCRAPER_KINDS,
)
ORDERED: Final = ("id_walk", "id_walks", "guessing", "stolen_session", "import_order", "metronome", "sweep_alphabet")
"""Kinds of scrapers that give themselves away without anybody to compare them with."""


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Replay:
    """The part of a day with scrapers in it, every detector enforced, by defaults that know nobody."""
    folder = tmp_path_factory.mktemp("cold")
    day = simulate(PLAN)
    write_day(day, folder)
    lines = (folder / "events.ndjson").read_bytes().splitlines(keepends=True)
    until = day.labels.quiet_until.encode()
    late = folder / "late.ndjson"
    late.write_bytes(b"".join(line for line in lines if line.partition(b'"@timestamp":"')[2][: len(until)] >= until))
    settings = parse("[detectors.long_tail]\nsearching_tiers = ['recruiter']\n")
    return replay([late], settings, mode=Mode.ENFORCE, truth=Truth(day.labels))


def test_nobody_is_hurt(judged: Replay) -> None:
    """No person is blocked or denied anything, and next to nobody is spoken of."""
    own = [one for one in judged.report.people if one.kind not in ("collector", "search_bot")]
    assert sum(max(one.blocked, one.denied) for one in own) == 0
    assert sum(one.alerted for one in own) <= 3


def test_order_is_seen_at_once(judged: Replay) -> None:
    """Walks, guesses, thieves and clocks are blocked all the same."""
    ordered = [one for one in judged.report.scrapers if one.kind in ORDERED]
    assert len(ordered) > 10
    assert [one.id for one in ordered if one.found and not one.blocked] == []
    assert sum(one.blocked for one in ordered) >= 0.8 * len(ordered)


def test_what_cannot_be_seen_is_said(judged: Replay) -> None:
    """The report names the detectors that have yet to learn, and that the sum over all is not fitted."""
    blind = " ".join(judged.report.blind)
    assert all(name in blind for name in ("long_tail", "cohort", "bare_view"))


def test_reasons_are_said_once(judged: Replay) -> None:
    """However many detectors stand behind a block, its reason says no sentence twice."""
    sentences = [block.reason.split("; ") for block in judged.blocks]
    assert any(len(block.detectors) > 1 for block in judged.blocks)
    assert all(len(said) == len(set(said)) for said in sentences)
