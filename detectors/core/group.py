"""Sums over the members of a group, and who they are: the state that `cohort` moves on.

Three floored, decaying sums of log-likelihood ratios a group, one for each subset of its members: (a) `ANONYMOUS` and
(b) `BARE_ACCOUNT`, both only while they asked for nothing beside profiles, and (c) `YOUNG`. What a cell of 10 s adds to
(a) and (b) is held back until the next one begins, because the *touch* that tells of furniture stands at its end.

Each part of a sum is some member's own. What time takes from the sum it takes from all parts alike, and so does a
member whose taste speaks against the group once nothing is its own: how much of a part is left is kept once for all, so
that the parts add up to the sum. No part exceeds `most`: nobody makes a group alone, and nobody stands for others.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.core.compiled import in_place

ANONYMOUS: Final = 0
BARE_ACCOUNT: Final = 1
YOUNG: Final = 2
CELL_S: Final = 10
DAY_S: Final = 86_400
FULL: Final = 65_535
"""Counts stop here. Of members behind a group that only refuses more blocks: 2 in 100 of fewer."""
GRAIN: Final = 2.0**-14
"""Natural logarithms in which what is held is counted: whole numbers, so that taking back leaves nothing behind."""
GRAINS_MAX: Final = 2**31 - 1
"""A cell holds 131,072 natural logarithms: more than 13,000 rare first contacts a second."""
LIKE_PEOPLE: Final = -2.0
"""Sum of a member's own ratios, without a floor, below which it looks like a person."""
FURNISHED: Final = 1
PERSON: Final = 2
LOGGED_IN: Final = 4
SETTLED: Final = 8
"""An earlier cell of the rise named by `Members.given_since_s` ended without furniture."""


class Groups(NamedTuple):
    """State of groups. By subset: (a), (b), (c); by day: today, yesterday."""

    total: NDArray[np.float32]
    """[g, 3] floored, decaying sum of what was released."""
    held: NDArray[np.int32]
    """[g, 2] what the present cell added to (a) and (b), in `GRAIN`, no floor."""
    at_s: NDArray[np.uint32]
    """Time of the latest row, whole seconds; 0 before the first."""
    first_s: NDArray[np.uint32]
    since_s: NDArray[np.uint32]
    """[g, 3] when the sum began to rise, which also names the rise; 0 while it does not."""
    contacts: NDArray[np.uint16]
    """[g, 3] first contacts since then."""
    members: NDArray[np.uint16]
    """[g, 3] members that made them."""
    people: NDArray[np.uint16]
    """[g, 2] members that look like people, each on the last day that it asked for a profile."""
    behind: NDArray[np.uint16]
    """[g, 2] all members likewise."""
    logged_in: NDArray[np.uint8]
    """A log-in other than of (b) was seen."""
    last: NDArray[np.uint16]
    """Tag of the profile that added evidence last."""
    faded: NDArray[np.float64]
    """[g, 3] what is left of each part of the sum since it began to rise: log2 of the share, at most 0."""
    against: NDArray[np.float32]
    """[g, 2] of what is held, what is to be taken from parts of others."""


class Members(NamedTuple):
    """State of members."""

    nats: NDArray[np.float32]
    """Sum of all ratios of its first contacts through the group, no floor."""
    traits: NDArray[np.uint8]
    day: NDArray[np.uint16]
    """Day on which it is counted behind the group, since 1970; 0 before it asked for a profile."""
    given: NDArray[np.float32]
    """Its part of (a) or (b) in the rise named by `given_since_s`, held or released; below 0 in its own cell alone."""
    given_faded: NDArray[np.float32]
    """`Groups.faded` when that was reckoned."""
    given_since_s: NDArray[np.uint32]
    given_contacts: NDArray[np.uint16]
    pending: NDArray[np.int32]
    """What it added in the cell `pending_cell`, in `GRAIN`."""
    pending_cell: NDArray[np.uint32]
    young_since_s: NDArray[np.uint32]
    """The rise of (c) in which it was counted,"""
    young_given: NDArray[np.float32]
    """and its part of (c) in it."""
    young_faded: NDArray[np.float32]
    """`Groups.faded` when that was reckoned."""


@in_place
def _up(counts: NDArray[np.uint16], row: int, column: int | np.int64) -> None:
    if counts[row, column] < FULL:
        counts[row, column] += 1


