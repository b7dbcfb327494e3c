"""From events to sightings: each item of an event once for each actor that it concerns, by destination.

A profile disclosed or missed concerns all actors of its event, a search or list as such the principal, a touch the
principal and the groups. Two passes over the events: the first finds every actor once for its destination and counts,
the second writes. An actor has one destination, so one table of actors serves all of them.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.core.columns import NO_NUMBER
from detectors.core.compiled import compiled
from schemas.sighting import ACTOR_COLUMNS, COLUMNS, DETAIL_COLUMNS, Flag, Kind
from streams.pipeline.observe.detail import Details
from streams.pipeline.observe.disclosure import Disclosures, Outcome
from streams.pipeline.observe.events import ABSENT, Events, Field
from streams.pipeline.observe.naming import (
    ACCOUNT,
    CELL_US,
    EVENT,
    FIELDS,
    OWNER,
    PLACE,
    SCOPE,
    SCOPES,
    YOUNG_S,
    Named,
    find_actors,
    find_members,
)
from streams.pipeline.observe.text import Text, copy, is_same, signed

TIERS_MAX: Final = 255
"""Account tiers of one batch; further ones become the unnamed tier."""

_MISS: Final = int(Flag.MISS)
_LOGGED_IN: Final = int(Flag.LOGGED_IN)
_PRINCIPAL: Final = int(Flag.PRINCIPAL)
_YOUNG: Final = int(Flag.YOUNG)
_TOUCH: Final = int(Kind.TOUCH)
_QUERY: Final = int(Kind.QUERY)


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


class Known(NamedTuple):
    """Columns of what is known of principals' sightings alone, in their order, by destination as they are."""

    first: NDArray[np.int64]
    """[destinations + 1]"""
    number: NDArray[np.int64]
    address: NDArray[np.uint64]
    asn: NDArray[np.uint32]
    created_s: NDArray[np.uint32]
    country: NDArray[np.uint16]
    agent: NDArray[np.uint16]
    shown: NDArray[np.uint16]


class Tiers(NamedTuple):
    """Account tiers of n events."""

    of: NDArray[np.uint8]
    """[n] which tier; 0 is the unnamed one."""
    event: NDArray[np.int64]
    """An event of each named tier, from tier 1 on."""


class FannedOut(NamedTuple):
    """All columns of a batch's sightings, by destination."""

    rows: Rows
    known: Known
    named: Named
    """Those that sightings point to."""
    members: Named
    """Principals to be named as members of groups."""
    tiers: Tiers


