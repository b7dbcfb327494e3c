"""Time: int microseconds since 1970 UTC inside, RFC 3339 UTC with milliseconds in every record that Weir writes."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import msgspec

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_US: Final = 86_400_000_000
_DAYS_END: Final = (datetime(9999, 1, 1, tzinfo=UTC) - _EPOCH).days
_INT64_END: Final = 2**63

# Below each bound a number is taken to be in that unit: 1e11 s is the year 5138, 1e11 ms is 1973, and so on downwards.
_SECONDS_BELOW: Final = 10**11
_MILLIS_BELOW: Final = 10**14
_MICROS_BELOW: Final = 10**17

_DIGITS: Final = re.compile(r"\d{1,19}(\.\d{1,9})?", re.ASCII)
_LEAP_SECOND: Final = re.compile(r"(.{16}):60(?!\d)(.+)")

Time = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$",
        examples=["2026-11-24T09:15:02.118Z"],
        extra_json_schema={"format": "date-time"},
    ),
]
"""A time in a record: RFC 3339 UTC with ms, as `format_time` writes it. Such texts sort as their times do."""


def parse_time_us(value: str | float) -> int:
    """Microseconds since 1970 UTC.

    Args:
        value: RFC 3339 with a zone (finer than 1 us is cut off), or a number since 1970 in s, ms, us or ns, told apart
            by magnitude; a number may come as a string of digits.

    Raises:
        ValueError: it is none of these, names no zone, or lies outside the years 1970 to 9998.
    """
    return _text_us(value) if isinstance(value, str) else _number_us(value)


def format_time(time_us: int) -> str:
    """RFC 3339 UTC with ms, the rest cut off: ``2026-11-24T09:15:02.118Z``. Up to the year 9999."""
    return (_EPOCH + timedelta(microseconds=time_us)).isoformat(timespec="milliseconds")[:23] + "Z"


def _text_us(text: str) -> int:
    if not _separated(text):
        return _digits_us(text)
    try:
        since = datetime.fromisoformat(text) - _EPOCH
    except ValueError:
        return _unusual_us(text)
    except TypeError as error:
        raise ValueError("time names no zone") from error
    if not 0 <= since.days < _DAYS_END:
        raise ValueError("time lies outside the years 1970 to 9998")
    return since.days * _DAY_US + since.seconds * 1_000_000 + since.microseconds


def _separated(text: str) -> bool:
    # fromisoformat also takes dates alone, week dates and times without separators.
    return len(text) > 18 and text[4] == text[7] == "-" and text[10] in "Tt " and text[13] == text[16] == ":"


def _unusual_us(text: str) -> int:
    """Lower-case letters, and a leap second, which is the first second of the next minute, as POSIX counts."""
    upper = text.replace("t", "T").replace("z", "Z")
    if upper != text:
        return _text_us(upper)
    leap = _LEAP_SECOND.fullmatch(text)
    if leap is None:
        raise ValueError("time is not RFC 3339 or lies outside the years 1970 to 9998")
    return _text_us(f"{leap[1]}:59{leap[2]}") + 1_000_000


def _digits_us(text: str) -> int:
    if _DIGITS.fullmatch(text) is None:
        raise ValueError("time is neither RFC 3339 nor a number")
    return _number_us(float(text) if "." in text else int(text))


def _number_us(number: float) -> int:
    if not 0 <= number < _INT64_END:
        raise ValueError("time is negative or does not fit in 64 bits")
    if number < _SECONDS_BELOW:
        return round(number * 1_000_000)
    if number < _MILLIS_BELOW:
        return round(number * 1_000)
    return int(number) if number < _MICROS_BELOW else int(number // 1_000)
