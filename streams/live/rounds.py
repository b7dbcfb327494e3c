"""Telling destinations how far sources are, in rounds, and acknowledging what all of them have been told."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Final

from faust.types import AppT, EventT

from schemas import topic
from streams.live.sending import Outgoing, Sender
from streams.live.transport import stop_process
from streams.pipeline.batch import Batch
from streams.pipeline.observe.observer import progress_of
from streams.pipeline.observe.telling import Telling

STAGE: Final = "observe, telling"
ROUND_S: Final = 0.1
"""Least time from one round to the next. The first one after a pause comes at once, so that few events wait for none.

A decision waits for the watermark of all sources, so this is what rounds add to it at most. Each round costs one
message a destination, and a batch that not all have sightings of is acknowledged so much later.
"""


class Rounds:
    """Who has been told what, and whose turn it is to send: messages go out in the order in which they were made."""

    def __init__(self, app: AppT, sender: Sender, destinations: int) -> None:
        """Tell ``destinations`` partitions."""
        self._app, self._sender = app, sender
        self.telling: Final = Telling[EventT[Batch]](destinations)
        self.turn: Final = asyncio.Lock()
        """Held from making messages until the producer has them."""
        self.acknowledge: Callable[[EventT[Batch]], Awaitable[object]] | None = None
        self._generation: int | None = None
        self._due_s = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self._running = False

    def renew(self) -> None:
        """Forget what another assignment has left behind."""
        if self._generation != self._app.consumer_generation_id:
            self._generation = self._app.consumer_generation_id
            self.telling.forget()

    def soon(self) -> None:
        """Have a round as soon as one is due, if there is anything to say."""
        if self.telling.behind and not self._running:
            self._running = True
            self._start(self._run())

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self) -> None:
        try:
            while self.telling.behind:
                await asyncio.sleep(self._due_s - asyncio.get_running_loop().time())
                async with self.turn:
                    await self._round()
        except Exception as error:  # noqa: BLE001 - the watermark would stand still in silence
            stop_process(error, STAGE)
        finally:
            self._running = False

    async def _round(self) -> None:
        self._due_s = asyncio.get_running_loop().time() + ROUND_S
        self.renew()  # words of an assignment that is over may contradict what the next owner says
        serial, progress = self.telling.round()
        messages = [
            Outgoing(topic.ACTIVITY.name, None, progress_of(words), partition=destination)
            for destination, words in progress.items()
        ]
        self._start(self._settle(serial, await self._sender.begin(messages)))

    async def _settle(self, serial: int, sent: Sequence[asyncio.Future[object]]) -> None:
        try:
            await self.settle(serial, sent)
        except Exception as error:  # noqa: BLE001 - what was not sent must be told again
            # Nothing is lost by a word that a stopping producer did not take.
            if not self._app.should_stop:
                stop_process(error, STAGE)

    async def settle(self, serial: int, sent: Sequence[asyncio.Future[object]]) -> None:
        """Wait until the broker has what was ``sent`` as ``serial``; acknowledge what all have been told by then."""
        await asyncio.gather(*sent)
        for event in self.telling.sent(serial):
            if self.acknowledge is not None:
                await self.acknowledge(event)
