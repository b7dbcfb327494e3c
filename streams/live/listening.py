"""The worker's address for metrics and health: open before the broker is asked for anything, closed last."""

import logging
import socket
from typing import Final

from mode import Service

from streams.monitor import Monitor
from streams.serve.listener import Listener

FINISH_S: Final = 1.0

log = logging.getLogger(__name__)


class Listening(Service):
    """Listens for as long as the worker runs."""

    def __init__(self, monitor: Monitor, at: socket.socket) -> None:
        """Answer with ``monitor`` at a socket that is bound."""
        super().__init__()
        self._listener, self._socket = Listener(monitor.application(), finish_s=FINISH_S), at

    async def on_start(self) -> None:
        """Answer from now on."""
        log.info("metrics and health at %s", await self._listener.begin_at(self._socket))

    async def on_stop(self) -> None:
        """Answer no more."""
        await self._listener.end()
