"""What a worker has done since it started, for its log and its page of metrics."""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, field, replace
from typing import NamedTuple

from schemas.alert import Alert, AlertStatus
from schemas.block import Block, BlockStatus
from schemas.event_time import parse_time_us
from streams.live.condition import US, Signals
from streams.metrics import (
    BATCH,
    BEHIND,
    CHECKPOINT,
    CHECKPOINT_BYTES,
    CHECKPOINTS,
    DECISION,
    DECISIONS,
    RESTORED,
    WORKER,
    Metrics,
)
from streams.pipeline.assess.assessor import Assessor
from streams.pipeline.assess.bounds import Turnover
from streams.pipeline.assess.outcome import Outcome
from streams.pipeline.observe.observer import Counts
from streams.pipeline.observe.reading import Dead, about
from streams.pipeline.policy.decide import Decision

log = logging.getLogger(__name__)


class Counted(NamedTuple):
    """What an assessor has counted so far."""

    judged: int
    late: int
    duplicates: int
    turnover: Turnover
    caution: Mapping[str, int]


def counted(assessor: Assessor) -> Counted:
    """By now."""
    release, turnover = assessor.release, replace(assessor.bounds.turnover)
    return Counted(assessor.judged, release.late, release.duplicates, turnover, assessor.caution())


@dataclass(slots=True)
class Tally:
    """Counters that only grow."""

    records: int = 0
    profiles: int = 0
    dead: int = 0
    dead_about: Counter[str] = field(default_factory=Counter)
    """The same by what is wrong, see `about`."""
    exempt: int = 0
    rows: int = 0
    judged: int = 0
    alerts: int = 0
    blocks: int = 0
    late: int = 0
    duplicates: int = 0
    turnover: Turnover = field(default_factory=Turnover)
    caution: Counter[str] = field(default_factory=Counter)
    """What was cut, refused or forgotten, by reason."""
    signals: Signals = field(default_factory=Signals)
    """What has been noticed since the last look."""
    metrics: Metrics = field(default_factory=lambda: Metrics(WORKER))
    _told: int = field(default=-1)

    def observed(self, counts: Counts) -> None:
        """Add one batch of observe."""
        self.records += counts.records
        self.profiles += counts.profiles
        self.dead += counts.dead
        self.exempt += counts.exempt
        self.rows += counts.rows
        self.caution.update(counts.caution())

    def buried(self, dead: Iterable[Dead]) -> None:
        """Note what is wrong with the dead letters of one batch."""
        self.dead_about.update(map(about, dead))

    def advanced(self, before: Counted, after: Counted) -> None:
        """Add what an assessor has counted in an advance."""
        self.judged += after.judged - before.judged
        self.late += after.late - before.late
        self.duplicates += after.duplicates - before.duplicates
        self.turnover.add(after.turnover, before.turnover)
        self.caution.update({reason: max(count - before.caution[reason], 0) for reason, count in after.caution.items()})

    def reached(self, event_us: int | None, now_us: int, *, impatient: bool) -> None:
        """Note up to which event time something was just judged, and whether by an older model than the one due."""
        if event_us is not None:
            self.signals.lag_us = max(self.signals.lag_us, now_us - event_us)
        self.signals.older_model += impatient

    def decided(self, outcome: Outcome, withheld: int = 0) -> None:
        """Add one outcome of assess, of whose blocks so many were too late to be sent."""
        self.signals.blocks_withheld += withheld
        self.caution.update({"blocks_withheld": withheld})
        self.alerts += sum(isinstance(decision, Alert) for decision in outcome.decisions)
        self.blocks += sum(isinstance(decision, Block) for decision in outcome.decisions)

    def sent(self, decisions: Iterable[Decision], now_us: int) -> None:
        """Note decisions that the broker has, by ``now_us`` at the latest."""
        for decision in decisions:
            kind, status, action, mode = kinds(decision)
            self.metrics.add(DECISIONS, 1, kind, status, action, mode)
            if isinstance(decision, Alert | Block):
                for detector in behind(decision):
                    self.metrics.add(BEHIND, 1, kind, mode, detector)
                if made_by_an_event(decision):
                    self.metrics.note(DECISION, max(now_us - parse_time_us(decision.event_time), 0) / US, kind)

    def worked(self, stage: str, seconds: float) -> None:
        """Note how long one batch took."""
        self.metrics.note(BATCH, seconds, stage)

    def kept(self, size_bytes: int, seconds: float) -> None:
        """Note a checkpoint, of which so much had to be written."""
        self.metrics.add(CHECKPOINTS, 1)
        self.metrics.add(CHECKPOINT_BYTES, size_bytes)
        self.metrics.note(CHECKPOINT, seconds)

    def begun(self, how: str) -> None:
        """Note a partition that was taken over: ``restored``, ``rebuilt`` or ``new``."""
        self.metrics.add(RESTORED, 1, how)

    def noticed(self) -> Signals:
        """What has come up since the last call."""
        signals, self.signals = self.signals, Signals()
        return signals

    def tell(self) -> None:
        """Log one line, unless nothing has happened since the last one."""
        done = self.records + self.judged
        if done != self._told:
            self._told = done
            log.info(
                "observed %d records: %d profiles disclosed, %d dead letters, %d exempt, %d sightings; "
                "judged %d sightings (%d late, %d duplicates): %d alerts, %d blocks; "
                "actors: %d forgotten, %d put to sleep, %d woken, %d evicted%s",
                self.records,
                self.profiles,
                self.dead,
                self.exempt,
                self.rows,
                self.judged,
                self.late,
                self.duplicates,
                self.alerts,
                self.blocks,
                *astuple(self.turnover),
                self._caution(),
            )

    def _caution(self) -> str:
        said = [f"{count} {reason.replace('_', ' ')}" for reason, count in self.caution.items() if count]
        return f"; caution: {', '.join(said)}" if said else ""


def kinds(decision: Decision) -> tuple[str, str, str, str]:
    """Kind, status, action and mode of a decision, as metrics and logs call them; ``none`` where it has none."""
    if isinstance(decision, Alert):
        return "alert", decision.status.value, "none", decision.mode.value
    if isinstance(decision, Block):
        return "block", decision.status.value, decision.action.value, decision.mode.value
    return "lift", "none", "none", "none"


def behind(decision: Alert | Block) -> list[str]:
    """Detectors behind a decision, each once, in alphabetical order."""
    if isinstance(decision, Block):
        return sorted(set(decision.detectors))
    return sorted({finding.detector for finding in decision.findings})


def made_by_an_event(decision: Alert | Block) -> bool:
    """Whether it follows from an event, and not from time that has passed."""
    return decision.status in (AlertStatus.OPEN, AlertStatus.UPDATED, BlockStatus.ACTIVE)
