"""What one fetch brought of one partition, cut into batches.

aiokafka makes an object of each record and hands them out singly. Here a whole record batch is unpacked by its compiled
iterator and its columns are picked by `map`, so that no line of Python runs per record.
"""

# ruff: noqa: SLF001  (pins.py lists the private names and checks that they are there)

from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from operator import attrgetter
from typing import Final, Protocol

import numpy as np
from aiokafka.consumer.fetcher import READ_COMMITTED, PartitionRecords
from aiokafka.errors import CorruptRecordException

from streams.live.transport.options import TopicOptions
from streams.pipeline.batch import Batch


class Record(Protocol):
    """What is read of an unpacked record."""

    offset: int
    timestamp: int | None
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


class RecordBatch(Protocol):
    """What is read of a record batch: Kafka's unit of storage and compression. A `Batch` holds many."""

    base_offset: int
    next_offset: int
    producer_id: int | None
    is_control_batch: bool
    is_transactional: bool

    def validate_crc(self) -> bool:
        """Whether the bytes are as they were written; only before the first record is unpacked."""

    def __iter__(self) -> Iterator[Record]: ...


OFFSET: Final = attrgetter("offset")
KEY: Final = attrgetter("key")
VALUE: Final = attrgetter("value")
HEADERS: Final = attrgetter("headers")


class BatchRecords(PartitionRecords):  # type: ignore[misc]  # aiokafka has no types
    """Fetched records of one partition, given out as batches instead of singly."""

    def __init__(self, stock: PartitionRecords, options: TopicOptions) -> None:
        """Take over from ``stock``, of which nothing was read yet."""
        super().__init__(
            stock._tp,
            stock._records,
            stock._aborted_transactions,
            stock.next_fetch_offset,
            None,
            None,
            stock._check_crcs,
            stock._isolation_level,
        )
        # Both would go round in a circle with a generator that nobody reads from, and keep all that was fetched until
        # the collector finds them: a worker has it look at old objects hardly ever.
        stock._records_iterator = self._records_iterator = None
        self._options = options
        self._loaded: list[Record] = []
        self._at = 0
        self._loaded_end = self.next_fetch_offset
        self._error: CorruptRecordException | None = None

    @property
    def exhausted(self) -> bool:
        """Whether nothing is left, neither records nor an error to raise."""
        return self._error is None and self._at >= len(self._loaded) and not self._records.has_next()

    def take(self, records_max: int, bytes_max: int) -> Batch:
        """Cut the next batch. It is empty where only transaction markers, aborted or compacted records lay.

        At least one record is taken however large it is. Batches of a partition tile its offsets: ``lo`` is where the
        last one ended, and ``hi`` leaves out no hole.

        Raises:
            CorruptRecordException: the next record is damaged; what came before it has been given out.
        """
        lo = self.next_fetch_offset
        taken: list[Record] = []
        nbytes = 0
        while len(taken) < records_max and self._load(lo):
            part, size = self._cut(records_max - len(taken), bytes_max - nbytes, alone=not taken)
            if not part:
                break
            taken += part
            nbytes += size
            self._advance(part)
        return self._batch(lo, taken, nbytes)

    def _load(self, lo: int) -> bool:
        """Have records loaded that are not given out yet; False at the end of the fetch or before damage."""
        try:
            self._raise_kept()
            while self._at >= len(self._loaded) and self._records.has_next():
                self._open(self._records.next_batch())
        except CorruptRecordException as error:
            if self.next_fetch_offset == lo:
                raise
            self._error = error
            return False
        return self._at < len(self._loaded)

    def _raise_kept(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _open(self, unit: RecordBatch) -> None:
        """Unpack a record batch, or step over one that must not be seen."""
        if self._check_crcs and not unit.validate_crc():
            raise CorruptRecordException(f"Invalid CRC - {self._tp}")
        if self._hidden(unit):
            self.next_fetch_offset = unit.next_offset
            return
        records = list(unit)
        # A fetch from within a record batch returns the whole of it.
        if records and records[0].offset < self.next_fetch_offset:
            records = [record for record in records if record.offset >= self.next_fetch_offset]
        self._loaded, self._at, self._loaded_end = records, 0, unit.next_offset
        if not records:
            self.next_fetch_offset = unit.next_offset

    def _hidden(self, unit: RecordBatch) -> bool:
        """Whether ``unit`` is a transaction marker or belongs to an aborted transaction."""
        if self._isolation_level != READ_COMMITTED or unit.producer_id is None:
            return unit.is_control_batch
        self._consume_aborted_up_to(unit.base_offset)
        if unit.is_control_batch:
            if self._contains_abort_marker(unit):
                self._aborted_producers.discard(unit.producer_id)
            return True
        return unit.is_transactional and unit.producer_id in self._aborted_producers

    def _cut(self, records_max: int, bytes_max: int, *, alone: bool) -> tuple[list[Record], int]:
        """The next loaded records within both limits, at least one if ``alone``, and their size."""
        part = self._loaded[self._at : self._at + records_max]
        size = self._size(part)
        if size <= bytes_max:
            return part, size
        ends = list(accumulate(self._size([record]) for record in part))
        fitting = max(bisect_right(ends, bytes_max), 1 if alone else 0)
        return part[:fitting], ends[fitting - 1] if fitting else 0

    def _size(self, part: list[Record]) -> int:
        size = sum(map(len, filter(None, map(VALUE, part))))
        return size + sum(map(len, filter(None, map(KEY, part)))) if self._options.keys else size

    def _advance(self, part: list[Record]) -> None:
        self._at += len(part)
        self.next_fetch_offset = self._loaded_end if self._at >= len(self._loaded) else part[-1].offset + 1

    def _batch(self, lo: int, taken: list[Record], nbytes: int) -> Batch:
        options = self._options
        count = len(taken)
        dense = not taken or taken[-1].offset == lo + count - 1
        return Batch(
            topic=self._tp.topic,
            partition=self._tp.partition,
            lo=lo,
            hi=self.next_fetch_offset,
            values=list(map(VALUE, taken)),
            offsets=None if dense else np.fromiter(map(OFFSET, taken), np.int64, count),
            keys=list(map(KEY, taken)) if options.keys else None,
            headers=list(map(HEADERS, taken)) if options.headers else None,
            timestamps_ms=np.fromiter(map(_timestamp, taken), np.int64, count) if options.timestamps else None,
            nbytes=nbytes,
        )


def _timestamp(record: Record) -> int:
    return -1 if record.timestamp is None else record.timestamp
