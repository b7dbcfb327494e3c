"""Finds checkpoints in `weir.state.v1` and reads them, by a consumer without a group."""

import asyncio
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaConnectionError

from schemas.errors import CheckpointError, RecordError
from streams.live.checkpoint.manifest import MANIFEST_CODEC, VERSION, Manifest, Owner, owner_of
from streams.live.connection import for_aiokafka
from streams.live.leaving import leave
from streams.settings import KafkaSettings

FIRST_LOOK: Final = 256
"""Records before the end that are looked at first."""
FARTHER: Final = 4
"""Each further look reaches so many times as far back."""
FETCH_BYTES: Final = 8 << 20
FETCH_WAIT_MS: Final = 20
"""How long the broker holds an answer back while it has nothing."""
POLL_MS: Final = 20
CONNECT_S: Final = 30.0
"""How long brokers may be away before reading begins; once it has, a request may take about as long."""
AGAIN_S: Final = 0.5
HELD_BYTES: Final = 16 << 20
"""So much of what a look comes by is kept, lest it is read again; what lies beyond may be as long as 256 parts."""
ALONG: Final = 64
"""Records between two wanted ones that are read along rather than sought across."""


class Kept(Protocol):
    """What is read of a record."""

    offset: int
    key: bytes | None
    value: bytes | None


class Seen(NamedTuple):
    """What is remembered of a record that was looked at."""

    key: bytes | None
    value: bytes | None
    """None of a tombstone, and of what is not held."""
    stands: bool
    """It is no tombstone."""


@dataclass(slots=True)
class Found:
    """What stands at the end of one partition of state."""

    records: dict[int, Seen] = field(default_factory=dict)
    """By offset, from the end back as far as was looked."""
    held_bytes: int = 0
    """Of values, those of manifests aside."""
    manifests: list[Manifest] = field(default_factory=list)
    """Best first."""

    @property
    def next_term(self) -> int:
        """Above every term that was seen."""
        owners = (owner_of(key) for key in self.keys())
        return max((owner.term for owner in owners if owner is not None), default=0) + 1

    def add(self, record: Kept) -> None:
        """Remember a record: its value too while there is room, and always that of a manifest."""
        value = record.value
        if value is not None and not _is_manifest(record.key):
            room = self.held_bytes + len(value) <= HELD_BYTES
            self.held_bytes += len(value) if room else 0
            value = value if room else None
        self.records[record.offset] = Seen(record.key, value, record.value is not None)

    def keys(self) -> Iterator[str]:
        """Of all records, as often as they stand there."""
        for record in self.records.values():
            if record.key is not None:
                yield record.key.decode(errors="replace")

    def outdated(self, owner: Owner) -> tuple[str, ...]:
        """Keys that are not of ``owner`` and may still stand there."""
        left = {
            key.decode(errors="replace"): record.stands
            for _, record in sorted(self.records.items())
            if (key := record.key)
        }
        found = {key for key, stands in left.items() if stands}
        for manifest in self.manifests:
            found.update(manifest.keys(), manifest.outdated)
        return tuple(sorted(key for key in found if owner_of(key) not in (None, owner)))


