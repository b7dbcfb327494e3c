"""Amazon CloudFront: the W3C lines of its standard log, and the JSON of version 2 and of Kinesis."""

import re
from typing import Final

import msgspec

from schemas.errors import RecordError
from schemas.request import RequestEvent
from streams.inputs.fields import Text, code_of, decode, decoder, host, text_of, time_of, wanted
from streams.inputs.proxies import forwarded_of
from streams.inputs.text import Asked, Site, filled, line_of, percent_decoded, request, status_of

_COMMENT: Final = re.compile(rb"#(?:Version|Fields|Software|Date|Start-Date|End-Date|Remark):")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME: Final = re.compile(r"[0-9]{2}:[0-9]{2}:[0-9]{2}")

# Fields of the standard log, in its order.
_CLIENT: Final = 4
_METHOD: Final = 5
_STEM: Final = 7
_STATUS: Final = 8
_REFERER: Final = 9
_AGENT: Final = 10
_QUERY: Final = 11
_REQUEST_ID: Final = 14
_HOST: Final = 15
_FORWARDED: Final = 19
_LEAST: Final = _QUERY + 1


class _Line(msgspec.Struct, gc=False):
    date: Text = None
    time: Text = None
    timestamp: Text = None
    client: Text = msgspec.field(name="c-ip", default=None)
    method: Text = msgspec.field(name="cs-method", default=None)
    stem: Text = msgspec.field(name="cs-uri-stem", default=None)
    query: Text = msgspec.field(name="cs-uri-query", default=None)
    status: Text = msgspec.field(name="sc-status", default=None)
    agent: Text = msgspec.field(name="cs(User-Agent)", default=None)
    stream_agent: Text = msgspec.field(name="cs-user-agent", default=None)
    referer: Text = msgspec.field(name="cs(Referer)", default=None)
    stream_referer: Text = msgspec.field(name="cs-referer", default=None)
    host: Text = msgspec.field(name="x-host-header", default=None)
    stream_host: Text = msgspec.field(name="cs-host", default=None)
    request_id: Text = msgspec.field(name="x-edge-request-id", default=None)
    forwarded: Text = msgspec.field(name="x-forwarded-for", default=None)
    asn: Text = None
    country: Text = msgspec.field(name="c-country", default=None)


_DECODER: Final = decoder(_Line)


def parse(value: bytes, site: Site) -> RequestEvent | None:
    """The event of a line; None for the lines about the log that stand at its head.

    Raises:
        RecordError: it is no line of CloudFront.
    """
    if value[:1] == b"{":
        return _parse_json(value, site)
    if _COMMENT.match(value):
        return None
    fields = line_of(value).rstrip("\r\n").split("\t")
    if len(fields) < _LEAST or not _DATE.fullmatch(fields[0]) or not _TIME.fullmatch(fields[1]):
        raise RecordError("$", "is no line of CloudFront")
    fields += ["-"] * (_FORWARDED + 1 - len(fields))
    return request(
        _asked(fields[_METHOD], fields[_STEM], fields[_QUERY]),
        f"{fields[0]}T{fields[1]}Z",
        site,
        peer=fields[_CLIENT],
        forwarded=forwarded_of(fields[_FORWARDED]),
        status=status_of(fields[_STATUS]) or None,
        server=filled(fields[_HOST]),
        agent=_decoded(fields[_AGENT]),
        referer=_decoded(fields[_REFERER]),
        request_id=filled(fields[_REQUEST_ID]),
    )


def _asked(method: str, stem: str, query: str) -> Asked:
    return Asked(method, stem, filled(query), None)


def _decoded(text: str | None) -> str | None:
    """CloudFront percent-encodes what a client sent, twice where that was encoded already."""
    told = filled(text)
    return None if told is None else percent_decoded(told)


def _parse_json(value: bytes, site: Site) -> RequestEvent | None:
    line = decode(_DECODER, value)
    day, clock = text_of(line.date), text_of(line.time)
    time = f"{day}T{clock}Z" if day and clock else time_of(line.timestamp, "timestamp")
    what, peer = wanted(line.method, line.stem), text_of(line.client)
    if what is None or peer is None:
        raise RecordError("$.cs-method" if what is None else "$.c-ip", "required, but missing or null")
    event = request(
        what._replace(query=text_of(line.query) or what.query),
        time,
        site,
        peer=peer,
        forwarded=forwarded_of(text_of(line.forwarded)),
        status=code_of(line.status),
        server=host(line.host) or host(line.stream_host),
        agent=_decoded(text_of(line.agent) or text_of(line.stream_agent)),
        referer=_decoded(text_of(line.referer) or text_of(line.stream_referer)),
        request_id=text_of(line.request_id),
    )
    event.country = text_of(line.country)
    return event
