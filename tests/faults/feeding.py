"""Request events written steadily by a thread, as a platform does, whatever happens to brokers."""

import threading
import time
from collections.abc import Sequence
from typing import Final

from kafka import KafkaProducer

from tests.broker.installation import PARTITIONS, partition_of

STEP_S: Final = 0.1


class Feeding:
    """Writes ``events`` to ``topic``: the first share ``at_once``, the rest over ``duration_s``.

    No partition is ever quiet for long: none becomes idle.
    """

    def __init__(
        self,
        bootstrap: str,
        topic: str,
        events: Sequence[bytes],
        duration_s: float,
        partitions: int = PARTITIONS,
        at_once: float = 0.0,
    ) -> None:
        self._events, self._topic, self._duration_s, self._partitions = events, topic, duration_s, partitions
        self._at_once = at_once
        # Idempotent: a broker that dies between writing and answering must not get an event twice.
        self._producer = KafkaProducer(
            bootstrap_servers=bootstrap,
            enable_idempotence=True,
            delivery_timeout_ms=120_000,
            request_timeout_ms=5_000,
            linger_ms=20,
        )
        self._failed: list[BaseException] = []
        self._hurry = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feeding", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    @property
    def done(self) -> bool:
        """All is written, or writing failed."""
        return not self._thread.is_alive()

    def hurry(self) -> None:
        """Write what is left at once."""
        self._hurry.set()

    def finish(self) -> None:
        """Wait for the end.

        Raises:
            AssertionError: an event could not be written, so the round says nothing about Weir.
        """
        self._thread.join(180)
        self._producer.close()
        assert self.done, "feeding has not ended"
        assert not self._failed, f"feeding failed: {self._failed[0]!r}"

    def _run(self) -> None:
        started, sent = time.monotonic(), 0
        try:
            while sent < len(self._events):
                share = 1.0 if self._hurry.is_set() else min((time.monotonic() - started) / self._duration_s, 1.0)
                upto = int((self._at_once + share * (1.0 - self._at_once)) * len(self._events))
                for event in self._events[sent:upto]:
                    future = self._producer.send(self._topic, event, partition=partition_of(event, self._partitions))
                    future.add_errback(self._failed.append)
                sent = upto
                self._hurry.wait(STEP_S)
            self._producer.flush(timeout=120)
        except Exception as error:  # noqa: BLE001 - told by `finish`
            self._failed.append(error)
