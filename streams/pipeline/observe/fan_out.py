"""From events to sightings: each disclosed or missed profile once for each actor, by destination.

Two passes over the events: the first finds every actor once for its destination and counts, the second writes. An actor
has one destination, so one table of actors serves all of them.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.core.compiled import compiled
from schemas.actor import Scope
from schemas.sighting import ACTOR_COLUMNS, COLUMNS, Flag
from streams.pipeline.observe.disclosure import Disclosures, Outcome
from streams.pipeline.observe.events import ABSENT, ASN_AT, ROOM, Events, Field
from streams.pipeline.observe.hashing import destination, key_within, xxh64
from streams.pipeline.observe.text import Text, copy, is_same, signed, write_number

SCOPES: Final = len(Scope)
TIERS_MAX: Final = 255
"""Account tiers of one batch; further ones become the unnamed tier."""

_FIELDS: Final = np.array(
    [Field.USER, Field.SESSION, Field.ADDRESS, Field.NET, Field.ASN, Field.FINGERPRINT], dtype=np.int64
)
"""Column that holds the value of each scope, in the order of `Scope`."""

_ACCOUNT: Final = Scope.ACCOUNT - 1
_SESSION: Final = Scope.SESSION - 1
_ADDRESS: Final = Scope.IP - 1
_MISS: Final = int(Flag.MISS)
_LOGGED_IN: Final = int(Flag.LOGGED_IN)
_PRINCIPAL: Final = int(Flag.PRINCIPAL)


# Columns of `Actors.origin`.
_OWNER: Final = 0
_PLACE: Final = 1
_EVENT: Final = 2
_SCOPE: Final = 3

# Columns of `Actors.totals`.
_ROWS: Final = 0
_COUNT: Final = 1
_TEXT_BYTES: Final = 2


class Actors(NamedTuple):
    """Actors of n events, and the a different ones among them in order of first appearance."""

    of: NDArray[np.int32]
    """[n, SCOPES] the actor of each scope; ABSENT where there is none."""
    key: NDArray[np.uint64]
    """[a]"""
    origin: NDArray[np.int32]
    """[a, 4] its destination; which of the actors there it is; the first event that names it; its column of `of`."""
    totals: NDArray[np.int64]
    """[destinations, 3] sightings; actors; bytes of their texts."""


class Rows(NamedTuple):
    """Columns of sightings; each destination's stand together, in order of destination."""

    first: NDArray[np.int64]
    """[destinations + 1] where the sightings of each destination begin."""
    actor: NDArray[np.uint32]
    time_us: NDArray[np.int64]
    offset: NDArray[np.uint32]
    ordinal: NDArray[np.uint16]
    kind: NDArray[np.uint8]
    flags: NDArray[np.uint8]
    tier: NDArray[np.uint8]
    profile: NDArray[np.uint64]
    principal: NDArray[np.uint64]


class Named(NamedTuple):
    """Columns of the actors that sightings point to, by destination as they do."""

    first: NDArray[np.int64]
    """[destinations + 1] where the actors of each destination begin."""
    text_first: NDArray[np.int64]
    """[destinations + 1] where the texts of each destination begin."""
    key: NDArray[np.uint64]
    scope: NDArray[np.uint8]
    text_end: NDArray[np.uint32]
    """Within the texts of its destination."""
    text: Text


class Tiers(NamedTuple):
    """Account tiers of n events."""

    of: NDArray[np.uint8]
    """[n] which tier; 0 is the unnamed one."""
    event: NDArray[np.int64]
    """An event of each named tier, from tier 1 on."""