def fan_out(
    events: Events,
    shown: Disclosures,
    found: Details,
    time_us: NDArray[np.int64],
    created_s: NDArray[np.uint32],
    offset: NDArray[np.int64],
    destinations: int,
) -> FannedOut:
    """Sightings of all events, in the order of events within each destination.

    ``offset`` is the source offset of each event minus the first of the batch, and fits in 32 bits.
    """
    actors = find_actors(events, shown, time_us, destinations)
    tiers = _find_tiers(events, shown)
    row_first, actor_first, text_first, detail_first = (
        np.concatenate(([0], np.cumsum(total))) for total in actors.totals.T
    )
    rows, named = _room_for_rows(row_first), _room_for_actors(actor_first, text_first)
    known = Known(detail_first, *(np.empty(detail_first[-1], dtype) for dtype in DETAIL_COLUMNS.values()))
    of, key, origin = actors.of, actors.key, actors.origin
    _write_rows(
        shown.outcome, shown.first, shown.profile, shown.kind, of, actors.chief, key, origin, tiers.of, time_us,
        created_s, offset, *rows,
    )  # fmt: skip
    _write_details(
        shown.first,
        shown.kind,
        actors.chief,
        of,
        origin,
        actors.address,
        events.asn,
        created_s,
        found.number,
        found.query_number,
        found.country,
        found.agent,
        *known,
    )
    _write_actors(events.text, events.start, events.size, key, origin, *named)
    return FannedOut(rows, known, named, find_members(events, shown, actors, created_s, time_us), tiers)


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
def _write_rows(
    outcome: NDArray[np.uint8],
    first: NDArray[np.int64],
    profiles: NDArray[np.uint64],
    kinds: NDArray[np.uint8],
    of: NDArray[np.int32],
    chiefs: NDArray[np.int8],
    keys: NDArray[np.uint64],
    origin: NDArray[np.int32],
    tiers: NDArray[np.uint8],
    event_time_us: NDArray[np.int64],
    event_created_s: NDArray[np.uint32],
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
        chief = chiefs[event]
        if chief == ABSENT:
            continue
        common = _MISS if outcome[event] == Outcome.MISSED else 0
        common |= _LOGGED_IN if chief == ACCOUNT else 0
        made_s = signed(event_created_s[event])
        common |= _YOUNG if made_s > 0 and event_time_us[event] // 1_000_000 - made_s < YOUNG_S else 0
        chief_key = keys[of[event, chief]]
        at_us = event_time_us[event]
        if kinds[first[event]] == _TOUCH:
            at_us = (at_us // CELL_US + 1) * CELL_US - 1
        for at in range(first[event], first[event + 1]):
            for scope in range(of.shape[1]):
                one = of[event, scope]
                if one == ABSENT or (kinds[at] == _QUERY and scope != chief):
                    continue
                owner = origin[one, OWNER]
                to = following[owner]
                following[owner] = to + 1
                actor[to] = origin[one, PLACE]
                time_us[to] = at_us
                offset[to] = event_offset[event]
                ordinal[to] = at - first[event]
                kind[to] = kinds[at]
                flags[to] = common | _PRINCIPAL if scope == chief else common
                tier[to] = tiers[event]
                profile[to] = profiles[at]
                principal[to] = chief_key


@compiled
def _write_details(
    first: NDArray[np.int64],
    kinds: NDArray[np.uint8],
    chiefs: NDArray[np.int8],
    of: NDArray[np.int32],
    origin: NDArray[np.int32],
    addresses: NDArray[np.uint64],
    asns: NDArray[np.int64],
    event_created_s: NDArray[np.uint32],
    numbers: NDArray[np.int64],
    query_numbers: NDArray[np.int64],
    countries: NDArray[np.uint16],
    agents: NDArray[np.uint16],
    detail_first: NDArray[np.int64],
    number: NDArray[np.int64],
    address: NDArray[np.uint64],
    asn: NDArray[np.uint32],
    created_s: NDArray[np.uint32],
    country: NDArray[np.uint16],
    agent: NDArray[np.uint16],
    shown: NDArray[np.uint16],
) -> None:
    following = detail_first.copy()
    for event in range(len(chiefs)):
        chief = chiefs[event]
        if chief == ABSENT:
            continue
        owner, items = origin[of[event, chief], OWNER], first[event + 1] - first[event]
        for at in range(first[event], first[event + 1]):
            to = following[owner]
            following[owner] = to + 1
            by_id = kinds[at] == Kind.VIEW or kinds[at] == Kind.LOOKUP
            number[to] = query_numbers[event] if kinds[at] == _QUERY else (numbers[event] if by_id else NO_NUMBER)
            address[to] = addresses[event]
            asn[to] = max(asns[event], 0)
            created_s[to] = event_created_s[event]
            country[to], agent[to] = countries[event], agents[event]
            shown[to] = items - 1 if kinds[at] == _QUERY else 0


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
        owner, event, scope = origin[actor, OWNER], origin[actor, EVENT], origin[actor, SCOPE]
        begin, length = start[event, FIELDS[scope]], size[event, FIELDS[scope]]
        following[owner] = copy(text, begin, length, actor_text, following[owner])
        to = actor_first[owner] + origin[actor, PLACE]
        actor_key[to], actor_scope[to] = keys[actor], min(scope + 1, SCOPES)
        actor_text_end[to] = following[owner] - text_first[owner]
