"""Writes the checkpoints of one partition, of one owner, one after the other."""

import asyncio
from asyncio import Future, gather
from collections.abc import Collection, Iterator
from concurrent.futures import Executor
from typing import Final, NamedTuple, Protocol, cast

import xxhash

from schemas import topic
from streams.live.checkpoint.manifest import MANIFEST_CODEC, VERSION, Blob, Lineage, Manifest, Owner, cut
from streams.live.sending import Outgoing, Sender

IN_FLIGHT_BYTES: Final = 16 << 20
"""So much of one checkpoint is on its way at a time."""


class Placed(Protocol):
    """What the producer says of a record that the broker has."""

    offset: int


class Point(NamedTuple):
    """Where the state stood when a checkpoint was taken, by offsets of the activity topic."""

    upto: int
    """All below is in it."""
    settled: int
    """Nothing below waited for its model."""


class Travelling(NamedTuple):
    """A blob on its way to the broker."""

    name: str
    blob: bytes
    futures: list[Future[object]]


class Series:
    """An owner's checkpoints of one partition."""

    def __init__(
        self,
        sender: Sender,
        partition: int,
        partitions: int,
        owner: Owner,
        outdated: tuple[str, ...] = (),
        lineage: Lineage = Lineage(),  # noqa: B008 - it cannot change
    ) -> None:
        """Write ``partition`` of so many; the keys ``outdated`` get tombstones once the first checkpoint stands."""
        self._sender, self._partition, self._partitions = sender, partition, partitions
        self.owner, self._outdated, self._lineage = owner, outdated, lineage
        self._blobs: dict[str, Blob] = {}
        self.manifest: Manifest | None = None
        """The last one that the broker has."""
        self.whole_next = True
        """The next checkpoint must hold everything: it is the first, or the one before was not finished."""
        self.written_bytes = 0
        """Of all blobs so far."""

    async def write(
        self, point: Point, names: Collection[str], blobs: Iterator[tuple[str, bytes]], encoding: Executor
    ) -> Manifest:
        """Write a checkpoint and wait until the broker has it.

        It consists of all ``names``: those that ``blobs``, made in ``encoding``, do not yield are as they were. If
        ``whole_next`` is set, ``blobs`` must yield all. It is left set when this does not end well. A record that is
        refused ends the process.
        """
        self.whole_next = True
        written = await self._write(blobs, encoding)
        kept = {name: blob for name, blob in self._blobs.items() if name in names}
        return await self._finish(point, kept | written)

    async def _write(self, blobs: Iterator[tuple[str, bytes]], encoding: Executor) -> dict[str, Blob]:
        written: dict[str, Blob] = {}
        loop = asyncio.get_running_loop()
        travelling: list[Travelling] = []
        while (made := await loop.run_in_executor(encoding, next, blobs, None)) is not None:
            travelling.append(Travelling(*made, await self._send(*made)))
            if sum(len(one.blob) for one in travelling) > IN_FLIGHT_BYTES:
                written.update(await self._arrive(travelling))
                travelling = []
        return written | await self._arrive(travelling)

    def _parity(self, name: str) -> int:
        last = self._blobs.get(name)
        return 0 if last is None else 1 - last.parity

    async def _send(self, name: str, blob: bytes) -> list[Future[object]]:
        parts, parity = cut(blob), self._parity(name)
        keys = [self.owner.part_key(name, parity, part) for part in range(len(parts))]
        return await self._sender.begin([self._record(key, part) for key, part in zip(keys, parts, strict=True)])

    def _record(self, key: str, value: bytes | None) -> Outgoing:
        return Outgoing(topic.STATE.name, key.encode(), value, partition=self._partition)

    async def _arrive(self, travelling: list[Travelling]) -> dict[str, Blob]:
        arrived: dict[str, Blob] = {}
        for name, blob, futures in travelling:
            offsets = tuple(cast(Placed, one).offset for one in await gather(*futures))
            last = self._blobs.get(name)
            widest = max(len(offsets), 0 if last is None else last.widest)
            checksum = xxhash.xxh3_64_intdigest(blob)
            self.written_bytes += len(blob)
            arrived[name] = Blob(name, self._parity(name), len(blob), checksum, offsets, widest)
        return arrived

    async def _finish(self, point: Point, blobs: dict[str, Blob]) -> Manifest:
        sequence = 1 if self.manifest is None else self.manifest.sequence + 1
        left = (key for name, blob in self._blobs.items() if name not in blobs for key in blob.keys(self.owner))
        outdated = (*self._outdated, *left)
        parts = tuple(blobs.values())
        manifest = Manifest(VERSION, *self.owner, sequence, *point, parts, outdated, self._partitions, self._lineage)
        await self._sender.send([self._record(self.owner.manifest_key, MANIFEST_CODEC.encode(manifest))])
        self._blobs, self.manifest, self.whole_next, self._outdated = blobs, manifest, False, ()
        if outdated:
            await self._sender.send([self._record(key, None) for key in outdated])
        return manifest
