"""OCSF HTTP Activity (class 4002), as JSON."""

from typing import Any, Final

import msgspec

from schemas.errors import RecordError
from schemas.request import RequestEvent
from streams.inputs.fields import Text, as_number, code_of, decode, decoder, host, text_of, time_of, wanted
from streams.inputs.proxies import forwarded_of
from streams.inputs.text import Site, request, zoned

CLASS: Final = 4002
_ACTIVITIES: Final = {
    1: "CONNECT", 2: "DELETE", 3: "GET", 4: "HEAD", 5: "OPTIONS", 6: "POST", 7: "PUT", 8: "TRACE", 9: "PATCH",
}  # fmt: skip


class _Named(msgspec.Struct, gc=False):
    uid: Text = None


class _Url(msgspec.Struct, gc=False):
    path: Text = None
    query_string: Text = None
    hostname: Text = None
    url_string: Text = None


class _Request(msgspec.Struct, gc=False):
    http_method: Text = None
    url: _Url | None = None
    user_agent: Text = None
    referrer: Text = None
    uid: Text = None
    x_forwarded_for: list[str] | None = None


class _Response(msgspec.Struct, gc=False):
    code: Text = None


class _System(msgspec.Struct, gc=False):
    number: Text = None


class _Location(msgspec.Struct, gc=False):
    country: Text = None


class _Endpoint(msgspec.Struct, gc=False):
    ip: Text = None
    autonomous_system: _System | None = None
    location: _Location | None = None


class _Actor(msgspec.Struct, gc=False):
    user: _Named | None = None
    session: _Named | None = None


class _Print(msgspec.Struct, gc=False):
    value: Text = None


class _Activity(msgspec.Struct, gc=False):
    class_uid: Text = None
    activity_id: Text = None
    time: Text = None
    http_request: _Request | None = None
    http_response: _Response | None = None
    src_endpoint: _Endpoint | None = None
    actor: _Actor | None = None
    ja4_fingerprint_list: list[_Print] | None = None


_DECODER: Final = decoder(_Activity)


def parse(value: bytes, site: Site) -> RequestEvent | None:
    """The event of an activity; None for one without a request.

    Raises:
        RecordError: it is no HTTP Activity.
    """
    record = decode(_DECODER, value)
    if text_of(record.class_uid) != str(CLASS):
        raise RecordError("$.class_uid", f"is not {CLASS}, HTTP Activity")
    asked_for = record.http_request
    if asked_for is None:
        return None
    url = asked_for.url or _Url()
    method = text_of(asked_for.http_method) or _method(record)
    what = wanted(method, text_of(url.path) or text_of(url.url_string))
    if what is None:
        raise RecordError("$.http_request", "names no method or no path")
    source = record.src_endpoint or _Endpoint()
    time = time_of(record.time, "time")
    event = request(
        what._replace(query=text_of(url.query_string) or what.query),
        zoned(time, site.zone) if isinstance(time, str) and not time.isdecimal() else time,
        site,
        peer=text_of(source.ip),
        forwarded=forwarded_of(", ".join(asked_for.x_forwarded_for or ())),
        status=code_of(record.http_response.code if record.http_response else None),
        user=_uid(record.actor.user) if record.actor else None,
        server=host(url.hostname),
        agent=text_of(asked_for.user_agent),
        referer=text_of(asked_for.referrer),
        request_id=text_of(asked_for.uid),
    )
    _add(event, record, source)
    return event


def _add(event: RequestEvent, record: _Activity, source: _Endpoint) -> None:
    """What else is known of the client."""
    if record.actor and record.actor.session:
        event.session = _uid(record.actor.session)
    event.asn = as_number(source.autonomous_system.number) if source.autonomous_system else None
    event.country = text_of(source.location.country) if source.location else None
    event.ja4 = text_of(record.ja4_fingerprint_list[0].value) if record.ja4_fingerprint_list else None


def _method(record: _Activity) -> str | None:
    known = text_of(record.activity_id)
    return _ACTIVITIES.get(int(known)) if known and known.isascii() and known.isdecimal() and len(known) < 4 else None


def _uid(named: _Named | Any) -> str | None:
    return text_of(named.uid) if isinstance(named, _Named) else None
