"""Columns over the request events of one batch, unpacked from msgpack.

msgspec has no way into columns, and Python must not loop over records. So the wanted attributes of all events are
encoded as one msgpack array of arrays, by calls that loop in C, and one compiled loop finds where each value lies in
it. A column of text is then a pair of numbers a row, its *span* in the shared buffer; nothing is copied.
"""

from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.core.compiled import compiled
from streams.pipeline.observe.text import Text, has_nul, signed

PROJECTION: Final = (
    "time",
    "method",
    "path",
    "route",
    "address",
    "user",
    "session",
    "ja4",
    "ja3",
    "target",
    "tier",
    "query",
    "user_agent",
    "country",
    "created_at",
    "status",
    "asn",
    "targets",
)
"""Attributes of a request event in the order they are packed in: first those of `Field`, then numbers and lists."""


class Field(IntEnum):
    """Columns of text: the first are packed, the last are written by observe."""

    TIME = 0
    METHOD = 1
    PATH = 2
    ROUTE = 3
    ADDRESS = 4
    """As it came; once read, the value of the ip actor."""
    USER = 5
    SESSION = 6
    FINGERPRINT = 7
    """JA4, or else JA3."""
    JA3 = 8
    TARGET = 9
    TIER = 10
    QUERY = 11
    AGENT = 12
    COUNTRY = 13
    CREATED = 14
    """When the account was made, where that came as text."""
    NET = 15
    ASN = 16
    FINGERPRINT_ASN = 17


class Fault(IntEnum):
    """Why an event is a dead letter; of several the one that is found first."""

    NONE = 0
    NUL_PATH = 1
    NUL_USER = 2
    NUL_SESSION = 3
    NUL_JA4 = 4
    NUL_JA3 = 5
    NUL_TARGET = 6
    NUL_TARGETS = 7
    TIME = 8
    TIME_RANGE = 9
    TIME_SKEW = 10
    NOBODY = 11
    ADDRESS = 12
    CREATED = 13


class TimeForm(IntEnum):
    """How an event spelled its time."""

    TEXT = 0
    INTEGER = 1
    """One of 64 bits without a sign reads as negative, and is no time either way."""
    FLOAT = 2


FIELDS: Final = len(Field)
ABSENT: Final = -1

ADDRESS_AT: Final = 0
NET_AT: Final = 24
ASN_AT: Final = 48
FINGERPRINT_ASN_AT: Final = 72
FINGERPRINT_MAX: Final = 44
"""Longer ones have no actor within their network; a JA4 has 36 bytes, a JA3 32."""
ROOM: Final = 128
"""Bytes before the packed events that each event has for texts that observe writes: an address and a network (at most
24 bytes, ``2001:db8:1234:5678::/64``), a number of 32 bits, and a fingerprint with a number behind it."""


class Events(NamedTuple):
    """Columns of n request events; spans point into `text`."""

    text: Text
    start: NDArray[np.int64]
    """[n, FIELDS]"""
    size: NDArray[np.int64]
    """[n, FIELDS]; ABSENT where there is no value. An empty actor or target is absent."""
    status: NDArray[np.int64]
    """ABSENT where there is none, as in the two below."""
    asn: NDArray[np.int64]
    targets: NDArray[np.int64]
    """How many elements the list has."""
    targets_at: NDArray[np.int64]
    """Where the packed elements of the list begin in `text`."""
    time_form: NDArray[np.uint8]
    """`TimeForm`"""
    time_bits: NDArray[np.int64]
    """The time where it came as a number; of a float its bits."""
    created_form: NDArray[np.uint8]
    """`TimeForm` of when the account was made; TEXT of no size where nothing is said."""
    created_bits: NDArray[np.int64]
    fault: NDArray[np.uint8]
    """`Fault`"""

    def put(self, rows: NDArray[np.int64], others: "Events") -> "Events":
        """The same with other events in ``rows``."""
        count, behind = len(rows) * ROOM, len(self.text)
        text = np.concatenate([self.text, others.text[count:]])
        moved = others._replace(start=others.start + (behind - count), targets_at=others.targets_at + (behind - count))
        own: Sequence[NDArray[Any]] = self[1:]
        new: Sequence[NDArray[Any]] = moved[1:]
        for column, values in zip(own, new, strict=True):
            column[rows] = values
        return self._replace(text=text)


