"""What the page of `weir serve` says."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from streams import metrics as m
from streams.serve.listener import Listener
from streams.serve.measuring import OTHER, Measuring
from tests.streams.serve.serving import Served, tell


@dataclass
class Read:
    """A feed as a test has it."""

    unreadable: int = 0
    age_s: float | None = None
    actors: int = 0
    reason: str = "the topic has not been read to its end yet"

    def missing(self) -> str:
        """As the test has it."""
        return self.reason


def page(measuring: Measuring) -> m.Metrics:
    """Metrics as a page would have them now."""
    asyncio.run(measuring.copy())
    return measuring.metrics


def test_before_and_after_the_topic_is_read() -> None:
    """There is no age before; what is not complete says so."""
    read = Read()
    measuring = Measuring(read, lambda: 3, "sha256:1")
    before = page(measuring)
    assert (before.value(m.SERVE_COMPLETE), before.value(m.SERVE_AGE)) == (0, None)
    assert measuring.missing() == read.reason
    read.reason, read.age_s, read.actors, read.unreadable = "", 0.5, 7, 2
    after = page(measuring)
    assert (after.value(m.SERVE_COMPLETE), after.value(m.SERVE_AGE)) == (1, 0.5)
    assert (after.value(m.SERVE_ACTORS), after.value(m.SERVE_UNREADABLE)) == (7, 2)
    assert (after.value(m.SERVE_ENFORCERS), after.value(m.CONFIG, "sha256:1")) == (3, 1)


@pytest.mark.parametrize(
    ("path", "endpoint", "code"),
    [
        ("/v1/decisions", "/v1/decisions", "200"),
        ("/refused", "/refused", "403"),
        ("/v1/decisions?ip=192.0.2.7", "/v1/decisions", "200"),
        ("/account/u-4711", OTHER, "404"),
    ],
)
def test_answers(path: str, endpoint: str, code: str) -> None:
    """Counted by route and status; nothing that a client writes into its request gets into a label."""
    measuring = Measuring(Read(), lambda: 0, "sha256:1")

    async def fine(_: web.Request) -> web.Response:
        return web.Response()

    async def refused(_: web.Request) -> web.Response:
        raise web.HTTPForbidden

    async def story() -> None:
        application = web.Application(middlewares=[measuring.middleware()])
        application.router.add_get("/v1/decisions", fine)
        application.router.add_get("/refused", refused)
        listener = Listener(application, finish_s=0.1)
        at = await listener.begin("127.0.0.1", 0)
        async with aiohttp.ClientSession() as session, session.get(f"http://{at}{path}") as got:
            assert str(got.status) == code
        await listener.end()

    asyncio.run(story())
    assert measuring.metrics.value(m.SERVE_REQUESTS, endpoint, code) == 1
    assert measuring.metrics.value(m.SERVE_DURATION, endpoint) == 1


def test_enforcers_are_counted(tmp_path: Path) -> None:
    """Each that has pulled the stream, once."""

    async def story(server: Served) -> None:
        for _ in range(2):
            assert (await server.ask("/v1/decisions/stream?startup=true")).status == 200
        assert len(server.api._cursors) == server.api.enforcers() == 1

    tell(tmp_path, story)
