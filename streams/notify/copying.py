"""Writes the alerts once more, in the format of somebody else, to a topic of its own."""

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from aiokafka import AIOKafkaProducer

from schemas.alert import Alert
from schemas.topic import Topic
from streams.clock import Clock
from streams.live.connection import for_aiokafka
from streams.notify.poster import Fate
from streams.notify.reading import decoded
from streams.notify.source import Source
from streams.notify.told import Told
from streams.outputs.alertmanager import Json
from streams.outputs.cloudevents import alert_headers
from streams.settings import KafkaSettings

POLL_S: Final = 0.5
RECORDS: Final = 2_000

Format = Callable[[Alert], Json]


class Copy:
    """One format."""

    def __init__(self, kafka: KafkaSettings, topic: Topic, kind: str, form: Format, told: Told, clock: Clock) -> None:
        """Write to ``topic`` what ``form`` makes of an alert; ``kind`` is its type as a CloudEvent."""
        self._kafka, self._topic, self._kind, self._form = kafka, topic, kind, form
        self._told, self._clock = told, clock

    async def run(self, source: Source, alerts: str, _silent_us: int) -> None:
        """Read and write until cancelled; ``alerts`` is the topic of alerts.

        Raises:
            KafkaError: the broker refuses; begin anew with another source.
        """
        producer = AIOKafkaProducer(**for_aiokafka(self._kafka), acks="all", enable_idempotence=False)
        await producer.start()
        try:
            while True:
                reads = await source.take(POLL_S, RECORDS)
                found = [record for _, record in decoded(reads, alerts, self._told) if isinstance(record, Alert)]
                for sending in [await self._send(producer, alert) for alert in found]:
                    await sending
                if found:
                    self._told.note(Fate.TAKEN, "", self._clock(), len(found))
                await source.told()
                self._told.lag = source.lag()
        finally:
            await producer.stop()

    async def _send(self, producer: AIOKafkaProducer, alert: Alert) -> Awaitable[object]:
        value = msgspec.json.encode(self._form(alert))
        name = self._kafka.prefix + self._topic.name
        headers = alert_headers(alert, self._kind)
        sending: Awaitable[object] = await producer.send(name, value, alert.incident.encode(), headers=headers)
        return sending
