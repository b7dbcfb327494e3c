"""HAProxy: ``option httplog``, and what it captures of requests: the user agent first, then X-Forwarded-For.

Times are local and name no zone: `[input] zone` says which. Bytes that cannot be printed, and quotes, are ``#NN``.
"""

import re
from typing import Final

from schemas.errors import RecordError
from schemas.request import RequestEvent
from streams.inputs.proxies import forwarded_of
from streams.inputs.text import Site, asked, filled, line_of, local_time, request, status_of, url_text, without_port

_LINE: Final = re.compile(
    r"(\S+):([0-9]{1,5}) \[([0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{1,3})\] "
    r"\S++ [^\s/]++/\S++ [0-9+-]++(?:/[0-9+-]++){2,5} ([0-9-]++) \+?[0-9]++ \S++ \S++ \S{2,4} "
    r"[0-9]++(?:/[0-9+-]++){3,4} [0-9]++/[0-9]++(?: \{([^{}]*+)\})?(?: \{[^{}]*+\})? \"([^\"]*+)(\"?)(?: .*+)?\s*+"
)
_OTHER: Final = re.compile(r"\S+:[0-9]{1,5} \[[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9:.]++\] \S++ ")
_ESCAPE: Final = re.compile(r"(?:#[0-9A-F]{2})++")
CUT: Final = "line ends within the request: see the length of log lines (`log ... len`)"


def parse(value: bytes, site: Site) -> RequestEvent | None:
    """The event of a line; None for lines of connections and handshakes, and where nothing was asked.

    Raises:
        RecordError: it is no line of HAProxy, or its time has no zone.
    """
    line = line_of(value)
    found = _LINE.fullmatch(line)
    if found is None:
        if _OTHER.match(line) and not line.rstrip().endswith('"'):
            return None
        raise RecordError("$", "is no line of HAProxy's httplog")
    client, _, time, status, captured, asked_for, end = found.groups()
    if not end and " HTTP/" not in asked_for:
        raise RecordError("$.url.path", CUT)
    what = asked(_unescaped(asked_for))
    at = local_time(time, site.zone)
    if what is None:
        return None
    captures = [_unescaped(text) for text in (captured or "").split("|")]
    return request(
        what,
        at,
        site,
        peer=without_port(client),
        forwarded=forwarded_of(captures[1]) if len(captures) > 1 else (),
        status=status_of(status),
        agent=filled(captures[0]),
    )


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda found: url_text(bytes.fromhex(found[0].replace("#", ""))), text) if "#" in text else text
