"""Which partitions may be read on, of topics that are kept together in time: what was read, and what others say."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Collection, Coroutine, Mapping
from typing import Any, Final

import numpy as np
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from streams.live.transport.alignment import LONG_AGO, Alignment
from streams.live.transport.failure import stop_process
from streams.live.transport.options import TopicOptions
from streams.live.transport.words import Others, Said, Word
from streams.pipeline.batch import Batch

log = logging.getLogger(__name__)

LOOK_S: Final = 1.0
"""How often is asked what others have said, while something is read."""
ANSWER_S: Final = 1.0
"""A look that has no answer by then has seen nothing."""
TELL_LOOKS: Final = 60
"""That others are waited for is a line in the log once in so many looks."""

Committed = Mapping[TopicPartition, OffsetAndMetadata]
Ask = Callable[[list[TopicPartition]], Coroutine[Any, Any, Committed]]
"""What stands on the broker as committed, without those of which nothing does."""
Foreign = Callable[[], Collection[TopicPartition]]
"""The partitions of topics that are kept together which other workers own."""


class Aligning:
    """Of one consumer; all calls come from its thread."""

    def __init__(self, topics: Mapping[str, TopicOptions]) -> None:
        """``topics`` may grow."""
        self._topics = topics
        self._alignments: dict[str, Alignment[TopicPartition]] = {}
        self._others: dict[str, Others[TopicPartition]] = {}
        self._taken: dict[TopicPartition, deque[tuple[int, int]]] = {}
        self._settled_ms: dict[TopicPartition, int] = {}
        self._stirred = False
        self._asking: asyncio.Task[Committed] | None = None
        self._silent_looks = 0

    def clear(self) -> None:
        """Another assignment begins."""
        for each in (self._alignments, self._others, self._taken, self._settled_ms):
            each.clear()

    def is_aligned(self, tp: TopicPartition) -> bool:
        """Whether it is of a topic that is kept together."""
        options = self._topics.get(tp.topic)
        return options is not None and options.aligned

    def may_take(self, tp: TopicPartition, behind: Collection[TopicPartition]) -> bool:
        """See `Alignment.may_take`; ``behind`` may be of any topic."""
        alignment = self._alignments.get(tp.topic)
        if alignment is None or alignment.may_take(tp, [other for other in behind if other.topic == tp.topic]):
            return True
        self._stirred = True
        return False

    def took(self, tp: TopicPartition, batch: Batch) -> None:
        """A batch was taken of ``tp``."""
        if self.is_aligned(tp):
            alignment = self._alignments.setdefault(tp.topic, Alignment())
            alignment.took(tp, batch)
            self._taken.setdefault(tp, deque()).append((batch.hi, alignment.reached_ms(tp)))
            self._stirred = True

    def word(self, tp: TopicPartition, offset: int, end: int | None) -> str:
        """What is committed with ``offset`` for others to read; ``end`` is where the partition ends."""
        taken = self._taken.get(tp, ())
        while taken and taken[0][0] <= offset:
            self._settled_ms[tp] = taken.popleft()[1]
        reached_ms = self._settled_ms.get(tp, LONG_AGO)
        return "" if reached_ms < 0 or end is None else str(Word(reached_ms, max(end - offset, 0)))

    async def run(self, foreign: Foreign, ask: Ask, wake: Callable[[], None]) -> None:
        """Look again and again, and call ``wake`` when what was held may go on."""
        try:
            while True:
                await asyncio.sleep(LOOK_S)
                if await self.look(foreign, ask):
                    wake()
        except Exception as error:  # noqa: BLE001 - partitions would be held for ever
            stop_process(error, "aligning")
        finally:
            if self._asking is not None:
                self._asking.cancel()

    async def look(self, foreign: Foreign, ask: Ask) -> bool:
        """Hear what others have said, unless nothing was read since the last look; whether anything is new."""
        asked = sorted(foreign()) if self._stirred else []
        if not asked:
            return False
        self._stirred = False
        committed = await self._answer(asked, ask)
        # What is foreign may have changed meanwhile.
        still = set(foreign())
        heeded = [self._heed(topic, committed, still) for topic in {tp.topic for tp in asked if tp in still}]
        return any(heeded)

    async def _answer(self, asked: list[TopicPartition], ask: Ask) -> Committed | None:
        """None where there is none yet, or the broker has something against it: others say that, and louder."""
        asking = self._asking = self._asking or asyncio.create_task(ask(asked))
        done, _ = await asyncio.wait([asking], timeout=ANSWER_S)
        if not done:
            return None
        self._asking = None
        try:
            return asking.result()
        except (KafkaError, OSError, asyncio.CancelledError) as error:  # cancelled was who asked, not who waits here
            log.debug("what others have read is not known: %s", error)
            return None

    def _heed(self, topic: str, committed: Committed | None, foreign: Collection[TopicPartition]) -> bool:
        others = self._others.setdefault(topic, Others())
        alignment = self._alignments.setdefault(topic, Alignment())
        if committed is None:
            slowest = others.fail()
        else:
            mine = [(tp, one) for tp, one in committed.items() if tp.topic == topic and tp in foreign]
            slowest = others.look({tp: Said(one.offset, one.metadata or "") for tp, one in mine})
        changed = alignment.heed(None if slowest is None else slowest[0])
        self._tell(alignment, slowest)
        return changed

    def _tell(self, alignment: Alignment[TopicPartition], slowest: tuple[int, TopicPartition] | None) -> None:
        """Say at times for whom is waited: who looks why nothing is read should find it."""
        self._silent_looks = max(self._silent_looks - 1, 0)
        if slowest is not None and alignment.is_far and not self._silent_looks:
            self._silent_looks = TELL_LOOKS
            at_ms, tp = slowest
            read = np.datetime64(at_ms, "ms")
            log.info(
                "%s[%d]: another worker has read it up to %sZ; this one waits for it", tp.topic, tp.partition, read
            )
