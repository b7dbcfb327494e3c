"""Record batches as a broker would send them, made by hand."""

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field

from aiokafka.consumer.fetcher import READ_COMMITTED, PartitionRecords
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c
from aiokafka.structs import TopicPartition

TP = TopicPartition("requests", 3)
CRC_AT, ATTRIBUTES_AT, LAST_DELTA_AT = 17, 21, 23
CONTROL = 0x20


@dataclass(frozen=True)
class Unit:
    """One record batch: ``records`` are (offset, value, key); it covers ``[base, end)``."""

    base: int
    end: int
    records: tuple[tuple[int, bytes | None, bytes | None], ...] = ()
    producer: int = -1
    transactional: bool = False
    marker: int | None = None
    damaged: bool = False
    headers: list[tuple[str, bytes]] = field(default_factory=list)

    def encoded(self) -> bytes:
        """Its bytes in format v2."""
        builder = DefaultRecordBatchBuilder(2, 0, int(self.transactional), self.producer, 0, 0, 1 << 30)
        for offset, value, key in self.contents():
            appended = builder.append(
                offset - self.base, timestamp=1000 + offset, key=key, value=value, headers=self.headers
            )
            assert appended is not None
        data = bytearray(builder.build())
        struct.pack_into(">q", data, 0, self.base)
        struct.pack_into(">i", data, LAST_DELTA_AT, self.end - self.base - 1)
        if self.marker is not None:
            data[ATTRIBUTES_AT + 1] |= CONTROL
        struct.pack_into(">I", data, CRC_AT, calc_crc32c(bytes(data[ATTRIBUTES_AT:])) ^ int(self.damaged))
        return bytes(data)

    def contents(self) -> Iterable[tuple[int, bytes | None, bytes | None]]:
        """Records; of a marker (0 is abort, 1 is commit) the one that Kafka writes."""
        if self.marker is None:
            return self.records
        return [(self.base, b"\0\0\0\0\0\0", struct.pack(">hh", 0, self.marker))]


def run(base: int, count: int, producer: int = -1) -> Unit:
    """A record batch without holes, whose values are their offsets; of a transaction if it has a producer."""
    records = tuple((offset, str(offset).encode(), None) for offset in range(base, base + count))
    return Unit(base, base + count, records, producer, transactional=producer >= 0)


def fetched(
    units: Iterable[Unit],
    position: int = 0,
    aborted: list[tuple[int, int]] | None = None,
    isolation: int = READ_COMMITTED,
) -> PartitionRecords:
    """What aiokafka makes of a fetch at ``position``; ``aborted`` are (producer, first offset)."""
    memory = MemoryRecords(b"".join(unit.encoded() for unit in units))
    return PartitionRecords(TP, memory, aborted, position, None, None, True, isolation)
