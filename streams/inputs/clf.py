"""The common log format and its relatives: one regular expression for nginx, Apache and Traefik.

::

    [host] address ident user [23/Nov/2026:13:49:05 +0000] "GET /x HTTP/1.1" 200 12 ["referer" "agent" [more]]

The time is found by ``] "`` behind it: neither server lets a quote into a user's name, so no name can feign a time.
"""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from schemas.errors import RecordError
from schemas.request import RequestEvent
from streams.inputs.proxies import forwarded_of, host_of
from streams.inputs.text import (
    QUOTED,
    Site,
    asked,
    clf_time,
    filled,
    is_name,
    line_of,
    request,
    status_of,
    unescaped,
)  # fmt: skip

NOT: Final = "is no line of the common log format"
CUT: Final = "line ends within the request, or before its status"

# A host stands before the address in Apache's vhost formats, and where nginx was told so. A dash for what nobody asks
# for any more stands before the user, whose name may have blanks in it.
_UP_TO_REQUEST: Final = (
    r"(?:([^\s\[\"<]++) )??((?!- )[^\s\[\"<]++) (?:-(?: ([^\"]*?))?|[^\s\"]++ ([^\s\"]++))"
    r" ?\[([0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9]{2}:[0-9]{2}:[0-9]{2} [+-][0-9]{4})\] "
)
# What stands behind the status may be cut off, as by a syslog that takes 8 KB of a line: who asked for what stands.
_LINE: Final = re.compile(
    rf"{_UP_TO_REQUEST}{QUOTED} ([0-9]{{1,3}}|-)(?: [0-9-]*+)?"
    rf"(?: \"([^\"\\]*+(?:\\.[^\"\\]*+)*+)(?:\"(?: \"([^\"\\]*+(?:\\.[^\"\\]*+)*+)(?:\"(.*+))?)?)?)?\\?\s*+"
)
_CUT: Final = re.compile(rf"{_UP_TO_REQUEST}\"[^\"]*+\\?")
_NEXT: Final = re.compile(rf" {QUOTED}")


class Line(NamedTuple):
    """Fields of a line, escapes and all."""

    host: str | None
    client: str
    user: str | None
    time: str
    request: str
    status: str
    referer: str | None
    agent: str | None
    more: str | None
    """What follows the user agent, from its blank on."""


def split(value: bytes) -> Line:
    """Fields of a line in their order.

    Raises:
        RecordError: it is no such line.
    """
    text = line_of(value)
    found = _LINE.fullmatch(text)
    if found is None:
        raise RecordError("$.url.path", CUT) if _CUT.match(text) else RecordError("$", NOT)
    host, client, user, named, *others = found.groups()
    return Line(host, client, user or named, *others)


def parse(value: bytes, site: Site) -> RequestEvent | None:
    """The event of a line; None where nothing was asked, as when a connection ended before a request.

    Raises:
        RecordError: it is no such line.
    """
    line = split(value)
    wanted = asked(unescaped(line.request))
    if wanted is None:
        return None
    agent, referer, user = filled(line.agent), filled(line.referer), filled(line.user)
    return request(
        wanted,
        clf_time(line.time),
        site,
        peer=line.client,
        forwarded=_forwarded(line.more) if line.more else (),
        status=status_of(line.status),
        user=None if user is None else unescaped(user),
        server=None if line.host is None else host_of(line.host),
        agent=None if agent is None else unescaped(agent),
        referer=None if referer is None else unescaped(referer),
    )


def _is_address(text: str) -> bool:
    return not is_name(text) and (":" in text or text.count(".") == 3)


def _forwarded(more: str) -> Sequence[str]:
    """What follows the user agent, if it is a list of addresses, as in the format `main` of nginx's packages."""
    following = _NEXT.match(more)
    addresses = () if following is None else forwarded_of(following[1])
    return addresses if all(map(_is_address, addresses)) else ()
