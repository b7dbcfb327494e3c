"""A worker that brokers do not let in any more: it ends with the line that a start would give.

Kafka asks for name and password at each new connection only, so a worker whose user was removed, or given another
password, goes on until a connection breaks. Its clients then try again for ever, ten times a second, and nothing is
read, written or said but that. That a broker is away looks the same from inside Faust. So whenever a client says that
it could not connect, one connection is made to hear the reason, with the very credentials that the worker has.
"""

import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from schemas.errors import TransportError
from streams.live.connection import for_aiokafka
from streams.live.probe import refusal
from streams.live.transport import stop_process
from streams.settings import KafkaSettings

SAYS: Final = "aiokafka"
"""The logger in which every client of the process says, as an error, that it could not connect."""
TRIES: Final = 3
"""A worker is locked out when so many tries on end were refused: a broker that is starting may not know all users."""
PAUSE_S: Final = 3.0
"""Before each of them."""

Stop = Callable[[BaseException], object]


class Lockout(logging.Filter):
    """Listens for connections that could not be made. It takes nothing from the log."""

    def __init__(self, kafka: KafkaSettings, stop: Stop, pause_s: float = PAUSE_S) -> None:
        """``stop`` ends the process, called from a thread of its own; raises `ConfigError`, see `for_aiokafka`."""
        super().__init__()
        self._kafka, self._arguments = kafka, for_aiokafka(kafka)
        self._stop, self._pause_s = stop, pause_s
        self._looking = threading.Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        """Have a look, unless one is under way; True, as the line is written all the same."""
        if record.levelno >= logging.ERROR and self._looking.acquire(blocking=False):
            try:
                threading.Thread(target=self._look, name="lockout", daemon=True).start()
            except RuntimeError:  # no more threads: the client that speaks must not fail of it
                self._looking.release()
        return True

    def _look(self) -> None:
        reason: str | None = ""
        try:
            for _ in range(TRIES):
                time.sleep(self._pause_s)
                reason = refusal(self._kafka, self._arguments)
                if reason is None:
                    return  # somebody lets us in, or nobody is there
            self._stop(TransportError(f"kafka {self._kafka.bootstrap}: {reason}"))
        finally:
            self._looking.release()


def end_when_locked_out(kafka: KafkaSettings) -> None:
    """Have this process end when brokers that it can reach let it in no more; raises `ConfigError`.

    Nothing is done where the broker asks for neither name nor certificate.
    """
    if kafka.security.protocol != "plaintext":
        logging.getLogger(SAYS).addFilter(Lockout(kafka, partial(stop_process, where="connecting")))