def joined(values: Sequence[bytes]) -> tuple[bytearray, NDArray[np.int64]]:
    """Records one after the other, behind `ROOM` for each of them, and where each ends.

    Between them stands a NUL, which belongs to no token, so that nothing is read across the end of one.

    Raises:
        TypeError: one of them is a tombstone.
    """
    count = len(values)
    buffer = bytearray(b"\0").join([bytes(max(count * ROOM - 1, 0)), *values, b""])
    return buffer, count * ROOM + np.cumsum(np.fromiter(map(len, values), np.int64, count) + 1) - 1


def in_order(one: Events, other: Events, order: NDArray[np.int64]) -> Events:
    """Events of two sets of columns in one; ``order`` names them by row, those of ``other`` behind those of ``one``."""
    count, rows, others = len(order), len(one.fault), len(other.fault)
    text = np.concatenate([np.zeros(count * ROOM, np.uint8), one.text[rows * ROOM :], other.text[others * ROOM :]])
    here, there = (count - rows) * ROOM, count * ROOM + len(one.text) - rows * ROOM - others * ROOM
    first = one._replace(start=one.start + here, targets_at=one.targets_at + here)
    second = other._replace(start=other.start + there, targets_at=other.targets_at + there)
    pairs: Iterable[tuple[NDArray[Any], NDArray[Any]]] = zip(first[1:], second[1:], strict=True)
    return Events(text, *(np.concatenate(pair)[order] for pair in pairs))


def empty(buffer: bytearray, count: int) -> Events:
    """Columns of ``count`` events of which nothing is known yet; their text lies in ``buffer``."""
    absent, codes = np.full(count, ABSENT, np.int64), np.zeros(count, np.uint8)
    return Events(
        text=np.frombuffer(buffer, np.uint8),
        start=np.zeros((count, FIELDS), np.int64),
        size=np.full((count, FIELDS), ABSENT, np.int64),
        status=absent,
        asn=absent.copy(),
        targets=absent.copy(),
        targets_at=np.zeros(count, np.int64),
        time_form=codes,
        time_bits=np.zeros(count, np.int64),
        created_form=codes.copy(),
        created_bits=np.zeros(count, np.int64),
        fault=codes.copy(),
    )


def unpack(buffer: bytearray, count: int) -> Events:
    """Columns of ``count`` events, packed in the order of PROJECTION after ``count * ROOM`` bytes of room."""
    events = empty(buffer, count)
    _unpack(*events, count * ROOM)
    return events


@compiled
def _big_endian(text: Text, at: int, count: int) -> np.uint64:
    number = np.uint64(0)
    for k in range(count):
        number = (number << np.uint64(8)) | np.uint64(text[at + k])
    return number


@compiled
def text_span(text: Text, at: int) -> tuple[int, int]:
    """Start and size of the packed text or nothing at ``at``; size is ABSENT for nothing."""
    tag = signed(text[at])
    if 0xA0 <= tag <= 0xBF:
        return at + 1, tag & 31
    if 0xD9 <= tag <= 0xDB:
        width = 1 << (tag - 0xD9)
        return at + 1 + width, signed(_big_endian(text, at + 1, width))
    return at + 1, ABSENT


@compiled
def _list_head(text: Text, at: int) -> tuple[int, int]:
    """Where the elements of the packed list or nothing at ``at`` begin, and how many; ABSENT for nothing."""
    tag = signed(text[at])
    if 0x90 <= tag <= 0x9F:
        return at + 1, tag & 15
    if tag == 0xDC or tag == 0xDD:
        width = 2 << (tag - 0xDC)
        return at + 1 + width, signed(_big_endian(text, at + 1, width))
    return at + 1, ABSENT


@compiled
def _number(text: Text, at: int) -> tuple[int, int, int]:
    """Where what follows begins, the bits, and the `TimeForm` of the packed number at ``at``."""
    tag = signed(text[at])
    if tag <= 0x7F:
        return at + 1, tag, TimeForm.INTEGER
    if tag >= 0xE0:
        return at + 1, tag - 256, TimeForm.INTEGER
    if tag == 0xCB:
        return at + 9, signed(_big_endian(text, at + 1, 8)), TimeForm.FLOAT
    if 0xCC <= tag <= 0xCF:
        width = 1 << (tag - 0xCC)
        return at + 1 + width, signed(_big_endian(text, at + 1, width)), TimeForm.INTEGER
    width = 1 << (tag - 0xD0)
    shift = 64 - 8 * width
    return at + 1 + width, (signed(_big_endian(text, at + 1, width)) << shift) >> shift, TimeForm.INTEGER