def fan_out(
    events: Events, shown: Disclosures, time_us: NDArray[np.int64], offset: NDArray[np.int64], destinations: int
) -> tuple[Rows, Named, Tiers]:
    """Sightings of all events, in the order of events within each destination.

    ``offset`` is the source offset of each event minus the first of the batch, and fits in 32 bits.
    """
    actors = _find_actors(events, shown, destinations)
    tiers = _find_tiers(events, shown)
    row_first, actor_first, text_first = (np.concatenate(([0], np.cumsum(total))) for total in actors.totals.T)
    rows, named = _room_for_rows(row_first), _room_for_actors(actor_first, text_first)
    of, key, origin = actors.of, actors.key, actors.origin
    _write_rows(
        shown.outcome, shown.first, shown.profile, shown.kind, of, key, origin, tiers.of, time_us, offset, *rows
    )
    _write_actors(events.text, events.start, events.size, key, origin, *named)
    return rows, named, tiers


def _find_actors(events: Events, shown: Disclosures, destinations: int) -> Actors:
    most = int(np.count_nonzero(np.diff(shown.first))) * SCOPES
    actors = Actors(
        np.full((len(events.fault), SCOPES), ABSENT, np.int32),
        np.empty(most, np.uint64),
        np.empty((most, 4), np.int32),
        np.zeros((destinations, 3), np.int64),
    )
    table = np.full(1 << (2 * most + 1).bit_length(), ABSENT, np.int32)
    _find(events.text, events.start, events.size, events.asn, shown.first, *actors, table)
    return actors


def _find_tiers(events: Events, shown: Disclosures) -> Tiers:
    tiers = Tiers(np.zeros(len(events.fault), np.uint8), np.empty(TIERS_MAX, np.int64))
    count = _find_tier_texts(events.text, events.start, events.size, shown.first, *tiers)
    return tiers._replace(event=tiers.event[:count])


def _room_for_rows(first: NDArray[np.int64]) -> Rows:
    return Rows(first, *(np.empty(first[-1], dtype) for dtype in COLUMNS.values()))


def _room_for_actors(first: NDArray[np.int64], text_first: NDArray[np.int64]) -> Named:
    key, scope, text_end = (np.empty(first[-1], dtype) for dtype in ACTOR_COLUMNS.values())
    return Named(first, text_first, key, scope, text_end, np.empty(text_first[-1], np.uint8))


@compiled
def _find_in(table: NDArray[np.int32], keys: NDArray[np.uint64], key: np.uint64) -> int:
    """Where in the table the actor with ``key`` stands, or else is to be entered."""
    mask = len(table) - 1
    place = signed(key & np.uint64(mask))
    while table[place] != ABSENT and keys[table[place]] != key:
        place = (place + 1) & mask
    return place


@compiled
def _find(
    text: Text,
    start: NDArray[np.int64],
    size: NDArray[np.int64],
    asn: NDArray[np.int64],
    first: NDArray[np.int64],
    of: NDArray[np.int32],
    keys: NDArray[np.uint64],
    origin: NDArray[np.int32],
    totals: NDArray[np.int64],
    table: NDArray[np.int32],
) -> None:
    count = 0
    for row in range(len(asn)):
        profiles = first[row + 1] - first[row]
        if profiles == 0:
            continue
        if asn[row] != ABSENT:
            at = row * ROOM + ASN_AT
            start[row, Field.ASN], size[row, Field.ASN] = at, write_number(text, at, asn[row]) - at
        account = np.uint64(0)
        for scope in range(SCOPES):
            field = _FIELDS[scope]
            if size[row, field] == ABSENT:
                continue
            key = xxh64(text, start[row, field], size[row, field], np.uint64(scope + 1))
            home = key
            if scope == _ACCOUNT:
                account = key
            elif scope == _SESSION and size[row, Field.USER] != ABSENT:
                key, home = key_within(key, account), account
            place = _find_in(table, keys, key)
            actor = table[place]
            if actor == ABSENT:
                actor = count
                count += 1
                table[place] = actor
                owner = destination(home, len(totals))
                keys[actor] = key
                origin[actor, _OWNER], origin[actor, _PLACE] = owner, totals[owner, _COUNT]
                origin[actor, _EVENT], origin[actor, _SCOPE] = row, scope
                totals[owner, _COUNT] += 1
                totals[owner, _TEXT_BYTES] += size[row, field]
            of[row, scope] = actor
            totals[origin[actor, _OWNER], _ROWS] += profiles


