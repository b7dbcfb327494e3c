"""Reads everything that any partition has learned, from the beginning of the model topic."""

import asyncio
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from mode import Service

from schemas import topic
from schemas.codec import MsgpackCodec
from schemas.model import ModelDelta
from streams.live.connection import for_aiokafka
from streams.live.transport import stop_process
from streams.settings import KafkaSettings

CODEC: Final = MsgpackCodec(ModelDelta)
POLL_MS: Final = 200


class ModelFeed(Service):
    """A consumer without a group: every worker needs the whole topic."""

    def __init__(self, settings: KafkaSettings, partitions: int) -> None:
        """Read the topic's ``partitions``."""
        super().__init__()
        self._deltas: list[ModelDelta] = []
        self.changed = asyncio.Event()
        """Set whenever deltas have come in; whoever waits for it clears it."""
        self._numbers = [TopicPartition(settings.prefix + topic.MODEL.name, number) for number in range(partitions)]
        self._settings = settings
        self.caught_up = asyncio.Event()
        """Set when all that stood in the topic at the start has been read."""

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
        await self._consumer.stop()

    def take(self) -> list[ModelDelta]:
        """What has come in since the last call."""
        deltas, self._deltas = self._deltas, []
        return deltas

    async def _read(self) -> None:
        try:
            while not self.should_stop:
                await self._note_progress()
                found = await self._consumer.getmany(timeout_ms=POLL_MS)
                values = [record.value for records in found.values() for record in records if record.value is not None]
                self._deltas += map(CODEC.decode, values)
                if values:
                    self.changed.set()
        except Exception as error:  # noqa: BLE001 - without its model a worker would judge by an older one for ever
            if not self.should_stop:
                stop_process(error, "reading the model")

    async def _note_progress(self) -> None:
        if not self.caught_up.is_set():
            positions = [await self._consumer.position(number) for number in self._numbers]
            if all(at >= self._ends[number] for number, at in zip(self._numbers, positions, strict=True)):
                self.caught_up.set()
                self.changed.set()
