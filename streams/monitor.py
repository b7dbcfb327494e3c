"""What a process says of itself over HTTP: the page of metrics, and whether it is alive, started and ready.

``/livez`` says that the event loop turns, and nothing of the broker: a restart would not bring that back, and would
lose what is in memory. ``/readyz`` says whether the process does its work now, ``/startupz`` whether it ever has.
Nobody is asked for a name: the page holds counts and no person.
"""

import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from errno import EADDRINUSE
from ipaddress import ip_address
from typing import Final, Protocol

from aiohttp import web

from schemas.errors import ConfigError, TransportError
from streams.metrics import READY, Metrics

SETTING: Final = "metrics.listen"
LIVE: Final = ("/livez", "/-/healthy")
STARTED: Final = ("/startupz",)
READY_AT: Final = ("/readyz", "/-/ready")
PORT_MAX: Final = 65_535


class Reloaded(Protocol):
    """What became of a reload."""

    @property
    def refused(self) -> bool:
        """Whether the configuration is wrong."""

    @property
    def detail(self) -> str:
        """One line on it."""


Reload = Callable[[], Awaitable[Reloaded]]


class Health(Protocol):
    """What knows whether the process does its work."""

    def missing(self) -> str:
        """Why it does not, in words without a person in them; empty when it does."""


class Monitor:
    """Answers for one process."""

    def __init__(self, metrics: Metrics, health: Health, reload: Reload | None = None) -> None:
        """There is no reloading without ``reload``."""
        self._metrics, self._health, self._reload = metrics, health, reload
        self._started = False
        metrics.on_page(self._copy)

    def application(self) -> web.Application:
        """The routes."""
        application = web.Application()
        application.router.add_get("/metrics", self.page)
        for paths, handler in ((LIVE, self.alive), (STARTED, self.started), (READY_AT, self.ready)):
            for path in paths:
                application.router.add_get(path, handler)
        if self._reload is not None:
            application.router.add_post("/-/reload", self.reload)
        return application

    async def page(self, request: web.Request) -> web.Response:
        """Metrics, as text or as OpenMetrics."""
        body, content_type = await self._metrics.page(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def alive(self, _: web.Request) -> web.Response:
        """The process turns."""
        return web.json_response({"status": "alive"})

    async def ready(self, _: web.Request) -> web.Response:
        """Whether it does its work."""
        return _answer("ready", self._missing())

    async def started(self, _: web.Request) -> web.Response:
        """Whether it ever has."""
        missing = self._missing()
        return _answer("started", "" if self._started else missing)

    async def reload(self, request: web.Request) -> web.Response:
        """Read the configuration anew: 202 when it was taken, 400 with the reason when it is wrong."""
        why = stranger(request)
        if why:
            return web.json_response({"message": why}, status=web.HTTPForbidden.status_code)
        assert self._reload is not None
        done = await self._reload()
        status = web.HTTPBadRequest if done.refused else web.HTTPAccepted
        return web.json_response({"message": done.detail}, status=status.status_code)

    def _missing(self) -> str:
        missing = self._health.missing()
        self._started = self._started or not missing
        return missing

    async def _copy(self) -> None:
        self._metrics.put(READY, not self._missing())


def stranger(request: web.Request) -> str:
    """Why ``request`` may not change anything: who is not on this machine, or a page in somebody's browser there."""
    if "Origin" in request.headers or "Sec-Fetch-Site" in request.headers:
        return "this is not for browsers"
    try:
        near = ip_address(request.remote or "").is_loopback
    except ValueError:
        near = False
    return "" if near else "only from this machine; elsewhere change the file, or send SIGHUP"


def bound(listen: str, setting: str = SETTING) -> socket.socket:
    """A socket at ``listen``, ``address:port``, so that what cannot be is known before anything begins.

    Raises:
        ConfigError: it is no port.
        TransportError: it is taken, or not ours.
    """
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    if int(port) > PORT_MAX:
        raise ConfigError(setting, None, f"{port} is no port")
    try:
        return socket.create_server((host, int(port)), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        taken = "; each process of a machine needs a port of its own (WEIR_METRICS__LISTEN)"
        why = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
        raise TransportError(f"{setting} {listen}: {why}{taken if error.errno == EADDRINUSE else ''}") from error


@contextmanager
def opened(listen: str, setting: str = SETTING) -> Iterator[socket.socket | None]:
    """`bound` for as long as the block lasts; None where ``listen`` is empty."""
    if not listen:
        yield None
        return
    with bound(listen, setting) as at:
        yield at


def _answer(good: str, missing: str) -> web.Response:
    if missing:
        return web.json_response({"message": missing}, status=web.HTTPServiceUnavailable.status_code)
    return web.json_response({"status": good})
