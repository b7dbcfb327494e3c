"""Stretches of a topic as recorded requests, for `weir replay`: each partition is a source, offsets as they are.

A stretch goes by the time of the records, which is what a broker can look up: from the first record of a partition
with that time or a later one, to the first with the end's, which is left out. Where shippers send late, that is later
than the time of the request.
"""

import asyncio
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple, TypeVar
from urllib.parse import unquote

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from schemas.errors import InputError, TransportError
from schemas.event_time import parse_time_us
from streams.live.connection import for_aiokafka
from streams.live.leaving import leave
from streams.live.topics import ANSWER_MS, partitions
from streams.live.transport.fetch import BatchFetcher
from streams.live.transport.options import FetchOptions, TopicOptions
from streams.live.whole_topic import refusals
from streams.pipeline.batch import Batch
from streams.settings import KafkaSettings

SCHEME: Final = "kafka://"
_OPTIONS: Final = FetchOptions()
_RECORD_BYTES: Final = 300
"""What a request event is taken to have, for the bar of progress alone: offsets tell how many there are."""

R = TypeVar("R")


class Stretch(NamedTuple):
    """What of a topic is asked for."""

    topic: str
    from_ms: int | None
    """None is the beginning."""
    to_ms: int | None
    """None is where it ends when reading begins."""


def stretch_of(text: str) -> Stretch:
    """Read ``kafka://topic?from=TIME&to=TIME``, both times optional.

    Raises:
        InputError: it is none.
    """
    topic, _, query = text.removeprefix(SCHEME).partition("?")
    topic = topic.removesuffix("/")
    if not text.startswith(SCHEME) or not topic or "/" in topic:
        raise InputError(text, "must be kafka://TOPIC?from=TIME&to=TIME; --bootstrap and --config say which broker")
    times: dict[str, int] = {}
    for pair in filter(None, query.split("&")):
        name, _, value = pair.partition("=")
        if name not in ("from", "to") or name in times:
            raise InputError(text, f"{name!r} is none of from and to, or comes twice")
        times[name] = _time_ms(text, name, unquote(value))
    found = Stretch(topic, times.get("from"), times.get("to"))
    if found.from_ms is not None and found.to_ms is not None and found.from_ms >= found.to_ms:
        raise InputError(text, "from must be before to")
    return found


