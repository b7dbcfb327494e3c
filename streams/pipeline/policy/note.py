"""What a sighting adds to an incident, and how one begins."""

from collections.abc import Sequence
from typing import Final

from schemas.actor import Scope
from schemas.alert import AlertMode
from schemas.exposure import Exposure
from schemas.mode import Mode
from streams.pipeline.actors.store import Actors
from streams.pipeline.policy.case import Case
from streams.pipeline.policy.episode import Episode, Moment
from streams.pipeline.policy.finding import Judged, severity_of

_EXACT: Final = frozenset({Scope.ACCOUNT, Scope.SESSION, Scope.IP})


def begin(case: Case, actors: Actors, slot: int, speaking: Sequence[Judged], row: int, moment: Moment) -> Episode:
    """A new incident of the actor in ``slot``."""
    # Of what speaks that which is loudest says when it began, and what was disclosed since.
    said = [(one.level(row), one.since_us(row), one.profiles(row)) for one in speaking]
    if case.fused.mode(row) is not None:
        said.append((case.fused.level(row), case.fused.since_us(row), case.fused.profiles(row)))
    _, since_us, profiles = max(said)
    # A window may reach back to before the actor came, and what came late to before its first sighting.
    since_us = max(since_us, int(actors.columns["first_seen_us"][slot]))
    base = max(int(case.aggregates.exposed[row]) - profiles, 0)
    return Episode(actors.actor(slot), slot, moment, min(since_us, moment.event_us), base)


def note(
    episode: Episode, case: Case, speaking: Sequence[Judged], row: int, rank: int, actors: Actors, moment: Moment
) -> None:
    """Add what is found at ``row``, whose rank is ``rank``, to an incident."""
    findings = [one.finding(case.columns, row) for one in speaking]
    controls = [one.detector.control for one in speaking]
    modes = [one.mode for one in speaking]
    together = case.fused.mode(row)
    if together is not None:
        known = {finding.detector for finding in findings}
        findings += [one for one in case.fused.findings(case.columns, row) if one.detector not in known]
        added = case.fused.parts(row)
        controls += [one.detector.control for one in case.judged if one.detector.name in added]
        modes.append(together)
    episode.take(findings, controls, moment)
    mode = max(modes, key=lambda mode: mode.rank)
    episode.mode = max(episode.mode, AlertMode(mode.value), key=lambda m: Mode(m.value).rank)
    episode.severity = max(episode.severity, severity_of(rank), key=lambda s: s.rank)
    episode.level = max(episode.level, case.fused.level(row), *(one.level(row) for one in speaking), 0.0)
    exact = actors.scope(episode.slot) in _EXACT and bool(case.aggregates.exact[row])
    episode.exposure = Exposure(max(int(case.aggregates.exposed[row]) - episode.base, 0), exact)
