"""What formats of lines share: text out of bytes, request lines, escapes, addresses with ports, times.

Nothing here reads a clock or a file, so the same bytes and the same `Site` give the same event everywhere.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Final, NamedTuple

from schemas.errors import RecordError
from schemas.event_time import parse_time_us
from schemas.request import RequestEvent
from streams.inputs.proxies import Trusted, client_of

QUOTED: Final = r'"([^"\\]*+(?:\\.[^"\\]*+)*+)"'
"""A regular expression: a text in quotes, in which a backslash stands before a quote of its own."""
METHOD: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")

_MONTHS: Final = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1
    )
}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_US: Final = timedelta(microseconds=1)
_ESCAPE: Final = re.compile(r"((?:\\x[0-9A-Fa-f]{2})++)|\\([\"\\bnrtv])")
_PLAIN: Final = {'"': '"', "\\": "\\", "b": "\b", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*+://([^/?]*+)(.*+)", re.DOTALL)
_PORT: Final = re.compile(r":[0-9]{0,5}\Z")
_PERCENT: Final = re.compile(rb"(?:%[0-9A-Fa-f]{2})++")


class Site(NamedTuple):
    """What lines do not say of themselves."""

    zone: tzinfo | None = None
    """Of times that name none; None refuses them."""
    trusted: Trusted = Trusted()
    """Proxies whose word on the client is taken."""


class Asked(NamedTuple):
    """A request line."""

    method: str
    path: str
    query: str | None
    server: str | None


def line_of(value: bytes) -> str:
    r"""A line as text; bytes that are no UTF-8 become ``\xNN``, as servers write them themselves."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("utf-8", "backslashreplace")


def filled(text: str | None) -> str | None:
    """A field; None where the server wrote a dash, or nothing."""
    return None if text is None or text in ("", "-") else text


def status_of(text: str | None) -> int | None:
    """A status of up to three digits; None for a dash, ``-1`` and anything else that is none."""
    return int(text) if text is not None and len(text) <= 3 and text.isascii() and text.isdecimal() else None


def unescaped(text: str) -> str:
    r"""Escapes undone: ``\xNN`` and those of C; what then is no UTF-8 is percent-encoded, as in a URL."""
    return _ESCAPE.sub(_unescape, text) if "\\" in text else text


def _unescape(found: re.Match[str]) -> str:
    if found[1] is None:
        return _PLAIN[found[2]]
    return url_text(bytes.fromhex(found[1].replace("\\x", "")))


def url_text(raw: bytes) -> str:
    """Text of UTF-8; every byte of what is none percent-encoded."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return "".join(chr(byte) if byte < 0x80 else f"%{byte:02X}" for byte in raw)


def percent_decoded(text: str) -> str:
    """Percent-encoding undone once; what then is no UTF-8 stays encoded."""
    if "%" not in text:
        return text
    raw = _PERCENT.sub(lambda found: bytes.fromhex(found[0].replace(b"%", b"").decode()), text.encode())
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return text


def asked(line: str) -> Asked | None:
    """A request line ``GET /path?query HTTP/1.1`` taken apart; None for what is none, as a TLS handshake in clear."""
    method, found, rest = line.partition(" ")
    if not found or METHOD.fullmatch(method) is None:
        return None
    target, found, protocol = rest.rpartition(" ")
    if not found or not protocol.startswith("HTTP/"):
        target = rest
    return None if not target else Asked(method, *target_of(target))


def target_of(target: str) -> tuple[str, str | None, str | None]:
    """Path, query and server of what was asked for: a path, or a whole URL as proxies ask for it."""
    server = None
    if target[0:1] != "/":
        whole = _SCHEME.fullmatch(target)
        if whole is not None:
            server, target = whole[1] or None, whole[2]
            target = target if target[0:1] == "/" else f"/{target}"
    path, found, query = target.partition("?")
    return path, query if found else None, server


def without_port(text: str) -> str:
    """An address of ``address:port``, where a port always follows: ``::1:80`` too."""
    return _PORT.sub("", text).strip("[]")


def is_name(client: str) -> bool:
    """Whether a client is told by the name of its host; an address ends in a digit, or has a colon."""
    return not (client[-1:].isdecimal() or ":" in client)


def request(
    line: Asked,
    time: str | float,
    site: Site,
    *,
    peer: str | None,
    forwarded: Sequence[str] = (),
    status: int | None = None,
    user: str | None = None,
    server: str | None = None,
    agent: str | None = None,
    referer: str | None = None,
    request_id: str | None = None,
) -> RequestEvent:
    """The event of a line. ``peer`` held the connection, ``forwarded`` is what it says of the client.

    A client that is told by name and not by address, as with look-ups of names in Apache, stands for a session: it can
    be judged, but neither grouped by network nor blocked at a firewall.
    """
    client = client_of(peer, forwarded, site.trusted) if forwarded else peer
    session = None
    if client is not None and is_name(client):
        client, session = None, client
    return RequestEvent(
        time=time,
        method=line.method,
        path=line.path,
        query=line.query,
        address=client,
        session=session,
        user=None if status == 401 else user,  # nobody has shown yet that it is theirs
        status=status,
        server=server or line.server,
        request_id=request_id,
        user_agent=agent,
        referer=referer,
        peer=peer if forwarded else None,
    )


@lru_cache(maxsize=4_096)
def clf_time(text: str) -> int:
    """Microseconds of ``23/Nov/2026:13:49:05 +0000``.

    Raises:
        RecordError: it is no such time.
    """
    try:
        return _clock_us(text[:20], _offset(text[21:]))
    except (KeyError, ValueError, OverflowError) as error:
        raise RecordError("$.@timestamp", "is no time") from error


@lru_cache(maxsize=4_096)
def local_time(text: str, zone: tzinfo | None) -> int:
    """Microseconds of ``23/Nov/2026:13:48:25.802``, in the zone that was configured.

    Raises:
        RecordError: it is no such time, or no zone is configured.
    """
    if zone is None:
        raise RecordError("$.@timestamp", "time names no zone, and input.zone is not set")
    try:
        return _clock_us(text[:20], zone) + int(text[21:24].ljust(3, "0")) * 1000
    except (KeyError, ValueError, OverflowError) as error:
        raise RecordError("$.@timestamp", "is no time") from error


def zoned(text: str, zone: tzinfo | None) -> str:
    """An ISO time with a zone: its own, or the one that was configured.

    Raises:
        RecordError: it is no time, or it names no zone and none is configured.
    """
    try:
        parse_time_us(text)
    except ValueError as error:
        if "names no zone" not in str(error):
            raise RecordError("$.@timestamp", str(error)) from error
        if zone is None:
            raise RecordError("$.@timestamp", "time names no zone, and input.zone is not set") from error
        return datetime.fromisoformat(text).replace(tzinfo=zone).isoformat()
    return text


def _clock_us(text: str, zone: tzinfo) -> int:
    """Microseconds of ``23/Nov/2026:13:49:05`` in a zone; a leap second is the first of the next minute."""
    second = int(text[18:20])
    at = datetime(
        int(text[7:11]),
        _MONTHS[text[3:6]],
        int(text[:2]),
        int(text[12:14]),
        int(text[15:17]),
        min(second, 59) if second == 60 else second,
        tzinfo=zone,
    )
    return (at - _EPOCH) // _US + (1_000_000 if second == 60 else 0)


@lru_cache(maxsize=64)
def _offset(text: str) -> tzinfo:
    if len(text) != 5 or text[0] not in "+-":
        raise ValueError("no zone")
    minutes = int(text[1:3]) * 60 + int(text[3:])
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))
