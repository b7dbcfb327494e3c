"""Moves the windows of a batch's actors on, sighting by sighting, and reads each one's aggregates as it stands then.

An actor *answers for* a sighting when no narrower actor does: an account always, a session, an address or a group
only for what was asked without an account. So a shared address is never judged for what its accounts do; that they
stand behind it is remembered all the same.

Accounts, addresses and sessions remember whom they met, each by itself (`actors/few.py`, `actors/contacts.py`). A group
has the first contacts of each member counted for it, by a Bloom filter of 64 bits and two hashes a member: a profile
never met is taken for a known one with probability (k / 32)^2 after k contacts, 6 % at 8 and 39 % at 20, so it counts
too few; the filter is emptied when 40 bits are set, after some 30 contacts, and then counts known ones again.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.core.compiled import in_place
from detectors.core.prefetch import AHEAD, prefetch
from schemas.actor import Scope
from schemas.sighting import Flag, Kind
from streams.pipeline.actors import contacts as met
from streams.pipeline.actors.few import MANY, is_few, last_of, make_many, meet_few, tell_few
from streams.pipeline.actors.memory import GRAIN, GRANULE_US, NEED, NEW, Blocks, recall, remembered
from streams.pipeline.actors.store import EXPOSED_MAX, Actors, Slots
from streams.pipeline.observe.text import signed
from streams.pipeline.rows import Rows
from streams.pipeline.windows.rings import SPANS, advance, count
from streams.pipeline.windows.union import unite

MEMBERS_CAP: Final = 8
"""Size class up to which the memory of the principals behind an address or group grows: 512."""
_VIEW, _LOOKUP = int(Kind.VIEW), int(Kind.LOOKUP)
_MISS, _LOGGED_IN = int(Flag.MISS), int(Flag.LOGGED_IN)
_ACCOUNT, _IP = int(Scope.ACCOUNT), int(Scope.IP)
_TOUCH: Final = int(Kind.TOUCH)
FILTER_BITS_MAX: Final = 40
_HEAD: Final = 4
_DAY_US: Final = 86_400_000_000
_DAY_GRANULES: Final = _DAY_US // GRANULE_US
BEHIND_MAX: Final = 256
"""More principals than this are told as so many; memory holds twice as many before it forgets one."""
_MANY: Final = 65_535
_TAUGHT_MAX: Final = 65_534
_SPREAD: Final = np.uint64(0x9E3779B97F4A7C15)
_ODD: Final = np.uint64(1 << 48)


@dataclass(frozen=True, slots=True)
class Aggregates:
    """What stands after each of n sightings."""

    answers: NDArray[np.bool_]
    first: NDArray[np.bool_]
    profiles: NDArray[np.uint32]
    """[n, 4] by `detectors.core.columns.Span`."""
    exposed: NDArray[np.int64]
    """Profiles disclosed to the actor so far; of a group those that its members saw together."""
    exact: NDArray[np.bool_]
    """`exposed` counts every profile once."""
    teaches: NDArray[np.bool_]
    """First contact of a principal that the model may learn from."""
    members: NDArray[np.uint16]
    """Principals that came through the address or group within 24 h, at most `BEHIND_MAX`; 0 for a person."""
    accounts: NDArray[np.uint16]
    """Those among them that are accounts; an account stands behind itself."""
    together: NDArray[np.uint32]
    """[n, 2] what a group's members saw within the last day or two: distinct profiles, and contacts (`union.py`)."""


@in_place
def _mix(a: np.uint64, b: np.uint64) -> np.uint64:
    x = (a ^ (b * _SPREAD)) * np.uint64(0xBF58476D1CE4E5B9)
    return (x ^ (x >> np.uint64(29))) * np.uint64(0x94D049BB133111EB)


@in_place
def _bits(word: np.uint64) -> int:
    count = 0
    while word != 0:
        word &= word - np.uint64(1)
        count += 1
    return count


@in_place
def _meets(seen: NDArray[np.uint64], seen_day: NDArray[np.uint16], pair: int, profile: np.uint64, day: int) -> bool:
    """Whether the member meets a profile for the first time, as far as its filter tells; remembers it."""
    if day - signed(seen_day[pair]) > met.HORIZON_DAYS:
        seen[pair] = 0
    seen_day[pair] = max(day, signed(seen_day[pair]))
    first, second = (profile >> np.uint64(50)) & np.uint64(63), (profile >> np.uint64(40)) & np.uint64(63)
    wanted = (np.uint64(1) << first) | (np.uint64(1) << second)
    if seen[pair] & wanted == wanted:
        return False
    if _bits(seen[pair]) >= FILTER_BITS_MAX:
        seen[pair] = 0
    seen[pair] |= wanted
    return True