@compiled
def _find_tier_texts(
    text: Text,
    start: NDArray[np.int64],
    size: NDArray[np.int64],
    first: NDArray[np.int64],
    of: NDArray[np.uint8],
    named: NDArray[np.int64],
) -> int:
    """Fill in the tier of each event that has sightings; how many named ones there are."""
    count = 0
    for row in range(len(of)):
        begin, length = start[row, Field.TIER], size[row, Field.TIER]
        if length == ABSENT or first[row + 1] == first[row]:
            continue
        for known in range(TIERS_MAX):
            if known == count:
                named[count] = row
                count += 1
            other = named[known]
            if size[other, Field.TIER] == length and is_same(text, begin, text, start[other, Field.TIER], length):
                of[row] = known + 1
                break
    return count


@compiled
def _principal(account: int, address: int) -> int:
    """Column of who the request is judged by first: the account, else the address, else the session."""
    if account != ABSENT:
        return _ACCOUNT
    return _ADDRESS if address != ABSENT else _SESSION


@compiled
def _write_rows(
    outcome: NDArray[np.uint8],
    first: NDArray[np.int64],
    profiles: NDArray[np.uint64],
    kinds: NDArray[np.uint8],
    of: NDArray[np.int32],
    keys: NDArray[np.uint64],
    origin: NDArray[np.int32],
    tiers: NDArray[np.uint8],
    event_time_us: NDArray[np.int64],
    event_offset: NDArray[np.int64],
    row_first: NDArray[np.int64],
    actor: NDArray[np.uint32],
    time_us: NDArray[np.int64],
    offset: NDArray[np.uint32],
    ordinal: NDArray[np.uint16],
    kind: NDArray[np.uint8],
    flags: NDArray[np.uint8],
    tier: NDArray[np.uint8],
    profile: NDArray[np.uint64],
    principal: NDArray[np.uint64],
) -> None:
    following = row_first.copy()
    for event in range(len(outcome)):
        if first[event + 1] == first[event]:
            continue
        common = _MISS if outcome[event] == Outcome.MISSED else 0
        common |= _LOGGED_IN if of[event, _ACCOUNT] != ABSENT else 0
        chief = _principal(of[event, _ACCOUNT], of[event, _ADDRESS])
        chief_key = keys[of[event, chief]]
        for at in range(first[event], first[event + 1]):
            for scope in range(SCOPES):
                one = of[event, scope]
                if one == ABSENT:
                    continue
                owner = origin[one, _OWNER]
                to = following[owner]
                following[owner] = to + 1
                actor[to] = origin[one, _PLACE]
                time_us[to] = event_time_us[event]
                offset[to] = event_offset[event]
                ordinal[to] = at - first[event]
                kind[to] = kinds[at]
                flags[to] = common | _PRINCIPAL if scope == chief else common
                tier[to] = tiers[event]
                profile[to] = profiles[at]
                principal[to] = chief_key


@compiled
def _write_actors(
    text: Text,
    start: NDArray[np.int64],
    size: NDArray[np.int64],
    keys: NDArray[np.uint64],
    origin: NDArray[np.int32],
    actor_first: NDArray[np.int64],
    text_first: NDArray[np.int64],
    actor_key: NDArray[np.uint64],
    actor_scope: NDArray[np.uint8],
    actor_text_end: NDArray[np.uint32],
    actor_text: Text,
) -> None:
    following = text_first.copy()
    for actor in range(len(actor_key)):
        owner, event, scope = origin[actor, _OWNER], origin[actor, _EVENT], origin[actor, _SCOPE]
        begin, length = start[event, _FIELDS[scope]], size[event, _FIELDS[scope]]
        following[owner] = copy(text, begin, length, actor_text, following[owner])
        to = actor_first[owner] + origin[actor, _PLACE]
        actor_key[to], actor_scope[to] = keys[actor], scope + 1
        actor_text_end[to] = following[owner] - text_first[owner]
