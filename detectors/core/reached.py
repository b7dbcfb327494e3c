"""Results of searches in a day, against what others of the tier reach."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.core.compiled import compiled
from detectors.core.peer import CLASSES

REACHED_CAP: Final = 9.0
BINS: Final = 24
ENOUGH_DAYS: Final = 200
"""Days of principals below which a tier is judged by all together, and all not."""


@compiled
def bin_of(shown: int) -> int:
    """Half-octaves of results in a day, from 4 on."""
    return min(max(int(2.0 * np.log2(max(shown, 1))) - 3, 0), BINS - 1)


@compiled
def nats_of(shown: int, high: float, slope: float) -> float:
    """Evidence of results in a day above six tenths of what one honest day in a hundred reaches."""
    if shown <= 0.6 * high:
        return 0.0
    return float(min(max(np.log(100.0) + slope * np.log(shown / high) - 1.5, 0.0), REACHED_CAP))


def reach(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """By class of tiers the results in a day that one in a hundred reaches, and the slope of the tail: [CLASSES, 2].

    ``counts`` [CLASSES, BINS] are days of principals begun (bin 0) and those that entered a bin from the one below.
    """
    out = np.tile([np.inf, 1.0], (CLASSES, 1))
    for one, own in enumerate(counts):
        days = own if own[0] >= ENOUGH_DAYS else counts.sum(axis=0)
        if days[0] < ENOUGH_DAYS:
            continue
        beyond = np.maximum.accumulate(days[:0:-1])[::-1]
        share = np.append((beyond + 1) / (days[0] + 2), 0.0)
        tenth, hundredth = int((share < 0.1).argmax()), int((share < 0.01).argmax())
        excess = share[tenth + 1 :].sum() / max(share[tenth], 1e-9) * np.log(2.0) / 2
        out[one] = 2.0 ** ((hundredth + 4) / 2), np.clip(1 / max(excess, 1e-9), 1.5, 4.0)
    return out
