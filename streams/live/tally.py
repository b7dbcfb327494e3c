"""What a worker has done since it started, for its log."""

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field

from schemas.alert import Alert
from schemas.block import Block
from streams.live.condition import Signals
from streams.pipeline.assess.assessor import Outcome
from streams.pipeline.assess.bounds import Turnover
from streams.pipeline.observe.observer import Counts

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Tally:
    """Counters that only grow."""

    records: int = 0
    profiles: int = 0
    dead: int = 0
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
    _told: int = field(default=-1)

    def observed(self, counts: Counts) -> None:
        """Add one batch of observe."""
        self.records += counts.records
        self.profiles += counts.profiles
        self.dead += counts.dead
        self.exempt += counts.exempt
        self.rows += counts.rows
        self.caution.update(counts.caution())

    def warned(self, before: Mapping[str, int], after: Mapping[str, int]) -> None:
        """Add what an assessor's `caution` has risen by."""
        self.caution.update({reason: max(count - before[reason], 0) for reason, count in after.items()})

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
