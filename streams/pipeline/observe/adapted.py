"""Reading records of any format: by `streams.inputs`, one by one."""

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from schemas.errors import RecordError
from schemas.request import FAST_DECODER, RequestEvent, decode_request
from streams.inputs.reader import Part, Reader
from streams.pipeline.batch import Batch
from streams.pipeline.observe.events import unpack
from streams.pipeline.observe.reading import CANONICAL, PACKER, READ_ERRORS, Dead, Reading, pack, project, read_all

_UNPACKABLE: Final = "holds what is no text, or a number beyond 64 bits"


@dataclass(slots=True)
class _Found:
    """What has come of the records so far."""

    batch: Batch
    records: list[RequestEvent] = field(default_factory=list)
    index: list[int] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    parts: dict[int, bytes] = field(default_factory=dict)
    dead: list[Dead] = field(default_factory=list)
    skipped: int = 0

    def take(self, position: int, name: str, event: RequestEvent | None) -> None:
        """What a record gave that is one by itself."""
        if event is None:
            self.skipped += 1
            return
        self.records.append(event)
        self.index.append(position)
        self.names.append(name)

    def take_parts(self, position: int, parts: list[Part]) -> None:
        """What a record gave that had to be taken apart."""
        several = len(parts) > 1
        for part in parts:
            if part.error is not None:
                self.bury(position, part.error, part.value if several else None)
            else:
                if several and part.event is not None:
                    self.parts[len(self.records)] = part.value
                self.take(position, part.name, part.event)

    def bury(self, position: int, error: RecordError, value: bytes | None = None) -> None:
        """A record, or a part of it, that is none."""
        self.dead.append(Dead(position, self.batch.offset_of(position), error.where, error.reason, value))

    def reading(self) -> Reading:
        """All of it, packed."""
        try:
            packed = pack(self.records)
        except READ_ERRORS:
            self._bury_unpackable()
            packed = pack(self.records)
        index = np.array(self.index, np.int64)
        events = unpack(packed, len(self.records))
        return Reading(self.records, index, events, self.dead, self.names, self.parts, self.skipped)

    def _bury_unpackable(self) -> None:
        events, index, names, parts = self.records, self.index, self.names, self.parts
        self.records, self.index, self.names, self.parts = [], [], [], {}
        for row, event in enumerate(events):
            if _packs(event):
                if row in parts:
                    self.parts[len(self.records)] = parts[row]
                self.take(index[row], names[row], event)
            else:
                value = parts.get(row)
                self.bury(
                    index[row], _why(names[row], self.batch.values[index[row]] if value is None else value), value
                )
        self.dead.sort(key=lambda dead: dead.index)


def read_any(batch: Batch, record_max_bytes: int, reader: Reader) -> Reading:
    """Read every record; where all are flat canonical ones, in one go."""
    if reader.takes_canonical:
        with suppress(*READ_ERRORS):  # not all of them are
            return read_all(batch, record_max_bytes)
    found = _Found(batch)
    for position, value in enumerate(batch.values):
        try:
            _read(found, position, value, record_max_bytes, reader)
        except RecordError as error:
            found.bury(position, error)
    return found.reading()


def _read(found: _Found, position: int, value: bytes | None, record_max_bytes: int, reader: Reader) -> None:
    if value is None:
        raise RecordError("$", "record is a tombstone (null value)")
    if len(value) > record_max_bytes:
        raise RecordError("$", f"record is longer than {record_max_bytes} bytes (input.record_max_bytes)")
    try:
        name, event = _one(value, reader)
    except RecordError:
        found.take_parts(position, reader.parts(value))
    else:
        found.take(position, name, event)


def _one(value: bytes, reader: Reader) -> tuple[str, RequestEvent | None]:
    # Looking for the keys first costs little; decoding by the wrong type costs as much as by the right one.
    if reader.takes_canonical and value[:1] == b"{":
        if b'"http.request.method"' in value:
            with suppress(*READ_ERRORS):
                return CANONICAL, FAST_DECODER.decode(value)
        elif b'"http"' in value and b'"@timestamp"' in value:
            with suppress(RecordError):
                return CANONICAL, decode_request(value)
    return reader.one(value)


def _why(name: str, value: bytes | None) -> RecordError:
    """What is wrong with an event that cannot be packed."""
    if name == CANONICAL:
        try:
            decode_request(value)
        except RecordError as error:
            return error
    return RecordError("$", _UNPACKABLE)


def _packs(event: RequestEvent) -> bool:
    try:
        PACKER.encode(project(event))
    except READ_ERRORS:
        return False
    return True
