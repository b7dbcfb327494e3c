"""Who stands behind an address or a group, and would be hurt by what is done to it."""

from typing import Final

import numpy as np

from detectors.core.columns import Columns
from schemas.actor import Scope
from streams.pipeline.actors.memory import GRANULE_US, remembered
from streams.pipeline.actors.store import Actors
from streams.pipeline.windows.aggregate import DAY_GRANULES, Aggregates

COUNTED_MAX: Final = 256
"""More principals than this are told as so many: what an actor remembers of them is exact well beyond it."""


def principals_behind(actors: Actors, columns: Columns, aggregates: Aggregates, row: int) -> int:
    """Principals that came through the actor of ``row`` within 24 h, as it stood at that sighting; 0 for a person."""
    return _behind(actors, columns, aggregates, row, accounts=False)


def accounts_behind(actors: Actors, columns: Columns, aggregates: Aggregates, row: int) -> int:
    """Likewise accounts; an account stands behind itself."""
    if columns.scope[row] == Scope.ACCOUNT:
        return 1
    return _behind(actors, columns, aggregates, row, accounts=True)


def _behind(actors: Actors, columns: Columns, aggregates: Aggregates, row: int, *, accounts: bool) -> int:
    if columns.scope[row] < Scope.IP:
        return 0
    slot = int(columns.slot[row])
    now = int(columns.time_us[row]) // GRANULE_US
    count = remembered(actors.members.blocks, slot, now, DAY_GRANULES, accounts)
    # The batch has been taken in whole: whoever arrived behind this row is not there yet.
    later = aggregates.arrives[row + 1 :][columns.slot[row + 1 :] == slot]
    return min(max(count - int(np.count_nonzero(later == 2 if accounts else later)), 0), COUNTED_MAX)
