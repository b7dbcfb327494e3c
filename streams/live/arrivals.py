"""Records on their way to the broker, in order, and what is done once it has them.

Whoever sends goes on at once. What must wait for the broker, above all the acknowledgement of what the records came of,
waits here, behind everything that was sent before it.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple

from streams.live.transport import stop_process

AHEAD_MAX: Final = 64
"""So many sendings are on their way at most before the sender waits for the broker."""


class _Sending(NamedTuple):
    sent: Sequence["asyncio.Future[object]"]
    then: Callable[[], Awaitable[None]]
    arrived: "asyncio.Future[bool]"


class Arrivals:
    """What is on its way of one partition."""

    def __init__(self) -> None:
        self._sendings: deque[_Sending] = deque()
        self._task: asyncio.Task[None] | None = None
        self._broken = False
        """One never arrived."""

    def __len__(self) -> int:
        return len(self._sendings)

    def add(self, sent: Sequence["asyncio.Future[object]"], then: Callable[[], Awaitable[None]]) -> None:
        """Do ``then`` when the broker has all records of ``sent``, and everything before has arrived and been done.

        Nothing is done any more behind one that never arrives. What fails ends the process.
        """
        arrived: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._sendings.append(_Sending(sent, then, arrived))
        if self._broken:
            arrived.set_result(False)
        elif self._task is None or self._task.done():
            self._task = asyncio.create_task(self._see_to())

    async def room(self) -> None:
        """Wait for the broker when very much is on its way."""
        if len(self) > AHEAD_MAX:
            await self.wait()

    async def wait(self) -> bool:
        """Wait for all that is on its way by now and what is done then; False when it never will be."""
        if not self._sendings:
            return True
        arrived = self._sendings[-1].arrived
        # Whoever gives up waiting must not take what he waited for with him.
        await asyncio.wait([arrived])
        return arrived.result()

    async def _see_to(self) -> None:
        try:
            while self._sendings:
                sending = self._sendings[0]
                await asyncio.gather(*sending.sent)
                await sending.then()
                self._sendings.popleft()
                sending.arrived.set_result(True)
        except Exception as error:  # noqa: BLE001 - what was not sent must be judged again
            stop_process(error, "sending")
        finally:
            self._broken = bool(self._sendings)
            for left in self._sendings:
                left.arrived.set_result(False)
