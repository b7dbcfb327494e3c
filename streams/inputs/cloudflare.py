"""Cloudflare Logpush, data set ``http_requests``: JSON a line."""

from typing import Final

import msgspec

from schemas.errors import RecordError
from schemas.request import RequestEvent
from streams.inputs.fields import Text, as_number, code_of, decode, decoder, host, text_of, time_of, wanted
from streams.inputs.text import Site, request, zoned


class _Line(msgspec.Struct, gc=False):
    time: Text = msgspec.field(name="EdgeStartTimestamp", default=None)
    client: Text = msgspec.field(name="ClientIP", default=None)
    asn: Text = msgspec.field(name="ClientASN", default=None)
    country: Text = msgspec.field(name="ClientCountry", default=None)
    method: Text = msgspec.field(name="ClientRequestMethod", default=None)
    uri: Text = msgspec.field(name="ClientRequestURI", default=None)
    path: Text = msgspec.field(name="ClientRequestPath", default=None)
    host: Text = msgspec.field(name="ClientRequestHost", default=None)
    agent: Text = msgspec.field(name="ClientRequestUserAgent", default=None)
    referer: Text = msgspec.field(name="ClientRequestReferer", default=None)
    status: Text = msgspec.field(name="EdgeResponseStatus", default=None)
    request_id: Text = msgspec.field(name="RayID", default=None)
    ja3: Text = msgspec.field(name="JA3Hash", default=None)
    ja4: Text = msgspec.field(name="JA4", default=None)


_DECODER: Final = decoder(_Line)


def parse(value: bytes, site: Site) -> RequestEvent | None:
    """The event of a line.

    Raises:
        RecordError: it is no line of that data set.
    """
    line = decode(_DECODER, value)
    what = wanted(line.method, text_of(line.uri) or text_of(line.path))
    if what is None:
        raise RecordError("$.ClientRequestMethod", "required, but missing or null")
    time = time_of(line.time, "EdgeStartTimestamp")
    event = request(
        what,
        zoned(time, site.zone) if isinstance(time, str) and not time.isdecimal() else time,
        site,
        peer=text_of(line.client),
        status=code_of(line.status),
        server=host(line.host),
        agent=text_of(line.agent),
        referer=text_of(line.referer),
        request_id=text_of(line.request_id),
    )
    country = text_of(line.country)
    event.asn = as_number(line.asn)
    event.country = country.upper() if country else None
    event.ja3, event.ja4 = text_of(line.ja3), text_of(line.ja4)
    return event
