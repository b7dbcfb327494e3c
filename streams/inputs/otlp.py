"""OTLP: what an OpenTelemetry Collector exports, logs and spans, as JSON and as protobuf (`otlp_protobuf.py`).

A record is a batch. Each log record or span of it is a part with its own attributes; a span counts when a server wrote
it, a log record when its attributes tell of a request or its body is a line that one of the other formats reads.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec

from schemas.codec import DECODE_ERRORS, record_error
from streams.inputs.attributes import Attributes

_SERVER: Final = 2
_DEPTH: Final = 8


class Told(NamedTuple):
    """One log record or span."""

    attributes: Attributes
    time_ns: int
    line: bytes | None
    """The body of a log record, where that is text."""
    counts: bool
    """Whether it can be a request that was served: a server's span, or a log record."""
    alone: bytes
    """A record of its own that says the same."""


class _Pair(msgspec.Struct, gc=False):
    key: str = ""
    value: Any = None


class _Item(msgspec.Struct, gc=False):
    """A log record or a span."""

    attributes: list[_Pair] = msgspec.field(default_factory=list)
    body: Any = None
    kind: int | str | None = None
    log_ns: int | str | None = msgspec.field(name="timeUnixNano", default=None)
    seen_ns: int | str | None = msgspec.field(name="observedTimeUnixNano", default=None)
    start_ns: int | str | None = msgspec.field(name="startTimeUnixNano", default=None)


class _Scope(msgspec.Struct, gc=False):
    logs: list[msgspec.Raw] = msgspec.field(name="logRecords", default_factory=list)
    spans: list[msgspec.Raw] = msgspec.field(default_factory=list)


class _Resource(msgspec.Struct, gc=False):
    logs: list[_Scope] = msgspec.field(name="scopeLogs", default_factory=list)
    spans: list[_Scope] = msgspec.field(name="scopeSpans", default_factory=list)


class _Batch(msgspec.Struct, gc=False):
    logs: list[_Resource] = msgspec.field(name="resourceLogs", default_factory=list)
    spans: list[_Resource] = msgspec.field(name="resourceSpans", default_factory=list)


_BATCHES: Final = msgspec.json.Decoder(_Batch)
_ITEMS: Final = msgspec.json.Decoder(_Item)


def read(value: bytes) -> Iterator[Told]:
    """Log records and spans of a batch, in its order.

    Raises:
        RecordError: it is no batch.
    """
    if value[:1] == b"{":
        return _read_json(value)
    # 3.5 MB of memory that hardly anybody else needs.
    from streams.inputs import otlp_protobuf  # noqa: PLC0415

    return otlp_protobuf.read(value)


def is_protobuf(value: bytes) -> bool:
    """Whether the fields of a batch tile the value: each is of number 1 and says how long it is."""
    at, end = 0, len(value)
    while at < end and value[at] == 0x0A:
        size, shift, at = 0, 0, at + 1
        while at < end and shift < 35:
            byte = value[at]
            size |= (byte & 0x7F) << shift
            shift, at = shift + 7, at + 1
            if byte < 0x80:
                break
        at += size
    return at == end and end > 1


def _read_json(value: bytes) -> Iterator[Told]:
    try:
        batch = _BATCHES.decode(value)
        for resource in batch.logs:
            for scope in resource.logs:
                for item in scope.logs:
                    yield _told(bytes(item), b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[%s]}]}]}')
        for resource in batch.spans:
            for scope in resource.spans:
                for item in scope.spans:
                    yield _told(bytes(item), b'{"resourceSpans":[{"scopeSpans":[{"spans":[%s]}]}]}', spans=True)
    except DECODE_ERRORS as error:
        raise record_error(value, error) from error


def _told(item: bytes, around: bytes, *, spans: bool = False) -> Told:
    read_item = _ITEMS.decode(item)
    attributes = {pair.key: _json_value(pair.value) for pair in read_item.attributes}
    body = _json_value(read_item.body)
    if isinstance(body, dict):
        attributes = {**body, **attributes}
    time = read_item.start_ns if spans else read_item.log_ns or read_item.seen_ns
    return Told(
        attributes,
        _nanoseconds(time),
        body.encode("utf-8", "backslashreplace") if isinstance(body, str) else None,
        not spans or read_item.kind in (_SERVER, str(_SERVER), "SPAN_KIND_SERVER"),
        around % item,
    )


def _nanoseconds(value: int | str | None) -> int:
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdecimal() and len(value) <= 20 else 0
    return value or 0


def _json_value(value: Any, depth: int = 0) -> Any:
    """An AnyValue of JSON: its one member, whose name tells the type."""
    if not isinstance(value, dict) or depth > _DEPTH:
        return None
    for name, inner in value.items():
        if name == "arrayValue" and isinstance(inner, dict) and isinstance(inner.get("values"), list):
            return [_json_value(one, depth + 1) for one in inner["values"]]
        if name == "kvlistValue" and isinstance(inner, dict) and isinstance(inner.get("values"), list):
            pairs = [one for one in inner["values"] if isinstance(one, dict) and isinstance(one.get("key"), str)]
            return {one["key"]: _json_value(one.get("value"), depth + 1) for one in pairs}
        return inner if isinstance(inner, str | int | float) else None
    return None
