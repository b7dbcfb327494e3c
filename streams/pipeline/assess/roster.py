"""Names of the members that a group is found by, so that an alert on a cohort says who belongs to it.

Members come as keys; the messages that bring their sightings name those who can belong to a cohort. A name is kept
only for a member that gives evidence to a group that is on its way to an alert: for each sum of the group the
`NAMES_MAX` who gave most since it began to rise. Who turns out to be a person takes back what it gave, and its name
with it. Rows are taken one by one, so that nothing depends on how batches are cut; only those near an alert are.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import accumulate
from operator import itemgetter
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.actor import Actor
from schemas.sighting import Flag
from streams.pipeline.observe.naming import names_at
from streams.pipeline.policy.case import Case
from streams.pipeline.policy.finding import Judged
from streams.pipeline.rows import Rows
from streams.pipeline.sightings import MemberNames, Sightings

NAMES_MAX: Final = 20
NEAR: Final = 0.3
"""Share of what an alert needs from which members are noted."""
MOSTLY: Final = 0.8
"""Share of what the members in question gave that those who are named gave: a passer-by gives little."""
GIVES: Final = "gives"
"""Number by which a detector says what a sighting's member gave to a sum of the group so far, below 0 that it left."""
SUM: Final = "subset"
"""Likewise which sum that is."""
RISE: Final = "rise"
"""Likewise what names the sum's rise: under another one nobody has given anything yet."""


class Givers(msgspec.Struct, array_like=True):
    """Who gave most to one sum of a group."""

    sum: int
    rise: int
    members: dict[int, tuple[float, Actor]]
    """By key, what it gave and its name, at most `NAMES_MAX`."""

    def copy(self) -> "Givers":
        """The same, to be changed by itself."""
        return Givers(self.sum, self.rise, dict(self.members))

    def room_for(self, gives: float) -> bool:
        """Whether somebody who is not among them belongs there with so much."""
        return len(self.members) < NAMES_MAX or gives > self._least[1][0]

    def put(self, key: int, gives: float, name: Actor) -> None:
        """Take somebody in; who gave least makes room."""
        if len(self.members) >= NAMES_MAX:
            del self.members[self._least[0]]
        self.members[key] = gives, name

    @property
    def _least(self) -> tuple[int, tuple[float, Actor]]:
        return min(self.members.items(), key=_given)


Sums = dict[int, Givers]


class _Given(NamedTuple):
    """What a member gave to a sum, at a row."""

    row: int
    slot: int
    principal: int
    gives: float
    sum: int
    rise: int


