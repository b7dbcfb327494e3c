"""Flat canonical records as columns: the plain ones, as the fast decoder would read them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streams.pipeline.observe.events import Events
from streams.pipeline.observe.keys import FLAT
from streams.pipeline.observe.plain_record import read_plain


def read_flat(values: Sequence[bytes]) -> tuple[Events, NDArray[np.int64]]:
    """Columns of all records, and which of them are odd: there the columns say nothing.

    Raises:
        TypeError: one of them is a tombstone.
    """
    events, read = read_plain(values, FLAT)
    return events, np.flatnonzero(~read)
