"""What shippers put around a line: Vector, Fluent Bit, Logstash, Filebeat, Docker, journald, Kubernetes, syslog."""

import re
from typing import Final

import msgspec

from schemas.codec import DECODE_ERRORS

_CRI: Final = re.compile(rb"\d{4}-\d\d-\d\dT\S++ (?:stdout|stderr) [FP] ", re.ASCII)
_SYSLOG: Final = re.compile(  # RFC 3164, with or without what a file leaves out; a tag ends in a colon
    rb"(?:<\d{1,3}>)?(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT[0-9:.+Z-]++) "
    rb"(?:[^\s:\[\]\"]++ )?[^\s:\[\]\"]++(?:\[[^\]\s]*+\])?: ?"
)
_SYSLOG_5424: Final = re.compile(
    rb"<\d{1,3}>1 \S++ \S++ \S++ \S++ \S++ (?:-|(?:\[(?:[^\]\\\"]|\"(?:[^\"\\]|\\.)*+\"|\\.)*+\])++)"
    rb"(?: |\Z)(?:\xef\xbb\xbf)?"
)


_ABSENT: Final = msgspec.Raw()


class _Event(msgspec.Struct, gc=False):
    original: msgspec.Raw = _ABSENT


class _Envelope(msgspec.Struct, gc=False):
    """Keys under which a line may stand."""

    event: msgspec.Raw = _ABSENT
    original: msgspec.Raw = msgspec.field(name="event.original", default=_ABSENT)
    message: msgspec.Raw = _ABSENT
    log: msgspec.Raw = _ABSENT
    journal: msgspec.Raw = msgspec.field(name="MESSAGE", default=_ABSENT)


_ENVELOPES: Final = msgspec.json.Decoder(_Envelope)
_EVENTS: Final = msgspec.json.Decoder(_Event)
_TEXTS: Final = msgspec.json.Decoder(str)


def opened(value: bytes) -> bytes | None:
    """What stands in an envelope, one layer of it; None where there is none."""
    trimmed = value.strip()
    if trimmed != value:
        return trimmed or None
    if value[:1] == b"{":
        return _line_of(value)
    found = _SYSLOG_5424.match(value) or _CRI.match(value) or _SYSLOG.match(value)
    return value[found.end() :] if found is not None and found.end() < len(value) else None


def _line_of(value: bytes) -> bytes | None:
    try:
        envelope = _ENVELOPES.decode(value)
        fields = (envelope.original, _original(envelope.event), envelope.message, envelope.log, envelope.journal)
        found = next((field for field in fields if _first(field) == b'"'), None)
        if found is not None:
            return _TEXTS.decode(found).encode() or None
        # A shipper that has parsed the line leaves an object.
        return next((bytes(field) for field in fields[1:4] if _first(field) == b"{"), None)
    except DECODE_ERRORS:
        return None


def _original(event: msgspec.Raw) -> msgspec.Raw:
    return _EVENTS.decode(event).original if _first(event) == b"{" else _ABSENT


def _first(raw: msgspec.Raw) -> bytes:
    return memoryview(raw)[:1].tobytes()
