"""From the bytes of a batch to request events, and from what is none to dead letters."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Final, overload

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.codec import DECODE_ERRORS
from schemas.errors import RecordError
from schemas.request import FAST_DECODER, RequestEvent, decode_request
from streams.pipeline.batch import Batch
from streams.pipeline.observe.events import PROJECTION, ROOM, Events, Fault, unpack
from streams.pipeline.observe.flat import read_flat
from streams.pipeline.observe.nested import is_nested, read_nested

PACKER: Final = msgspec.msgpack.Encoder()
project = attrgetter(*PROJECTION)
"""The attributes of an event that are packed, in their order."""

# What packing and the fast decoder raise on a record of some sort; the record by itself then says what it is.
READ_ERRORS: Final = (*DECODE_ERRORS, TypeError, OverflowError, UnicodeEncodeError)

CANONICAL: Final = "canonical"
"""Name of the contract's own format."""

_FAULTS: Final = {
    Fault.NUL_PATH: ("$.url.path", "holds a NUL"),
    Fault.NUL_USER: ("$.user.id", "holds a NUL"),
    Fault.NUL_SESSION: ("$.session.id", "holds a NUL"),
    Fault.NUL_JA4: ("$.tls.client.ja4", "holds a NUL"),
    Fault.NUL_JA3: ("$.tls.client.ja3", "holds a NUL"),
    Fault.NUL_TARGET: ("$.weir.target.id", "holds a NUL"),
    Fault.NUL_TARGETS: ("$.weir.targets", "an element holds a NUL"),
    Fault.TIME: ("$.@timestamp", "is no time"),
    Fault.NOBODY: ("$", "names nobody: no address, no account and no session"),
    Fault.TIME_RANGE: ("$.@timestamp", "time lies outside the years 1995 to 2099"),
    Fault.TIME_SKEW: ("$.@timestamp", "time is too far from the timestamp of the record (input.time_skew_max_s)"),
    Fault.ADDRESS: ("$.client.address", "is no IP address"),
    Fault.CREATED: ("$.weir.account.created_at", "is no time"),
}

_CHOSEN: Final = frozenset({"$.url.path", "$.session.id", "$.weir.target.id", "$.weir.targets"})
"""Places of what is as a client sent it."""


@dataclass(frozen=True, slots=True)
class Dead:
    """A record that never can be processed."""

    index: int
    """Which record of the batch."""
    offset: int
    where: str
    """JSON path, or ``byte N`` counted from 0."""
    reason: str
    """Holds no value of the record."""
    value: bytes | None = None
    """Of a record that holds several, the part that it is about, as a record of its own; None for all of it."""

    @property
    def may_be_asked_for(self) -> bool:
        """Whoever sends a request chooses what is wrong here: it says nothing of the shipper."""
        return self.where in _CHOSEN


_KEYS: Final = frozenset(one.encode_name for one in msgspec.structs.fields(RequestEvent))


def about(dead: Dead) -> str:
    """What is wrong, by the key of the request event: few values, whatever records hold.

    ``json`` where the bytes are none, ``record`` where it is no one key.
    """
    if dead.where.startswith("byte "):
        return "json"
    key = dead.where.removeprefix("$.").partition("[")[0]
    return key if key in _KEYS else "record"


@dataclass(frozen=True, slots=True)
class Reading:
    """The records of a batch that are request events, and the others."""

    records: Sequence[RequestEvent]
    index: NDArray[np.int64]
    """Which record of the batch each event was."""
    events: Events
    """The same as columns."""
    dead: list[Dead]
    names: Sequence[str] = ()
    """Format of each event, where that is not the canonical one for all of them."""
    parts: Mapping[int, bytes] = field(default_factory=dict)
    """By event the part of its record that it was, where that holds several."""
    skipped: int = 0
    """Records, and parts of them, that tell of no request."""


def read(batch: Batch, record_max_bytes: int) -> Reading:
    """Decode every record: all in one go, or one by one where that fails, with the same result for each of them."""
    try:
        return read_all(batch, record_max_bytes)
    except READ_ERRORS:
        return _read_each(batch, record_max_bytes)


