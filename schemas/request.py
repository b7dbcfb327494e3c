"""Request event: one served request, as consumed.

Keys are flat OpenTelemetry names. The nested spelling, cut at any dot (``{"http": {"request.method": "GET"}}``), is the
same key. Rules that hold for both:

* unknown keys are ignored, whatever they hold;
* null under an optional key means absent;
* of a key given twice in the same spelling the last one counts; of two spellings the least nested one counts;
* `status` and `asn` may come as digits in a string, or as a float without a fraction;
* `referer` may come as a list, as OpenTelemetry writes headers: its first element counts.

Two ways of reading: `FAST_DECODER` takes flat records and nothing else, at about a microsecond each, and leaves `time`
as it came; `decode_request` takes everything that the contract allows, checks it, and says where a record is wrong.
A reader of many tries the first and gives what it refuses (`codec.DECODE_ERRORS`) to the second.
"""

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, field

from schemas.codec import DECODE_ERRORS, record_error
from schemas.errors import RecordError
from schemas.event_time import parse_time_us
from schemas.nested import Scalar, Spelling, prefixes

Status = Annotated[int, Meta(ge=0, le=999)]
AsNumber = Annotated[int, Meta(ge=0, le=2**32 - 1)]


class RequestEvent(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """One served request. An empty string in `user`, `session` or `address` names nobody, as an absent one."""

    time: str | int | float = field(name="@timestamp")
    """RFC 3339 with a zone, or a number since 1970 in s, ms, us or ns by magnitude; see `parse_time_us`."""
    method: str = field(name="http.request.method")
    path: str = field(name="url.path")
    """Without the query."""
    address: str | None = field(name="client.address", default=None)
    """Of the client itself, not of a proxy before it. At least one of `address`, `user`, `session` is there."""
    user: str | None = field(name="user.id", default=None)
    session: str | None = field(name="session.id", default=None)
    status: Status | None = field(name="http.response.status_code", default=None)
    route: str | None = field(name="http.route", default=None)
    """The path's template, ``/people/{id}``."""
    query: str | None = field(name="url.query", default=None)
    """Without the question mark."""
    server: str | None = field(name="server.address", default=None)
    request_id: str | None = field(name="http.request.id", default=None)
    user_agent: str | None = field(name="user_agent.original", default=None)
    referer: str | None = field(name="http.request.header.referer", default=None)
    asn: AsNumber | None = field(name="client.as.number", default=None)
    country: str | None = field(name="client.geo.country_iso_code", default=None)
    ja4: str | None = field(name="tls.client.ja4", default=None)
    ja3: str | None = field(name="tls.client.ja3", default=None)
    peer: str | None = field(name="network.peer.address", default=None)
    """Who held the connection: the proxy, where there is one."""
    target: str | None = field(name="weir.target.id", default=None)
    """The one profile that the response disclosed."""
    targets: list[str] | None = field(name="weir.targets", default=None)
    """The profiles that the response disclosed."""
    tier: str | None = field(name="weir.account.tier", default=None)
    created_at: str | int | float | None = field(name="weir.account.created_at", default=None)
    """When the account was made; spelled as `time` is."""


_ATTRIBUTES: Final = {item.encode_name: item.name for item in msgspec.structs.fields(RequestEvent)}
_REQUIRED: Final = tuple(item.encode_name for item in msgspec.structs.fields(RequestEvent) if item.required)
_TYPES: Final = {item.encode_name: item.type for item in msgspec.structs.fields(RequestEvent)}

# An object under the beginning of a known name is its nested spelling: a flat record has none, and a guard refuses it.
_Flat: Final = msgspec.defstruct(
    "RequestEvent",
    [(f"guard_{number}", Scalar, field(name=name, default=None)) for number, name in enumerate(prefixes(_TYPES))],
    bases=(RequestEvent,),
    kw_only=True,
    gc=False,
)

FAST_DECODER: Final[msgspec.json.Decoder[RequestEvent]] = msgspec.json.Decoder(_Flat, strict=False)
"""Reads flat records; does not check that times are such, nor that somebody (address, user, session) is named.

What it gives is of a subclass that holds the guards too: to be read, not to be encoded or compared.
"""

_PLAIN_DECODER: Final = msgspec.json.Decoder(RequestEvent, strict=False)
_REFERER: Final = "http.request.header.referer"
_SPELLING: Final = Spelling(_TYPES | {_REFERER: str | list[str]})


def decode_request(value: bytes | None) -> RequestEvent:
    """One request event in any spelling, checked whole: flat ones in some 2 us, others in 5 to 15 us.

    Raises:
        RecordError: it is none; says where (JSON path or byte) and why.
    """
    if value is None:
        raise RecordError("$", "record is a tombstone (null value)")
    try:
        event = _decode_any(value)
    except DECODE_ERRORS as error:
        raise record_error(value, error) from error
    _check(event)
    return event


def _decode_any(value: bytes) -> RequestEvent:
    try:
        FAST_DECODER.decode(value)
    except msgspec.ValidationError:
        return _assemble(_SPELLING.decode(value))
    return _PLAIN_DECODER.decode(value)


def _assemble(found: dict[str, Any]) -> RequestEvent:
    missing = [name for name in _REQUIRED if name not in found]
    if missing:
        raise RecordError(f"$.{missing[0]}", "required, but missing or null")
    referer = found.get(_REFERER)
    if isinstance(referer, list):
        found[_REFERER] = referer[0] if referer else None
    return RequestEvent(**{_ATTRIBUTES[name]: leaf for name, leaf in found.items()})


def _check(event: RequestEvent) -> None:
    _check_time("$.@timestamp", event.time)
    if event.created_at is not None:
        _check_time("$.weir.account.created_at", event.created_at)
    if not (event.user or event.address or event.session):
        raise RecordError("$", "names nobody: client.address, user.id and session.id are all missing or empty")


def _check_time(where: str, value: str | float) -> None:
    try:
        parse_time_us(value)
    except ValueError as error:
        raise RecordError(where, str(error)) from error
