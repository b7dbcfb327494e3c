"""The local API on loopback, with decisions that a test makes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from streams.clock import Clock
from streams.pipeline.enforce.decisions import US, Decisions
from streams.serve import keys
from streams.serve.api import Api
from streams.serve.listener import Listener
from tests.streams.pipeline.enforce.saying import T0_US, Log


@dataclass
class Known:
    """What a feed would have read."""

    log: Log = field(default_factory=Log)
    decisions: Decisions = field(default_factory=lambda: Decisions(1))
    complete_once: bool = True
    reason: str = ""
    asked: int = 0

    def missing(self) -> str:
        """As the test says."""
        return self.reason

    async def caught_up(self) -> None:
        """Read what the test has written."""
        self.asked += 1
        self.log.into(self.decisions)


@dataclass
class Reply:
    """What came back."""

    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        """The body, read."""
        return msgspec.json.decode(self.body)

    def values(self, part: str) -> list[str]:
        """Values of the new or the deleted."""
        return sorted(one["value"] for one in self.json[part])


@dataclass
class Served:
    """A running server and an enforcer with a key."""

    known: Known
    path: Path
    at: str
    session: aiohttp.ClientSession
    key: str
    api: Api
    now_us: int = T0_US

    async def ask(self, path: str, key: str | None = None, method: str = "GET", **more: Any) -> Reply:
        """Ask for a path with the key, or another; an empty one is not sent."""
        shown = self.key if key is None else key
        headers = more.pop("headers", {}) | ({"X-Api-Key": shown} if shown else {})
        async with self.session.request(method, f"http://{self.at}{path}", headers=headers, **more) as got:
            return Reply(got.status, await got.read(), dict(got.headers))

    def pass_time(self, seconds: float) -> None:
        """Move the clock of the server."""
        self.now_us += int(seconds * US)


@contextlib.asynccontextmanager
async def served(
    directory: Path, known: Known | None = None, silent_s: float = 30.0, clock: Clock | None = None
) -> AsyncIterator[Served]:
    """A server of what ``known`` says, by the clock that a test moves, or another."""
    known, path = known or Known(), directory / "bouncers.json"
    key = keys.add(path, "edge", ("Ip", "Range"), ("ban", "captcha"), T0_US)
    holder: list[Served] = []
    api = Api(known, keys.Keys(path), clock or (lambda: holder[0].now_us))
    listener = Listener(api.application(), silent_s=silent_s, finish_s=0.5)
    at = await listener.begin("127.0.0.1", 0)
    try:
        async with aiohttp.ClientSession(auto_decompress=False) as session:
            holder.append(Served(known, path, at, session, key, api))
            yield holder[0]
    finally:
        await listener.end()


def tell(directory: Path, story: Callable[[Served], Awaitable[None]], **more: Any) -> None:
    """Run a story against a server."""

    async def run() -> None:
        async with served(directory, **more) as server:
            await story(server)

    asyncio.run(run())


async def raw(server: Served, head: str) -> bytes:
    """Send bytes as they are; what comes back first."""
    host, _, port = server.at.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(head.encode("latin-1"))
    got = await asyncio.wait_for(reader.read(4096), 5)
    writer.close()
    return got
