"""Where the time from an event to its block goes, by what stands in the logs: the worker is as it always is.

::

    event ──▶ sighted ──▶ passed ──▶ decided ──▶ sent ──▶ seen
       the message of    the word that    `decided_at`   the block's    a consumer
       its sighting      lets watermarks                 record         has it
                         pass it

Each step is the time from the one before, by the timestamps that producers give their records.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
import xxhash

from detectors.core.hashing import of_scope
from schemas.actor import Scope
from schemas.sighting import Flag
from streams.live import topics
from streams.live.whole_topic import records
from streams.pipeline.sightings import Sightings, decode
from streams.settings import KafkaSettings

STEPS: Final = ("sighted", "passed", "decided", "sent", "seen")


class Seen(NamedTuple):
    """One block, when each thing was by the clock in ms since 1970."""

    account: str
    event_ms: float
    decided_ms: float
    sent_ms: float
    seen_ms: float


@dataclass(slots=True)
class _Source:
    watermark_us: int = -1
    idle: bool = False


@dataclass(slots=True)
class _Home:
    """One activity partition as its log tells it."""

    lateness_us: int
    expected: int
    sources: dict[int, _Source] = field(default_factory=dict)
    passed_us: list[int] = field(default_factory=list)
    """Up to which event time the watermark had come, ascending"""
    passed_at_ms: list[float] = field(default_factory=list)
    """and when."""

    def hear(self, at_ms: float, source: int, watermark_us: int, *, idle: bool) -> None:
        """A message says how far a source is."""
        known = self.sources.setdefault(source, _Source())
        known.watermark_us, known.idle = max(known.watermark_us, watermark_us), idle
        awake = [one.watermark_us for one in self.sources.values() if not one.idle]
        bound = min(awake, default=-1) - self.lateness_us
        if len(self.sources) >= self.expected and bound > (self.passed_us[-1] if self.passed_us else -1):
            self.passed_us.append(bound)
            self.passed_at_ms.append(at_ms)

    def passed_ms(self, event_us: int) -> float | None:
        """When the watermark had passed an event."""
        at = int(np.searchsorted(self.passed_us, event_us, side="right"))
        return self.passed_at_ms[at] if at < len(self.passed_at_ms) else None


def steps(kafka: KafkaSettings, activity: str, lateness_us: int, sources: int, blocks: Iterable[Seen]) -> list[float]:
    """The median of each of `STEPS`, in ms, over the blocks whose sighting the log of ``activity`` still has."""
    wanted = {(key_of(one.account), round(one.event_ms * 1000)): one for one in blocks}
    partitions = topics.partitions(kafka, [activity])[activity]
    homes = [_Home(lateness_us, sources) for _ in range(partitions)]
    sighted: list[tuple[Seen, int, int, float]] = []
    for record in records(kafka, activity, partitions):
        message, home = decode(record.value), homes[record.partition]
        for key, event_us in _among(message, wanted):
            sighted.append((wanted[key, event_us], record.partition, event_us, record.timestamp))
        home.hear(record.timestamp, message.partition, message.watermark_us, idle=message.idle)
        for word in message.others:
            home.hear(record.timestamp, word.partition, word.watermark_us, idle=word.idle)
    taken = [
        (one.event_ms, at_ms, max(passed, at_ms), one.decided_ms, one.sent_ms, one.seen_ms)
        for one, partition, event_us, at_ms in sighted
        if (passed := homes[partition].passed_ms(event_us)) is not None
    ]
    return medians(taken)


def medians(taken: Sequence[Sequence[float]]) -> list[float]:
    """Of each step between the times of every block; none where there is no block."""
    waits = np.diff(np.array(taken), axis=1) if taken else np.empty((0, 0))
    return [float(np.median(step)) for step in waits.T]


def key_of(account: str) -> int:
    """The key that sightings name an account by."""
    digest = xxhash.xxh64_intdigest(account.encode(), seed=Scope.ACCOUNT)
    return int(of_scope(np.uint64(digest), int(Scope.ACCOUNT)))


def _among(message: Sightings, wanted: Collection[tuple[int, int]]) -> set[tuple[int, int]]:
    own = (message.flags & Flag.PRINCIPAL) != 0
    found = zip(message.principal[own].tolist(), message.time_us[own].tolist(), strict=True)
    return {each for each in found if each in wanted}
