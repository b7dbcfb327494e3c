"""What a worker has done since it started, for its log."""

import logging
from dataclasses import dataclass, field

from schemas.alert import Alert
from schemas.block import Block
from streams.pipeline.assess.assessor import Outcome
from streams.pipeline.observe.observer import Counts

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Tally:
    """Counters that only grow."""

    records: int = 0
    profiles: int = 0
    dead: int = 0
    rows: int = 0
    judged: int = 0
    alerts: int = 0
    blocks: int = 0
    late: int = 0
    duplicates: int = 0
    _told: int = field(default=-1)

    def observed(self, counts: Counts) -> None:
        """Add one batch of observe."""
        self.records += counts.records
        self.profiles += counts.profiles
        self.dead += counts.dead
        self.rows += counts.rows

    def decided(self, outcome: Outcome) -> None:
        """Add one outcome of assess."""
        self.alerts += sum(isinstance(decision, Alert) for decision in outcome.decisions)
        self.blocks += sum(isinstance(decision, Block) for decision in outcome.decisions)

    def tell(self) -> None:
        """Log one line, unless nothing has happened since the last one."""
        done = self.records + self.judged
        if done != self._told:
            self._told = done
            log.info(
                "observed %d records: %d profiles disclosed, %d dead letters, %d sightings; "
                "judged %d sightings (%d late, %d duplicates): %d alerts, %d blocks",
                self.records,
                self.profiles,
                self.dead,
                self.rows,
                self.judged,
                self.late,
                self.duplicates,
                self.alerts,
                self.blocks,
            )
