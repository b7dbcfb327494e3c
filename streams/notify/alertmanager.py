"""Tells one replica of Alertmanager what goes on: at once when that changes, and again and again while it lasts."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

import msgspec

from schemas.alert import Alert
from streams.clock import Clock
from streams.notify.board import US, Board, Key
from streams.notify.patience import Patience
from streams.notify.poster import Answer, Fate, Poster
from streams.notify.reading import decoded, wanted
from streams.notify.setting import NotifySettings, Receiver
from streams.notify.source import Source
from streams.notify.told import Told
from streams.outputs.alertmanager import Json, Posting, postable

PATH: Final = "/api/v2/alerts"
LASTS: Final = 4
"""An alert ends by itself after so many times `notify.resend_s` without a word; Prometheus too says it that often."""
POLL_S: Final = 0.5
RECORDS: Final = 2_000
ALERTS_MAX: Final = 200
"""In one request."""

log = logging.getLogger(__name__)


class Replica:
    """One Alertmanager."""

    def __init__(self, receiver: Receiver, settings: NotifySettings, poster: Poster, told: Told, clock: Clock) -> None:
        """``told`` is named as the replica is."""
        self._receiver, self._settings, self._poster = receiver, settings, poster
        self._told, self._clock = told, clock
        self._patience = Patience()

    async def run(self, source: Source, alerts: str, silent_us: int) -> None:
        """Read and tell until cancelled; ``alerts`` is the topic of alerts.

        Raises:
            KafkaError: the broker refuses; begin anew with another source.
        """
        board = Board(self._settings.incidents_max, self._settings.labels, silent_us)
        posted: dict[Key, Posting] = {}
        due_us = 0
        changed = False
        while True:
            reads = await source.take(POLL_S, RECORDS)
            for read, record in decoded(reads, alerts, self._told):
                if wanted(record, self._receiver):
                    changed = True
                    if isinstance(record, Alert):
                        board.alert(record, read.at_us, told=read.known)
                    else:
                        board.audit(record, read.at_us)
            self._told.lag = source.lag()
            now_us = self._clock()
            is_due = now_us >= due_us or (changed and not self._told.failing)
            # Of half of what was told, incidents that have ended would seem to go on.
            if not is_due or not await source.caught_up():
                await source.keep_alive()
                continue
            due_us, changed = await self._tell(board, posted, now_us), False
            if not self._told.failing:
                await source.told()

    async def _tell(self, board: Board, posted: dict[Key, Posting], now_us: int) -> int:
        """Once; returns when it is due again."""
        board.forget(now_us)
        firing = {tuple(sorted(one.labels.items())): one for one in board.postings(now_us)}
        ended = {key: one for key, one in posted.items() if key not in firing}
        posted |= firing
        answer = await self._post([*firing.values()], [*ended.values()], now_us)
        if answer.fate is Fate.FAILED:
            wait_s = self._patience.longer(answer.after_s)
            log.warning("%s: %s; tried again in %.0f s", self._told.receiver, answer.why, wait_s)
            return now_us + int(wait_s * US)
        self._patience.restored()
        board.tell(now_us)
        for key in ended:
            del posted[key]
        return self._clock() + self._settings.resend_s * US

    async def _post(self, firing: Sequence[Posting], ended: Sequence[Posting], now_us: int) -> Answer:
        ends_us = now_us + LASTS * self._settings.resend_s * US
        alerts = [postable(one, ends_us) for one in firing] + [postable(one, now_us) for one in ended]
        for first in range(0, len(alerts), ALERTS_MAX):
            answer = await self._post_some(alerts[first : first + ALERTS_MAX])
            if answer.fate is Fate.FAILED:
                return answer
            await asyncio.sleep(0)
        return Answer(Fate.TAKEN)

    async def _post_some(self, alerts: Sequence[Json]) -> Answer:
        answer = await self._poster.post(msgspec.json.encode(alerts), {})
        self._told.note(answer.fate, answer.why, self._clock(), len(alerts))
        if answer.fate is Fate.REFUSED:
            # Alertmanager takes the alerts of a request that are right, and names the others.
            log.error("%s refused some of %d alerts: %s", self._told.receiver, len(alerts), answer.why)
        return answer
