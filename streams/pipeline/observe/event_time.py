"""Event times of a batch: the spellings that shippers write in one compiled loop, every other by `parse_time_us`."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.core.compiled import compiled
from schemas.event_time import parse_time_us
from schemas.request import RequestEvent
from streams.pipeline.observe.events import ABSENT, Events, Fault, Field, TimeForm
from streams.pipeline.observe.text import Text, signed

YEAR_1995_US: Final = 788_918_400_000_000
"""The oldest public logs of requests are of that year."""
YEAR_2100_US: Final = 4_102_444_800_000_000

_ODD: Final = -1
"""In place of a time: a spelling that only `parse_time_us` reads."""
_NONE: Final = -2
"""In place of a time: it is none."""

_DAY_US: Final = 86_400_000_000
_ZERO: Final = ord("0")
_NINE: Final = ord("9")
_DASH: Final = ord("-")
_PLUS: Final = ord("+")
_COLON: Final = ord(":")
_DOT: Final = ord(".")
_T: Final = ord("T")
_SLASH: Final = ord("/")
_BLANK: Final = ord(" ")
_Z: Final = ord("Z")
_TIMESTAMP_MAX_MS: Final = 2**52
_MONTHS: Final = tuple(
    int.from_bytes(name)
    for name in (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")
)
CLF_SIZE: Final = 26
"""Bytes of ``24/Nov/2026:09:00:00 +0000``."""


def read_times(events: Events, records: Sequence[RequestEvent]) -> NDArray[np.int64]:
    """Event time in us of each event, as `parse_time_us` reads it; sets the fault of those that have none."""
    time_us = np.empty(len(records), np.int64)
    form, bits = events.time_form, events.time_bits
    _read(events.text, events.start, events.size, form, bits, bits.view(np.float64), int(Field.TIME), time_us)
    for row in np.flatnonzero(time_us == _ODD).tolist():
        time_us[row] = _parse(records[row].time)
    _fault(events, time_us == _NONE, Fault.TIME)
    _fault(events, (time_us < YEAR_1995_US) | (time_us >= YEAR_2100_US), Fault.TIME_RANGE)
    return time_us


def are_times(events: Events) -> NDArray[np.bool_]:
    """Which events say when they were, and when the account was made if at all, in a spelling that is surely read."""
    time_us, created_us = np.empty(len(events.fault), np.int64), np.empty(len(events.fault), np.int64)
    form, bits = events.time_form, events.time_bits
    _read(events.text, events.start, events.size, form, bits, bits.view(np.float64), int(Field.TIME), time_us)
    form, bits = events.created_form, events.created_bits
    _read(events.text, events.start, events.size, form, bits, bits.view(np.float64), int(Field.CREATED), created_us)
    unsaid = (events.size[:, Field.CREATED] == ABSENT) & (form == TimeForm.TEXT)
    read: NDArray[np.bool_] = (time_us >= 0) & (unsaid | (created_us >= 0))
    return read


def check_skew(
    events: Events, time_us: NDArray[np.int64], timestamps_ms: NDArray[np.int64], skew_max_s: int, ahead_max_s: int
) -> None:
    """Set the fault of events too far from the timestamp of their record, if it has one.

    That is ``skew_max_s`` either way, and ``ahead_max_s`` for a time ahead of it.
    """
    # A producer may write any 64 bits for a timestamp: capped, it is as far off, and its microseconds do not overflow.
    ahead_us = time_us - np.minimum(timestamps_ms, _TIMESTAMP_MAX_MS) * 1000
    far = (ahead_us > min(skew_max_s, ahead_max_s) * 1_000_000) | (ahead_us < -skew_max_s * 1_000_000)
    _fault(events, (timestamps_ms >= 0) & far, Fault.TIME_SKEW)


def read_created(
    events: Events, records: Sequence[RequestEvent], time_us: NDArray[np.int64]
) -> tuple[NDArray[np.uint32], NDArray[np.bool_]]:
    """When each account was made, in s since 1970, and where it was said to be made after the event.

    It is 0 there, and where nothing is said.

    Sets the fault of events where it is no time at all.
    """
    created_us = np.empty(len(records), np.int64)
    form, bits = events.created_form, events.created_bits
    _read(events.text, events.start, events.size, form, bits, bits.view(np.float64), int(Field.CREATED), created_us)
    said = (events.size[:, Field.CREATED] != ABSENT) | (form != TimeForm.TEXT)
    for row in np.flatnonzero(said & (created_us == _ODD)).tolist():
        created_us[row] = _parse(records[row].created_at or "")
    _fault(events, said & (created_us == _NONE), Fault.CREATED)
    known = said & (created_us > 0) & (created_us <= time_us)
    return np.where(known, created_us // 1_000_000, 0).astype(np.uint32), said & (created_us > time_us)


def _parse(time: str | float) -> int:
    try:
        return parse_time_us(time)
    except ValueError:
        return _NONE


def _fault(events: Events, rows: NDArray[np.bool_], fault: Fault) -> None:
    events.fault[rows & (events.fault == Fault.NONE)] = fault


@compiled
def _digits(text: Text, at: int, count: int) -> int:
    """The number of ``count`` digits at ``at``; negative if one is none."""
    number = 0
    for k in range(count):
        digit = signed(text[at + k]) - _ZERO
        if digit < 0 or digit > 9:
            return -(10**12)
        number = number * 10 + digit
    return number


@compiled
def _days(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01 in the Gregorian calendar, counted in years that begin in March."""
    year -= month <= 2
    month += 9 if month <= 2 else -3
    leaps = year // 4 - year // 100 + year // 400
    return year * 365 + leaps + (153 * month + 2) // 5 + day - 1 - 719_468


