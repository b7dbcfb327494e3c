"""Tells a webhook every message, once it is written; what it does not take is kept for it on the broker."""

import asyncio
import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from schemas.alert import Alert
from schemas.audit import Audit
from schemas.errors import ConfigError
from streams.clock import Clock
from streams.notify.patience import Patience
from streams.notify.poster import Answer, Fate, Poster
from streams.notify.reading import decoded, wanted
from streams.notify.setting import NotifySettings, Receiver
from streams.notify.source import Source
from streams.notify.told import Told
from streams.outputs.webhook import Message, document, message_id, of_alert, of_audit, signed

POLL_S: Final = 0.5
RECORDS: Final = 100
ALERTS_MAX: Final = 50
"""In one message."""

log = logging.getLogger(__name__)


class Webhook:
    """One URL."""

    def __init__(self, receiver: Receiver, settings: NotifySettings, poster: Poster, told: Told, clock: Clock) -> None:
        """``told`` is named as the URL is."""
        self._receiver, self._labels, self._poster = receiver, settings.labels, poster
        self._told, self._clock = told, clock
        self._patience = Patience()

    async def run(self, source: Source, alerts: str, _silent_us: int) -> None:
        """Read and tell until cancelled; ``alerts`` is the topic of alerts.

        Raises:
            KafkaError: the broker refuses; begin anew with another source.
        """
        while True:
            reads = await source.take(POLL_S, RECORDS)
            self._told.lag = source.lag()
            records = (record for _, record in decoded(reads, alerts, self._told) if wanted(record, self._receiver))
            for batch in batches(message for record in records if (message := self._message(record))):
                await self._tell(batch, source)
            await source.told()
            self._told.lag = source.lag()

    def _message(self, record: Alert | Audit) -> Message | None:
        return of_alert(record, self._labels) if isinstance(record, Alert) else of_audit(record, self._labels)

    async def _tell(self, batch: Sequence[Message], source: Source) -> None:
        """Until it is taken or refused, one by one where all together are refused."""
        while (answer := await self._post(batch)).fate is Fate.FAILED:
            wait_s = self._patience.longer(answer.after_s)
            log.warning("%s: %s; tried again in %.0f s", self._told.receiver, answer.why, wait_s)
            await asyncio.sleep(wait_s)
            await source.keep_alive()
        self._patience.restored()
        if answer.fate is Fate.REFUSED and len(batch) > 1:
            for message in batch:
                await self._tell([message], source)

    async def _post(self, batch: Sequence[Message]) -> Answer:
        body = msgspec.json.encode(document(batch, self._receiver.name))
        headers = {"webhook-id": message_id(batch)}
        try:
            if secret := self._poster.secret():
                headers = signed(secret, headers["webhook-id"], self._clock() // 1_000_000, body)
            answer = await self._poster.post(body, headers)
        except ConfigError as error:  # the secret's file is being replaced, or gone
            answer = Answer(Fate.FAILED, str(error))
        if answer.fate is not Fate.REFUSED or len(batch) == 1:
            self._told.note(answer.fate, answer.why, self._clock(), len(batch))
        if answer.fate is Fate.REFUSED and len(batch) == 1:
            log.error("%s refused the message of record %s: %s", self._told.receiver, batch[0].id, answer.why)
        return answer


def batches(messages: Iterable[Message]) -> Iterator[list[Message]]:
    """Messages that share their labels together, at most `ALERTS_MAX`; what is told of one incident stays in order."""
    waiting: dict[object, list[Message]] = {}
    places: dict[object, object] = {}
    for message in messages:
        if places.get(message.subject, message.group) != message.group:
            yield from waiting.values()
            waiting, places = {}, {}
        places[message.subject] = message.group
        batch = waiting.setdefault(message.group, [])
        batch.append(message)
        if len(batch) == ALERTS_MAX:
            yield waiting.pop(message.group)
            places = {subject: group for subject, group in places.items() if group != message.group}
    yield from waiting.values()
