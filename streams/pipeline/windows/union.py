"""What the members of a group saw together: the profiles disclosed through it, each counted once.

All members count, with a log-in and without, for a group is who its members are; what one of them saw again, or two of
them saw, counts once within the two days, by the calendar of UTC, up to the sighting. So a group's exposure is of
profiles, not of contacts, with a standard error of at most 10 % (`detectors/core/distinct.py`). A profile met again
after these days counts again: an exposure never falls.

Beside it stand the contacts that the union is made of: each member's first one with a profile, as its Bloom filter
tells them (`windows/aggregate.py`), and each result of a search or list. A fleet that splits the members among itself
has as many of one as of the other; people look at the same profiles.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.core.columns import US
from detectors.core.compiled import in_place
from detectors.core.distinct import COLUMNS, GRAIN, Sketches, meet, told, turn
from schemas.sighting import Flag, Kind
from streams.pipeline.actors.store import EXPOSED_MAX, Actors, Slots
from streams.pipeline.rows import Rows

HALF_S: Final = 86_400
_MISS: Final = int(Flag.MISS)
_TOUCH: Final = int(Kind.TOUCH)
_VIEW, _LOOKUP = int(Kind.VIEW), int(Kind.LOOKUP)
_CONTACTS_MAX: Final = 2**32 - 1


@in_place
def _unite(
    slot: NDArray[np.int32],
    group: NDArray[np.int32],
    time_us: NDArray[np.int64],
    kind: NDArray[np.uint8],
    flags: NDArray[np.uint8],
    profile: NDArray[np.uint64],
    first: NDArray[np.bool_],
    sketches: Sketches,
    rest: NDArray[np.uint8],
    exposed: NDArray[np.uint32],
    out_exposed: NDArray[np.int64],
    out_together: NDArray[np.uint32],
) -> None:
    for i in range(slot.size):
        g = group[i]
        if g < 0:
            continue
        turn(sketches, g, time_us[i] // (HALF_S * US))
        if flags[i] & _MISS == 0 and kind[i] < _TOUCH:
            gained = rest[g] + meet(sketches, g, profile[i])
            rest[g] = gained % GRAIN
            exposed[slot[i]] = min(np.int64(exposed[slot[i]]) + gained // GRAIN, EXPOSED_MAX)
            by_id = kind[i] == _VIEW or kind[i] == _LOOKUP
            if (first[i] or not by_id) and sketches.contacts[g, 0] < _CONTACTS_MAX:
                sketches.contacts[g, 0] += 1
        out_exposed[i] = exposed[slot[i]]
        out_together[i, 0], out_together[i, 1] = told(sketches, g)


def unite(
    actors: Actors, rows: Rows, slots: Slots, first: NDArray[np.bool_], exposed: NDArray[np.int64]
) -> NDArray[np.uint32]:
    """Move the unions of groups on by ``rows`` and write their exposure into theirs of ``exposed``.

    ``first`` are the members' first contacts. Returns [n, 2] distinct profiles and contacts of the last day or two,
    zero on rows of no group.
    """
    own = actors.groups.columns
    together = np.zeros((len(rows), 2), np.uint32)
    _unite(
        rows.slot, slots.group, rows.time_us, rows.kind, rows.flags, rows.profile, first,
        Sketches(*(own[name] for name in COLUMNS)), own["rest"], actors.columns["exposed"], exposed, together,
    )  # fmt: skip
    return together