class StateReader:
    """Reads one partition after the other; open it with ``async with``."""

    def __init__(self, settings: KafkaSettings, topic: str, partitions: Collection[int]) -> None:
        """Read ``partitions`` of ``topic``, whose name is whole."""
        self._settings = settings
        self._numbers = {partition: TopicPartition(topic, partition) for partition in partitions}

    async def __aenter__(self) -> Self:
        self._consumer = AIOKafkaConsumer(
            **for_aiokafka(self._settings),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=FETCH_BYTES,
            fetch_max_wait_ms=FETCH_WAIT_MS,
        )
        await self._start()
        self._consumer.assign(list(self._numbers.values()))
        self._consumer.pause(*self._numbers.values())
        return self

    async def _start(self) -> None:
        # A client that has started tries again by itself; in a rebalance brokers and connections have often just gone.
        until_s = time.monotonic() + CONNECT_S
        while True:
            try:
                await self._consumer.start()
            except KafkaConnectionError:
                if time.monotonic() > until_s:
                    await leave(self._consumer)
                    raise
            else:
                return
            await asyncio.sleep(AGAIN_S)

    async def __aexit__(self, *_: object) -> None:
        await leave(self._consumer)

    async def find(self, partition: int) -> Found:
        """Look back from the end until the best manifest is among what was seen, or everything was seen.

        An owner that was thought dead may have written behind its successor, one checkpoint at most. So the look goes
        on beyond the first manifest by more than that can be.
        """
        number = self._numbers[partition]
        first = (await self._consumer.beginning_offsets([number]))[number]
        end = (await self._consumer.end_offsets([number]))[number]
        found, seen_from, span = Found(), None, FIRST_LOOK
        while True:
            start = max(first, end - span)
            await self._look(number, start, seen_from, found)
            found.manifests = sorted(_manifests(found.records), key=lambda one: one.rank, reverse=True)
            most = max((one.parts for one in found.manifests), default=0)
            if start == first or (found.manifests and span >= 4 * most + FIRST_LOOK):
                return found
            seen_from, span = start, span * FARTHER

    async def _look(self, number: TopicPartition, start: int, stop: int | None, found: Found) -> None:
        """Take in the records of ``[start, stop)``; to the end where ``stop`` is None."""
        self._consumer.seek(number, start)
        with self._flowing(number):
            while not await self._reached(number, stop):
                for record in await self._poll(number):
                    if stop is None or record.offset < stop:
                        found.add(record)

    @contextmanager
    def _flowing(self, number: TopicPartition) -> Iterator[None]:
        """All others wait: each has its turn."""
        self._consumer.resume(number)
        try:
            yield
        finally:
            self._consumer.pause(number)

    async def _poll(self, number: TopicPartition) -> Sequence[Kept]:
        polled: Mapping[TopicPartition, Sequence[Kept]] = await self._consumer.getmany(number, timeout_ms=POLL_MS)
        return polled.get(number, ())

    async def _reached(self, number: TopicPartition, stop: int | None) -> bool:
        # The embedded broker's answer about the end lies before the last few records; what comes with a fetch is right.
        end = self._consumer.highwater(number) if stop is None else stop
        return end is not None and await self._consumer.position(number) >= end

    async def blobs(self, partition: int, manifest: Manifest, found: Found) -> Mapping[str, bytes]:
        """All that ``manifest`` refers to, by name; what ``found`` holds is not read again.

        Raises:
            CheckpointError: a part is missing, is another one's or is damaged.
        """
        wanted = {offset for blob in manifest.blobs for offset in blob.offsets}
        records = {offset: record for offset, record in found.records.items() if offset in wanted and record.value}
        records.update(await self._fetch(self._numbers[partition], sorted(wanted - records.keys(), reverse=True)))
        whole: dict[str, bytes] = {}
        for blob in manifest.blobs:
            parts = []
            for part, offset in enumerate(blob.offsets):
                # Taken out as it is joined: all of a state in parts and whole would be twice the state.
                record, key = records.pop(offset, None), manifest.owner.part_key(blob.name, blob.parity, part)
                if record is None or record.key != key.encode() or record.value is None:
                    raise CheckpointError(blob.name, f"offset {offset} holds another record")
                parts.append(record.value)
            whole[blob.name] = blob.whole(parts)
        return whole

    async def _fetch(self, number: TopicPartition, wanted: list[int]) -> dict[int, Seen]:
        """Records at the offsets ``wanted``, the lowest of which is last."""
        records: dict[int, Seen] = {}
        with self._flowing(number):
            while wanted:
                await self._seek(number, wanted[-1])
                for record in await self._poll(number):
                    if wanted and record.offset == wanted[-1]:
                        records[wanted.pop()] = Seen(record.key, record.value, record.value is not None)
                at = await self._consumer.position(number)
                if wanted and (at > wanted[-1] or await self._reached(number, None)):
                    raise CheckpointError("manifest", f"the record at offset {wanted[-1]} is gone")
        return records

    async def _seek(self, number: TopicPartition, offset: int) -> None:
        """Go to ``offset``, which lies ahead, unless it is so near that it comes anyway."""
        if not 0 <= offset - await self._consumer.position(number) <= ALONG:
            self._consumer.seek(number, offset)


def _is_manifest(key: bytes | None) -> bool:
    return key is not None and key.endswith(b"/manifest")


def _manifests(records: Mapping[int, Seen]) -> Iterator[Manifest]:
    """Those that can be read, are of this version and were written by the owner that their key names."""
    for record in records.values():
        if record.value is not None and _is_manifest(record.key):
            try:
                manifest = MANIFEST_CODEC.decode(record.value)
            except RecordError:
                continue
            if manifest.version == VERSION and manifest.owner.manifest_key.encode() == record.key:
                yield manifest
