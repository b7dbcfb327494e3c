"""What is known of how receivers are told: numbers for the page of metrics, and for the log."""

from collections import Counter
from dataclasses import dataclass, field

from streams.metrics import NOTIFY_LAG, NOTIFY_MESSAGES, NOTIFY_SUCCESS, Metrics
from streams.notify.poster import Fate

UNREADABLE = "unreadable"
"""What became of a record that is no alert."""


@dataclass(slots=True)
class Told:
    """Of one receiver."""

    receiver: str
    counts: Counter[str] = field(default_factory=Counter)
    """Messages by what became of them; one that failed counts at each try."""
    last_us: int = 0
    """When it took one last; 0 for never."""
    lag: int = 0
    """Records that it has not been told of."""
    failing: str = ""
    """Why it cannot be told now; empty when it can."""

    def note(self, fate: Fate, why: str, now_us: int, messages: int = 1) -> None:
        """Something was sent."""
        self.counts[fate.value] += messages
        self.failing = why if fate is Fate.FAILED else ""
        if fate is Fate.TAKEN:
            self.last_us = now_us

    def copy(self, metrics: Metrics) -> None:
        """Onto the page."""
        for fate in (*(fate.value for fate in Fate), UNREADABLE):
            metrics.put(NOTIFY_MESSAGES, self.counts[fate], self.receiver, fate)
        metrics.put(NOTIFY_LAG, self.lag, self.receiver)
        if self.last_us:
            metrics.put(NOTIFY_SUCCESS, self.last_us / 1e6, self.receiver)
