"""What the replays of several labelled days say together; functions of their arguments and nothing else."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import msgspec

from schemas.actor import Scope
from schemas.event_time import parse_time_us
from schemas.incident import Incident
from streams.offline.report import Report
from streams.offline.simulate.labels import Labels
from streams.offline.truth import PeopleResult, ScraperResult, actors_of
from streams.settings import Settings

DAY_US: Final = 86_400_000_000
BINS: Final = 10
ALERTED: Final = "alerted"
BLOCKED: Final = "blocked"
GROUPS: Final = "group alerted"
"""Nets, ASNs and fingerprints: the sum says nothing of them, and its budgets promise nothing."""
PRINCIPALS: Final = frozenset({Scope.ACCOUNT.label, Scope.SESSION.label, Scope.IP.label})

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Run:
    """One labelled day and what a replay made of it."""

    seed: int
    report: Report
    incidents: list[Incident]
    labels: Labels
    peak_bytes: int
    """Most memory that the process of the replay held."""

    @property
    def days(self) -> float:
        """Length of the recording."""
        return (parse_time_us(self.labels.end) - parse_time_us(self.labels.start)) / DAY_US


class ScraperRow(msgspec.Struct, frozen=True):
    """One scraper over all days; lists hold an entry a day, None where it was not found or blocked."""

    id: str
    rate: str
    profiles: list[int]
    """What it takes if nobody stops it."""
    leaked: list[int]
    """What it got in all."""
    leaked_before_alert: list[int]
    """Up to the request that led to the first alert, which is counted too, as in those that follow."""
    leaked_before_stop: list[int]
    """Up to the first challenge or block, whichever came first."""
    leaked_before_block: list[int]
    found: int
    """Days on which it was."""
    challenged: int
    blocked: int
    to_alert_s: list[float | None]
    to_block_s: list[float | None]
    detectors: dict[str, int]
    """Days on which each detector found it."""


class PeopleRow(msgspec.Struct, frozen=True):
    """Honest people of one kind over all days."""

    kind: str
    people: int
    """Summed over the days."""
    alerted: int
    challenged: int
    blocked: int
    denied: int
    alerted_per_person_day: float
    hurt_per_person_day: float


class FalseAlarms(msgspec.Struct, frozen=True):
    """Honest actors a day, once the model had learned."""

    what: str
    """Principals `ALERTED` on or `BLOCKED` by anything, `GROUPS` alerted on, else the detector with a finding."""
    promised: float | None
    """The budget; None where there is no promise."""
    observed: float


class Bin(msgspec.Struct, frozen=True):
    """Incidents of a confidence in [low, low + 0.1), the last bin closed."""

    low: float
    incidents: int
    confidence: float
    """Mean."""
    right: float
    """Share that concerned scrapers."""


class Reliability(msgspec.Struct, frozen=True):
    """Whether a confidence of 0.9 is right nine times out of ten."""

    bins: list[Bin]
    """Those that hold incidents."""
    error: float
    """Expected calibration error: mean distance of confidence and share that was right, weighted by incidents."""


class Outcome(msgspec.Struct, frozen=True):
    """All days together under some settings, for comparing detectors."""

    without: str
    """The detector that was off; empty for none."""
    scrapers: int
    found: int
    blocked: int
    leaked: int
    people_alerted: int
    people_hurt: int


def owners(labels: Labels) -> dict[str, str]:
    """The scraper's id by the key of each actor that is its alone, and of each account that it uses too."""
    stolen = {f"account:{account}": scraper.id for scraper in labels.scrapers for account in scraper.stolen}
    return stolen | {actor: scraper.id for scraper in labels.scrapers for actor in actors_of(scraper)}


def concerned(incident: Incident, owner: Mapping[str, str]) -> set[str]:
    """Scrapers that an incident concerns: its actor's, or those of most of the members that it names."""
    if incident.actor.key in owner:
        return {owner[incident.actor.key]}
    keys = [member.key for member in incident.members.sample]
    found = [owner[key] for key in keys if key in owner]
    return set(found) if 2 * len(found) > len(keys) else set()


def found_by(incidents: Iterable[Incident], owner: Mapping[str, str]) -> dict[str, set[str]]:
    """Detectors with a finding on it, by scraper."""
    found: dict[str, set[str]] = {}
    for incident in incidents:
        for scraper in concerned(incident, owner):
            found.setdefault(scraper, set()).update(finding.detector for finding in incident.findings)
    return found


def scraper_rows(runs: Sequence[Run]) -> list[ScraperRow]:
    """A row a scraper, in the order of the labels."""
    rates = {label.id: label.rate for run in runs for label in run.labels.scrapers}
    results = _grouped((one.id, one) for run in runs for one in run.report.scrapers)
    by = [found_by(run.incidents, owners(run.labels)) for run in runs]
    return [_scraper_row(rates[name], days, [found.get(name, set()) for found in by]) for name, days in results.items()]