def dead_letter(batch: Batch, reading: Reading, row: int, fault: Fault) -> Dead:
    """The dead letter of a record that was decoded, but whose event ``row`` is none by what is found later.

    What `decode_request` objects to a canonical record it says in its own words.
    """
    index, part = int(reading.index[row]), reading.parts.get(row)
    where, reason = _FAULTS.get(fault, ("$", "is no request event"))
    if not reading.names or reading.names[row] == CANONICAL:
        try:
            decode_request(batch.values[index] if part is None else part)
        except RecordError as error:
            where, reason = error.where, error.reason
    return Dead(index, batch.offset_of(index), where, reason, part)


class OnDemand(Sequence[RequestEvent]):
    """Events that are each made when somebody asks for it: few are."""

    def __init__(self, of: Sequence[int], make: Callable[[int], RequestEvent]) -> None:
        """``make`` is asked for an event by its number in ``of``."""
        self._of, self._make = of, make

    def __len__(self) -> int:
        return len(self._of)

    @overload
    def __getitem__(self, row: int) -> RequestEvent: ...
    @overload
    def __getitem__(self, row: slice) -> "OnDemand": ...
    def __getitem__(self, row: int | slice) -> "RequestEvent | OnDemand":
        """The event of one row."""
        return OnDemand(self._of[row], self._make) if isinstance(row, slice) else self._make(self._of[row])


def read_all(batch: Batch, record_max_bytes: int, *, names: bool = False) -> Reading:
    """Read all records in one go; raises one of READ_ERRORS where one of them needs a closer look.

    With ``names`` the formats are told where a record is nested.
    """
    values: Sequence[bytes] = batch.values  # type: ignore[assignment]  # a tombstone raises TypeError, as it should
    if max(map(len, values), default=0) > record_max_bytes:
        raise TypeError("a record is too long")
    made = OnDemand(range(len(values)), lambda row: _decoded(values[row]))
    events, odd = read_flat(values)
    if not odd.size:
        return Reading(made, np.arange(len(values)), events, [])
    nested: list[int] = []
    left: list[int] = []
    records: list[RequestEvent] = []
    for row in odd.tolist():
        if is_nested(values[row]):
            nested.append(row)
        else:
            # At once: where records are of another format, the first one ends it.
            left.append(row)
            records.append(FAST_DECODER.decode(values[row]))
    if nested:
        columns, unread = read_nested([values[row] for row in nested])
        events = columns if len(nested) == len(values) else events.put(np.array(nested), columns)
        others = [nested[place] for place in unread.tolist()]
        left += others
        records += [_decoded(values[row]) for row in others]
    if left:
        events = events.put(np.array(left), unpack(pack(records), len(records)))
    told = [CANONICAL] * len(values) if nested and names else ()
    return Reading(made, np.arange(len(values)), events, [], told)


def _decoded(value: bytes) -> RequestEvent:
    """A flat or nested record; raises one of READ_ERRORS where it is none."""
    try:
        return FAST_DECODER.decode(value)
    except msgspec.ValidationError as error:
        if not is_nested(value):
            raise
        try:
            return decode_request(value)
        except RecordError:
            raise error from None


def _read_each(batch: Batch, record_max_bytes: int) -> Reading:
    records: list[RequestEvent] = []
    index: list[int] = []
    dead: list[Dead] = []
    for position, value in enumerate(batch.values):
        try:
            records.append(_read_one(value, record_max_bytes))
            index.append(position)
        except RecordError as error:
            dead.append(Dead(position, batch.offset_of(position), error.where, error.reason))
    return Reading(records, np.array(index, np.int64), unpack(pack(records), len(records)), dead)


def _read_one(value: bytes | None, record_max_bytes: int) -> RequestEvent:
    if value is not None and len(value) > record_max_bytes:
        raise too_long(record_max_bytes)
    try:
        record = FAST_DECODER.decode(value)  # type: ignore[arg-type]  # see above
        PACKER.encode(project(record))
    except READ_ERRORS:
        return decode_request(value)
    return record


def too_long(record_max_bytes: int) -> RecordError:
    """What is wrong with a record that is longer."""
    return RecordError("$", f"record is longer than {record_max_bytes} bytes (input.record_max_bytes)")


def pack(records: Iterable[RequestEvent]) -> bytearray:
    """Events as `events.unpack` takes them; raises one of READ_ERRORS where one holds what cannot be packed."""
    rows = list(map(project, records))
    packed = bytearray(len(rows) * ROOM)
    PACKER.encode_into(rows, packed, len(packed))
    return packed
