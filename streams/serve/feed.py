"""Reads the blocks topic into decisions, and knows whether they are all of it.

A pull of the stream waits until everything has been read that was on the topic when it began. So whoever asks one
replica after the other never goes back in time: a deletion that one has not heard to be outdated would take away a
block that the other has told.
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from schemas import topic
from schemas.block import decode_block
from schemas.errors import RecordError, TransportError
from schemas.event_time import parse_time_us
from streams.clock import Clock
from streams.live.connection import failure, for_aiokafka
from streams.live.leaving import leave
from streams.pipeline.enforce.decisions import KEPT_US, Decisions
from streams.settings import KafkaSettings

POLL_MS: Final = 200
ROUND_S: Final = 1.0
"""How often the broker is asked how far the topic goes when nobody asks us."""
ANSWER_S: Final = 2.0
"""How long one round may take, and how long a pull waits for it."""
OTHER_S: Final = 10.0
"""How long a topic may seem to be another than the one that was read: a new leader may be behind for a moment."""
FORGET_S: Final = 60.0
TURN: Final = 500
"""Records read at a stretch; then others get their turn."""

log = logging.getLogger(__name__)


class Feed:
    """A consumer without a group: every replica needs the whole topic."""

    def __init__(self, settings: KafkaSettings, partitions: int, stale_max_s: float, clock: Clock) -> None:
        """Read all ``partitions`` of the topic from the beginning."""
        self.decisions = Decisions(partitions)
        self.unreadable = 0
        self._settings, self._clock, self._stale_max_s = settings, clock, stale_max_s
        self._topic = settings.prefix + topic.BLOCKS.name
        self._numbers = [TopicPartition(self._topic, number) for number in range(partitions)]
        self._at = dict.fromkeys(self._numbers, 0)
        self._ends = dict(self._at)
        self._moved = asyncio.Event()
        self._confirmed_s: float | None = None
        self._same_s = asyncio.get_running_loop().time()
        self._waiting: list[asyncio.Future[None]] = []
        self._asked = asyncio.Event()
        self._behind = "the topic has not been read to its end yet"

    @property
    def complete_once(self) -> bool:
        """Whether all of the topic has ever been read."""
        return self._confirmed_s is not None

    @property
    def age_s(self) -> float | None:
        """Since all of the topic was last known to be read; None before the first time."""
        return None if self._confirmed_s is None else asyncio.get_running_loop().time() - self._confirmed_s

    @property
    def actors(self) -> int:
        """Of whom something is known."""
        return len(self.decisions)

    def missing(self) -> str:
        """Why no answer can be given; empty when it can."""
        if self._confirmed_s is None:
            return self._behind
        stale_s = asyncio.get_running_loop().time() - self._confirmed_s
        if stale_s > max(self._stale_max_s, ROUND_S + ANSWER_S):
            return f"not known to be complete for {stale_s:.0f} s: {self._behind}"
        return ""

    async def caught_up(self) -> None:
        """Wait until all is read that is on the topic now, at most `ANSWER_S`; `missing` says how it went."""
        waiting = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        self._asked.set()
        await asyncio.wait([waiting], timeout=ANSWER_S)

    async def run(self) -> None:
        """Read until cancelled.

        Raises:
            TransportError: the broker refuses, or the topic is not the one that was read.
        """
        # Where a topic was deleted and made anew, to begin again silently would keep what is no longer so.
        consumer = AIOKafkaConsumer(**for_aiokafka(self._settings), enable_auto_commit=False, auto_offset_reset="none")
        # A broker answers one request of a connection after the other, and a fetch waits there for records: asked on
        # the same connection, each pull would wait for half a second.
        asker = AIOKafkaConsumer(**for_aiokafka(self._settings), enable_auto_commit=False)
        try:
            await consumer.start()
            await asker.start()
            consumer.assign(self._numbers)
            await consumer.seek_to_beginning(*self._numbers)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read(consumer))
                tasks.create_task(self._confirm(consumer, asker))
                tasks.create_task(self._forget())
        except (KafkaError, ExceptionGroup) as error:
            first = _first(error)
            raise failure(self._settings, first) if isinstance(first, KafkaError) else first from error
        finally:
            await leave(consumer)
            await leave(asker)

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            found = await consumer.getmany(timeout_ms=POLL_MS)
            for number, records in found.items():
                await self._take(number, records)
            self._at = {number: await consumer.position(number) for number in self._numbers}
            self._moved.set()

    async def _take(self, number: TopicPartition, records: Sequence[Any]) -> None:
        for count, record in enumerate(records, 1):
            self._apply(number.partition, record)
            if count % TURN == 0:
                await asyncio.sleep(0)

    def _apply(self, partition: int, record: Any) -> None:
        try:
            block = decode_block(record.value)
            key = (record.key or b"").decode("utf-8", "surrogateescape")
            dated = block is not None and record.timestamp < 0
            at_us = parse_time_us(block.decided_at) if block is not None and dated else record.timestamp * 1000
            self.decisions.apply(partition, record.offset, at_us, key, block)
        except RecordError as error:
            # What was said of that actor before goes on, to its own end.
            self.unreadable += 1
            log.warning("%s[%d] offset %d is no block: %s", self._topic, partition, record.offset, error)

    async def _confirm(self, consumer: AIOKafkaConsumer, asker: AIOKafkaConsumer) -> None:
        """Round after round, as soon as somebody waits for one; who comes during a round waits for the next."""
        loop = asyncio.get_running_loop()
        while True:
            waiting, self._waiting = self._waiting, []
            self._asked.clear()
            began_s = loop.time()
            try:
                async with asyncio.timeout(ANSWER_S):
                    ends = await asker.end_offsets(self._numbers)
                    self._require_same(ends, len(consumer.partitions_for_topic(self._topic) or ends), began_s)
                    await self._reach(ends)
                if self._confirmed_s is None:
                    log.info("%s is read to its end: %d actors", self._topic, len(self.decisions))
                self._confirmed_s, self._behind = began_s, ""
            except TimeoutError:
                self._behind = "the broker does not answer, or there is more on the topic than could be read yet"
            except KafkaError as error:
                self._behind = f"the broker cannot be asked: {error}"
            for each in waiting:
                if not each.done():
                    each.set_result(None)
            if not self._waiting:
                with suppress(TimeoutError):
                    async with asyncio.timeout(ROUND_S):
                        await self._asked.wait()

    async def _reach(self, ends: dict[TopicPartition, int]) -> None:
        while any(self._at[number] < end for number, end in ends.items()):
            self._moved.clear()
            await self._moved.wait()

    def _require_same(self, ends: dict[TopicPartition, int], partitions: int, now_s: float) -> None:
        if partitions == len(ends) and all(end >= self._ends[number] for number, end in ends.items()):
            self._ends, self._same_s = ends, now_s
        elif now_s - self._same_s > OTHER_S:
            what = "was made anew, cut, or given more partitions"
            raise TransportError(f"topic {self._topic} {what}; start again to read all of it")

    async def _forget(self) -> None:
        while True:
            await asyncio.sleep(FORGET_S)
            self.decisions.forget(self._clock() - KEPT_US)


def _first(error: Exception) -> Exception:
    """One error of a group, however deep: the first says why, the others follow from it."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error
