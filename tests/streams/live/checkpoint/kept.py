"""A topic of state on a broker, with owners that write made-up blobs into it."""

import asyncio
from asyncio import Future
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from aiokafka import AIOKafkaProducer

from schemas import topic
from streams.live.checkpoint.manifest import Manifest, Owner
from streams.live.checkpoint.reading import Found, StateReader
from streams.live.checkpoint.restoring import restored_from
from streams.live.checkpoint.writing import Point, Series
from streams.live.sending import Outgoing, Sender
from tests.brokers import Broker

T = TypeVar("T")
Blobs = Mapping[str, bytes]


class Direct:
    """A `Sender` without a Faust app; ``fails`` after so many records."""

    def __init__(self, producer: AIOKafkaProducer, name: str) -> None:
        self._producer, self._name = producer, name
        self.left: int | None = None

    async def begin(self, records: Sequence[Outgoing]) -> list[Future[object]]:
        """Hand records to the producer."""
        futures = []
        for record in records:
            assert record.topic == topic.STATE.name
            if self.left is not None:
                self.left -= 1
                if self.left < 0:
                    raise KilledError
            futures.append(await self._producer.send(self._name, record.value, record.key, record.partition))
        return futures

    async def send(self, records: Sequence[Outgoing]) -> None:
        """Hand records over and wait."""
        await asyncio.gather(*await self.begin(records))


class KilledError(Exception):
    """The owner ended in the middle of a checkpoint."""


@dataclass(slots=True)
class State:
    """The topic and what can be done with it."""

    broker: Broker
    name: str
    sender: Direct
    encoding: ThreadPoolExecutor

    def series(self, term: int, generation: int, outdated: Iterable[str] = ()) -> Series:
        """Checkpoints of partition 0 by one owner."""
        return Series(cast(Sender, self.sender), 0, 2, Owner(term, generation), tuple(outdated))

    async def take_over(self, generation: int) -> Series:
        """Checkpoints by the next owner."""
        found = await self.find()
        owner = Owner(found.next_term, generation)
        return self.series(*owner, found.outdated(owner))

    async def write(self, series: Series, upto: int, blobs: Blobs, names: Iterable[str] = ()) -> Manifest:
        """A checkpoint of ``blobs``, and of those of ``names`` that stand already."""
        return await series.write(Point(upto, upto), {*names, *blobs}, iter(blobs.items()), self.encoding)

    async def killed(self, series: Series, upto: int, blobs: Blobs, records: int) -> None:
        """The same, but the owner is killed when ``records`` have been sent."""
        self.sender.left = records
        try:
            await self.write(series, upto, blobs)
        except KilledError:
            self.sender.left = None
            return
        raise AssertionError("it was through before it could be killed")

    async def find(self) -> Found:
        """What stands at the end of partition 0."""
        async with StateReader(self.broker.kafka, self.name, [0, 1]) as reader:
            return await reader.find(0)

    async def restored(
        self, refuse: Callable[[Blobs], None] = lambda _: None, first: int = 0
    ) -> tuple[int, Blobs] | None:
        """Where the best checkpoint stands, and its blobs; None where there is none. ``refuse`` may raise."""
        taken: list[Blobs] = []

        async def restore(blobs: Blobs) -> None:
            refuse(blobs)
            taken.append(blobs)

        async with StateReader(self.broker.kafka, self.name, [0, 1]) as reader:
            found = await reader.find(0)
            manifest = await restored_from(reader, 0, found, first, restore)
        return None if manifest is None else (manifest.upto, taken[-1])


def run(broker: Broker, body: Callable[[State], Awaitable[T]], **configs: str) -> T:
    """Let ``body`` have a topic of its own."""

    async def go() -> T:
        name = broker.topic(2, max_message_bytes=str(16 << 20), **configs)
        settings: dict[str, Any] = {"bootstrap_servers": broker.bootstrap, "max_request_size": 16 << 20}
        async with AIOKafkaProducer(**settings, acks="all") as producer:
            with ThreadPoolExecutor(1) as encoding:
                return await body(State(broker, name, Direct(producer, name), encoding))

    return asyncio.run(go())
