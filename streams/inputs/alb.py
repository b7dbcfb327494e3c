"""AWS Application Load Balancer: fields in a fixed order, of which later versions add some at the end."""

import re
from typing import Final

from schemas.errors import RecordError
from schemas.request import RequestEvent
from streams.inputs.text import QUOTED, Site, asked, filled, line_of, request, status_of, unescaped, without_port, zoned

_LINE: Final = re.compile(
    r"(?:https?|h2|grpcs|wss?) (\S++) \S++ (\S++) \S++ \S++ \S++ \S++ ([0-9]{1,3}|-) \S++ \S++ \S++ "
    rf"{QUOTED} {QUOTED} \S++ \S++ \S++ {QUOTED} {QUOTED}(?: .*+)?\s*+"
)


def parse(value: bytes, site: Site) -> RequestEvent | None:
    """The event of a line; None where nothing was asked (``- http://…:80- -``).

    Raises:
        RecordError: it is no line of such a balancer.
    """
    found = _LINE.fullmatch(line_of(value))
    if found is None:
        raise RecordError("$", "is no line of an AWS load balancer")
    time, client, status, asked_for, agent, trace, domain = found.groups()
    what = asked(unescaped(asked_for))
    if what is None:
        return None
    server = filled(domain) or what.server
    return request(
        what,
        zoned(time, site.zone),
        site,
        peer=without_port(client),
        status=status_of(status),
        server=None if server is None else without_port(server),
        agent=None if (told := filled(agent)) is None else unescaped(told),
        request_id=filled(trace),
    )