class Roster:
    """What messages can still be asked for names, and the names kept of each group."""

    def __init__(self) -> None:
        self._held: deque[tuple[int, MemberNames]] = deque()
        self._sums: dict[int, Sums] = {}
        self._given: tuple[Case, dict[int, list[_Given]]] | None = None

    def hold(self, sightings: Sightings) -> None:
        """Take a message whose sightings are about to be judged."""
        if len(sightings.member_key):
            self._held.append((int(sightings.time_us.max(initial=0)), sightings.members))

    def let_go(self, before_us: int) -> None:
        """Drop messages all of whose sightings lie before ``before_us``."""
        self._held = deque((last_us, one) for last_us, one in self._held if last_us >= before_us)

    def keep(self, case: Case, rows: Rows) -> None:
        """Note the members that gave evidence at ``rows``, and those that took it back."""
        for slot, given in self._by_group(case, rows).items():
            sums = self._sums.get(slot, {})
            for one in given:
                self._note(sums, one)
            if sums:
                self._sums[slot] = sums
        self._given = None

    def forget(self, slots: NDArray[np.int64]) -> None:
        """Drop the names kept of groups."""
        for slot in self._sums.keys() & set(slots.tolist()):
            del self._sums[slot]

    def renumber(self, renumbered: NDArray[np.int32]) -> None:
        """Give each slot its new number by the old one; what becomes -1 is dropped."""
        moved = {int(renumbered[slot]): sums for slot, sums in self._sums.items()}
        self._sums = {slot: sums for slot, sums in moved.items() if slot >= 0}

    def state(self) -> tuple[list[tuple[int, MemberNames]], dict[int, list[Givers]]]:
        """What a checkpoint keeps of it: names of messages with their last times, who gave by group's slot."""
        return list(self._held), {slot: list(sums.values()) for slot, sums in self._sums.items()}

    def load(self, held: Iterable[tuple[int, MemberNames]], givers: dict[int, list[Givers]]) -> None:
        """Become as `state` said, with the slots that groups have now."""
        self._held = deque(held)
        self._sums = {slot: {one.sum: one for one in sums} for slot, sums in givers.items()}

    def names(self, case: Case, rows: Rows, row: int) -> list[Actor]:
        """The fewest who together gave `MOSTLY` of what is known to be given to the sum that speaks at ``row``.

        Up to and with it, most first, at most `NAMES_MAX`. Where no sum speaks, to any sum of the group.
        """
        slot = int(rows.slot[row])
        sums = {number: one.copy() for number, one in self._sums.get(slot, {}).items()}
        for given in self._by_group(case, rows).get(slot, ()):
            if given.row <= row:
                self._note(sums, given)
        speaks = _speaks(case, row)
        members = {
            key: found for one in sums.values() if speaks in (one.sum, None) for key, found in one.members.items()
        }
        most = sorted(members.values(), key=itemgetter(0), reverse=True)[:NAMES_MAX]
        before = accumulate((gives for gives, _ in most), initial=0.0)
        enough = MOSTLY * sum(gives for gives, _ in most)
        return [name for (_, name), given in zip(most, before, strict=False) if given < enough]

    def _by_group(self, case: Case, rows: Rows) -> dict[int, list[_Given]]:
        # Each decision of a batch asks for them.
        if self._given is None or self._given[0] is not case:
            by_group: dict[int, list[_Given]] = {}
            for one in _given_at(case, rows):
                by_group.setdefault(one.slot, []).append(one)
            self._given = case, by_group
        return self._given[1]

    def _note(self, sums: Sums, given: _Given) -> None:
        if given.gives < 0.0:
            if given.sum in sums:
                sums[given.sum].members.pop(given.principal, None)
            return
        one = sums.get(given.sum)
        if one is None or one.rise != given.rise:
            one = sums[given.sum] = Givers(given.sum, given.rise, {})
        if given.principal in one.members:
            most, name = one.members[given.principal]
            one.members[given.principal] = max(most, given.gives), name
        elif one.room_for(given.gives):
            found = next((actor for _, held in self._held if (actor := held.find(given.principal)) is not None), None)
            if found is not None:
                one.put(given.principal, given.gives, found)


def _given(member: tuple[int, tuple[float, Actor]]) -> float:
    return member[1][0]


def _telling(case: Case) -> Iterator[Judged]:
    return (one for one in case.judged if GIVES in one.said.numbers)


def _speaks(case: Case, row: int) -> int | None:
    """The sum that speaks at a row, if one does."""
    return next((int(one.evidence.numbers[SUM][row]) for one in _telling(case) if one.level(row) > 0.0), None)


def _given_at(case: Case, rows: Rows) -> Iterator[_Given]:
    """What members gave to groups near an alert, and took back, in order."""
    for one in _telling(case):
        gives, level = one.said.numbers[GIVES], one.said.level
        places = np.flatnonzero(((gives > 0.0) & (level >= NEAR)) | (gives < 0.0))
        at = one.rows(places)
        named = (gives[places] < 0.0) | _are_named(rows.pick(at))
        yield from map(
            _Given._make,
            zip(
                at[named].tolist(),
                rows.slot[at[named]].tolist(),
                rows.principal[at[named]].tolist(),
                gives[places[named]].tolist(),
                *(one.said.numbers[each][places[named]].astype(np.int64).tolist() for each in (SUM, RISE)),
                strict=True,
            ),
        )


def _are_named(rows: Rows) -> NDArray[np.bool_]:
    """[n] rows whose own event names its principal: another's of the same message would, or not, as batches are cut."""
    always = (rows.flags & Flag.LOGGED_IN.value == 0) | (rows.flags & Flag.YOUNG.value != 0)
    named: NDArray[np.bool_] = always | names_at(rows.principal, rows.profile)
    return named
