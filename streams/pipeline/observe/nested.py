"""Nested canonical records as columns: the plain ones, as the decoder of the nested spelling would read them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streams.pipeline.observe.event_time import are_times
from streams.pipeline.observe.events import ABSENT, Events, Field
from streams.pipeline.observe.keys import NESTED
from streams.pipeline.observe.plain_record import read_plain


def is_nested(value: bytes) -> bool:
    """Whether a record looks like a nested one and like none of another format."""
    return (
        value[:1] == b"{" and b'"http.request.method"' not in value and b'"http"' in value and b'"@timestamp"' in value
    )


def read_nested(values: Sequence[bytes]) -> tuple[Events, NDArray[np.int64]]:
    """Columns of all records, for which `is_nested` holds, and which of them are odd: there the columns say nothing."""
    events, read = read_plain(values, NESTED)
    # Whoever reads records one by one refuses these before anything else is looked for in them.
    named = (events.size[:, [Field.ADDRESS, Field.USER, Field.SESSION]] != ABSENT).any(axis=1)
    return events, np.flatnonzero(~(read & named & are_times(events)))
