"""Evidence that adds up: floored, decaying sums of log-likelihood ratios, an actor each.

CUSUM (Page 1954) for a change from honest to scraping at an unknown time; the sum of a sequential probability ratio
test (Wald 1945) that starts afresh whenever it speaks for the honest side:

    S = max(0, S * 2 ** (-dt / half_life) + llr)
"""

from collections.abc import Mapping
from typing import Final, cast

import numpy as np
from numpy.typing import NDArray

from detectors.core.columns import US, Columns
from detectors.core.compiled import compiled
from detectors.core.contract import Evidence, State
from detectors.core.prefetch import AHEAD, prefetch

SUM_COLUMNS: Final[Mapping[str, str]] = {"sum": "f8", "at_us": "i8", "since_us": "i8", "contacts": "u4"}
"""State of a principal whose evidence `add_up` adds up."""


def add_up(
    columns: Columns, counts: NDArray[np.bool_], llr: NDArray[np.float64], half_life_s: int, state: State
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """`floored_sum` of principals, with `SUM_COLUMNS` in ``state``."""
    return floored_sum(
        columns.principal_slot,
        columns.time_us,
        counts,
        llr,
        float(half_life_s * US),
        cast("NDArray[np.float64]", state["sum"]),
        cast("NDArray[np.int64]", state["at_us"]),
        cast("NDArray[np.int64]", state["since_us"]),
        cast("NDArray[np.uint32]", state["contacts"]),
    )


def habit(
    columns: Columns,
    counts: NDArray[np.bool_],
    llr: NDArray[np.float64],
    half_life_s: int,
    state: State,
    numbers: Mapping[str, NDArray[np.float64]],
    lessons: Mapping[str, NDArray[np.int64]],
) -> Evidence:
    """What principals' habits add up to (`add_up`), for the sum over all detectors alone: no level, and no block of it.

    ``nats`` and ``llr`` stand beside ``numbers``.
    """
    nats, since_us, contacts = add_up(columns, counts, llr, half_life_s, state)
    return Evidence(
        level=np.zeros(len(columns)),
        since_us=np.where(counts, since_us, columns.time_us),
        profiles=contacts,
        may_block=np.zeros(len(columns), np.bool_),
        numbers={"nats": nats, "llr": llr, **numbers},
        nats=nats,
        moved=counts,
        lessons=lessons,
    )


@compiled
def floored_sum(
    slot: NDArray[np.int32],
    time_us: NDArray[np.int64],
    counts: NDArray[np.bool_],
    llr: NDArray[np.float64],
    half_life_us: float,
    total: NDArray[np.float64],
    at_us: NDArray[np.int64],
    since_us: NDArray[np.int64],
    contacts: NDArray[np.uint32],
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Move the sums on by the rows that count; returns sum, start of its rise and contacts since, at each of n rows.

    ``total``, ``at_us``, ``since_us`` and ``contacts`` are state columns by slot. A row that does not count reports 0
    and changes nothing. A time earlier than the last one decays nothing.
    """
    out = np.zeros(slot.size, np.float64)
    since = np.zeros(slot.size, np.int64)
    count = np.zeros(slot.size, np.int64)
    for i in range(slot.size):
        prefetch(slot[min(i + AHEAD, slot.size - 1)], (total, at_us, since_us, contacts))
        if not counts[i]:
            continue
        s = slot[i]
        elapsed = max(time_us[i] - at_us[s], 0)
        level = total[s] * 2.0 ** (-elapsed / half_life_us) + llr[i]
        if total[s] <= 0.0 or level <= 0.0:
            since_us[s] = time_us[i]
            contacts[s] = 0
        total[s] = max(level, 0.0)
        at_us[s] = max(at_us[s], time_us[i])
        contacts[s] += 1
        out[i] = total[s]
        since[i] = since_us[s]
        count[i] = contacts[s]
    return out, since, count
