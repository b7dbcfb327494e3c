"""Which sightings lead to a decision: an actor's first, then one in a cooldown unless things become more urgent."""

import numpy as np
from numpy.typing import NDArray

from detectors.core.compiled import compiled


@compiled
def after_cooldown(
    slot: NDArray[np.int32],
    time_us: NDArray[np.int64],
    urgency: NDArray[np.uint8],
    cooldown_us: int,
    quiet_until_us: NDArray[np.int64],
    quiet_urgency: NDArray[np.uint8],
) -> NDArray[np.bool_]:
    """Mask of the rows that lead to a decision; ``quiet_until_us`` and ``quiet_urgency`` are columns by slot.

    ``urgency`` is 0 for a row without a finding, and higher for a worse one, or one that more can be done about.
    """
    out = np.zeros(slot.size, np.bool_)
    for i in range(slot.size):
        s = slot[i]
        if urgency[i] == 0 or (time_us[i] < quiet_until_us[s] and urgency[i] <= quiet_urgency[s]):
            continue
        out[i] = True
        quiet_until_us[s] = time_us[i] + cooldown_us
        quiet_urgency[s] = urgency[i]
    return out
