"""Listens, with limits on what a client may send and on how long it may say nothing."""

import asyncio
import errno
import logging
import socket
import ssl
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from aiohttp import StreamReader, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import RawRequestMessage, StreamWriter
from aiohttp.http_exceptions import HttpProcessingError

from schemas.errors import ConfigError, TransportError
from streams.serve.keys import Refused
from streams.settings import ServeSettings

SILENT_S: Final = 30.0
"""How long a connection may be without a whole request, before the first and between two; enforcers come every 10 s."""
LINE_MAX_BYTES: Final = 8_190
"""Of a request's first line and of each header; a longer one is status 400."""
HEADERS_MAX: Final = 64
FULL: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
"""With these a connection is not taken, and waits; asyncio tries again after a second."""

log = logging.getLogger(__name__)


class Said(logging.LoggerAdapter[logging.Logger]):
    """What aiohttp tells the log: of what is no HTTP it would tell each time, with its trace and an address."""

    def __init__(self) -> None:
        """Nothing was said yet."""
        super().__init__(log)
        self._unreadable = Refused("requests that are no HTTP, or have lines or headers beyond the limits")

    def exception(self, msg: object, *args: object, exc_info: Any = True, **more: Any) -> None:
        """A fault of ours is told as it is."""
        if isinstance(exc_info, HttpProcessingError):
            self._unreadable.note(str(args[0]) if args else "", asyncio.get_running_loop().time())
        else:
            super().exception(msg, *args, exc_info=exc_info, **more)


def refuse_quietly() -> None:
    """Tell of connections that cannot be taken once a minute: asyncio tells each try, a thousand in a second."""
    loop = asyncio.get_running_loop()
    before, full = loop.get_exception_handler(), Refused("tries to connect, with too many files open")

    def told(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, OSError) and error.errno in FULL and "socket" in context:
            full.note("a connection", loop.time())
        elif before is None:
            loop.default_exception_handler(context)
        else:
            before(loop, context)

    loop.set_exception_handler(told)


class Nameless(StreamWriter):
    """Tells no versions of programs: a proxy may hand an answer on to a visitor."""

    async def write_headers(self, status_line: str, headers: Any) -> None:
        """Here all answers pass, and those to what is no HTTP pass no handler and no hook."""
        headers.popall("Server", None)
        await super().write_headers(status_line, headers)


def _nameless(
    make: Callable[..., web.BaseRequest],
    message: RawRequestMessage,
    payload: StreamReader,
    protocol: web.RequestHandler,
    _: AbstractStreamWriter,
    task: asyncio.Task[None],
) -> web.BaseRequest:
    return make(message, payload, protocol, Nameless(protocol, asyncio.get_running_loop()), task)


class Listener:
    """An address at which an application answers."""

    def __init__(self, application: web.Application, silent_s: float = SILENT_S, finish_s: float = 5.0) -> None:
        """Nothing is listened to yet; answers on their way have ``finish_s`` at the end."""
        self._runner = web.AppRunner(
            application,
            access_log=None,
            logger=Said(),
            auto_decompress=False,  # what cannot be unpacked would end the connection without a status
            keepalive_timeout=silent_s,
            max_line_size=LINE_MAX_BYTES,
            max_field_size=LINE_MAX_BYTES,
            max_headers=HEADERS_MAX,
            shutdown_timeout=finish_s,
        )

    async def begin(self, host: str, port: int, context: ssl.SSLContext | None = None) -> str:
        """Listen; returns the address, with the port that was taken.

        Raises:
            TransportError: it is taken, or not ours.
        """
        await self._set_up()
        try:
            await web.TCPSite(self._runner, host, port, ssl_context=context).start()
        except OSError as error:
            raise TransportError(f"serve.listen {host}:{port}: {error.strerror or error}") from error
        return self._at()

    async def begin_at(self, bound: socket.socket) -> str:
        """Likewise at a socket that is bound already."""
        await self._set_up()
        await web.SockSite(self._runner, bound).start()
        return self._at()

    async def _set_up(self) -> None:
        await self._runner.setup()
        server = self._runner.server
        assert server is not None
        server.request_factory = partial(_nameless, server.request_factory)
        refuse_quietly()

    def _at(self) -> str:
        name = self._runner.addresses[0]
        return f"{name[0]}:{name[1]}"

    async def end(self) -> None:
        """Take no more connections, and wait for answers on their way."""
        await self._runner.cleanup()


def address(serve: ServeSettings) -> tuple[str, int]:
    """Host and port to listen at; port 0 takes a free one."""
    host, _, port = serve.listen.rpartition(":")
    return host.strip("[]"), int(port)


def tls(serve: ServeSettings) -> ssl.SSLContext | None:
    """What is shown to enforcers; None for plain HTTP.

    Raises:
        ConfigError: the files do not hold a certificate and its key.
    """
    if not serve.certificate_file:
        if serve.key_file:
            raise ConfigError("serve.key_file", None, "a key needs its certificate_file")
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # Without a function OpenSSL would ask for the password of an encrypted key at the terminal.
        context.load_cert_chain(serve.certificate_file, serve.key_file or None, lambda: "")
    except OSError as error:
        reason = error.strerror if not isinstance(error, ssl.SSLError) and error.strerror else "no PEM with its own key"
        files = " with ".join(filter(None, (serve.certificate_file, serve.key_file)))
        raise ConfigError("serve.certificate_file", None, f"{files}: {reason}") from error
    return context
