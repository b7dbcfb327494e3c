"""Reads a whole topic from its beginning and on, for what every worker must know all of."""

import asyncio
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from mode import Service

from streams.live.connection import for_aiokafka
from streams.live.leaving import leave
from streams.live.transport import stop_process
from streams.settings import KafkaSettings

POLL_MS: Final = 200

R = TypeVar("R")


class TopicFeed(Service, Generic[R]):
    """A consumer without a group."""

    def __init__(
        self,
        settings: KafkaSettings,
        name: str,
        partitions: int,
        read: Callable[[bytes | None, bytes | None], R | None],
    ) -> None:
        """Read all ``partitions`` of the topic ``name``; ``read`` makes of key and value what is taken, if anything."""
        super().__init__()
        self._found: list[R] = []
        self.changed = asyncio.Event()
        """Set whenever records have come in; whoever waits for it clears it."""
        self._numbers = [TopicPartition(name, number) for number in range(partitions)]
        self._settings, self._name, self._make = settings, name, read
        self._again = False
        self.caught_up = asyncio.Event()
        """Set when all has been read that stood in the topic at the start, or at the latest `rewind`."""

    async def on_start(self) -> None:
        """Begin at the beginning."""
        connection = for_aiokafka(self._settings)
        self._consumer = AIOKafkaConsumer(**connection, enable_auto_commit=False, auto_offset_reset="earliest")
        await self._consumer.start()
        self._consumer.assign(self._numbers)
        self._ends: dict[TopicPartition, int] = await self._consumer.end_offsets(self._numbers)
        self.add_future(self._read())

    async def on_stop(self) -> None:
        """Leave."""
        await leave(self._consumer)

    def take(self) -> list[R]:
        """What has come in since the last call."""
        found, self._found = self._found, []
        return found

    def rewind(self) -> None:
        """Read it from its beginning once more; what was read and not taken is dropped."""
        self._found, self._again = [], True
        self.caught_up.clear()

    async def _read(self) -> None:
        try:
            while not self.should_stop:
                if self._again:
                    await self._begin_again()
                await self._note_progress()
                polled = await self._consumer.getmany(timeout_ms=POLL_MS)
                if self._again:
                    continue  # it was on its way before
                made = [self._make(record.key, record.value) for records in polled.values() for record in records]
                taken = [one for one in made if one is not None]
                if taken:
                    self._found += taken
                    self.changed.set()
        except Exception as error:  # noqa: BLE001 - a worker would go by what is out of date for ever
            if not self.should_stop:
                stop_process(error, f"reading {self._name}")

    async def _begin_again(self) -> None:
        self._again = False
        self._ends = await self._consumer.end_offsets(self._numbers)
        await self._consumer.seek_to_beginning(*self._numbers)

    async def _note_progress(self) -> None:
        if not self.caught_up.is_set():
            positions = [await self._consumer.position(number) for number in self._numbers]
            read = all(at >= self._ends[number] for number, at in zip(self._numbers, positions, strict=True))
            if read and not self._again:
                self.caught_up.set()
                self.changed.set()