def _time_ms(text: str, name: str, value: str) -> int:
    try:
        return -(-parse_time_us(value) // 1000)
    except ValueError as error:
        raise InputError(text, f"{name}: {error}; write 2026-11-24T09:00:00Z") from error


class _Reader:
    """One consumer over the partitions of a topic, driven from outside any loop."""

    def __init__(self, kafka: KafkaSettings, places: Sequence[TopicPartition], loop: asyncio.Runner) -> None:
        self._kafka = kafka
        self._places = places
        self._loop = loop

    def run(self, work: Coroutine[Any, Any, R]) -> R:
        """What ``work`` gives; what the broker has against it in one line."""
        with refusals(self._kafka):
            return self._loop.run(work)

    async def start(self) -> None:
        """Connect, and let what is fetched come in batches.

        Nothing resets a position: records that retention takes away meanwhile must not be passed over in silence.
        """
        self._consumer = AIOKafkaConsumer(
            **for_aiokafka(self._kafka),
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level=_OPTIONS.isolation,
        )
        await self._consumer.start()
        await self._consumer._fetcher.close()  # noqa: SLF001 - as the worker's transport does; its pins check the name
        topics = {place.topic: TopicOptions(timestamps=True) for place in self._places}
        self._fetcher = self._consumer._fetcher = BatchFetcher(self._consumer, topics, _OPTIONS)  # noqa: SLF001
        self._consumer.assign(self._places)

    async def stop(self) -> None:
        """Let go of the broker."""
        await leave(self._consumer)

    async def bounds(self, stretch: Stretch) -> list[tuple[int, int]]:
        """Offsets ``[lo, hi)`` of the stretch in each partition."""
        first = await self._consumer.beginning_offsets(self._places)
        end = await self._consumer.end_offsets(self._places)
        lo = first if stretch.from_ms is None else await self._at(stretch.from_ms, end)
        hi = end if stretch.to_ms is None else await self._at(stretch.to_ms, end)
        found = [(lo[place], min(hi[place], end[place])) for place in self._places]
        for place, (begin, _) in zip(self._places, found, strict=True):
            self._consumer.seek(place, begin)
        return found

    async def _at(self, time_ms: int, end: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        found = await self._consumer.offsets_for_times(dict.fromkeys(self._places, time_ms))
        return {place: end[place] if found[place] is None else found[place].offset for place in self._places}

    def next(self, place: TopicPartition) -> Batch:
        """The next batch of a partition that is known to have one.

        Raises:
            TransportError: the broker cannot be reached, refuses, or has deleted what was to be read.
        """
        try:
            fetched = self.run(self._fetcher.take([place], {place.topic: 1}, 0, ANSWER_MS / 1000))
        except TransportError as error:
            if isinstance(error.__cause__, OffsetOutOfRangeError):
                name = f"{place.topic}[{place.partition}]"
                reason = f"{name}: retention has deleted what was to be read next; begin later"
                raise TransportError(f"kafka {self._kafka.bootstrap}: {reason}") from error
            raise
        if place not in fetched:
            raise TransportError(f"kafka {self._kafka.bootstrap}: no answer within {ANSWER_MS / 1000:g} s")
        batch = fetched[place][0]
        assert isinstance(batch, Batch)
        return batch

    async def rest(self, place: TopicPartition) -> None:
        """Fetch no more of a partition."""
        self._consumer.pause(place)


@dataclass(slots=True)
class Partition:
    """The stretch of one partition; see `streams.offline.reading.Source`."""

    reader: _Reader
    place_: TopicPartition
    offset: int
    end: int
    partition: int
    size: int = field(init=False)
    watermark_us: int = -1
    done: bool = False
    cut: str = ""
    _first: int = field(init=False)

    def __post_init__(self) -> None:
        """See where it begins."""
        self._first = self.offset
        self.size = max(self.end - self.offset, 0) * _RECORD_BYTES

    def read(self) -> Batch:
        """The next records; none, and done, where the stretch is empty."""
        batch = Batch(self.place_.topic, self.partition, self.offset, self.offset, [])
        if self.offset < self.end:
            batch = replace(_up_to(self.reader.next(self.place_), self.end), partition=self.partition)
            self.offset = batch.hi
        if self.offset >= self.end:
            self.done = True
            self.reader.run(self.reader.rest(self.place_))
        return batch

    def place(self, offset: int) -> str:
        """Topic, partition and offset."""
        return f"{SCHEME}{self.place_.topic}[{self.place_.partition}]:{offset}"

    def close(self) -> None:
        """Nothing: the reader is closed with all of its partitions."""

    @property
    def position(self) -> tuple[str, int, int]:
        """Topic, partition and next offset."""
        return self.place_.topic, self.partition, self.offset

    @property
    def bytes_read(self) -> int:
        """How much of `size` has been read."""
        return max(self.offset - self._first, 0) * _RECORD_BYTES


def _up_to(batch: Batch, end: int) -> Batch:
    """What of a batch lies before offset ``end``."""
    if batch.hi <= end:
        return batch
    count = end - batch.lo if batch.offsets is None else int(batch.offsets.searchsorted(end))
    count = min(count, len(batch))
    return replace(
        batch,
        hi=end,
        values=batch.values[:count],
        offsets=None if batch.offsets is None else batch.offsets[:count],
        timestamps_ms=None if batch.timestamps_ms is None else batch.timestamps_ms[:count],
    )


@contextmanager
def recorded(text: str, kafka: KafkaSettings) -> Iterator[list[Partition]]:
    """The partitions of ``kafka://topic?from=..&to=..`` as sources, for as long as the block lasts.

    Raises:
        InputError: the text is none.
        TransportError: the broker cannot be reached or refuses, or there is no such topic.
    """
    stretch = stretch_of(text)
    count = partitions(kafka, [stretch.topic])[stretch.topic]
    places = [TopicPartition(stretch.topic, number) for number in range(count)]
    with asyncio.Runner() as loop:
        reader = _Reader(kafka, places, loop)
        reader.run(reader.start())
        try:
            bounds = reader.run(reader.bounds(stretch))
            yield [
                Partition(reader, place, lo, hi, place.partition)
                for place, (lo, hi) in zip(places, bounds, strict=True)
            ]
        finally:
            loop.run(reader.stop())