@in_place
def _teaches(
    taught_day: NDArray[np.uint16], taught: NDArray[np.uint16], principal: int, day: int, taught_max: int
) -> bool:
    if taught_day[principal] != day:
        taught_day[principal] = day
        taught[principal] = 0
    taught[principal] += taught[principal] < taught_max + 1
    return bool(taught[principal] <= taught_max)


@in_place
def _meet(
    contacts: met.Blocks,
    slot: int,
    key: np.uint64,
    now: int,
    places: NDArray[np.int32],
    counts: NDArray[np.int64],
    words: NDArray[np.uint32],
    cells: NDArray[np.uint16],
) -> int:
    """Let a person meet a key; `NEW`, `NEED` where there must be more room, or any other number."""
    # What comes late counts as met now: the rings never go back, and memory must agree with them.
    if is_few(contacts, slot):
        after = meet_few(contacts, slot, key, max(now, last_of(contacts, slot)))
        if after != MANY:
            return after
        if places[slot, 0] == 0:
            if counts[0] == len(words):
                return met.NEED
            counts[0] += 1
            places[slot, 0] = counts[0]
        w = signed(places[slot, 0]) - 1
        make_many(contacts, slot, words[w], cells[w])
    w = signed(places[slot, 0]) - 1
    head = signed(words[w, _HEAD])
    now = max(now, head)
    after = met.meet(contacts, slot, key, now // _DAY_GRANULES - head // _DAY_GRANULES)
    if after != met.NEED:
        advance(words[w], cells[w], now)
        count(words[w], cells[w], after)
    return after


@in_place
def _tell(
    contacts: met.Blocks,
    slot: int,
    window: int,
    words: NDArray[np.uint32],
    out: NDArray[np.uint32],
    row: int,
) -> None:
    """Write into [n, 4] ``out`` what stands in each window of an actor, which has rings or few contacts."""
    if window < 0:
        tell_few(contacts, slot, out, row)
        return
    for r in range(SPANS):
        out[row, r] = words[window, r]


@in_place
def _aggregate(  # noqa: C901, PLR0912, PLR0915 - the hot loop
    start: int,
    slot: NDArray[np.int32],
    time_us: NDArray[np.int64],
    kind: NDArray[np.uint8],
    flags: NDArray[np.uint8],
    profile: NDArray[np.uint64],
    principal: NDArray[np.uint64],
    scope: NDArray[np.uint8],
    first_seen_us: NDArray[np.int64],
    exposed: NDArray[np.uint32],
    inexact: NDArray[np.bool_],
    behind_at: NDArray[np.int64],
    members_behind: NDArray[np.uint16],
    accounts_behind: NDArray[np.uint16],
    places: NDArray[np.int32],
    counts: NDArray[np.int64],
    own: NDArray[np.int32],
    pair: NDArray[np.int32],
    taught_day: NDArray[np.uint16],
    taught: NDArray[np.uint16],
    taught_max: int,
    seen: NDArray[np.uint64],
    seen_day: NDArray[np.uint16],
    contacts: met.Blocks,
    members: Blocks,
    words: NDArray[np.uint32],
    cells: NDArray[np.uint16],
    out_answers: NDArray[np.bool_],
    out_first: NDArray[np.bool_],
    out_profiles: NDArray[np.uint32],
    out_exposed: NDArray[np.int64],
    out_exact: NDArray[np.bool_],
    out_teaches: NDArray[np.bool_],
    out_members: NDArray[np.uint16],
    out_accounts: NDArray[np.uint16],
) -> int:
    for i in range(start, slot.size):
        if i + 2 * AHEAD < slot.size:
            # First where the actor's blocks and rings are, then these.
            later, soon = slot[i + 2 * AHEAD], slot[i + AHEAD]
            prefetch(later, (scope, first_seen_us, exposed, inexact, behind_at, members_behind, accounts_behind))
            prefetch(later, (places, contacts.head, contacts.overflowed, members.head))
            prefetch(pair[i + 2 * AHEAD], (seen, seen_day))
            prefetch(members.head[soon, 0] // 16 * GRAIN, (members.entries,))
            prefetch(contacts.head[soon, 0] * met.GRAIN, (contacts.entries,))
            prefetch(places[soon, 0] - 1, (words,))
        s, now = slot[i], time_us[i] // GRANULE_US
        logged_in = flags[i] & _LOGGED_IN != 0
        if scope[s] >= _IP:
            key = principal[i] & ~_ODD | (_ODD if logged_in else np.uint64(0))
            # Here too what comes late counts as met now: memory takes a time far behind for one of two weeks ago.
            at = max(now, signed(behind_at[s]))
            age = recall(members, s, key, at, MEMBERS_CAP)
            if age == NEED:
                return i
            if at != behind_at[s]:
                behind_at[s] = at
                members_behind[s], accounts_behind[s] = remembered(members, s, at, _DAY_GRANULES)
            elif age == NEW or age > _DAY_GRANULES:
                members_behind[s] = min(members_behind[s] + 1, _MANY)
                accounts_behind[s] = min(accounts_behind[s] + logged_in, _MANY)
            out_members[i] = min(members_behind[s], BEHIND_MAX)
            out_accounts[i] = min(accounts_behind[s], BEHIND_MAX)
        elif scope[s] == _ACCOUNT:
            out_accounts[i] = 1
        answers = scope[s] == _ACCOUNT or not logged_in
        shown = flags[i] & _MISS == 0 and kind[i] < _TOUCH
        by_id = shown and (kind[i] == _VIEW or kind[i] == _LOOKUP)
        if by_id and pair[i] >= 0:
            out_first[i] = _meets(seen, seen_day, pair[i], profile[i], time_us[i] // _DAY_US)
            if answers and out_first[i]:
                w = signed(places[s, 0]) - 1
                now = max(now, signed(words[w, _HEAD]))
                advance(words[w], cells[w], now)
                count(words[w], cells[w], -1)
        elif by_id and answers:
            after = _meet(contacts, s, _mix(profile[i], principal[i]), now, places, counts, words, cells)
            if after == met.NEED:
                return i
            if after == met.NEW:
                out_first[i] = True
                exposed[s] = min(signed(exposed[s]) + 1, EXPOSED_MAX)
                if kind[i] == _VIEW and own[i] >= 0:
                    out_teaches[i] = _teaches(taught_day, taught, own[i], time_us[i] // _DAY_US, taught_max)
        elif shown and answers and pair[i] < 0:
            exposed[s] = min(signed(exposed[s]) + 1, EXPOSED_MAX)
            inexact[s] = True
        if first_seen_us[s] == 0:
            first_seen_us[s] = time_us[i]
        out_answers[i] = answers
        if pair[i] >= 0 or answers:
            w = -1 if pair[i] < 0 and is_few(contacts, s) else signed(places[s, 0]) - 1
            _tell(contacts, s, w, words, out_profiles, i)
        out_exposed[i] = exposed[s]
        out_exact[i] = not inexact[s] and not contacts.overflowed[s]
    return slot.size


def aggregate(actors: Actors, rows: Rows, slots: Slots, taught_max: int) -> Aggregates:
    """Move ``actors`` on by ``rows`` in order of judgement; ``taught_max`` first contacts a principal and day teach.

    ``slots`` are `Actors.places` of the rows. Where an actor did not answer, its aggregates are those from before, and
    the windows of a session or address read zero; a group's first contacts are those of its members, whether it answers
    or not.
    """
    n = len(rows)
    out = Aggregates(
        answers=np.zeros(n, np.bool_),
        first=np.zeros(n, np.bool_),
        profiles=np.zeros((n, SPANS), np.uint32),
        exposed=np.zeros(n, np.int64),
        exact=np.zeros(n, np.bool_),
        teaches=np.zeros(n, np.bool_),
        members=np.zeros(n, np.uint16),
        accounts=np.zeros(n, np.uint16),
        together=np.zeros((0, 2), np.uint32),
    )
    c, own, pairs, done = actors.columns, actors.principals.columns, actors.pairs.columns, 0
    places, counts = actors.window_places
    while True:
        words = actors.windows.columns["ring"]
        cells = words.view(np.uint16)
        done = _aggregate(
            done, rows.slot, rows.time_us, rows.kind, rows.flags, rows.profile, rows.principal,
            c["scope"], c["first_seen_us"], c["exposed"], c["inexact"],
            c["behind_at"], c["members_behind"], c["accounts_behind"],
            places, counts, slots.principal, slots.member,
            own["taught_day"], own["taught"], min(taught_max, _TAUGHT_MAX),
            pairs["seen"], pairs["seen_day"], actors.contacts.blocks, actors.members.blocks, words, cells,
            out.answers, out.first, out.profiles, out.exposed, out.exact, out.teaches, out.members, out.accounts,
        )  # fmt: skip
        actors.windows.reserve(int(counts[0]))
        if done == n:
            together = unite(actors, rows, slots, out.first, out.exposed)
            return replace(out, together=together)
        if actors.members.wanting:
            actors.members.grow_needed()
        if actors.contacts.wanting:
            actors.contacts.grow_needed()
        actors.windows.make_room()
