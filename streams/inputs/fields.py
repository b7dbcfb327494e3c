"""What formats of JSON share: typed decoding that takes bytes that are no UTF-8, and numbers spelled as texts."""

import re
from typing import Any, Final, TypeVar

import msgspec

from schemas.codec import DECODE_ERRORS, record_error
from schemas.errors import RecordError
from streams.inputs.proxies import host_of
from streams.inputs.text import METHOD, Asked, filled, status_of, target_of

R = TypeVar("R", bound=msgspec.Struct)
Text = str | int | float | bool | None
"""A field that some servers write as text and others as a number."""

_ESCAPED: Final = re.compile("[\udc80-\udcff]")
_AS_MAX: Final = 2**32 - 1


def decoder(record: type[R]) -> msgspec.json.Decoder[R]:
    """A decoder that takes digits for numbers."""
    return msgspec.json.Decoder(record, strict=False)


def decode(reads: "msgspec.json.Decoder[R]", value: bytes) -> R:
    """A JSON object; bytes that are no UTF-8 become ``%NN``: a client can send them, and some servers log them raw.

    Raises:
        RecordError: it is none, with the place.
    """
    try:
        return reads.decode(value)
    except UnicodeDecodeError:
        return _decode_raw(reads, value)
    except DECODE_ERRORS as error:
        raise record_error(value, error) from error


def _decode_raw(reads: "msgspec.json.Decoder[R]", value: bytes) -> R:
    text = _ESCAPED.sub(lambda found: f"%{ord(found[0]) - 0xDC00:02X}", value.decode("utf-8", "surrogateescape"))
    try:
        return reads.decode(text)
    except DECODE_ERRORS as error:
        raise record_error(value, error) from error


def text_of(value: Any) -> str | None:
    """A field as text; None where it is absent, empty or a dash, or no scalar."""
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, str):
        return filled(value)
    return str(value) if isinstance(value, int | float) else None


def code_of(value: Text) -> int | None:
    """A status, which may be a text; None where there is none, as 0 of a connection that broke off."""
    status = status_of(text_of(value))
    return status or None


def as_number(value: Any) -> int | None:
    """The number of an autonomous system; None for what is none."""
    text = text_of(value)
    number = int(text) if text and text.isascii() and text.isdecimal() and len(text) <= 10 else 0
    return number if 0 < number <= _AS_MAX else None


def time_of(value: Text, name: str) -> str | float:
    """A time as it came.

    Raises:
        RecordError: it is missing.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    text = text_of(value)
    if text is None:
        raise RecordError(f"$.{name}", "required, but missing or null")
    return text


def wanted(method: Text, target: Text) -> Asked | None:
    """What was asked for, of a method and a path with its query; None where the server read no request."""
    verb, path = text_of(method), text_of(target)
    if verb is None or path is None or METHOD.fullmatch(verb) is None:
        return None
    return Asked(verb, *target_of(path))


def host(value: Text) -> str | None:
    """A host without its port."""
    text = text_of(value)
    return None if text is None else host_of(text)
