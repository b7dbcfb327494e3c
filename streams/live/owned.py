"""What a worker holds of one partition that it owns, and how that is restored from the last checkpoint."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from faust.types import EventT

from schemas import topic
from schemas.errors import StopError, TransportError
from streams.live import topics
from streams.live.arrivals import Arrivals
from streams.live.checkpoint.manifest import Lineage, Owner
from streams.live.checkpoint.reading import Found, StateReader
from streams.live.checkpoint.restoring import restored_from
from streams.live.checkpoint.writing import Point, Series
from streams.live.sending import Sender
from streams.live.transport import Assigned
from streams.pipeline.assess.assessor import Assessor
from streams.pipeline.batch import Batch
from streams.pipeline.checkpoint.snapshot import restore
from streams.settings import Settings

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Owned:
    """One partition that this worker owns."""

    assessor: Assessor
    generation: int | None
    """Of the assignment: the next one begins anew."""
    silent_below: int
    """Offset below which everything decided has been sent before."""
    upto: int = 0
    """Offset after the last message that the state holds."""
    settled: int = 0
    """Offset below which nothing waits for its model."""
    series: Series | None = None
    """Its checkpoints, if any are kept."""
    moves: int = 0
    """How often the state has changed: rows that wait are judged without a message, too."""
    kept: tuple[Point, int] | None = None
    """`mark` of the last one, or of the beginning."""
    kept_s: float = field(default_factory=time.monotonic)
    """When all of it was last known to be kept, by the monotonic clock."""
    begun: str = "new"
    """How it began: ``restored`` from a checkpoint, ``rebuilt`` from the log, or ``new``, where nothing was decided."""
    checkpoint_due_s: float = 0.0
    """When the next one is due, by the monotonic clock."""
    torn: bool = False
    """What was decided is not with the producer yet, or never will be: such a state must not be kept."""
    arrivals: Arrivals = field(default_factory=Arrivals)
    """What was decided and the broker does not have yet, and the acknowledgements that wait for it."""
    closed: bool = False
    """The partition is about to go: nothing more is judged."""
    waiting: list[EventT[Batch]] = field(default_factory=list)
    """Batches that may hold sightings whose model is still due: not acknowledged."""
    due_since: float | None = None
    """When the oldest of them began to wait, by the monotonic clock."""

    @property
    def is_rebuilt(self) -> bool:
        """All is judged again that was decided before."""
        return self.upto >= self.silent_below

    @property
    def mark(self) -> tuple[Point, int]:
        """Where the state stands: another one means another state."""
        return Point(self.upto, self.settled), self.moves


class Restorer:
    """Makes the state of partitions that have just been assigned."""

    def __init__(
        self,
        new_assessor: Callable[[int], Assessor],
        sender: Sender,
        settings: Settings,
        partitions: int,
        judging: ThreadPoolExecutor,
    ) -> None:
        """For a topic of sightings that has ``partitions``; fills assessors in ``judging``."""
        self._new_assessor, self._sender, self._judging = new_assessor, sender, judging
        self._kafka, self._partitions = settings.kafka, partitions
        self._names = Lineage(settings.kafka.prefix + topic.ACTIVITY.name, settings.input.topic)
        self._lineage = Lineage()
        self._looked_in: int | None = -1

    async def restore(self, reader: StateReader, one: Assigned, generation: int | None) -> Owned:
        """The state of a partition as the newest usable checkpoint has it, or none; raises `StopError`."""
        partition, began = one.partition, time.monotonic()
        found = await reader.find(partition)
        self._require_same_partitions(found)
        lineage = self._continued(found, await self._current_lineage(generation))
        assessor: Assessor | None = None

        async def fill(blobs: Mapping[str, bytes]) -> None:
            nonlocal assessor
            assessor = fresh = self._new_assessor(partition)
            await asyncio.get_running_loop().run_in_executor(self._judging, restore, fresh, blobs)

        manifest = await restored_from(reader, partition, found, one.first, fill)
        owner = Owner(found.next_term, generation or 0)
        series = Series(self._sender, partition, self._partitions, owner, found.outdated(owner), lineage)
        if manifest is None or assessor is None:
            owned = Owned(self._new_assessor(partition), generation, one.committed, one.first, one.first, series)
            owned.begun = "rebuilt" if one.committed else "new"
            why = "no usable checkpoint" if found.records else "no checkpoint"
            level = logging.WARNING if found.records or one.committed else logging.INFO
            log.log(
                level, "partition %d: %s: rebuilding from %d, silent below %d", partition, why, one.first, one.committed
            )
        else:
            owned = Owned(assessor, generation, one.committed, manifest.upto, manifest.settled, series)
            owned.begun = "restored"
            owned.due_since = None if manifest.settled == manifest.upto else time.monotonic()
            what = f"{len(assessor.actors):,} actors at offset {manifest.upto} in {time.monotonic() - began:.2f} s"
            log.info(
                "partition %d: restored %s (term %d), silent below %d", partition, what, manifest.term, one.committed
            )
        owned.kept = owned.mark
        return owned

    async def _current_lineage(self, generation: int | None) -> Lineage:
        """Which topics there are in this assignment; where nobody answers, it is looked again in the next."""
        if generation != self._looked_in:
            self._lineage = Lineage()
            try:
                self._lineage = Lineage(*await asyncio.to_thread(topics.ids, self._kafka, self._names))
            except TransportError as error:
                log.warning("whether topics are still the same is not known: %s", error)
            self._looked_in = generation
        return self._lineage

    def _continued(self, found: Found, now: Lineage) -> Lineage:
        """What is known of the topics by now; raises `StopError` where one is not that of the last checkpoint."""
        before = found.manifests[0].lineage if found.manifests else now
        for which in before.differs(now):
            raise StopError(
                f"topic {getattr(self._names, which)} was deleted and made anew since the last checkpoint: its offsets "
                "begin at 0 again, and what is new would count as read. To begin without what was remembered, stop all "
                f"workers, delete and make {self._kafka.prefix}{topic.STATE.name} and {self._names.activity} anew, and "
                f"delete the offsets of group {self._kafka.application}"
            )
        return Lineage(*(new or old for new, old in zip(now, before, strict=True)))

    def _require_same_partitions(self, found: Found) -> None:
        """Raises `StopError` where the activity topic had another number of partitions at the last checkpoint."""
        now = self._partitions
        before = found.manifests[0].partitions if found.manifests else now
        if before != now:
            raise StopError(
                f"topic {self._names.activity} has {now} partitions and had {before}: actors would be parted from "
                "their state; begin with new topics of activity and state, or go back"
            )


def parted(batches: Sequence[Batch], offset: int) -> tuple[list[bytes | None], list[bytes | None]]:
    """Records of ``batches``, which follow each other: those below ``offset``, and the others."""
    before: list[bytes | None] = []
    after: list[bytes | None] = []
    for batch in batches:
        count = count_below(batch, offset)
        before += batch.values[:count]
        after += batch.values[count:]
    return before, after


def count_below(batch: Batch, offset: int) -> int:
    """How many records of ``batch`` lie below ``offset``."""
    if batch.offsets is None:
        return max(0, min(offset - batch.lo, len(batch)))
    return int(np.searchsorted(batch.offsets, offset))
