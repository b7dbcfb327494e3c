"""CrowdSec's local API over HTTP, as its enforcers know it; what each answer means stands in README.md."""

import asyncio
import logging
import zlib
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain, islice
from typing import Final, Protocol

import msgspec
from aiohttp import web

from schemas.codec import DECODE_ERRORS
from schemas.errors import ConfigError
from streams.clock import Clock
from streams.pipeline.enforce.decisions import Cursor, Decisions, Told
from streams.pipeline.enforce.whole import Wholes
from streams.pipeline.enforce.word import BAN, View
from streams.pipeline.enforce.wording import Decision, decision
from streams.serve import authz
from streams.serve.cursors import Cursors
from streams.serve.keys import Bouncer, Keys, Refused
from streams.serve.question import QuestionError, choice, starts, view_of

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

JSON: Final = "application/json; charset=utf-8"
BODY_MAX_BYTES: Final = 1 << 20
PIECE: Final = 2_000
"""Decisions written at a stretch; then others get their turn."""
TOGETHER_BYTES: Final = 64 << 10
"""Up to so long an answer goes out at one stroke."""
WRITE_S: Final = 60.0
"""A client that takes an answer more slowly is cut off, and asks again."""
GONE: Final = 499
"""As nginx calls a client that went away before its answer."""
NOTHING: Final = b"null"
"""A client in Lua answers everybody with a fault when it gets an empty list."""

log = logging.getLogger(__name__)


class Metrics(msgspec.Struct):
    """What enforcers tell of themselves; kept for nobody, so only its outline is looked at."""

    remediation_components: list[dict[str, object]] | None = None
    log_processors: list[dict[str, object]] | None = None


class Source(Protocol):
    """Decisions, and whether they are all: a `Feed`."""

    decisions: Decisions

    @property
    def complete_once(self) -> bool:
        """Whether they have ever been all."""

    def missing(self) -> str:
        """Why no answer can be given; empty when it can."""

    async def caught_up(self) -> None:
        """Wait, for a while, until all is known that was said before the call."""


class Api:
    """Answers enforcers from what the feed has read."""

    def __init__(self, feed: Source, keys: Keys, clock: Clock) -> None:
        """Keep cursors of its own."""
        self._feed, self._keys, self._clock = feed, keys, clock
        self._cursors, self._wholes = Cursors(), Wholes()
        self._refused = Refused("questions without a right key")

    def enforcers(self) -> int:
        """How many are known by how far they have been told."""
        return len(self._cursors)

    def application(self) -> web.Application:
        """The routes."""
        application = web.Application(middlewares=[plain_errors], client_max_size=BODY_MAX_BYTES)
        add = application.router.add_route
        add("GET", "/v1/decisions/stream", self.stream)
        add("HEAD", "/v1/decisions/stream", self.head)
        add("GET", "/v1/decisions", self.decisions)
        add("HEAD", "/v1/decisions", self.head)
        add("POST", "/v1/usage-metrics", self.usage_metrics)
        # Envoy asks with the visitor's own method, and his path behind this one.
        add("*", "/v1/authz", self.authz)
        add("*", r"/v1/authz/{path:[\s\S]*}", self.authz)
        add("GET", "/health", self.health)
        for paths, handler in (
            (("/livez", "/-/healthy"), self.alive),
            (("/readyz", "/-/ready"), self.ready),
            (("/startupz",), self.started),
        ):
            for path in paths:
                add("GET", path, handler)
        return application

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """All decisions, or what has changed since this enforcer's last pull."""
        bouncer = self._asker(request)
        query = request.query
        with refusing():
            view, anew = view_of(query, bouncer), starts(query)
        await self._feed.caught_up()
        self._require_complete()
        known, at_us = self._feed.decisions, self._clock()
        asker = self._cursors.asker(bouncer.name, request.remote or "", request.transport or request)
        since, cursor = None if anew else self._cursors.of(asker), Cursor(known.positions, at_us)
        if since is None or not known.reaches(since, at_us):
            pieces = self._wholes.pieces(view, known, at_us)
        else:
            new, deleted = known.since(since, view, at_us)
            pieces = [b'{"new":[', *told(new), b'],"deleted":[', *told(deleted), b"]}"]
        response = await written(request, pieces, sum(map(len, pieces)))
        # Only now: who got half of an answer is told all of it again.
        self._cursors.advance(asker, cursor)
        return response

    async def decisions(self, request: web.Request) -> web.StreamResponse:
        """What stands on an address, a range or a target."""
        bouncer = self._asker(request)
        with refusing():
            view, chosen = view_of(request.query, bouncer), choice(request.query)
        self._require_complete()
        found = chosen.of(self._feed.decisions, view, self._clock())
        end = None if chosen.limit is None else chosen.offset + chosen.limit
        wanted = list(islice(found, chosen.offset, end))
        if not wanted:
            return web.Response(body=NOTHING, headers={"Content-Type": JSON})
        return await written(request, chain([b"["], told(wanted), [b"]"]))

    async def authz(self, request: web.Request) -> web.Response:
        """Whether a proxy lets one request through."""
        try:
            bouncer = self._asker(request)
        except web.HTTPForbidden as error:
            # 403 would block every visitor of a proxy whose key was taken back.
            raise web.HTTPServiceUnavailable(text=error.text) from error
        self._require_complete()
        view = View(types=frozenset(bouncer.types), scopes=frozenset(bouncer.scopes))
        with refusing():
            found = authz.standing(request.headers, self._feed.decisions, view, self._clock())
        if found is None:
            return web.Response(headers={authz.DECISION: authz.NOTHING})
        headers = {authz.DECISION: found.word.type}
        if found.word.type != BAN:
            return web.Response(headers=headers)
        # Proxies hand this to the visitor: it must not tell what gave him away.
        told_ = {"message": "blocked", "block": found.word.uuid}
        return web.json_response(told_, status=web.HTTPForbidden.status_code, headers=headers)

    async def head(self, request: web.Request) -> web.Response:
        """Whether an answer could be given; no enforcer's cursor is moved."""
        self._asker(request)
        self._require_complete()
        return web.Response()

    async def usage_metrics(self, request: web.Request) -> web.Response:
        """What an enforcer did; noted in the log."""
        bouncer = self._asker(request)
        try:
            async with asyncio.timeout(WRITE_S):
                body = await request.read()
        except TimeoutError as error:
            raise web.HTTPRequestTimeout(text=f"the body did not come within {WRITE_S:.0f} s") from error
        try:
            metrics = msgspec.json.decode(unpacked(body, request.headers.get("Content-Encoding", "")), type=Metrics)
        except DECODE_ERRORS as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        log.debug("%s tells metrics of %d components", bouncer.name, len(metrics.remediation_components or ()))
        return web.json_response({"message": "taken"}, status=web.HTTPCreated.status_code)

    async def health(self, _: web.Request) -> web.Response:
        """As CrowdSec says that it is there; for anybody."""
        return web.json_response({"status": "up"})

    async def alive(self, _: web.Request) -> web.Response:
        """The process turns. The broker does not count: a restart would not bring it back, and would lose the table."""
        return web.json_response({"status": "alive"})

    async def ready(self, _: web.Request) -> web.Response:
        """Whether answers are complete."""
        missing = self._feed.missing()
        if missing:
            raise web.HTTPServiceUnavailable(text=missing)
        return web.json_response({"status": "ready"} | ({"keys": self._keys.problem} if self._keys.problem else {}))

    async def started(self, _: web.Request) -> web.Response:
        """Whether the topic has ever been read to its end."""
        if not self._feed.complete_once:
            raise web.HTTPServiceUnavailable(text=self._feed.missing())
        return web.json_response({"status": "started"})

    def _asker(self, request: web.Request) -> Bouncer:
        with suppress(ConfigError):
            self._keys.look()
        shown = request.headers.getall("X-Api-Key", [])
        bouncer = self._keys.whose(shown[0]) if len(shown) == 1 else None
        if bouncer is None:
            self._refused.note(request.remote or "", asyncio.get_running_loop().time())
            raise web.HTTPForbidden(text="access forbidden")
        return bouncer

    def _require_complete(self) -> None:
        missing = self._feed.missing()
        if missing:
            raise web.HTTPServiceUnavailable(text=missing, headers={"Retry-After": "5"})


