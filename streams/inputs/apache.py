"""Apache httpd: ``common``, ``combined``, ``vhost_combined``; a client that is told by name stands for a session."""

import re
from typing import Final

from schemas.errors import RecordError
from schemas.request import RequestEvent
from streams.inputs import clf
from streams.inputs.text import Site

_ERROR_LOG: Final = re.compile(rb"\[[A-Z][a-z]{2} [A-Z][a-z]{2} [ 0-9]\d \d\d:\d\d:\d\d[0-9.]* \d{4}\] \[")


def parse(value: bytes, site: Site) -> RequestEvent | None:
    """The event of a line; None where nothing was asked, and for a line of the error log.

    Raises:
        RecordError: it is no line of Apache.
    """
    try:
        return clf.parse(value, site)
    except RecordError:
        if _ERROR_LOG.match(value):
            return None
        raise