@compiled
def _optional_number(text: Text, at: int) -> tuple[int, int]:
    """Where what follows begins, and the number; ABSENT for nothing."""
    if text[at] == 0xC0:
        return at + 1, ABSENT
    following, number, _ = _number(text, at)
    return following, number


@compiled
def _read_texts(text: Text, at: int, start: NDArray[np.int64], size: NDArray[np.int64], row: int) -> int:
    for field in range(Field.METHOD, Field.COUNTRY + 1):
        start[row, field], found = text_span(text, at)
        at = start[row, field] + max(found, 0)
        # Who is named by an empty text is not named.
        size[row, field] = ABSENT if found == 0 and field >= Field.ADDRESS else found
    return at


@compiled
def _read_time(
    text: Text, at: int, start: NDArray[np.int64], size: NDArray[np.int64], row: int, field: int
) -> tuple[int, int, int]:
    """Where what follows begins, and form and bits of the packed time or nothing at ``at``; fills in its span."""
    start[row, field], size[row, field] = text_span(text, at)
    if size[row, field] != ABSENT:
        return start[row, field] + size[row, field], TimeForm.TEXT, 0
    if text[at] == 0xC0:
        return at + 1, TimeForm.TEXT, 0
    following, bits, form = _number(text, at)
    return following, form, bits


@compiled
def _end_of_targets(text: Text, at: int, count: int) -> int:
    for _ in range(count):
        start, size = text_span(text, at)
        at = start + size
    return at


@compiled
def _targets_hold_nul(text: Text, at: int, count: int) -> bool:
    for _ in range(count):
        start, size = text_span(text, at)
        if has_nul(text, start, size):
            return True
        at = start + size
    return False


@compiled
def _nul_fault(
    text: Text, start: NDArray[np.int64], size: NDArray[np.int64], row: int, targets_at: int, targets: int
) -> int:
    for field, fault in (
        (Field.PATH, Fault.NUL_PATH),
        (Field.USER, Fault.NUL_USER),
        (Field.SESSION, Fault.NUL_SESSION),
        (Field.FINGERPRINT, Fault.NUL_JA4),
        (Field.JA3, Fault.NUL_JA3),
        (Field.TARGET, Fault.NUL_TARGET),
    ):
        if has_nul(text, start[row, field], size[row, field]):
            return fault
    return Fault.NUL_TARGETS if _targets_hold_nul(text, targets_at, targets) else Fault.NONE


@compiled
def fall_back_on_ja3(start: NDArray[np.int64], size: NDArray[np.int64], row: int) -> None:
    """Where an event has no JA4, let its JA3 be the fingerprint."""
    if size[row, Field.FINGERPRINT] == ABSENT:
        start[row, Field.FINGERPRINT], size[row, Field.FINGERPRINT] = start[row, Field.JA3], size[row, Field.JA3]


@compiled
def _unpack(
    text: Text,
    start: NDArray[np.int64],
    size: NDArray[np.int64],
    status: NDArray[np.int64],
    asn: NDArray[np.int64],
    targets: NDArray[np.int64],
    targets_at: NDArray[np.int64],
    time_form: NDArray[np.uint8],
    time_bits: NDArray[np.int64],
    created_form: NDArray[np.uint8],
    created_bits: NDArray[np.int64],
    fault: NDArray[np.uint8],
    at: int,
) -> None:
    at, count = _list_head(text, at)
    for row in range(count):
        begin, _ = _list_head(text, at)
        at, time_form[row], time_bits[row] = _read_time(text, begin, start, size, row, Field.TIME)
        at = _read_texts(text, at, start, size, row)
        at, created_form[row], created_bits[row] = _read_time(text, at, start, size, row, Field.CREATED)
        at, status[row] = _optional_number(text, at)
        at, asn[row] = _optional_number(text, at)
        targets_at[row], targets[row] = _list_head(text, at)
        at = _end_of_targets(text, targets_at[row], targets[row])
        # One look over the whole row is cheap, though it also meets the zeros of packed numbers and sizes.
        if has_nul(text, begin, at - begin):
            fault[row] = _nul_fault(text, start, size, row, targets_at[row], targets[row])
        fall_back_on_ja3(start, size, row)
