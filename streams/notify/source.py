"""Reads alerts and audit for one receiver, and keeps on the broker how far that receiver has been told.

A consumer group of one, without the protocol of groups: whoever reads has all partitions, since what goes on cannot be
told from a part. Two processes at once tell everything twice, and neither misses anything.
"""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.clock import Clock
from streams.live.connection import for_aiokafka
from streams.live.leaving import leave
from streams.settings import KafkaSettings

MS: Final = 1_000
RETRY_MS: Final = 1_000
"""How often a broker that is gone is looked for; the client writes several lines to the log each time."""
END_S: Final = 5.0
COMMIT_US: Final = 3_600_000_000
"""Where one stands is written again so often although nothing moves: a broker forgets offsets after days."""


@dataclass(frozen=True, slots=True)
class Read:
    """One record."""

    topic: str
    offset: int
    place: str
    """For the log."""
    value: bytes | None
    key: bytes | None
    at_us: int
    """When it was written."""
    known: bool
    """The receiver was told of it before, or it is history."""


class Source:
    """From where the receiver was left; with ``look_back_us`` at least so far back, to know what goes on."""

    def __init__(self, kafka: KafkaSettings, group: str, topics: Mapping[str, int], clock: Clock) -> None:
        """``topics`` are names and numbers of partitions; ``group`` is the receiver's own."""
        self._numbers = [TopicPartition(name, number) for name, count in topics.items() for number in range(count)]
        self._clock, self._committed_us = clock, 0
        self._at: dict[TopicPartition, int] = {}
        self._known: dict[TopicPartition, int] = {}
        self._ends: dict[TopicPartition, int] = {}
        self._consumer = AIOKafkaConsumer(
            **for_aiokafka(kafka),
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            retry_backoff_ms=RETRY_MS,
        )
        self._committing: asyncio.Task[None] | None = None

    async def begin(
        self, look_back_us: int | None, *, rebuild: bool = False, whole: frozenset[str] = frozenset()
    ) -> None:
        """Connect, and stand where reading begins.

        Whoever was never told begins ``look_back_us`` ago, at the beginning for None. With ``rebuild`` reading begins
        there in any case, of the topics of ``whole`` at the beginning, and what was told before comes as `Read.known`.

        Raises:
            KafkaError: the broker does not answer, or refuses.
        """
        await self._consumer.start()
        self._consumer.assign(self._numbers)
        self._ends = ends = await self._consumer.end_offsets(self._numbers)
        since = await self._since(look_back_us, ends)
        for number in self._numbers:
            told = await self._consumer.committed(number)
            if told is None or told > ends[number]:  # never told, or the topic was made anew
                told = ends[number] if rebuild else since[number]
            self._known[number] = told
            first = 0 if number.topic in whole else min(since[number], told)
            self._at[number] = first if rebuild else told
            self._consumer.seek(number, self._at[number])

    async def _since(self, look_back_us: int | None, ends: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        if look_back_us is None:
            return dict(await self._consumer.beginning_offsets(self._numbers))
        since_ms = max(0, self._clock() - look_back_us) // MS
        found = await self._consumer.offsets_for_times(dict.fromkeys(self._numbers, since_ms))
        return {number: at.offset if (at := found.get(number)) else ends[number] for number in self._numbers}

    async def take(self, wait_s: float, most: int) -> list[Read]:
        """What has come, at most ``most``, after at most ``wait_s``; counts as read.

        Raises:
            KafkaError: the broker refuses.
        """
        found = await self._consumer.getmany(timeout_ms=int(wait_s * 1000), max_records=most)
        return [read for number, records in found.items() for read in self._reads(number, records)]

    def _reads(self, number: TopicPartition, records: list[Any]) -> Iterator[Read]:
        for record in records:
            self._at[number] = record.offset + 1
            place = f"{number.topic}[{number.partition}] offset {record.offset}"
            known = record.offset < self._known[number]
            yield Read(
                number.topic, record.offset, place, record.value, record.key, max(0, record.timestamp) * MS, known
            )

    async def caught_up(self) -> bool:
        """Whether all has been read that was there at the beginning.

        Raises:
            KafkaError: the broker refuses.
        """
        for number in list(self._ends):
            # What retention has deleted lies before the position, and no record says so.
            if await self._consumer.position(number) >= self._ends[number]:
                del self._ends[number]
        return not self._ends

    def lag(self) -> int:
        """Records that are there, as far as is known, and have not been told."""
        ends = {number: self._consumer.highwater(number) or at for number, at in self._at.items()}
        return sum(max(0, end - self._known[number]) for number, end in ends.items())

    async def told(self) -> None:
        """All that was read has been told.

        Raises:
            KafkaError: the broker does not take it; what was told may be told again.
        """
        moved = {number: at for number, at in self._at.items() if at > self._known[number]}
        if moved:
            self._known |= moved
        if moved or self._clock() > self._committed_us + COMMIT_US:
            await self.keep()

    async def keep(self) -> None:
        """Write down again how far it was told.

        Raises:
            KafkaError: see `told`.
        """
        self._committing = asyncio.create_task(self._consumer.commit(dict(self._known)))
        await asyncio.shield(self._committing)
        self._committed_us = self._clock()

    async def keep_alive(self) -> None:
        """The same where it was long ago: while a receiver is down for days."""
        if self._clock() > self._committed_us + COMMIT_US:
            await self.keep()

    async def end(self) -> None:
        """Leave, with the last word written if that is not too long."""
        if self._committing is not None:
            await asyncio.wait([self._committing], timeout=END_S)
            if not self._committing.cancel() and not self._committing.cancelled():
                self._committing.exception()  # told to whoever waited for it, if anybody still did
        await leave(self._consumer)
