"""What a replay found, as ``report.json`` and as a table."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Table

from schemas.alert import Alert
from schemas.block import Block, BlockStatus
from schemas.event_time import format_time
from streams.offline.truth import PeopleResult, ScraperResult
from streams.pipeline.observe.observer import Counts

_TURNOVER: Final = ("forgotten", "put_to_sleep", "woken", "evicted")


class Report(msgspec.Struct, kw_only=True):
    """One replay."""

    config: str
    model: str
    """Name of the newest model."""
    events: int = 0
    outcomes: dict[str, int] = msgspec.field(default_factory=dict)
    """Records by what came of them: disclosed, missed, asked, denied (as recorded), other,
    exempt, dead; skipped, if there were any, which tell of no request."""
    formats: dict[str, int] = msgspec.field(default_factory=dict)
    """Events by the format that they came in, where that is not the canonical one for all."""
    databases: dict[str, str] = msgspec.field(default_factory=dict)
    """Kind and day of the files of ``[enrich]``: with others the same requests may be judged otherwise."""
    requests_denied: int = 0
    """Requests on surfaces that blocks of this replay denied."""
    profiles: int = 0
    """Profiles disclosed by the responses as recorded; a profile counts once a response."""
    late: int = 0
    caution: dict[str, int] = msgspec.field(default_factory=dict)
    """What was cut, refused or forgotten, by reason: see `Counts.caution` and `Assessor.caution`."""
    actors: int = 0
    """Remembered at the end."""
    memory: dict[str, int] = msgspec.field(default_factory=dict)
    """What is held of actors at the end, and how many were forgotten, put to sleep, woken and evicted."""
    alerts: dict[str, int] = msgspec.field(default_factory=dict)
    """By status."""
    blocks: dict[str, int] = msgspec.field(default_factory=dict)
    """By scope, action and mode."""
    brakes: list[str] = msgspec.field(default_factory=list)
    """Each time that one was tripped or let go: when, which, and why."""
    incidents: int = 0
    exposure_before_block: int = 0
    """Profiles disclosed to blocked actors when their first block was decided, over all incidents."""
    event_time_first: str | None = None
    event_time_last: str | None = None
    wall_s: float = 0.0
    events_per_s: float = 0.0
    scrapers: list[ScraperResult] = msgspec.field(default_factory=list)
    people: list[PeopleResult] = msgspec.field(default_factory=list)
    blind: list[str] = msgspec.field(default_factory=list)
    """What could not be seen yet at the end, and why."""

    def count(self, counts: Counts) -> None:
        """Add one batch."""
        self.events += counts.records
        self.profiles += counts.profiles
        self.warn(counts.caution())
        for outcome in ("disclosed", "missed", "asked", "denied", "other", "exempt", "dead"):
            self.outcomes[outcome] = self.outcomes.get(outcome, 0) + getattr(counts, outcome)
        if counts.skipped:
            self.outcomes["skipped"] = self.outcomes.get("skipped", 0) + counts.skipped

    def read_as(self, formats: Mapping[str, int]) -> None:
        """Add the formats of one batch."""
        for name, count in formats.items():
            self.formats[name] = self.formats.get(name, 0) + count

    def warn(self, caution: Mapping[str, int]) -> None:
        """Add what was cut, refused or forgotten."""
        for reason, count in caution.items():
            self.caution[reason] = self.caution.get(reason, 0) + count

    def decided(self, alerts: Iterable[Alert], blocks: Iterable[Block]) -> None:
        """Add all decisions."""
        self.alerts = dict(sorted(Counter(alert.status.value for alert in alerts).items()))
        self.blocks = dict(sorted(Counter(map(_sort_of, blocks)).items()))

    def span(self, first_us: int, last_us: int) -> None:
        """Event time from the first to the last event."""
        self.event_time_first, self.event_time_last = format_time(first_us), format_time(last_us)

    @property
    def people_hurt(self) -> int:
        """People blocked, or denied a request."""
        return sum(max(one.blocked, one.denied) for one in self.people)

    @property
    def people_alerted(self) -> int:
        """People on whom there was an alert."""
        return sum(one.alerted for one in self.people)


def _sort_of(block: Block) -> str:
    """What blocks are counted by; one that was taken back is told apart by that, not by its mode."""
    how = block.mode if block.status is BlockStatus.ACTIVE else block.status
    return f"{block.actor.scope} {block.action.value} {how.value}"


def show(report: Report, console: Console) -> None:
    """Print the report as tables."""
    console.print(_summary(report))
    if report.blind:
        console.print(f"cannot see yet: {_blind(report.blind)}", highlight=False)
    if report.scrapers:
        console.print(scraper_table(report.scrapers))
    if report.people:
        console.print(people_table(report.people))
        console.print(f"people hurt: {report.people_hurt}; people alerted on: {report.people_alerted}", highlight=False)


def _blind(lines: Iterable[str]) -> str:
    """Those that are blind for the same reason together."""
    by_reason: dict[str, list[str]] = {}
    for line in lines:
        who, _, why = line.partition(": ")
        by_reason.setdefault(why, []).append(who)
    return "; ".join(f"{', '.join(who)} ({why})" for why, who in by_reason.items())


def _summary(report: Report) -> Table:
    table = Table(show_header=False, box=None)
    outcomes = ", ".join(f"{count:,} {name}" for name, count in report.outcomes.items() if count)
    rows = {
        "events": f"{report.events:,} ({outcomes})" if outcomes else f"{report.events:,}",
        "event time": f"{report.event_time_first} to {report.event_time_last}" if report.event_time_first else "none",
        "actors": f"{report.actors:,}{_turnover(report.memory)}",
        "profiles disclosed": f"{report.profiles:,}",
        "caution": _counted(report.caution, report.caution) or "none",
        "alerts": ", ".join(f"{count:,} {status}" for status, count in report.alerts.items()) or "none",
        "blocks": ", ".join(f"{count:,} {kind}" for kind, count in report.blocks.items()) or "none",
        "exposure before block": f"{report.exposure_before_block:,} profiles",
        "requests denied": f"{report.requests_denied:,}",
        "model, config": f"{report.model}, {report.config}",
        "speed": f"{report.events_per_s:,.0f} events/s, {report.wall_s:.1f} s",
    }
    if report.databases:
        rows["looked up in"] = ", ".join(report.databases.values())
    if report.brakes:
        rows["brakes"] = "\n".join(report.brakes)
    if report.formats:
        rows["read as"] = _counted(report.formats, report.formats)
    for name, text in rows.items():
        table.add_row(name, text)
    return table


def _turnover(memory: Mapping[str, int]) -> str:
    gone = _counted(memory, _TURNOVER)
    return f" ({gone})" if gone else ""


def _counted(counts: Mapping[str, int], names: Iterable[str]) -> str:
    return ", ".join(f"{counts[name]:,} {name.replace('_', ' ')}" for name in names if counts.get(name))


def scraper_table(scrapers: Iterable[ScraperResult]) -> Table:
    """A row a scraper."""
    table = Table("scraper", "found", "answer", "leaked", "of", "to alert", "to block", box=None)
    for one in scrapers:
        table.add_row(
            one.id,
            "yes" if one.found else "no",
            "block" if one.blocked else "challenge" if one.challenged else "-",
            f"{one.leaked:,}",
            f"{one.profiles:,}",
            duration(one.time_to_alert_s),
            duration(one.time_to_block_s),
        )
    return table


def people_table(people: Iterable[PeopleResult]) -> Table:
    """A row a kind of people."""
    table = Table("people", "number", "alerted", "in shadow", "challenged", "blocked", "denied", box=None)
    for one in people:
        counts = (one.people, one.alerted, one.shadowed, one.challenged, one.blocked, one.denied)
        table.add_row(one.kind, *(f"{n:,}" for n in counts))
    return table


def duration(seconds: float | None) -> str:
    """For a table: minutes below two hours, else hours; a dash for None."""
    if seconds is None:
        return "-"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
