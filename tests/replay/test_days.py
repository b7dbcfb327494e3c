"""Small labelled days with every kind of scraper, and what became of each: files that a person can review.

A change that moves a figure shows as a changed line of `golden/`. ``WEIR_GOLDEN=write make test ARGS=tests/replay``
writes the files anew; look at the difference before it is kept.
"""

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest

from schemas.incident import Incident
from streams.config import parse
from streams.offline.replay import replay
from streams.offline.report import Report
from streams.offline.simulate import Plan, simulate
from streams.offline.simulate import write as write_day
from streams.offline.simulate.plan import SCRAPER_KINDS
from streams.offline.truth import PeopleResult, Truth
from tests.evaluate.figures import concerned, found_by, owners, reliability
from tests.table import aligned

FOLDER: Final = Path(__file__).with_name("golden")
SETTINGS: Final = parse(Path(__file__).with_name("days.toml").read_text(encoding="utf-8"))
WRITES: Final = os.environ.get("WEIR_GOLDEN") == "write"
SEEDS: Final = (1, 2)
EASY: Final = ("burst-1", "id_walk-1")
"""Scrapers that no change may let go."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a replay said, and the same as text."""

    report: Report
    text: str
    incidents: list[Incident]
    owners: dict[str, str]


@cache
def told(seed: int) -> Told:
    """The day of a seed: half a quiet day, then half a day with scrapers."""
    plan = Plan(
        seed=seed,
        quiet_days=0.5,
        scraper_days=0.5,
        people=300,
        anonymous=100,
        members=8_000,
        other_ratio=0.2,
        scrapers=SCRAPER_KINDS,
    )
    day = simulate(plan)
    with TemporaryDirectory() as folder:
        write_day(day, Path(folder))
        done = replay([Path(folder) / "events.ndjson"], SETTINGS, truth=Truth(day.labels))
    known = owners(day.labels)
    return Told(done.report, text_of(done.report, found_by(done.incidents, known)), done.incidents, known)


def text_of(report: Report, by: dict[str, set[str]]) -> str:
    """A line a scraper and a line a kind of people; profiles to two digits, so that a few more or less do not show."""
    scrapers = [
        (
            one.id,
            "yes" if one.found else "-",
            "yes" if one.blocked else "-",
            rounded(one.leaked),
            rounded(one.profiles),
        )
        for one in report.scrapers
    ]
    detectors = [" ".join(sorted(by.get(one.id, ()))) or "-" for one in report.scrapers]
    people = [(one.kind, *map(str, (one.people, one.alerted, hurt(one)))) for one in report.people]
    numbers = aligned(("scraper", "found", "blocked", "leaked", "of"), scrapers)
    lines = [f"{line}  {names}" for line, names in zip(numbers, ["by", *detectors], strict=True)]
    parts = [*lines, "", *aligned(("people", "number", "alerted", "hurt"), people), ""]
    return "\n".join([*parts, f"people alerted on: {report.people_alerted}; hurt: {report.people_hurt}", ""])


def rounded(count: int) -> str:
    """To two digits."""
    return str(int(float(f"{count:.1e}")))


def hurt(one: PeopleResult) -> int:
    """Blocked, or denied a request."""
    return max(one.blocked, one.denied)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_day_ends_as_it_did(seed: int) -> None:
    """Who was found, who was stopped, what leaked, who was hurt: as the file says."""
    file = FOLDER / f"{seed}.txt"
    if WRITES:
        FOLDER.mkdir(exist_ok=True)
        file.write_text(told(seed).text, encoding="utf-8")
    assert told(seed).text.splitlines() == file.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("seed", SEEDS)
def test_what_no_golden_file_may_change(seed: int) -> None:
    """The plain scrapers are blocked before they have half of what they want, and hardly anybody is hurt."""
    report = told(seed).report
    easy = [one for one in report.scrapers if one.id in EASY]
    assert [one.id for one in easy] == list(EASY)
    assert all(one.blocked and one.leaked < one.profiles / 2 for one in easy)
    assert report.people_hurt <= 0.01 * sum(one.people for one in report.people)


def test_every_file_is_compared() -> None:
    """None is left over."""
    assert {file.name for file in FOLDER.iterdir()} == {f"{seed}.txt" for seed in SEEDS}


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0"), (7, "7"), (99, "99"), (994, "990"), (1_450, "1400"), (1_460, "1500")]
)
def test_rounded(count: int, text: str) -> None:
    """Two digits, the rest zeros."""
    assert rounded(count) == text


def test_confidence_is_a_probability() -> None:
    """Of incidents together, as many are scrapers' as their confidences promise: the table of both is nearly a line."""
    days = [told(seed) for seed in SEEDS]
    table = reliability((one.confidence, bool(concerned(one, day.owners))) for day in days for one in day.incidents)
    assert sum(each.incidents for each in table.bins) > 50
    assert table.error < 0.1
