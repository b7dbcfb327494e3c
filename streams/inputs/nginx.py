"""nginx: ``combined``, the ``main`` of its packages, a host before either; JSON whose keys are nginx's variables."""

import re
from typing import Final

import msgspec

from schemas.errors import RecordError
from schemas.request import RequestEvent
from streams.inputs import clf
from streams.inputs.fields import Text, code_of, decode, decoder, host, text_of, time_of, wanted
from streams.inputs.proxies import forwarded_of
from streams.inputs.text import Asked, Site, asked, clf_time, request, zoned

_ERROR_LOG: Final = re.compile(rb"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[[a-z]+\] ")
_CLF: Final = re.compile(r"\d\d/[A-Z][a-z]{2}/\d{4}:")


class _Line(msgspec.Struct, gc=False):
    """Variables of nginx, by their names; which of them there are is up to whoever wrote the format."""

    time_iso8601: Text = None
    time_local: Text = None
    msec: Text = None
    time: Text = None
    timestamp: Text = None
    stamp: Text = msgspec.field(name="@timestamp", default=None)
    remote_addr: Text = None
    realip_remote_addr: Text = None
    remote_user: Text = None
    request: Text = None
    request_method: Text = None
    method: Text = None
    request_uri: Text = None
    uri: Text = None
    args: Text = None
    query_string: Text = None
    status: Text = None
    http_user_agent: Text = None
    http_referer: Text = None
    http_host: Text = None
    host: Text = None
    server_name: Text = None
    http_x_forwarded_for: Text = None
    request_id: Text = None


_DECODER: Final = decoder(_Line)


def parse(value: bytes, site: Site) -> RequestEvent | None:
    """The event of a line; None where nothing was asked, and for a line of the error log.

    Raises:
        RecordError: it is no line of nginx.
    """
    if value[:1] == b"{":
        return _parse_json(value, site)
    try:
        return clf.parse(value, site)
    except RecordError:
        if _ERROR_LOG.match(value):
            return None
        raise


def _parse_json(value: bytes, site: Site) -> RequestEvent | None:
    line = decode(_DECODER, value)
    peer = text_of(line.remote_addr)
    if peer is None:
        raise RecordError("$.remote_addr", "required, but missing or null")
    time, what = _time(line, site), _asked(line)
    if what is None:
        return None
    return request(
        what,
        time,
        site,
        peer=peer,
        forwarded=forwarded_of(text_of(line.http_x_forwarded_for)),
        status=code_of(line.status),
        user=text_of(line.remote_user),
        server=host(line.http_host) or host(line.host) or host(line.server_name),
        agent=text_of(line.http_user_agent),
        referer=text_of(line.http_referer),
        request_id=text_of(line.request_id),
    )


def _time(line: _Line, site: Site) -> str | float:
    found = next(
        (t for t in (line.msec, line.time_iso8601, line.stamp, line.time_local, line.time, line.timestamp) if t), None
    )
    time = time_of(found, "time_iso8601")
    if isinstance(time, str) and _CLF.match(time):
        return clf_time(time)
    return zoned(time, site.zone) if isinstance(time, str) else time


def _asked(line: _Line) -> Asked | None:
    whole = text_of(line.request)
    if whole is not None:
        return asked(whole)
    target, args = text_of(line.request_uri), text_of(line.args) or text_of(line.query_string)
    if target is None:
        path = text_of(line.uri)
        target = path if path is None or args is None or "?" in path else f"{path}?{args}"
    return wanted(line.request_method or line.method, target)
