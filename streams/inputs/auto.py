"""Which format a record has, by cheap tests of the record alone.

A function of the bytes and of nothing else: no record's format hangs on the ones before it, so a restart, a replay and
another worker decide the same. The tests exclude each other.
"""

import re
from typing import Final

import msgspec

from schemas.codec import DECODE_ERRORS

_ABSENT: Final = msgspec.Raw()
ENVELOPE: Final = "envelope"
"""Something that another record stands in."""

_TEXT: Final = re.compile(
    rb"""
      (?P<clf>(?:[^\s\["<]++\ )??(?!-\ )[^\s\["<]++\ (?:-(?:\ [^"]*?)?|[^\s"]++\ [^\s"]++)
        \ ?\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d\ [+-]\d{4}\]\ ")
    | (?P<haproxy>\S+:\d{1,5}\ \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d\.\d)
    | (?P<envoy>\[\d{4}-\d\d-\d\dT[^\]\s]++\]\ ")
    | (?P<alb>(?:https?|h2|grpcs|wss?)\ \d{4}-\d\d-\d\dT)
    | (?P<cloudfront>\d{4}-\d\d-\d\d\t\d\d:\d\d:\d\d\t|\#(?:Version|Fields):)
    | (?P<nginx>\d{4}/\d\d/\d\d\ \d\d:\d\d:\d\d\ \[)
    | (?P<apache>\[[A-Z][a-z]{2}\ [A-Z][a-z]{2}\ [ \d]\d\ \d\d:\d\d:\d\d)
    | (?P<traefik>(?:DEBUG|INFO|WARN|ERROR):\ |\d{4}-\d\d-\d\dT\S++\ (?:DBG|INF|WRN|ERR)\ |time=")
    """,
    re.VERBOSE | re.ASCII,
)
_TRAEFIK: Final = re.compile(rb"\" \d++ms\s*+\Z")


class _Marks(msgspec.Struct, gc=False):
    """Keys that tell formats apart; what stands under them is not looked at."""

    resource_logs: msgspec.Raw = msgspec.field(name="resourceLogs", default=_ABSENT)
    resource_spans: msgspec.Raw = msgspec.field(name="resourceSpans", default=_ABSENT)
    method: msgspec.Raw = msgspec.field(name="http.request.method", default=_ABSENT)
    http: msgspec.Raw = _ABSENT
    class_uid: msgspec.Raw = _ABSENT
    cloudflare: msgspec.Raw = msgspec.field(name="ClientRequestMethod", default=_ABSENT)
    traefik: msgspec.Raw = msgspec.field(name="RequestMethod", default=_ABSENT)
    cloudfront: msgspec.Raw = msgspec.field(name="cs-method", default=_ABSENT)
    start_time: msgspec.Raw = _ABSENT
    response_code: msgspec.Raw = _ABSENT
    request: msgspec.Raw = _ABSENT
    ts: msgspec.Raw = _ABSENT
    logger: msgspec.Raw = _ABSENT
    remote_addr: msgspec.Raw = _ABSENT
    entry_point: msgspec.Raw = msgspec.field(name="entryPointName", default=_ABSENT)
    message: msgspec.Raw = _ABSENT
    log: msgspec.Raw = _ABSENT
    journal: msgspec.Raw = msgspec.field(name="MESSAGE", default=_ABSENT)
    original: msgspec.Raw = msgspec.field(name="event.original", default=_ABSENT)
    event: msgspec.Raw = _ABSENT


_MARKS: Final = msgspec.json.Decoder(_Marks)

# Formats that have a key which no other one has, in the order in which they count.
_KEYS: Final = (
    ("otlp", ("resource_logs", "resource_spans")),
    ("canonical", ("method",)),
    ("ocsf", ("class_uid",)),
    ("cloudflare", ("cloudflare",)),
    ("traefik", ("traefik", "entry_point")),
    ("cloudfront", ("cloudfront",)),
)


def format_of(value: bytes) -> str | None:
    """Name of the format, ENVELOPE, or None where no test fits."""
    return _of_json(value) if value[:1] == b"{" else _of_text(value)


def _of_text(value: bytes) -> str | None:
    found = _TEXT.match(value)
    if found is None:
        return None
    if found.lastgroup == "clf" and _TRAEFIK.search(value, max(len(value) - 32, 0)):
        return "traefik"
    return found.lastgroup


def _of_json(value: bytes) -> str | None:
    try:
        marks = _MARKS.decode(value)
    except UnicodeDecodeError:
        marks = _marks_of(value)
    except DECODE_ERRORS:
        return None
    return next((name for name, keys in _KEYS if any(_stands(getattr(marks, key)) for key in keys)), _by_two(marks))


def _by_two(marks: _Marks) -> str | None:
    """The format of a record that no one key tells."""
    if _is_object(marks.http):
        return "canonical"
    if _stands(marks.start_time) and _stands(marks.response_code):
        return "envoy"
    if _is_object(marks.request) or (_stands(marks.ts) and _stands(marks.logger)):
        return "caddy"
    if _stands(marks.remote_addr):
        return "nginx"
    inner = (marks.message, marks.log, marks.journal, marks.original, marks.event)
    return ENVELOPE if any(map(_stands, inner)) else None


def _marks_of(value: bytes) -> _Marks:
    """Keys of an object that is no UTF-8 throughout; none where it is no object either."""
    try:
        return _MARKS.decode(value.decode("utf-8", "replace"))
    except DECODE_ERRORS:
        return _Marks()


def _stands(mark: msgspec.Raw) -> bool:
    """Whether anything but null stands under a key."""
    return _first(mark) not in (b"", b"n")


def _is_object(mark: msgspec.Raw) -> bool:
    return _first(mark) == b"{"


def _first(mark: msgspec.Raw) -> bytes:
    return memoryview(mark)[:1].tobytes()
