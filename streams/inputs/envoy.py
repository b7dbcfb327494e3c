"""Envoy: the text of Envoy, Istio and Envoy Gateway, and their JSON."""

import re
from typing import Final

import msgspec

from schemas.errors import RecordError
from schemas.request import RequestEvent
from streams.inputs.fields import Text, code_of, decode, decoder, host, text_of, time_of, wanted
from streams.inputs.proxies import forwarded_of, host_of
from streams.inputs.text import QUOTED, Site, asked, filled, line_of, request, status_of, unescaped, zoned

# Between the flags and the numbers Istio has details, of which one may be in quotes.
_LINE: Final = re.compile(
    rf"\[([^\]\s]++)\] {QUOTED} ([0-9]++|-) \S++(?: \S++ \S++ {QUOTED})? [0-9-]++ [0-9-]++ [0-9-]++ [0-9-]++ "
    rf"{QUOTED} {QUOTED} {QUOTED} {QUOTED} {QUOTED}(?: \S++ \S++ \S++ (\S++))?(?: .*+)?\s*+"
)


class _Line(msgspec.Struct, gc=False):
    time: Text = msgspec.field(name="start_time", default=None)
    method: Text = None
    origin: Text = msgspec.field(name="x-envoy-origin-path", default=None)
    original: Text = msgspec.field(name="x-envoy-original-path", default=None)
    path: Text = None
    status: Text = msgspec.field(name="response_code", default=None)
    remote: Text = msgspec.field(name="downstream_remote_address", default=None)
    direct: Text = msgspec.field(name="downstream_direct_remote_address", default=None)
    gateway_host: Text = msgspec.field(name=":authority", default=None)
    mesh_host: Text = msgspec.field(name="authority", default=None)
    gateway_agent: Text = msgspec.field(name="user-agent", default=None)
    mesh_agent: Text = msgspec.field(name="user_agent", default=None)
    gateway_forwarded: Text = msgspec.field(name="x-forwarded-for", default=None)
    mesh_forwarded: Text = msgspec.field(name="x_forwarded_for", default=None)
    gateway_id: Text = msgspec.field(name="x-request-id", default=None)
    mesh_id: Text = msgspec.field(name="request_id", default=None)
    referer: Text = None


_DECODER: Final = decoder(_Line)


def parse(value: bytes, site: Site) -> RequestEvent | None:
    """The event of a line; None where nothing was asked, as of a TCP connection.

    Raises:
        RecordError: it is no line of Envoy.
    """
    return _parse_json(value, site) if value[:1] == b"{" else _parse_text(value, site)


def _parse_text(value: bytes, site: Site) -> RequestEvent | None:
    found = _LINE.fullmatch(line_of(value))
    if found is None:
        raise RecordError("$", "is no line of Envoy")
    time, asked_for, status, _, forwarded, agent, request_id, authority, _, remote = found.groups()
    what = asked(unescaped(asked_for))
    at = zoned(time, site.zone)
    if what is None:
        return None
    # The rightmost forwarded address is the one that Envoy itself saw.
    addresses = list(forwarded_of(forwarded))
    peer = None if remote is None else filled(host_of(remote))
    if peer is None:
        peer = addresses.pop() if addresses else None
    return request(
        what,
        at,
        site,
        peer=peer,
        forwarded=addresses,
        status=status_of(status) or None,
        server=host(authority),
        agent=None if (told := filled(agent)) is None else unescaped(told),
        request_id=filled(request_id),
    )


def _parse_json(value: bytes, site: Site) -> RequestEvent | None:
    line = decode(_DECODER, value)
    time = time_of(line.time, "start_time")
    what = wanted(line.method, text_of(line.origin) or text_of(line.original) or text_of(line.path))
    if what is None:
        return None
    return request(
        what,
        zoned(time, site.zone) if isinstance(time, str) else time,
        site,
        peer=host(line.remote) or host(line.direct),
        forwarded=forwarded_of(text_of(line.gateway_forwarded) or text_of(line.mesh_forwarded)),
        status=code_of(line.status),
        server=host(line.gateway_host) or host(line.mesh_host),
        agent=text_of(line.gateway_agent) or text_of(line.mesh_agent),
        referer=text_of(line.referer),
        request_id=text_of(line.gateway_id) or text_of(line.mesh_id),
    )
