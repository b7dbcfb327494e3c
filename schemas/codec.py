"""Bytes to records and back; what cannot be read gives a `RecordError` with place and reason."""

import re
from typing import Final, Generic, TypeVar

import msgspec

from schemas.errors import RecordError

DECODE_ERRORS: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoders of msgspec raise on bytes that they cannot read."""

_MALFORMED: Final = re.compile(r"(JSON|MessagePack data) is malformed: (.+) \(byte (\d+)\)")

R = TypeVar("R", bound=msgspec.Struct)


class JsonCodec(Generic[R]):
    """JSON objects; unknown keys are ignored."""

    def __init__(self, record: type[R]) -> None:
        self._decoder: Final = msgspec.json.Decoder(record)

    def encode(self, record: R) -> bytes:
        """One line without a line end."""
        return msgspec.json.encode(record)

    def decode(self, value: bytes) -> R:
        """Raises `RecordError`."""
        try:
            return self._decoder.decode(value)
        except DECODE_ERRORS as error:
            raise record_error(value, error) from error


class MsgpackCodec(Generic[R]):
    """MessagePack, for what travels inside Weir only; further elements of an array are ignored."""

    def __init__(self, record: type[R]) -> None:
        self._decoder: Final = msgspec.msgpack.Decoder(record)

    def encode(self, record: R) -> bytes:
        """Columns are copied once."""
        return msgspec.msgpack.encode(record)

    def decode(self, value: bytes) -> R:
        """Raises `RecordError`."""
        try:
            return self._decoder.decode(value)
        except DECODE_ERRORS as error:
            raise record_error(value, error) from error


def record_error(value: bytes, error: Exception) -> RecordError:
    """Place and reason of one of `DECODE_ERRORS`, which ``value`` has caused."""
    if isinstance(error, RecursionError):
        return RecordError("$", "nested too deeply")
    if isinstance(error, UnicodeDecodeError):
        return RecordError(f"byte {_not_utf8(value)}", "not UTF-8")
    if isinstance(error, msgspec.ValidationError):
        reason, _, path = str(error).partition(" - at `")
        return RecordError(path.removesuffix("`") or "$", reason)
    malformed = _MALFORMED.fullmatch(str(error))
    if malformed is None:
        return RecordError(f"byte {len(value)}", "record is truncated")
    return RecordError(f"byte {malformed[3]}", f"{malformed[1]} is malformed: {malformed[2]}")


def _not_utf8(value: bytes) -> int:
    """Offset of the first byte that is not UTF-8; 0 where there is none."""
    try:
        value.decode()
    except UnicodeDecodeError as error:
        return error.start
    return 0