@contextmanager
def refusing() -> Iterator[None]:
    """What is wrong with a question is status 400."""
    try:
        yield
    except QuestionError as error:
        raise web.HTTPBadRequest(text=str(error)) from error


def unpacked(body: bytes, encoding: str) -> bytes:
    """A body as it was before it was packed; clients in Go pack what is longer than 5 KB."""
    if encoding in ("", "identity"):
        return body
    if encoding != "gzip":
        raise web.HTTPUnsupportedMediaType(text="bodies are packed with gzip or not at all")
    try:
        whole = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(body, BODY_MAX_BYTES + 1)
    except zlib.error as error:
        raise web.HTTPBadRequest(text="the body is not packed with gzip") from error
    if len(whole) > BODY_MAX_BYTES:
        raise web.HTTPRequestEntityTooLarge(BODY_MAX_BYTES, len(whole), text=f"more than {BODY_MAX_BYTES} bytes")
    return whole


async def written(request: web.Request, pieces: Iterable[bytes], length_bytes: int | None = None) -> web.StreamResponse:
    """Write an answer; returns when all of it has been sent.

    Never compressed, which some enforcers cannot read. A client that does not take it in time, or that is gone, ends
    with a broken connection and so without a body that could be taken for a whole one.
    """
    response = web.StreamResponse(headers={"Content-Type": JSON})
    response.content_length = length_bytes
    try:
        async with asyncio.timeout(WRITE_S):
            await response.prepare(request)
            if length_bytes is not None and length_bytes < TOGETHER_BYTES:
                await response.write(b"".join(pieces))
            else:
                for piece in pieces:
                    await response.write(piece)
                    await asyncio.sleep(0)
            await response.write_eof()
    except TimeoutError as error:
        if request.transport is not None:
            request.transport.abort()
        raise ConnectionResetError(f"the answer was not taken within {WRITE_S:.0f} s") from error
    return response


def told(decisions: Sequence[Told]) -> Iterator[bytes]:
    """Decisions as they are written, with commas between them, some at a time."""
    encoder = msgspec.json.Encoder()
    for begin in range(0, len(decisions), PIECE):
        objects: list[Decision] = [decision(one) for one in decisions[begin : begin + PIECE]]
        yield (b"," if begin else b"") + encoder.encode(objects)[1:-1]


@web.middleware
async def plain_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Errors as CrowdSec has them: an object with a message; nothing at all for what does not exist."""
    try:
        return await handler(request)
    except (web.HTTPNotFound, web.HTTPMethodNotAllowed) as error:
        allowed = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
        return web.Response(status=error.status, headers=allowed)
    except ConnectionResetError as error:
        # Nobody gets this; it is counted, and aiohttp makes no fault of the server of it.
        log.debug("%s went away: %s", request.remote, error)
        return web.Response(status=GONE)
    except web.HTTPException as error:
        kept = {name: error.headers[name] for name in ("Retry-After",) if name in error.headers}
        return web.json_response({"message": error.text}, status=error.status, headers=kept)
