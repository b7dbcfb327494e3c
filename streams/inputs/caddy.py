"""Caddy: the JSON of its access log."""

from typing import Final

import msgspec

from schemas.errors import RecordError
from schemas.request import RequestEvent
from streams.inputs.fields import Text, code_of, decode, decoder, host, text_of, time_of, wanted
from streams.inputs.proxies import forwarded_of
from streams.inputs.text import Site, request, zoned

Headers = dict[str, list[str] | str | None]


class _Request(msgspec.Struct, gc=False):
    method: Text = None
    uri: Text = None
    host: Text = None
    remote_ip: Text = None
    remote_addr: Text = None
    """Of versions before 2.5: with the port."""
    client_ip: Text = None
    headers: Headers = msgspec.field(default_factory=dict)


class _Line(msgspec.Struct, gc=False):
    ts: Text = None
    request: _Request | None = None
    status: Text = None
    user_id: Text = None
    logger: Text = None
    msg: Text = None


_DECODER: Final = decoder(_Line)


def parse(value: bytes, site: Site) -> RequestEvent | None:
    """The event of a line; None for other lines of Caddy's log.

    Raises:
        RecordError: it is no line of Caddy.
    """
    line = decode(_DECODER, value)
    asked_for = line.request
    if asked_for is None:
        if line.logger is None and line.msg is None:
            raise RecordError("$.request", "required, but missing or null")
        return None
    what, time = wanted(asked_for.method, asked_for.uri), _time(line, site)
    if what is None or line.msg not in (None, "handled request"):
        return None
    # Caddy has resolved the client already, by its own trusted proxies; where it has none, these do it.
    peer = text_of(asked_for.client_ip) or text_of(asked_for.remote_ip) or host(asked_for.remote_addr)
    return request(
        what,
        time,
        site,
        peer=peer,
        forwarded=forwarded_of(_header(asked_for.headers, "X-Forwarded-For")),
        status=code_of(line.status),
        user=text_of(line.user_id),
        server=host(asked_for.host),
        agent=_header(asked_for.headers, "User-Agent"),
        referer=_header(asked_for.headers, "Referer"),
        request_id=_header(asked_for.headers, "X-Request-Id"),
    )


def _time(line: _Line, site: Site) -> str | float:
    time = time_of(line.ts, "ts")
    return zoned(time, site.zone) if isinstance(time, str) and not time.replace(".", "").isdecimal() else time


def _header(headers: Headers, name: str) -> str | None:
    """A header; of several of the same name all, as a proxy would join them."""
    found = headers.get(name)
    return text_of(found if isinstance(found, str) else ", ".join(found)) if found else None
