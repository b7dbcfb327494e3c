"""Which sightings lead to a decision: the first of an actor, then one in a cooldown unless things become worse."""

import numpy as np
from numpy.typing import NDArray

from detectors.core.compiled import compiled


@compiled
def after_cooldown(
    slot: NDArray[np.int32],
    time_us: NDArray[np.int64],
    rank: NDArray[np.uint8],
    cooldown_us: int,
    quiet_until_us: NDArray[np.int64],
    quiet_rank: NDArray[np.uint8],
) -> NDArray[np.bool_]:
    """Mask of the rows that lead to a decision; ``quiet_until_us`` and ``quiet_rank`` are state columns by slot.

    ``rank`` is 0 for a row without a finding, and higher for a worse one.
    """
    out = np.zeros(slot.size, np.bool_)
    for i in range(slot.size):
        s = slot[i]
        if rank[i] == 0 or (time_us[i] < quiet_until_us[s] and rank[i] <= quiet_rank[s]):
            continue
        out[i] = True
        quiet_until_us[s] = time_us[i] + cooldown_us
        quiet_rank[s] = rank[i]
    return out
