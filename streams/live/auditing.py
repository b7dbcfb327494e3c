"""Tells the audit when a worker becomes degraded, when the reasons change, and when it has recovered."""

import logging
import os
import socket
from collections.abc import Callable

from schemas.audit import Audit
from streams.clock import Clock
from streams.live.condition import Condition
from streams.live.sending import Outgoing, Sender
from streams.live.tally import Tally
from streams.outputs.cloudevents import audit_record

log = logging.getLogger(__name__)


class Auditing:
    """Looks at what was noticed since the last look, and sends an entry when that changes the worker's condition."""

    def __init__(self, sender: Sender, condition: Condition, tally: Tally, lag_max_s: int, clock: Clock) -> None:
        """Look at ``tally``; before the first look `held` and `rebuilding` may be set."""
        self._sender, self._condition, self._tally = sender, condition, tally
        self._lag_max_s, self._clock = lag_max_s, clock
        self.held: Callable[[], int] = lambda: 0
        """How many source partitions are held now."""
        self.rebuilding: Callable[[], int] = lambda: 0
        """How many partitions' state is being rebuilt now."""

    async def look(self) -> None:
        """One look."""
        signals = self._tally.noticed()
        signals.held, signals.rebuilding = self.held(), self.rebuilding()
        entry = self._condition.look(signals.causes(self._lag_max_s), self._clock())
        if entry is not None:
            _log(entry)
            await self._sender.send([Outgoing(*audit_record(entry))])


def worker_name() -> str:
    """Of this process, as the audit names it."""
    return f"worker:{socket.gethostname()}:{os.getpid()}"


def _log(entry: Audit) -> None:
    if entry.causes:
        log.warning("degraded: %s", "; ".join(f"{cause.reason}, {cause.detail}" for cause in entry.causes))
    else:
        log.warning("no longer degraded")
