"""Metrics and health over HTTP."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass
from types import SimpleNamespace

import aiohttp
import pytest
from aiohttp import web

from schemas.errors import ConfigError, TransportError
from streams.metrics import READY, WORKER, Metrics
from streams.monitor import Monitor, bound, stranger
from streams.serve.listener import LINE_MAX_BYTES, Listener


@dataclass
class State:
    """Health as a test says, and what a reload comes to."""

    reason: str = ""
    refused: bool = False
    detail: str = "sha256:2 is in force soon"
    reloads: int = 0

    def missing(self) -> str:
        """As the test says."""
        return self.reason

    async def reload(self) -> "State":
        """Count it."""
        self.reloads += 1
        return self


Ask = Callable[..., Awaitable[tuple[int, dict[str, str]]]]


def told(state: State, story: Callable[[Ask], Awaitable[None]], *, reloads: bool = True) -> None:
    """Run a story against a monitor."""

    async def run() -> None:
        monitor = Monitor(Metrics(WORKER), state, state.reload if reloads else None)
        listener = Listener(monitor.application(), finish_s=0.1)
        at = await listener.begin_at(bound("127.0.0.1:0"))
        async with aiohttp.ClientSession() as session:

            async def ask(path: str, method: str = "GET", **more: object) -> tuple[int, dict[str, str]]:
                async with session.request(method, f"http://{at}{path}", **more) as got:  # type: ignore[arg-type]
                    return got.status, await got.json() if "json" in got.content_type else {"text": await got.text()}

            await story(ask)
        await listener.end()

    asyncio.run(run())


def test_ready_comes_and_goes_started_stays() -> None:
    """Alive throughout; ready while nothing is missing; started once it was ready, whatever comes."""
    state = State("partitions are being assigned")

    async def story(ask: Ask) -> None:
        assert await ask("/livez") == await ask("/-/healthy") == (200, {"status": "alive"})
        assert await ask("/readyz") == await ask("/-/ready") == (503, {"message": state.reason})
        assert (await ask("/startupz"))[0] == 503
        state.reason = ""
        assert await ask("/readyz") == (200, {"status": "ready"})
        state.reason = "again"
        assert (await ask("/readyz"))[0] == 503
        assert await ask("/startupz") == (200, {"status": "started"})
        assert (await ask("/livez"))[0] == 200

    told(state, story)


def test_the_page_counts_as_a_look() -> None:
    """It says whether the process is ready, and a process that was ready then has started."""
    state = State()

    async def story(ask: Ask) -> None:
        assert f"{READY.name} 1.0" in (await ask("/metrics"))[1]["text"]
        state.reason = "gone"
        assert f"{READY.name} 0.0" in (await ask("/metrics"))[1]["text"]
        assert (await ask("/startupz"))[0] == 200

    told(state, story)


def test_no_answer_tells_versions() -> None:
    """Whoever reaches the port learns nothing of the programs behind it, by what is refused neither."""

    async def run() -> None:
        listener = Listener(Monitor(Metrics(WORKER), State()).application(), finish_s=0.1)
        at = await listener.begin_at(bound("127.0.0.1:0"))
        async with aiohttp.ClientSession() as session:
            for path, status in (("/metrics", 200), ("/livez", 200), ("/-/reload", 404), ("/nothing", 404)):
                async with session.get(f"http://{at}{path}") as got:
                    assert (got.status, "Server" in got.headers) == (status, False)
        host, _, port = at.rpartition(":")
        for line in (b"no HTTP", b"GET /metrics HTTP/1.1\r\nX: " + b"x" * LINE_MAX_BYTES):
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(line + b"\r\n\r\n")
            head, _, _ = (await reader.read()).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.0 400")
            assert b"aiohttp" not in head
            writer.close()
        await listener.end()

    asyncio.run(run())


def test_reload() -> None:
    """What was taken is 202, what is wrong 400, each with the line that says so; only by POST."""
    state = State()

    async def story(ask: Ask) -> None:
        assert await ask("/-/reload", "POST") == (202, {"message": state.detail})
        state.refused, state.detail = True, "weir.toml:3: mode.ceiling: no"
        assert await ask("/-/reload", "POST") == (400, {"message": state.detail})
        assert (await ask("/-/reload"))[0] == 405
        assert state.reloads == 2

    told(state, story)


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "none"}]
)
def test_no_page_in_a_browser_reloads(headers: dict[str, str]) -> None:
    """A browser names where a request comes from, and none of those is taken."""
    state = State()

    async def story(ask: Ask) -> None:
        assert (await ask("/-/reload", "POST", headers=headers))[0] == 403
        assert state.reloads == 0

    told(state, story)


@pytest.mark.parametrize(
    ("remote", "near"),
    [("127.0.0.1", True), ("::1", True), ("192.0.2.1", False), ("::ffff:192.0.2.1", False), (None, False)],
)
def test_only_from_this_machine(remote: str | None, near: bool) -> None:
    """Whoever may look at metrics over a network may not reload."""
    request = SimpleNamespace(headers={}, remote=remote)
    assert (stranger(request) == "") == near  # type: ignore[arg-type]  # all that is looked at


def test_no_reload_where_there_is_none() -> None:
    """The path does not exist then."""

    async def story(ask: Ask) -> None:
        assert (await ask("/-/reload", "POST"))[0] == 404

    told(State(), story, reloads=False)


def test_a_taken_port() -> None:
    """One line with the setting and what to do."""
    with closing(bound("127.0.0.1:0")) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            TransportError, match=rf"^metrics.listen 127.0.0.1:{port}: .*in use; .*WEIR_METRICS__LISTEN"
        ):
            bound(f"127.0.0.1:{port}")


def test_what_is_no_address() -> None:
    """A port beyond the last, and an address of another machine."""
    with pytest.raises(ConfigError, match="65536 is no port"):
        bound("127.0.0.1:65536")
    with pytest.raises(TransportError, match=r"^metrics\.listen 192\.0\.2\.1:9464: Cannot assign requested address$"):
        bound("192.0.2.1:9464")


def test_version_6() -> None:
    """In brackets, as in addresses of the web."""
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    with closing(bound("[::1]:0")) as made:
        assert made.getsockname()[0] == "::1"


def test_nobody_is_shown_a_bug() -> None:
    """A page that fails is status 500, and the process goes on."""

    async def run() -> None:
        metrics = Metrics(WORKER)

        async def broken() -> None:
            raise LookupError("a bug, and 192.0.2.7")

        metrics.on_page(broken)
        listener = Listener(Monitor(metrics, State()).application(), finish_s=0.1)
        at = await listener.begin_at(bound("127.0.0.1:0"))
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://{at}/metrics") as got:
                assert got.status == web.HTTPInternalServerError.status_code
                assert "192.0.2.7" not in await got.text()
            async with session.get(f"http://{at}/livez") as got:
                assert got.status == 200
        await listener.end()

    asyncio.run(run())
