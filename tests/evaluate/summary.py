"""Several days in one summary: JSON for a program, Markdown for a person."""

from collections.abc import Iterable, Sequence
from statistics import median

import msgspec

from streams.config import revision
from streams.offline.report import duration
from streams.settings import Settings
from tests.evaluate.figures import (
    FalseAlarms,
    Outcome,
    PeopleRow,
    Reliability,
    Run,
    ScraperRow,
    false_alarms,
    judged,
    outcome,
    people_rows,
    reliability,
    scraper_rows,
)
from tests.table import markdown


class Summary(msgspec.Struct, frozen=True):
    """All figures; lists a seed are in the order of `seeds`."""

    seeds: list[int]
    days: float
    """Of each recording."""
    config: str
    events: list[int]
    events_per_s: list[float]
    peak_bytes: list[int]
    outcome: Outcome
    scrapers: list[ScraperRow]
    people: list[PeopleRow]
    false_alarms: list[FalseAlarms]
    reliability: Reliability
    ablation: list[Outcome]
    """A row a detector that was off; empty when it was not asked for."""


def summary_of(runs: Sequence[Run], settings: Settings, ablation: Sequence[Outcome] = ()) -> Summary:
    """The figures of at least one day."""
    return Summary(
        seeds=[run.seed for run in runs],
        days=runs[0].days,
        config=revision(settings),
        events=[run.report.events for run in runs],
        events_per_s=[run.report.events_per_s for run in runs],
        peak_bytes=[run.peak_bytes for run in runs],
        outcome=outcome(runs),
        scrapers=scraper_rows(runs),
        people=people_rows(runs),
        false_alarms=false_alarms(runs, settings),
        reliability=reliability(judged(runs)),
        ablation=list(ablation),
    )


def text_of(summary: Summary) -> str:
    """The summary as Markdown."""
    parts = [
        _head(summary),
        _leaks(summary.scrapers),
        _answers(summary.scrapers, len(summary.seeds)),
        _people(summary.people),
        _false_alarms(summary.false_alarms),
        _reliability(summary.reliability),
        *([_ablation([summary.outcome, *summary.ablation])] if summary.ablation else []),
    ]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _head(summary: Summary) -> list[str]:
    all_, speed, most = summary.outcome, median(summary.events_per_s), max(summary.peak_bytes) / 1e6
    return [
        f"# Seeds {_series(summary.seeds)}, {summary.days:g} days each",
        "",
        f"{all_.found} of {all_.scrapers} scrapers found, {all_.blocked} blocked; they got {all_.leaked:,} profiles.",
        f"People alerted on: {all_.people_alerted}; hurt: {all_.people_hurt}.",
        f"{sum(summary.events):,} events, {speed:,.0f} a second (median), at most {most:,.0f} MB of memory.",
        f"Config {summary.config}.",
    ]


def _leaks(rows: Iterable[ScraperRow]) -> list[str]:
    head = ("scraper", "of", "before alert", "before challenge or block", "before block", "in all", "rate")
    cells = [
        (
            row.id,
            _span(row.profiles),
            _span(row.leaked_before_alert),
            _span(row.leaked_before_stop),
            _span(row.leaked_before_block),
            _span(row.leaked),
            row.rate,
        )
        for row in rows
    ]
    return [
        "## Profiles leaked to each scraper",
        "",
        "Distinct ones, with what the deciding request disclosed; all that it got where there was no such decision.",
        "",
        *markdown(head, cells),
    ]


def _answers(rows: Iterable[ScraperRow], days: int) -> list[str]:
    head = ("scraper", "found", "challenged", "blocked", "to alert", "to block", "by")
    cells = [
        (
            row.id,
            f"{row.found}/{days}",
            f"{row.challenged}/{days}",
            f"{row.blocked}/{days}",
            _middle(row.to_alert_s),
            _middle(row.to_block_s),
            ", ".join(name if count == days else f"{name} ({count})" for name, count in row.detectors.items()) or "-",
        )
        for row in rows
    ]
    return ["## What each scraper was answered with, and by which detectors it was found", "", *markdown(head, cells)]


def _people(rows: Sequence[PeopleRow]) -> list[str]:
    head = (
        "people",
        "number",
        "alerted",
        "challenged",
        "blocked",
        "denied",
        "alerted a person-day",
        "hurt a person-day",
    )
    cells = [
        (
            row.kind,
            f"{row.people:,}",
            f"{row.alerted:,}",
            f"{row.challenged:,}",
            f"{row.blocked:,}",
            f"{row.denied:,}",
            f"{row.alerted_per_person_day:.1e}",
            f"{row.hurt_per_person_day:.1e}",
        )
        for row in rows
    ]
    return ["## People", "", *markdown(head, cells)]


def _false_alarms(rows: Iterable[FalseAlarms]) -> list[str]:
    cells = [(row.what, "-" if row.promised is None else f"{row.promised:g}", f"{row.observed:.2f}") for row in rows]
    return [
        "## Honest actors a day: alerted on, blocked, and with a finding of each detector",
        "",
        *markdown(("by", "promised", "observed"), cells),
    ]


def _reliability(found: Reliability) -> list[str]:
    cells = [
        (f"{one.low:.1f} to {one.low + 0.1:.1f}", f"{one.incidents:,}", f"{one.confidence:.2f}", f"{one.right:.2f}")
        for one in found.bins
    ]
    head = ("confidence", "incidents", "mean", "concerned scrapers")
    return ["## Confidence", "", *markdown(head, cells), "", f"Expected calibration error: {found.error:.3f}."]


def _ablation(rows: Iterable[Outcome]) -> list[str]:
    head = ("without", "found", "blocked", "leaked", "people alerted", "people hurt")
    cells = [
        (
            row.without or "(nothing)",
            f"{row.found}/{row.scrapers}",
            f"{row.blocked}/{row.scrapers}",
            f"{row.leaked:,}",
            f"{row.people_alerted:,}",
            f"{row.people_hurt:,}",
        )
        for row in rows
    ]
    return ["## Each detector off in turn", "", *markdown(head, cells)]


def _series(numbers: Iterable[int]) -> str:
    return " / ".join(f"{number:,}" for number in numbers)


def _span(numbers: Sequence[int]) -> str:
    """From the least to the most, one number where both are the same."""
    least, most = min(numbers), max(numbers)
    return f"{least:,}" if least == most else f"{least:,}-{most:,}"


def _middle(seconds: Iterable[float | None]) -> str:
    known = [each for each in seconds if each is not None]
    return duration(median(known) if known else None)