@in_place
def _down(counts: NDArray[np.uint16], row: int, column: int | np.int64, by: int | np.int64) -> None:
    # A count that is full has forgotten how far beyond it was.
    if counts[row, column] < FULL:
        left = np.int64(counts[row, column]) - by
        counts[row, column] = max(left, np.int64(0))


@in_place
def _end_rise(groups: Groups, g: int, k: int) -> None:
    groups.total[g, k] = 0.0
    groups.since_s[g, k] = 0
    groups.contacts[g, k] = 0
    groups.members[g, k] = 0


@in_place
def _new_day(groups: Groups, g: int, days: np.int64) -> None:
    for counts in (groups.people, groups.behind):
        counts[g, 1] = counts[g, 0] if days == 1 else 0
        counts[g, 0] = 0


@in_place
def move_on(groups: Groups, g: int, now_s: int, half_life_s: float) -> None:
    """Let the group's time become ``now_s``, not before what it was: days change, sums decay, a full cell is released.

    Whole seconds, because a smaller step would be lost in the rounding of the sums.
    """
    was_s = np.int64(groups.at_s[g])
    groups.at_s[g] = now_s
    if was_s == 0:
        groups.first_s[g] = now_s
        return
    if now_s == was_s:
        return
    days = now_s // DAY_S - was_s // DAY_S
    if days > 0:
        _new_day(groups, g, days)
    halvings = (now_s - was_s) / half_life_s
    kept = 2.0**-halvings
    for k in range(3):
        groups.total[g, k] *= kept
        groups.faded[g, k] -= halvings
    if now_s // CELL_S == was_s // CELL_S:
        return
    for k in range(2):
        total = groups.total[g, k] + groups.held[g, k] * GRAIN * kept
        groups.held[g, k] = 0
        if total > 0.0:
            groups.total[g, k] = total
            groups.faded[g, k] += np.log2(total / (total + max(groups.against[g, k], 0.0) * kept))
        else:
            _end_rise(groups, g, k)
        groups.against[g, k] = 0.0


@in_place
def count_behind(groups: Groups, members: Members, g: int, m: int) -> None:
    """Count a member that asks for a profile once among those of the last day or two."""
    today = np.int64(groups.at_s[g]) // DAY_S
    if members.day[m] == today:
        return
    person = (members.traits[m] & PERSON) != 0
    if members.day[m] == today - 1:
        _down(groups.behind, g, 1, 1)
        if person:
            _down(groups.people, g, 1, 1)
    _up(groups.behind, g, 0)
    if person:
        _up(groups.people, g, 0)
    members.day[m] = today


@in_place
def look_like(groups: Groups, members: Members, g: int, m: int) -> None:
    """Reckon anew whether a member looks like a person, and correct the count of them."""
    person = (members.traits[m] & FURNISHED) != 0 or members.nats[m] < LIKE_PEOPLE
    if person == ((members.traits[m] & PERSON) != 0):
        return
    members.traits[m] ^= PERSON
    ago = np.int64(groups.at_s[g]) // DAY_S - np.int64(members.day[m])
    if ago <= 1 and person:
        _up(groups.people, g, ago)
    elif ago <= 1:
        _down(groups.people, g, ago, 1)


@in_place
def _bounded(grains: np.int64) -> np.int64:
    return max(min(grains, np.int64(GRAINS_MAX)), np.int64(-GRAINS_MAX))


@in_place
def _left(faded: NDArray[np.float64], g: int, k: int | np.int64, since: float) -> float:
    """What is left of a part that was reckoned when `Groups.faded` was ``since``."""
    # Of a rise that began within the same second as another one nothing has faded yet.
    return float(2.0 ** min(faded[g, k] - since, 0.0))


@in_place
def _own(groups: Groups, members: Members, g: int, m: int, k: int) -> float:
    """A member's part of (a) or (b) by now."""
    if members.pending_cell[m] == np.int64(groups.at_s[g]) // CELL_S:
        return float(members.given[m])
    return float(max(members.given[m], 0.0) * _left(groups.faded, g, k, members.given_faded[m]))


