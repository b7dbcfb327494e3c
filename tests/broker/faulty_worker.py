"""`weir worker` that fails: the last argument names the fault.

``observe`` and ``assess`` are bugs of a stage that an account "poison" brings out; ``sent`` is a kill at the worst
moment. ``begin`` and ``seek`` are what an assignment awaits that was cancelled though nobody has asked for it.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn
from unittest import mock

from schemas import topic
from streams.cli.main import run
from streams.live.checkpoint.reading import StateReader
from streams.live.sending import Outgoing, Sender
from streams.live.transport.consumer import BatchConsumer
from streams.pipeline.assess.assessor import Assessor
from streams.pipeline.batch import Batch
from streams.pipeline.observe.observer import Observed, Observer
from streams.pipeline.observe.telling import Since
from streams.pipeline.sightings import Sightings

POISON = b"poison"

observe, accept, begin = Observer.observe, Assessor.accept, Sender.begin


def failing_observe(self: Observer, batch: Batch, since: Since | None = None) -> Observed:
    """Fails at the request event."""
    if any(POISON in (value or b"") for value in batch.values):
        raise LookupError("a bug in observe")
    return observe(self, batch, since)


def failing_accept(self: Assessor, sightings: Sightings) -> None:
    """Fails at the sightings."""
    if POISON in bytes(sightings.actor_text):
        raise LookupError("a bug in assess")
    accept(self, sightings)


async def begin_and_die(self: Sender, records: Sequence[Outgoing]) -> list[asyncio.Future[object]]:
    """Is killed when the broker has an alert, before anything is acknowledged."""
    sent = await begin(self, records)
    if any(record.topic == topic.ALERTS.name for record in records):
        await asyncio.gather(*sent)
        os.kill(os.getpid(), signal.SIGKILL)
    return sent


async def cancelled(*_: object) -> NoReturn:
    """Awaits what was cancelled."""
    raise asyncio.CancelledError


FAULTS = {
    "begin": (StateReader, "find", cancelled),
    "seek": (BatchConsumer, "perform_seek", cancelled),
    "observe": (Observer, "observe", failing_observe),
    "assess": (Assessor, "accept", failing_accept),
    "sent": (Sender, "begin", begin_and_die),
}

if __name__ == "__main__":
    *arguments, fault = sys.argv[1:]
    with mock.patch.object(*FAULTS[fault]):
        sys.exit(run(arguments))
