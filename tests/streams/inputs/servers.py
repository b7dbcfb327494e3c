"""Real servers on loopback, each with the log that the README recommends, and requests to drive them with."""

import http.client
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from streams.inputs.text import url_text

WAIT_S: Final = 20.0


class Request(NamedTuple):
    """What is sent: bytes as they are, which no client library would let through."""

    method: bytes
    target: bytes
    agent: bytes
    user: str | None = None

    @property
    def path(self) -> str:
        """As an event has it."""
        return url_text(self.target.partition(b"?")[0])

    @property
    def query(self) -> str | None:
        """As an event has it."""
        _, found, query = self.target.partition(b"?")
        return url_text(query) if found else None


def requests(*, raw_targets: bool) -> list[Request]:
    """A few hundred requests, some of them nasty; ``raw_targets`` puts bytes that are no URL into some."""
    plain = [
        Request(b"GET" if n % 3 else b"HEAD", b"/people/%d?page=%d" % (n, n % 7), b"probe/%d" % n) for n in range(250)
    ]
    agents = [
        b'a "quoted" one', b'" 200 12 "-" "', b"back\\slash", b"\\x22 that is none", b"non-UTF-8 \xff\xfe",
        "é ü 日本".encode(),
        b"tab\there", b"a" * 4000, b"'single' <b>&amp;</b>", b"${jndi:ldap://x}", b"#22 %22 {x} |y|", b"-",
        b'[x] ] "GET / HTTP/1.1"',
    ]  # fmt: skip
    targets = [
        b"/people/%22quoted%22", b"/people/a%20b?q=%20&r=", b"/people/7?", b"/people/%C3%A9", b"/people/" + b"9" * 700,
        b"/people/7?q=a?b?c", b"/people/7;v=1", b"/people/7?x='", b"/people/~x/@y/!z", b"/people/[7]?a[]=1",
    ]  # fmt: skip
    if raw_targets:
        targets += [
            b'/people/"raw"',
            b"/people/back\\slash",
            "/people/é".encode(),
            b"/people/7?q=\xff\xfe",
            b"/people/{7}",
        ]
    return [
        *plain,
        *(Request(b"GET", b"/people/%d" % at, agent) for at, agent in enumerate(agents)),
        *(Request(b"GET", target, b"probe") for target in targets),
        *(Request(method, b"/people/7", b"probe") for method in (b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH")),
    ]


def send(port: int, request: Request) -> int:
    """Ask on a connection of its own; the status of the answer."""
    length = b"Content-Length: 0\r\n" if request.method in (b"POST", b"PUT", b"PATCH") else b""
    head = b"%s %s HTTP/1.1\r\nHost: example.test\r\nConnection: close\r\n%sUser-Agent: %s\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(head % (request.method, request.target, length, request.agent))
        answer = http.client.HTTPResponse(connection, method=request.method.decode())
        answer.begin()
        answer.read()
        return answer.status


def program(name: str) -> str:
    """Path of an installed program; skips the test where it is not there, unless real programs are required."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if found is None:
        if os.environ.get("WEIR_TEST_KAFKA") == "require":
            pytest.fail(f"{name} is not installed, and WEIR_TEST_KAFKA=require asks for all real programs")
        pytest.skip(f"{name} is not installed")
    return found


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def wait(reached: Callable[[], bool], what: str) -> None:
    """Wait until ``reached``; raises AssertionError when that takes too long."""
    deadline = time.monotonic() + WAIT_S
    while not reached():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.05)


def listens(port: int) -> bool:
    """Whether somebody does."""
    with socket.socket() as asking:
        asking.settimeout(1)
        return asking.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def running(command: list[str], directory: Path, port: int) -> Iterator[None]:
    """A server that runs in the foreground, until the block ends."""
    with (directory / "output").open("wb") as output:
        process = subprocess.Popen(
            command, cwd=directory, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
        )
    try:
        wait(lambda: listens(port) or process.poll() is not None, f"{command[0]} to listen")
        assert process.poll() is None, (directory / "output").read_text(errors="replace")
        yield
    finally:
        process.terminate()
        process.wait(timeout=20)
