"""What no enforcer should send to the local API: what does not exist, too much of it, too slowly."""

import asyncio
import contextlib
import gzip
import io
import os
import resource
import socket
from pathlib import Path

import aiohttp
import msgspec
import pytest
from aiohttp import web

from streams.serve import api
from streams.serve.listener import Listener
from tests.streams.pipeline.enforce.saying import T0_US, block
from tests.streams.serve.serving import Served, raw, tell

STREAM = "/v1/decisions/stream"


def test_what_does_not_exist(tmp_path: Path) -> None:
    """404 and 405, without a body."""

    async def story(server: Served) -> None:
        for method, path, status in (
            ("GET", "/nope", 404),
            ("GET", "/v1/decisions/", 404),
            ("POST", "/v1/decisions", 405),
            ("DELETE", STREAM, 405),
            ("GET", "/v1/usage-metrics", 405),
        ):
            got = await server.ask(path, method=method)
            assert (got.status, got.body) == (status, b""), path

    tell(tmp_path, story)


def test_usage_metrics(tmp_path: Path) -> None:
    """Taken with 201, packed too; what is no such thing is 400, too much of it 413, without a key 403."""

    async def story(server: Served) -> None:
        body = msgspec.json.encode({"remediation_components": [{"type": "custom", "version": "v0.0.15"}]})
        packed = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
        bomb = gzip.compress(b'{"remediation_components":[' + b" " * 3_000_000 + b"]}")
        for data, headers, status in (
            (body, {}, 201),
            (gzip.compress(body), packed, 201),
            (b"{", {}, 400),
            (b"[]", {}, 400),
            (b'{"remediation_components": 1}', {}, 400),
            (b"\xff", {}, 400),
            (b'{"remediation_components":[{"a":"\xed\xa0\x80"}]}', {}, 400),
            (b'{"remediation_components":[{"a":' + b"[" * 100_000, {}, 400),
            (b'{"remediation_components":[{"a":' + b"9" * 100_000 + b"}]}", {}, 400),
            (bomb, packed, 413),
            (b"not gzip", packed, 400),
            (b" " * 1_048_577, {}, 413),
            (body, {"Content-Encoding": "br"}, 415),
        ):
            got = await server.ask("/v1/usage-metrics", method="POST", data=io.BytesIO(data), headers=headers)
            assert got.status == status, data[:40]
        assert (await server.ask("/v1/usage-metrics", "x", method="POST", data=body)).status == 403

    tell(tmp_path, story)


@pytest.mark.parametrize(
    "head",
    [
        "GET /v1/decisions?ip=" + "1" * 9_000 + " HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: x\r\nX-Long: " + "1" * 9_000 + "\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: x\r\n" + "".join(f"X-{n}: 1\r\n" for n in range(80)) + "\r\n",
        "\x16\x03\x01\x02\r\n\r\n",
    ],
)
def test_huge_heads(tmp_path: Path, head: str) -> None:
    """Lines and headers beyond the limits, and what is no HTTP at all, are 400; the next client is served."""

    async def story(server: Served) -> None:
        assert b" 400 " in (await raw(server, head)).partition(b"\r\n")[0]
        assert (await server.ask("/health")).status == 200

    tell(tmp_path, story)


def test_a_flood_of_what_is_no_http(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One line in the log, without a trace and without an address."""

    async def story(server: Served) -> None:
        for head in (
            "\x16\x03\x01\r\n\r\n",
            "GET /\xff HTTP/1.1\r\n\r\n",
            "GET /" + "a" * 9_000 + " HTTP/1.1\r\n\r\n",
        ) * 5:
            assert b" 400 " in await raw(server, head)

    with caplog.at_level("INFO"):
        tell(tmp_path, story)
    (line,) = [record for record in caplog.records if record.levelname != "DEBUG"]
    assert "no HTTP" in line.getMessage()
    assert line.exc_info is None
    assert "127.0.0.1" not in caplog.text


def test_more_connections_than_files(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What cannot be taken is one line in the log; who is connected is served, and so is everybody afterwards."""

    async def story(server: Served) -> None:
        assert (await server.ask("/health")).status == 200
        host, _, port = server.at.rpartition(":")
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        with contextlib.ExitStack() as stack:
            for _ in range(40):
                stack.enter_context(socket.create_connection((host, int(port))))
            last = os.dup(0)
            os.close(last)
            try:
                resource.setrlimit(resource.RLIMIT_NOFILE, (last + 10, before[1]))
                while "too many files open" not in caplog.text:
                    assert (await server.ask("/health")).status == 200
                assert (await server.ask("/health")).status == 200
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, before)
        assert (await raw(server, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n")).startswith(b"HTTP/1.1 200 ")

    with caplog.at_level("INFO"):
        tell(tmp_path, story)
    (line,) = [record for record in caplog.records if record.levelname != "DEBUG"]
    assert line.exc_info is None


def test_a_fault_of_ours_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """With its trace, each time."""

    async def broken(_: web.Request) -> web.Response:
        raise RuntimeError("a fault")

    async def story() -> None:
        application = web.Application()
        application.router.add_get("/", broken)
        listener = Listener(application, finish_s=0.1)
        at = await listener.begin("127.0.0.1", 0)
        async with aiohttp.ClientSession() as session:
            for _ in range(2):
                async with session.get(f"http://{at}/") as got:
                    assert got.status == 500
        await listener.end()

    asyncio.run(story())
    assert [record.exc_info is not None for record in caplog.records if record.levelname == "ERROR"] == [True, True]


def test_silent_and_slow_clients(tmp_path: Path) -> None:
    """A connection without a whole request is closed, though bytes trickle in; others do not wait for it."""

    async def story(server: Served) -> None:
        host, _, port = server.at.rpartition(":")
        silent, slow = [await asyncio.open_connection(host, int(port)) for _ in range(2)]
        slow[1].write(b"GET /health HTTP/1.1\r\nX-Slow: ")
        for _ in range(3):
            assert (await server.ask("/health")).status == 200
            slow[1].write(b"1")
            await asyncio.sleep(0.1)
        for reader, writer in (silent, slow):
            assert await asyncio.wait_for(reader.read(), 5) == b""
            writer.close()

    tell(tmp_path, story, silent_s=0.25)


def test_a_client_that_does_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its answer is cut off, so that it cannot take it for whole, and told again; others are served meanwhile."""
    monkeypatch.setattr(api, "WRITE_S", 0.3)
    caplog.set_level("DEBUG", api.__name__)

    async def story(server: Served) -> None:
        for n in range(40_000):
            key = f"ip:10.{n // 65536}.{n // 256 % 256}.{n % 256}"
            server.known.log.records.append((0, n, T0_US, key, block(key, 600)))
        host, _, port = server.at.rpartition(":")
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.connect((host, int(port)))
            slow.sendall(f"GET {STREAM} HTTP/1.1\r\nHost: x\r\nX-Api-Key: {server.key}\r\n\r\n".encode())
            while "went away" not in caplog.text:
                assert (await server.ask("/health")).status == 200
                await asyncio.sleep(0.05)
            slow.settimeout(5)
            got = await asyncio.to_thread(everything, slow)
        size = int(got.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
        assert len(got.partition(b"\r\n\r\n")[2]) < size
        monkeypatch.undo()
        assert len((await server.ask(STREAM)).values("new")) == 40_000

    tell(tmp_path, story)


def everything(connection: socket.socket) -> bytes:
    """What still comes of a connection, to its end or its breaking."""
    got = b""
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(1 << 20):
            got += piece
    return got
