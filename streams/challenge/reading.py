"""Reads topics whole and on, without a group: nothing is committed, and another process is in nobody's way."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.live.connection import for_aiokafka
from streams.live.leaving import leave
from streams.settings import KafkaSettings

POLL_MS: Final = 200
RETRY_MS: Final = 1_000
"""How often a broker that is gone is looked for; the client writes several lines to the log each time."""


class Reading:
    """Some topics, all partitions of each."""

    def __init__(
        self, kafka: KafkaSettings, topics: Mapping[str, int], since_ms: Mapping[str, int] | None = None
    ) -> None:
        """``topics`` are names and numbers of partitions; ``since_ms`` where some begin later, by time of records."""
        self.numbers = [TopicPartition(name, number) for name, count in topics.items() for number in range(count)]
        self._since_ms = since_ms or {}
        self._consumer = AIOKafkaConsumer(
            **for_aiokafka(kafka),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            retry_backoff_ms=RETRY_MS,
        )
        self._ends: dict[TopicPartition, int] = {}
        self.firsts: dict[TopicPartition, int] = {}
        """First offset of each partition at the beginning: above 0 where retention has deleted something."""

    async def begin(self) -> None:
        """Connect and stand at the beginning."""
        await self._consumer.start()
        self._consumer.assign(self.numbers)
        self.firsts = dict(await self._consumer.beginning_offsets(self.numbers))
        self._ends = dict(await self._consumer.end_offsets(self.numbers))
        wanted = {one: self._since_ms[one.topic] for one in self.numbers if one.topic in self._since_ms}
        found = await self._consumer.offsets_for_times(wanted) if wanted else {}
        for one in self.numbers:
            at = found.get(one)
            later = self._ends[one] if one in wanted and at is None else self.firsts[one]
            self._consumer.seek(one, later if at is None else at.offset)

    async def end(self) -> None:
        """Leave."""
        await leave(self._consumer)

    async def take(self, wait_ms: int = POLL_MS, most: int | None = None) -> Iterator[tuple[TopicPartition, list[Any]]]:
        """What has come, by partition, after at most ``wait_ms``."""
        return iter((await self._consumer.getmany(timeout_ms=wait_ms, max_records=most)).items())

    async def passed(self, number: TopicPartition) -> bool:
        """Whether all of a partition has been read that was there at the beginning."""
        # What lies at the end may be no record, so what was read last does not tell.
        return bool(await self._consumer.position(number) >= self._ends[number])

    async def caught_up(self) -> bool:
        """Likewise of every partition."""
        return all([await self.passed(number) for number in self.numbers])

    async def lag(self) -> int:
        """Records that are there, as far as is known, and have not been read."""
        at = {number: await self._consumer.position(number) for number in self.numbers}
        return sum(max(0, (self._consumer.highwater(number) or 0) - position) for number, position in at.items())
