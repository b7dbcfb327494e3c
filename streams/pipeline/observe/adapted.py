"""Reading records of any format: plain lines of the common log format in one go, the others one by one."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.errors import RecordError
from schemas.request import FAST_DECODER, RequestEvent, decode_request
from streams.inputs.reader import Part, Reader
from streams.pipeline.batch import Batch
from streams.pipeline.observe.clf import read_clf
from streams.pipeline.observe.events import Events, in_order, unpack
from streams.pipeline.observe.nested import is_nested
from streams.pipeline.observe.reading import (
    CANONICAL,
    PACKER,
    READ_ERRORS,
    Dead,
    OnDemand,
    Reading,
    pack,
    project,
    read_all,
    too_long,
)

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
    """Read every record; in one go where all are canonical ones, or as far as they are plain lines."""
    if reader.takes_canonical:
        with suppress(*READ_ERRORS):  # not all of them are
            return read_all(batch, record_max_bytes, names=True)
    if reader.clf is None:
        return _read_each(batch, range(len(batch.values)), record_max_bytes, reader)
    # What is missing or too long is odd, as any text is that is no line.
    lines = [b"" if value is None or len(value) > record_max_bytes else value for value in batch.values]
    events, odd = read_clf(lines, reader.trusts)
    others = _read_each(batch, odd.tolist(), record_max_bytes, reader)
    return others if len(odd) == len(lines) else _together(lines, reader, events, odd, others)


def _read_each(batch: Batch, positions: Sequence[int], record_max_bytes: int, reader: Reader) -> Reading:
    found = _Found(batch)
    for position in positions:
        try:
            _read(found, position, batch.values[position], record_max_bytes, reader)
        except RecordError as error:
            found.bury(position, error)
    return found.reading()


def _on_demand(
    lines: Sequence[bytes], reader: Reader, others: Sequence[RequestEvent], of: Sequence[int]
) -> Sequence[RequestEvent]:
    """Events of plain lines, among others that are there already.

    ``of`` has for each event its line, or its place among ``others`` behind as many as there are lines.
    """

    def event(at: int) -> RequestEvent:
        if at >= len(lines):
            return others[at - len(lines)]
        _, made = reader.one(lines[at])
        if made is None:
            raise AssertionError("a plain line tells of no request")
        return made

    return OnDemand(of, event)


def _together(
    lines: Sequence[bytes], reader: Reader, events: Events, odd: NDArray[np.int64], others: Reading
) -> Reading:
    """What plain lines are, and between them what came of the others, in the order of the batch."""
    name, count = reader.clf or "", len(lines)
    if not len(odd):
        return Reading(_on_demand(lines, reader, (), range(count)), np.arange(count), events, [], [name] * count)
    index = np.concatenate([np.delete(np.arange(count), odd), others.index])
    order = np.argsort(index, kind="stable")
    of = np.where(order < count - len(odd), index[order], order + len(odd))
    rows = {at - count: row for row, at in enumerate(of.tolist()) if at >= count}
    return Reading(
        _on_demand(lines, reader, others.records, of.tolist()),
        index[order],
        in_order(events, others.events, of),
        others.dead,
        [name if at < count else others.names[at - count] for at in of.tolist()],
        {rows[row]: part for row, part in others.parts.items()},
        others.skipped,
    )


def _read(found: _Found, position: int, value: bytes | None, record_max_bytes: int, reader: Reader) -> None:
    if value is None:
        raise RecordError("$", "record is a tombstone (null value)")
    if len(value) > record_max_bytes:
        raise too_long(record_max_bytes)
    try:
        name, event = _one(value, reader)
    except RecordError:
        found.take_parts(position, reader.parts(value))
    else:
        found.take(position, name, event)


def _one(value: bytes, reader: Reader) -> tuple[str, RequestEvent | None]:
    # Looking for the keys first costs little; decoding by the wrong type costs as much as by the right one.
    if reader.takes_canonical and is_nested(value):
        with suppress(RecordError):
            return CANONICAL, decode_request(value)
    elif reader.takes_canonical and value[:1] == b"{" and b'"http.request.method"' in value:
        with suppress(*READ_ERRORS):
            return CANONICAL, FAST_DECODER.decode(value)
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
