"""Connections to brokers that a test can break: before each broker a relay, which is advertised in its place."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Final, Self

HOST: Final = "127.0.0.1"
CHUNK_BYTES: Final = 1 << 18


class Links:
    """Relays for ``count`` brokers, in a thread of their own."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="links", daemon=True)
        self._open: set[asyncio.StreamWriter] = set()
        self._targets: Callable[[], Sequence[int]] = tuple
        self._servers: list[asyncio.Server] = []
        self._relays: set[asyncio.Task[None]] = set()
        self.ports: list[int] = []
        """Where clients connect, by broker."""

    def lead_to(self, targets: Callable[[], Sequence[int]]) -> None:
        """Ask for the brokers' own ports at each connection: they are chosen when a cluster starts."""
        self._targets = targets

    @property
    def bootstrap(self) -> str:
        """`host:port` of each relay."""
        return ",".join(f"{HOST}:{port}" for port in self.ports)

    def cut(self) -> int:
        """Break all connections, as a firewall that forgets does; how many there were."""
        return asyncio.run_coroutine_threadsafe(self._cut(), self._loop).result(10)

    def __enter__(self) -> Self:
        self._thread.start()
        for number in range(self._count):
            server = asyncio.run_coroutine_threadsafe(self._listen(number), self._loop).result(10)
            self._servers.append(server)
            self.ports.append(server.sockets[0].getsockname()[1])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _listen(self, number: int) -> asyncio.Server:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            if task is not None:
                self._relays.add(task)
                task.add_done_callback(self._relays.discard)
            await self._relay(number, reader, writer)

        return await asyncio.start_server(connected, HOST, 0)

    async def _relay(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            behind_reader, behind = await asyncio.open_connection(HOST, self._targets()[number])
        except (OSError, IndexError):
            writer.transport.abort()  # the broker is down, or has never been up
            return
        self._open |= {writer, behind}
        try:
            await asyncio.gather(_pump(reader, behind), _pump(behind_reader, writer))
        finally:
            for end in (writer, behind):
                self._open.discard(end)
                end.transport.abort()

    async def _cut(self) -> int:
        count = len(self._open) // 2
        for end in list(self._open):
            end.transport.abort()
        return count

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        await self._cut()
        await asyncio.gather(*self._relays, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carry bytes one way until either end is gone; then the other end goes as well."""
    with contextlib.suppress(OSError):
        while chunk := await reader.read(CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()
    writer.transport.abort()
