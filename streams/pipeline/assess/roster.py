"""Names of the members that a group is found by, so that an alert on a cohort says who belongs to it.

Members come as keys; the messages that bring their sightings name those who can belong to a cohort. A name is kept
only for a member that adds to the evidence of a group that is on its way to an alert: at most `NAMES_MAX` a group.
"""

from collections import deque
from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.actor import Actor
from schemas.sighting import Flag
from streams.pipeline.observe.naming import names_at
from streams.pipeline.policy.case import Case
from streams.pipeline.rows import Rows
from streams.pipeline.sightings import MemberNames, Sightings

NAMES_MAX: Final = 20
NEAR: Final = 0.3
"""Share of what an alert needs from which members are noted."""
ADDS: Final = "contributes"
"""Name under which a detector says, in its numbers, that a sighting's member adds to the evidence."""


class Roster:
    """What messages can still be asked for names, and the names kept of each group."""

    def __init__(self) -> None:
        self._held: deque[tuple[int, MemberNames]] = deque()
        self._names: dict[int, dict[int, Actor]] = {}
        self._adding: tuple[Case, NDArray[np.int64]] | None = None

    def hold(self, sightings: Sightings) -> None:
        """Take a message whose sightings are about to be judged."""
        if len(sightings.member_key):
            self._held.append((int(sightings.time_us.max(initial=0)), sightings.members))

    def let_go(self, before_us: int) -> None:
        """Drop messages all of whose sightings lie before ``before_us``."""
        self._held = deque((last_us, one) for last_us, one in self._held if last_us >= before_us)

    def keep(self, case: Case, rows: Rows) -> None:
        """Note the members that add to evidence at ``rows``."""
        adding = self._rows_adding(case)
        self._adding = None
        for slot in np.unique(rows.slot[adding]).tolist():
            own = adding[rows.slot[adding] == slot]
            self._names[slot] = self._with(slot, rows, own)

    def forget(self, slots: NDArray[np.int64]) -> None:
        """Drop the names kept of groups."""
        for slot in self._names.keys() & set(slots.tolist()):
            del self._names[slot]

    def renumber(self, renumbered: NDArray[np.int32]) -> None:
        """Give each slot its new number by the old one; what becomes -1 is dropped."""
        moved = {int(renumbered[slot]): names for slot, names in self._names.items()}
        self._names = {slot: names for slot, names in moved.items() if slot >= 0}

    def state(self) -> tuple[list[tuple[int, MemberNames]], dict[int, dict[int, Actor]]]:
        """What a checkpoint keeps of it: names of messages with their last times, names by group's slot."""
        return list(self._held), dict(self._names)

    def load(self, held: Iterable[tuple[int, MemberNames]], names: dict[int, dict[int, Actor]]) -> None:
        """Become as `state` said, with the slots that groups have now."""
        self._held, self._names = deque(held), names

    def names(self, case: Case, rows: Rows, row: int) -> list[Actor]:
        """Members of the row's group that added to its evidence, up to and with ``row``, in order of appearance."""
        slot = int(rows.slot[row])
        adding = self._rows_adding(case)
        own = adding[(rows.slot[adding] == slot) & (adding <= row)]
        return list(self._with(slot, rows, own).values())

    def _rows_adding(self, case: Case) -> NDArray[np.int64]:
        # Each decision of a batch asks for them.
        if self._adding is None or self._adding[0] is not case:
            self._adding = case, _adding(case)
        return self._adding[1]

    def _with(self, slot: int, rows: Rows, adding: NDArray[np.int64]) -> dict[int, Actor]:
        known, named = dict(self._names.get(slot, {})), adding[_are_named(rows.pick(adding))]
        for key in dict.fromkeys(rows.principal[named].tolist()):
            if len(known) >= NAMES_MAX:
                break
            if key not in known:
                found = next((actor for _, one in self._held if (actor := one.find(key)) is not None), None)
                if found is not None:
                    known[key] = found
        return known


def _are_named(rows: Rows) -> NDArray[np.bool_]:
    """[n] rows whose own event names its principal: another's of the same message would, or not, as batches are cut."""
    always = (rows.flags & Flag.LOGGED_IN.value == 0) | (rows.flags & Flag.YOUNG.value != 0)
    named: NDArray[np.bool_] = always | names_at(rows.principal, rows.profile)
    return named


def _adding(case: Case) -> NDArray[np.int64]:
    """Rows at which a member adds to the evidence of a group near an alert."""
    adds = np.zeros(len(case.columns), np.bool_)
    for one in case.judged:
        if ADDS in one.said.numbers:
            found = (one.said.numbers[ADDS] > 0) & (one.said.level >= NEAR)
            adds[one.rows(np.flatnonzero(found))] = True
    return np.flatnonzero(adds)