def _scraper_row(rate: str, days: Sequence[ScraperResult], by: Iterable[set[str]]) -> ScraperRow:
    return ScraperRow(
        id=days[0].id,
        rate=rate,
        profiles=[day.profiles for day in days],
        leaked=[day.leaked for day in days],
        leaked_before_alert=[day.leaked_before_alert for day in days],
        leaked_before_stop=[day.leaked_before_stop for day in days],
        leaked_before_block=[day.leaked_before_block for day in days],
        found=sum(day.found for day in days),
        challenged=sum(day.challenged for day in days),
        blocked=sum(day.blocked for day in days),
        to_alert_s=[day.time_to_alert_s for day in days],
        to_block_s=[day.time_to_block_s for day in days],
        detectors=dict(sorted(Counter(name for names in by for name in names).items())),
    )


def people_rows(runs: Sequence[Run]) -> list[PeopleRow]:
    """A row a kind of people, in the order of the labels."""
    results = _grouped((one.kind, (one, run.days)) for run in runs for one in run.report.people)
    return [_people_row(kind, found) for kind, found in results.items()]


def _people_row(kind: str, found: Sequence[tuple[PeopleResult, float]]) -> PeopleRow:
    person_days = sum(one.people * days for one, days in found)
    alerted = sum(one.alerted for one, _ in found)
    hurt = sum(max(one.blocked, one.denied) for one, _ in found)
    return PeopleRow(
        kind=kind,
        people=sum(one.people for one, _ in found),
        alerted=alerted,
        challenged=sum(one.challenged for one, _ in found),
        blocked=sum(one.blocked for one, _ in found),
        denied=sum(one.denied for one, _ in found),
        alerted_per_person_day=alerted / person_days if person_days else 0.0,
        hurt_per_person_day=hurt / person_days if person_days else 0.0,
    )


def false_alarms(runs: Sequence[Run], settings: Settings) -> list[FalseAlarms]:
    """Principals, groups, a row a detector; only incidents opened after ``model.learning_s`` count, and that time."""
    days, actors = 0.0, Counter[str]()
    for run in runs:
        learned_us = parse_time_us(run.labels.start) + settings.model.learning_s * 1_000_000
        days += max(parse_time_us(run.labels.end) - learned_us, 0) / DAY_US
        owner = owners(run.labels)
        honest = [
            incident
            for incident in run.incidents
            if parse_time_us(incident.opened) >= learned_us and not concerned(incident, owner)
        ]
        actors.update(what for what, _ in {(what, one.actor.key) for one in honest for what in _said(one)})
    promised: dict[str, float | None] = {ALERTED: settings.fusion.budget, BLOCKED: settings.fusion.block_budget}
    promised[GROUPS] = None
    promised |= {name: getattr(config, "budget", None) for name, config in settings.detectors.items()}
    return [FalseAlarms(what, budget, actors[what] / days if days else 0.0) for what, budget in promised.items()]


def _said(incident: Incident) -> list[str]:
    blocked = [] if incident.exposure_before_block is None else [BLOCKED]
    answer = [ALERTED, *blocked] if incident.actor.scope in PRINCIPALS else [GROUPS]
    return [*answer, *(finding.detector for finding in incident.findings)]


def reliability(judged: Iterable[tuple[float, bool]]) -> Reliability:
    """Of confidences in [0, 1], each with whether it was right."""
    held: dict[int, list[tuple[float, bool]]] = {}
    for confidence, right in judged:
        held.setdefault(min(int(confidence * BINS), BINS - 1), []).append((confidence, right))
    bins = [
        Bin(
            low=place / BINS,
            incidents=len(inside),
            confidence=sum(confidence for confidence, _ in inside) / len(inside),
            right=sum(right for _, right in inside) / len(inside),
        )
        for place, inside in sorted(held.items())
    ]
    count = sum(one.incidents for one in bins)
    error = sum(one.incidents * abs(one.confidence - one.right) for one in bins) / count if count else 0.0
    return Reliability(bins, error)


def judged(runs: Iterable[Run]) -> list[tuple[float, bool]]:
    """Confidence of every incident, and whether it concerned a scraper."""
    return [
        (incident.confidence, bool(concerned(incident, owner)))
        for run in runs
        for owner in [owners(run.labels)]
        for incident in run.incidents
    ]


def outcome(runs: Iterable[Run]) -> Outcome:
    """With every detector that was asked for."""
    reports = [run.report for run in runs]
    scrapers = [scraper for report in reports for scraper in report.scrapers]
    return Outcome(
        without="",
        scrapers=len(scrapers),
        found=sum(scraper.found for scraper in scrapers),
        blocked=sum(scraper.blocked for scraper in scrapers),
        leaked=sum(scraper.leaked for scraper in scrapers),
        people_alerted=sum(report.people_alerted for report in reports),
        people_hurt=sum(report.people_hurt for report in reports),
    )


def added(without: str, parts: Sequence[Outcome]) -> Outcome:
    """The same detector off on several days, as one."""
    names = ("scrapers", "found", "blocked", "leaked", "people_alerted", "people_hurt")
    return Outcome(without, **{name: sum(getattr(part, name) for part in parts) for name in names})


def _grouped(pairs: Iterable[tuple[K, V]]) -> dict[K, list[V]]:
    groups: dict[K, list[V]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return groups