@compiled
def _month_days(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


@compiled
def _zone_us(text: Text, at: int, size: int) -> int:
    """What to take off for the zone ``Z`` or ``+hh:mm`` at ``at``; at least a day, if it is neither."""
    if size == 1 and text[at] == _Z:
        return 0
    if size != 6:
        return _DAY_US
    sign = signed(text[at])
    if text[at + 3] != _COLON or (sign != _PLUS and sign != _DASH):
        return _DAY_US
    hours, minutes = _digits(text, at + 1, 2), _digits(text, at + 4, 2)
    if hours < 0 or hours > 23 or minutes < 0 or minutes > 59:
        return _DAY_US
    return (1 if sign == _PLUS else -1) * (hours * 60 + minutes) * 60_000_000


@compiled
def _fraction_us(text: Text, at: int, end: int) -> tuple[int, int]:
    """Where the digits from ``at`` on end, and their microseconds; finer ones are cut off."""
    number, unit = 0, 100_000
    while at < end and _ZERO <= text[at] <= _NINE:
        number += (signed(text[at]) - _ZERO) * unit
        unit //= 10
        at += 1
    return at, number


@compiled
def _date_us(text: Text, at: int) -> int:
    """Midnight of the date ``yyyy-mm-dd`` from 1970 on; negative if it is none."""
    year, month, day = _digits(text, at, 4), _digits(text, at + 5, 2), _digits(text, at + 8, 2)
    if text[at + 4] != _DASH or text[at + 7] != _DASH or year < 1970:
        return _ODD
    if month < 1 or month > 12 or day < 1 or day > _month_days(year, month):
        return _ODD
    return _days(year, month, day) * _DAY_US


@compiled
def _clock_us(text: Text, at: int) -> int:
    """Since midnight at the time of day ``hh:mm:ss``; negative if it is none."""
    hour, minute, second = _digits(text, at, 2), _digits(text, at + 3, 2), _digits(text, at + 6, 2)
    if text[at + 2] != _COLON or text[at + 5] != _COLON or hour < 0 or minute < 0 or second < 0:
        return _ODD
    if hour > 23 or minute > 59 or second > 59:
        return _ODD
    return ((hour * 60 + minute) * 60 + second) * 1_000_000


@compiled
def _text_us(text: Text, at: int, size: int) -> int:
    """Time of ``yyyy-mm-ddThh:mm:ss[.fraction]zone`` from 1970 on; `_ODD` for every other text."""
    if size < 20 or text[at + 10] != _T:
        return _ODD
    date, clock = _date_us(text, at), _clock_us(text, at + 11)
    end, fraction, following = at + size, 0, at + 19
    if text[following] == _DOT:
        following, fraction = _fraction_us(text, at + 20, end)
    zone = _zone_us(text, following, end - following)
    if date < 0 or clock < 0 or following == at + 20 or zone >= _DAY_US:
        return _ODD
    return max(date + clock + fraction - zone, _ODD)


@compiled
def _month(text: Text, at: int) -> int:
    """Number of the month whose name stands at ``at``, from 1 on; 0 if none does."""
    name = (signed(text[at]) << 16) | (signed(text[at + 1]) << 8) | signed(text[at + 2])
    for number in range(12):
        if _MONTHS[number] == name:
            return number + 1
    return 0


@compiled
def clf_us(text: Text, at: int) -> int:
    """Time of ``dd/Mmm/yyyy:hh:mm:ss +hhmm`` at ``at``, from 1970 on; negative for every other text of CLF_SIZE bytes.

    A leap second is one of the others.
    """
    day, month, year = _digits(text, at, 2), _month(text, at + 3), _digits(text, at + 7, 4)
    clock, sign = _clock_us(text, at + 12), signed(text[at + 21])
    hours, minutes = _digits(text, at + 22, 2), _digits(text, at + 24, 2)
    if text[at + 2] != _SLASH or text[at + 6] != _SLASH or text[at + 11] != _COLON or text[at + 20] != _BLANK:
        return _ODD
    if year < 1970 or month == 0 or day < 1 or day > _month_days(year, month) or clock < 0:
        return _ODD
    if (sign != _PLUS and sign != _DASH) or hours < 0 or hours > 23 or minutes < 0 or minutes > 59:
        return _ODD
    zone = (1 if sign == _PLUS else -1) * (hours * 60 + minutes) * 60_000_000
    return max(_days(year, month, day) * _DAY_US + clock - zone, _ODD)


@compiled
def _integer_us(number: int) -> int:
    if number < 0:
        return _NONE
    if number < 10**11:
        return number * 1_000_000
    if number < 10**14:
        return number * 1_000
    return number if number < 10**17 else number // 1_000


@compiled
def _float_us(number: float) -> int:
    if not 0.0 <= number < 2.0**63:
        return _NONE
    if number < 1e11:
        return signed(np.rint(number * 1e6))
    if number < 1e14:
        return signed(np.rint(number * 1e3))
    return signed(number) if number < 1e17 else _ODD


@compiled
def _read(
    text: Text,
    start: NDArray[np.int64],
    size: NDArray[np.int64],
    form: NDArray[np.uint8],
    integers: NDArray[np.int64],
    floats: NDArray[np.float64],
    field: int,
    time_us: NDArray[np.int64],
) -> None:
    for row in range(len(time_us)):
        if form[row] == TimeForm.TEXT:
            time_us[row] = _text_us(text, start[row, field], size[row, field])
        elif form[row] == TimeForm.INTEGER:
            time_us[row] = _integer_us(integers[row])
        else:
            time_us[row] = _float_us(floats[row])
