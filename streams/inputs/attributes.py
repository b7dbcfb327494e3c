"""Attributes of OpenTelemetry as a request event, in the names of today and in those before HTTP became stable."""

from collections.abc import Mapping
from typing import Any, Final

from schemas.errors import RecordError
from schemas.request import RequestEvent
from streams.inputs.fields import as_number, code_of, text_of
from streams.inputs.text import target_of

Attributes = Mapping[str, Any]
"""By name: a text, a number, a truth, or a list of these."""

_METHOD: Final = ("http.request.method", "http.method")
_TARGET: Final = ("http.target", "url.full", "http.url")
_STATUS: Final = ("http.response.status_code", "http.status_code")
_CLIENT: Final = ("client.address", "http.client_ip", "source.address")
_PEER: Final = ("network.peer.address", "net.sock.peer.addr", "net.peer.ip")
_SERVER: Final = ("server.address", "http.host", "net.host.name")
_AGENT: Final = ("user_agent.original", "http.user_agent")
_USER: Final = ("user.id", "enduser.id")


def is_request(attributes: Attributes) -> bool:
    """Whether a request is told of at all."""
    return any(attributes.get(name) for name in _METHOD)


def event_of(attributes: Attributes, time_ns: int) -> RequestEvent:
    """The event that attributes tell of.

    Raises:
        RecordError: there is no time, no path, or nobody is named.
    """
    time = _time(attributes.get("@timestamp")) or time_ns
    if not time:
        raise RecordError("$.timeUnixNano", "required, but missing or null")
    path, query, server = _path(attributes)
    peer = _first(attributes, _PEER)
    targets = attributes.get("weir.targets")
    return RequestEvent(
        time=time,
        method=_first(attributes, _METHOD) or "",
        path=path,
        query=query,
        address=_first(attributes, _CLIENT) or peer,
        peer=peer,
        user=_first(attributes, _USER),
        session=text_of(attributes.get("session.id")),
        status=code_of(_any(attributes, _STATUS)),
        route=text_of(attributes.get("http.route")),
        server=_first(attributes, _SERVER) or server,
        request_id=text_of(attributes.get("http.request.id")),
        user_agent=_first(attributes, _AGENT),
        referer=text_of(attributes.get("http.request.header.referer")),
        asn=as_number(attributes.get("client.as.number")),
        country=text_of(attributes.get("client.geo.country_iso_code")),
        ja4=text_of(attributes.get("tls.client.ja4")),
        ja3=text_of(attributes.get("tls.client.ja3")),
        target=text_of(attributes.get("weir.target.id")),
        targets=[str(one) for one in targets] if isinstance(targets, list) else None,
        tier=text_of(attributes.get("weir.account.tier")),
        created_at=_time(attributes.get("weir.account.created_at")),
    )


def _time(value: Any) -> str | float | None:
    return value if isinstance(value, str | int | float) and not isinstance(value, bool) else None


def _path(attributes: Attributes) -> tuple[str, str | None, str | None]:
    path = text_of(attributes.get("url.path"))
    if path is not None:
        return path, text_of(attributes.get("url.query")), None
    target = _first(attributes, _TARGET)
    if target is None:
        raise RecordError("$.url.path", "required, but missing or null")
    return target_of(target)


def _any(attributes: Attributes, names: tuple[str, ...]) -> Any:
    found = next((attributes[name] for name in names if attributes.get(name)), None)
    return found[0] if isinstance(found, list) and found else found


def _first(attributes: Attributes, names: tuple[str, ...]) -> str | None:
    return text_of(_any(attributes, names))
