"""Listens, with limits on what a client may send and on how long it may say nothing."""

import socket
import ssl
from typing import Final

from aiohttp import web

from schemas.errors import ConfigError, TransportError
from streams.settings import ServeSettings

SILENT_S: Final = 30.0
"""How long a connection may be without a whole request, before the first and between two; enforcers come every 10 s."""
LINE_MAX_BYTES: Final = 8_190
"""Of a request's first line and of each header; a longer one is status 400."""
HEADERS_MAX: Final = 64


class Listener:
    """An address at which an application answers."""

    def __init__(self, application: web.Application, silent_s: float = SILENT_S, finish_s: float = 5.0) -> None:
        """Nothing is listened to yet; answers on their way have ``finish_s`` at the end."""
        self._runner = web.AppRunner(
            application,
            access_log=None,
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
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, host, port, ssl_context=context).start()
        except OSError as error:
            raise TransportError(f"serve.listen {host}:{port}: {error.strerror or error}") from error
        return self._at()

    async def begin_at(self, bound: socket.socket) -> str:
        """Likewise at a socket that is bound already."""
        await self._runner.setup()
        await web.SockSite(self._runner, bound).start()
        return self._at()

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
