"""Tells the audit when a worker becomes degraded and when it has recovered, and when a brake trips or lets go."""

import logging
import os
import socket
from collections.abc import Callable

from schemas.audit import Audit, AuditKind, Change, ChangeOf
from schemas.event_time import format_time
from schemas.identity import stable_id
from streams.clock import Clock
from streams.live.condition import Condition
from streams.live.sending import Outgoing, Sender
from streams.live.tally import Tally
from streams.outputs.cloudevents import audit_record
from streams.pipeline.policy.brake import Braking, told

log = logging.getLogger(__name__)


class Auditing:
    """Looks at what was noticed since the last look, and sends an entry when that changes the worker's condition."""

    def __init__(self, sender: Sender, condition: Condition, tally: Tally, lag_max_s: int, clock: Clock) -> None:
        """Look at ``tally``; before the first look `held` and `rebuilding` may be set."""
        self._sender, self._condition, self._tally = sender, condition, tally
        self.lag_max_s, self._clock = lag_max_s, clock
        self.held: Callable[[], int] = lambda: 0
        """How many source partitions are held now."""
        self.rebuilding: Callable[[], int] = lambda: 0
        """How many partitions' state is being rebuilt now."""
        self.noted: Callable[[], list[Audit]] = list
        """Entries that others have made since the last look."""

    async def look(self) -> None:
        """One look."""
        signals = self._tally.noticed()
        signals.held, signals.rebuilding = self.held(), self.rebuilding()
        entry = self._condition.look(signals.causes(self.lag_max_s), self._clock())
        if entry is not None:
            _log(entry)
        entries = [*self.noted(), *([] if entry is None else [entry])]
        if entries:
            await self._sender.send([Outgoing(*audit_record(each)) for each in entries])


def worker_name() -> str:
    """Of this process, as the audit names it."""
    return f"worker:{socket.gethostname()}:{os.getpid()}"


def brake_entry(braking: Braking, now_us: int) -> Audit:
    """The entry on a brake; one that is told again, since the process had ended meanwhile, has the same id."""
    log.warning("brake: %s", told(braking))
    holds = "holds" if braking.holds else ""
    subject = f"{braking.brake}, partition {braking.partition}"
    return Audit(
        id=stable_id("brake", braking.brake, braking.partition, braking.event_us, holds, braking.config),
        kind=AuditKind.CHANGED,
        time=format_time(now_us),
        who=worker_name(),
        causes=[],
        config=braking.config,
        change=Change(ChangeOf.BRAKE, subject, "" if braking.holds else "holds", holds, braking.reason),
    )


def _log(entry: Audit) -> None:
    if entry.causes:
        log.warning("degraded: %s", "; ".join(f"{cause.reason}, {cause.detail}" for cause in entry.causes))
    else:
        log.warning("no longer degraded")
