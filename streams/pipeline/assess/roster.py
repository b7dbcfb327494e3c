"""Names of the members that a group is found by, so that an alert on a cohort says who belongs to it.

Members come as keys; the messages that bring their sightings name those who can belong to a cohort. A name is kept
only for a member that adds to the evidence of a group that is on its way to an alert: at most `NAMES_MAX` a group.
"""

from collections import deque
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.actor import Actor
from streams.pipeline.policy.case import Case
from streams.pipeline.rows import Rows
from streams.pipeline.sightings import Sightings

NAMES_MAX: Final = 20
NEAR: Final = 0.3
"""Share of what an alert needs from which members are noted."""
ADDS: Final = "contributes"
"""Name under which a detector says, in its numbers, that a sighting's member adds to the evidence."""


class Roster:
    """Messages that can still be asked for names, and the names kept of each group."""

    def __init__(self) -> None:
        self._held: deque[tuple[int, Sightings]] = deque()
        self._names: dict[int, dict[int, Actor]] = {}

    def hold(self, sightings: Sightings) -> None:
        """Take a message whose sightings are about to be judged."""
        if len(sightings.member_key):
            self._held.append((int(sightings.time_us.max(initial=0)), sightings))

    def let_go(self, before_us: int) -> None:
        """Drop messages all of whose sightings lie before ``before_us``."""
        self._held = deque((last_us, one) for last_us, one in self._held if last_us >= before_us)

    def keep(self, case: Case, rows: Rows) -> None:
        """Note the members that add to evidence at ``rows``."""
        adding = _adding(case)
        for slot in np.unique(rows.slot[adding]).tolist():
            own = adding[rows.slot[adding] == slot]
            self._names[slot] = self._with(slot, rows.principal[own])

    def forget(self, slots: NDArray[np.int64]) -> None:
        """Drop the names kept of groups."""
        for slot in self._names.keys() & set(slots.tolist()):
            del self._names[slot]

    def renumber(self, renumbered: NDArray[np.int32]) -> None:
        """Give each slot its new number by the old one; what becomes -1 is dropped."""
        moved = {int(renumbered[slot]): names for slot, names in self._names.items()}
        self._names = {slot: names for slot, names in moved.items() if slot >= 0}

    def names(self, case: Case, rows: Rows, row: int) -> list[Actor]:
        """Members of the row's group that added to its evidence, up to and with ``row``, in order of appearance."""
        slot = int(rows.slot[row])
        adding = _adding(case)
        own = adding[(rows.slot[adding] == slot) & (adding <= row)]
        return list(self._with(slot, rows.principal[own]).values())

    def _with(self, slot: int, principals: NDArray[np.uint64]) -> dict[int, Actor]:
        known = dict(self._names.get(slot, {}))
        for key in dict.fromkeys(principals.tolist()):
            if len(known) >= NAMES_MAX:
                break
            if key not in known:
                found = next((actor for _, one in self._held if (actor := one.member(key)) is not None), None)
                if found is not None:
                    known[key] = found
        return known


def _adding(case: Case) -> NDArray[np.int64]:
    """Rows at which a member adds to the evidence of a group near an alert."""
    adds = np.zeros(len(case.columns), np.bool_)
    for one in case.judged:
        contributes = one.evidence.numbers.get(ADDS)
        if contributes is not None:
            adds |= (contributes > 0) & (one.evidence.level >= NEAR)
    return np.flatnonzero(adds)