@in_place
def _take_back(groups: Groups, members: Members, g: int, m: int, k: int) -> bool:
    """Remove from a sum what a member gave that turns out to be furnished; returns whether it gave anything."""
    given = _own(groups, members, g, m, k)
    if members.pending_cell[m] == np.int64(groups.at_s[g]) // CELL_S:
        groups.held[g, k] = _bounded(np.int64(groups.held[g, k]) - members.pending[m])
        groups.against[g, k] -= max(-given, 0.0)
        given -= members.pending[m] * GRAIN
    members.pending[m] = 0
    since_s = groups.since_s[g, k]
    gave = since_s != 0 and members.given_since_s[m] == since_s
    if gave:
        groups.total[g, k] = max(groups.total[g, k] - max(given, 0.0), 0.0)
        _down(groups.contacts, g, k, np.int64(members.given_contacts[m]))
        _down(groups.members, g, k, 1)
        if groups.members[g, k] == 0:
            _end_rise(groups, g, k)
    members.given_since_s[m] = 0
    return bool(gave)


@in_place
def settled(groups: Groups, members: Members, g: int, m: int, k: int) -> bool:
    """An earlier cell of this rise ended without furniture, so that what the member gave in it was released."""
    if members.given_since_s[m] != groups.since_s[g, k]:
        return False
    now = members.pending_cell[m] == np.int64(groups.at_s[g]) // CELL_S
    return not now or (members.traits[m] & SETTLED) != 0


@in_place
def furnish(groups: Groups, members: Members, g: int, m: int) -> bool:
    """A member asked for something beside profiles: it leaves (a) and (b) for good, with what it gave, if it did."""
    if (members.traits[m] & FURNISHED) != 0:
        return False
    members.traits[m] |= FURNISHED
    look_like(groups, members, g, m)
    logged_in = (members.traits[m] & LOGGED_IN) != 0
    if logged_in:
        groups.logged_in[g] = 1
    return _take_back(groups, members, g, m, BARE_ACCOUNT if logged_in else ANONYMOUS)


@in_place
def _rise(groups: Groups, g: int, k: int) -> np.int64:
    """Name of the rise that a contact belongs to, a new one if there is none."""
    if groups.since_s[g, k] == 0:
        groups.since_s[g, k] = groups.at_s[g]
        groups.faded[g, k] = 0.0
    _up(groups.contacts, g, k)
    return np.int64(groups.since_s[g, k])


@in_place
def _begin_cell(groups: Groups, members: Members, g: int, m: int, k: int, rise: np.int64) -> None:
    """What a bare member gave in earlier cells of the rise is released, if the present one is not its first of them."""
    cell = np.int64(groups.at_s[g]) // CELL_S
    if members.given_since_s[m] != rise:
        members.given_since_s[m] = rise
        members.given[m] = 0.0
        members.given_contacts[m] = 0
        members.traits[m] &= ~np.uint8(SETTLED)
        _up(groups.members, g, k)
    elif members.pending_cell[m] != cell:
        members.given[m] = _own(groups, members, g, m, k)
        members.traits[m] |= SETTLED
    if members.pending_cell[m] != cell:
        members.pending_cell[m] = cell
        members.pending[m] = 0
        members.given_faded[m] = groups.faded[g, k]


@in_place
def hold(groups: Groups, members: Members, g: int, m: int, k: int, llr: float, most: float) -> None:
    """Add a bare member's contact to what is held of (a) or (b), until its part is ``most``."""
    _begin_cell(groups, members, g, m, k, _rise(groups, g, k))
    own = float(members.given[m])
    gives = min(llr, max(most - own, 0.0))
    grains = np.int64(round(gives / GRAIN))
    groups.held[g, k] = _bounded(groups.held[g, k] + grains)
    members.pending[m] = _bounded(members.pending[m] + grains)
    groups.against[g, k] += max(-own - gives, 0.0) - max(-own, 0.0)
    members.given[m] = own + gives
    if members.given_contacts[m] < FULL:
        members.given_contacts[m] += 1


@in_place
def add(groups: Groups, members: Members, g: int, m: int, llr: float, most: float) -> None:
    """Add a young account's contact to (c), at once, until its part is ``most``."""
    rise = _rise(groups, g, YOUNG)
    if members.young_since_s[m] != rise:
        members.young_since_s[m] = rise
        members.young_given[m] = 0.0
        _up(groups.members, g, YOUNG)
    own = float(members.young_given[m]) * _left(groups.faded, g, YOUNG, members.young_faded[m])
    gives = min(llr, max(most - own, 0.0))
    total = float(groups.total[g, YOUNG]) + gives
    if total <= 0.0:
        _end_rise(groups, g, YOUNG)
        return
    groups.total[g, YOUNG] = total
    groups.faded[g, YOUNG] += np.log2(total / (total + max(-own - gives, 0.0)))
    members.young_given[m] = max(own + gives, 0.0)
    members.young_faded[m] = groups.faded[g, YOUNG]
