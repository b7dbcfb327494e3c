"""Enforcers that pull, as light as they can be, so that little of the machine goes to them."""

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Self

STREAM: Final = "/v1/decisions/stream"
AUTHZ: Final = "/v1/authz"
PIECE_BYTES: Final = 1 << 20


class Pull(NamedTuple):
    """One answer."""

    status: int
    wall_s: float
    size_bytes: int
    body: bytes = b""
    """Kept only where it was asked for."""


@dataclass(slots=True)
class Enforcer:
    """One connection that stays open, from an address of its own on loopback: so each has its own place."""

    at: str
    key: str
    number: int = 0
    pulls: list[Pull] = field(default_factory=list)
    failed: int = 0
    """Pulls of `go_on` that were not answered, a second connection included."""
    _reader: asyncio.StreamReader | None = None
    _writer: asyncio.StreamWriter | None = None

    async def __aenter__(self) -> Self:
        await self._connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._close()

    async def pull(self, query: str = "", *, keep: bool = False) -> Pull:
        """Ask, and take all of the answer; on a new connection where the server has closed one that was silent."""
        began, path = time.perf_counter(), f"{STREAM}?{query}"
        try:
            found = await self._asked(path, keep=keep)
        except (ConnectionResetError, asyncio.IncompleteReadError):
            await self._connect()
            found = await self._asked(path, keep=keep)
        self.pulls.append(found._replace(wall_s=time.perf_counter() - began))
        return self.pulls[-1]

    async def question(self, address: str) -> Pull:
        """Ask as a proxy does whether it may let one request through."""
        began = time.perf_counter()
        found = await self._asked(AUTHZ, f"X-Real-IP: {address}\r\nX-Weir-Session: {address}\r\n")
        return found._replace(wall_s=time.perf_counter() - began)

    async def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            with contextlib.suppress(ConnectionError):
                await self._writer.wait_closed()

    async def _connect(self) -> None:
        await self._close()
        host, _, port = self.at.rpartition(":")
        source = f"127.0.{1 + self.number // 250 % 250}.{1 + self.number % 250}"
        self._reader, self._writer = await asyncio.open_connection(
            host, int(port), local_addr=(source, 0), limit=PIECE_BYTES
        )

    async def _asked(self, path: str, more: str = "", *, keep: bool = False) -> Pull:
        assert self._reader is not None
        assert self._writer is not None
        self._writer.write(f"GET {path} HTTP/1.1\r\nHost: weir\r\nX-Api-Key: {self.key}\r\n{more}\r\n".encode())
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("ascii").lower()
        size = left = int(head.partition("content-length:")[2].partition("\r\n")[0])
        kept = bytearray()
        while left:
            piece = await self._reader.read(min(left, PIECE_BYTES))
            if not piece:
                raise RuntimeError(f"{left} of {size} bytes are missing: cut off, since they were taken too slowly")
            left -= len(piece)
            if keep:
                kept += piece
        return Pull(int(head.split()[1]), 0.0, size, bytes(kept))

    async def go_on(self, every_s: float, until: float) -> None:
        """Pull again and again, until a moment of the monotonic clock; first somewhere within the interval."""
        next_at = time.monotonic() + every_s * (self.number * 0.618 % 1)
        while next_at < until:
            await asyncio.sleep(next_at - time.monotonic())
            try:
                await self.pull()
            except (OSError, asyncio.IncompleteReadError):
                self.failed += 1
            next_at += every_s
