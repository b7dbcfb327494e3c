"""Whether a worker does all that it should, and since when not.

It is looked at every few seconds. What is wrong counts at once; what was wrong counts until it has not been seen for
several looks, so that a worker at its limit is degraded for a while and does not come and go. Looks are counted and no
time is measured.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from schemas.audit import Audit, AuditKind, Cause, DegradedReason
from schemas.event_time import format_time
from schemas.identity import stable_id

CALM_LOOKS: Final = 6
"""Looks without a reason until it holds no longer: a minute at one in ten seconds."""
US: Final = 1_000_000


@dataclass(slots=True)
class Signals:
    """What has been noticed since the last look."""

    lag_us: int = 0
    """Age of the oldest of what was judged, by the wall clock."""
    blocks_withheld: int = 0
    older_model: int = 0
    """Judgements by an older model than the one that was due."""
    held: int = 0
    """Source partitions that are held now."""
    rebuilding: int = 0
    """Partitions whose state is being rebuilt now."""

    def causes(self, lag_max_s: int) -> dict[DegradedReason, str]:
        """What is wrong by it, in words; ``lag_max_s`` 0 sets no limit."""
        found: dict[DegradedReason, str] = {}
        if lag_max_s and self.lag_us > lag_max_s * US:
            found[DegradedReason.LAGGING] = f"judges events of {self.lag_us // US} s ago"
        if self.blocks_withheld:
            found[DegradedReason.BLOCKS_WITHHELD] = f"{self.blocks_withheld} blocks were too late to be sent"
        if self.older_model:
            found[DegradedReason.OLDER_MODEL] = "the model that is due has not come in"
        if self.held:
            found[DegradedReason.DEAD_LETTER_FLOOD] = f"source partitions held: {self.held}"
        if self.rebuilding:
            found[DegradedReason.REBUILDING] = f"partitions without a checkpoint that serves: {self.rebuilding}"
        return found


class Condition:
    """The state of one worker."""

    def __init__(self, who: str, config: str) -> None:
        """``who`` is the worker, ``config`` its revision."""
        self._who, self.config = who, config
        self._causes: dict[DegradedReason, str] = {}
        self._calm: dict[DegradedReason, int] = {}

    @property
    def reasons(self) -> AbstractSet[DegradedReason]:
        """What is wrong."""
        return self._causes.keys()

    def look(self, causes: Mapping[DegradedReason, str], now_us: int) -> Audit | None:
        """Take in what is wrong now; the entry for the audit when there is more or less of it than before."""
        before = set(self._causes)
        self._causes |= causes
        self._calm = {reason: 0 if reason in causes else self._calm.get(reason, 0) + 1 for reason in self._causes}
        self._causes = {reason: text for reason, text in self._causes.items() if self._calm[reason] < CALM_LOOKS}
        return None if set(self._causes) == before else self._audit(now_us)

    def _audit(self, now_us: int) -> Audit:
        kind = AuditKind.DEGRADED if self._causes else AuditKind.RECOVERED
        return Audit(
            id=stable_id("audit", self._who, kind, now_us),
            kind=kind,
            time=format_time(now_us),
            who=self._who,
            causes=[Cause(reason, self._causes[reason]) for reason in DegradedReason if reason in self._causes],
            config=self.config,
        )
