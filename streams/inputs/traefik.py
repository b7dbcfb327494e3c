"""Traefik: its common log format, which escapes no quotes, and its JSON."""

import re
from typing import Final

import msgspec

from schemas.errors import RecordError
from schemas.request import RequestEvent
from streams.inputs.fields import Text, code_of, decode, decoder, host, text_of, time_of, wanted
from streams.inputs.proxies import forwarded_of
from streams.inputs.text import Site, asked, clf_time, filled, line_of, request, status_of

# A line is cut from both its ends, since quotes within a request, a referer or a user agent are written as they are.
_HEAD: Final = re.compile(
    r"([^\s\[\"]++) - ([^\"]*?)"
    r" ?\[([0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9]{2}:[0-9]{2}:[0-9]{2} [+-][0-9]{4})\] \""
)
_TAIL: Final = re.compile(r"\" (?:[0-9]++|-) \"[^\"]*+\" \"[^\"]*+\" [0-9]++ms\s*+\Z")
_STATUS: Final = re.compile(r"\" ([0-9]{1,3}|-) (?:[0-9]++|-) \"")
_TAIL_MAX: Final = 2_000
"""Characters from the end in which the last four fields stand: no client chooses them."""
_OWN_LOG: Final = re.compile(
    rb"(?:(?:DEBUG|INFO|WARN|WARNING|ERROR|FATAL)\b|time=\"|\d{4}-\d\d-\d\dT\S+ (?:DBG|INF|WRN|ERR) )"
)


class _Line(msgspec.Struct, gc=False):
    method: Text = msgspec.field(name="RequestMethod", default=None)
    path: Text = msgspec.field(name="RequestPath", default=None)
    client: Text = msgspec.field(name="ClientHost", default=None)
    address: Text = msgspec.field(name="ClientAddr", default=None)
    user: Text = msgspec.field(name="ClientUsername", default=None)
    start: Text = msgspec.field(name="StartUTC", default=None)
    local: Text = msgspec.field(name="StartLocal", default=None)
    time: Text = None
    status: Text = msgspec.field(name="DownstreamStatus", default=None)
    host: Text = msgspec.field(name="RequestHost", default=None)
    agent: Text = msgspec.field(name="request_User-Agent", default=None)
    referer: Text = msgspec.field(name="request_Referer", default=None)
    forwarded: Text = msgspec.field(name="request_X-Forwarded-For", default=None)
    request_id: Text = msgspec.field(name="request_X-Request-Id", default=None)
    message: Text = msgspec.field(name="msg", default=None)


_DECODER: Final = decoder(_Line)


def parse(value: bytes, site: Site) -> RequestEvent | None:
    """The event of a line; None where nothing was asked, and for a line of Traefik's own log.

    Raises:
        RecordError: it is no line of Traefik.
    """
    return _parse_json(value, site) if value[:1] == b"{" else _parse_text(value, site)


def _parse_text(value: bytes, site: Site) -> RequestEvent | None:
    line = line_of(value)
    head, tail = _HEAD.match(line), _TAIL.search(line, max(len(line) - _TAIL_MAX, 0))
    status = None if head is None else _STATUS.search(line, head.end())
    if head is None or tail is None or status is None or status.end() > tail.start() + 1:
        if _OWN_LOG.match(value):
            return None
        raise RecordError("$", "is no access-log line of Traefik")
    client, user, time = head.groups()
    what, at = asked(line[head.end() : status.start()]), clf_time(time)
    if what is None:
        return None
    # Whoever sends a quote can make up what follows it: then nobody's word is taken for the answer having been another.
    forged = _STATUS.search(line, status.end(), tail.start()) is not None
    referer, _, agent = line[status.end() : tail.start()].partition('" "')
    return request(
        what,
        at,
        site,
        peer=client,
        status=None if forged else status_of(status[1]),
        user=filled(user),
        agent=None if forged else filled(agent),
        referer=None if forged else filled(referer),
    )


def _parse_json(value: bytes, site: Site) -> RequestEvent | None:
    line = decode(_DECODER, value)
    if line.method is None and line.path is None:
        if line.message is not None:
            return None
        raise RecordError("$.RequestMethod", "required, but missing or null")
    what, time = wanted(line.method, line.path), time_of(line.start or line.local or line.time, "StartUTC")
    if what is None:
        return None
    # Where Traefik trusts whoever is before it, the client is the whole of what that forwarded.
    clients = list(forwarded_of(text_of(line.client) or text_of(line.address)))
    peer = clients.pop() if clients else None
    return request(
        what,
        time,
        site,
        peer=peer,
        forwarded=clients or forwarded_of(text_of(line.forwarded)),
        status=code_of(line.status),
        user=text_of(line.user),
        server=host(line.host),
        agent=text_of(line.agent),
        referer=text_of(line.referer),
        request_id=text_of(line.request_id),
    )
