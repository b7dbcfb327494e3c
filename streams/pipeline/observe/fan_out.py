"""From events to sightings: each item of an event once for each actor that it concerns, by destination.

A profile disclosed or missed concerns all actors of its event, a search or list as such the principal, a touch the
principal and the groups. Two passes over the events: the first finds every actor once for its destination and counts,
the second writes. An actor has one destination, so one table of actors serves all of them.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.core.columns import NO_NUMBER
from detectors.core.compiled import in_place
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
    Actors,
    Named,
    find_actors,
    find_members,
)
from streams.pipeline.observe.text import copy, is_same, signed

TIERS_MAX: Final = 255
"""Account tiers of one batch; further ones become the unnamed tier."""

_MISS: Final = int(Flag.MISS)
_LOGGED_IN: Final = int(Flag.LOGGED_IN)
_PRINCIPAL: Final = int(Flag.PRINCIPAL)
_YOUNG: Final = int(Flag.YOUNG)
_TOUCH: Final = int(Kind.TOUCH)
_QUERY: Final = int(Kind.QUERY)
_VIEW: Final = int(Kind.VIEW)
_LOOKUP: Final = int(Kind.LOOKUP)


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
    _write_rows(shown, actors, tiers.of, time_us, created_s, offset, row_first.copy(), rows)
    _write_details(shown, actors, found, events.asn, created_s, detail_first.copy(), known)
    _write_actors(events, actors, actor_first, text_first.copy(), named)
    return FannedOut(rows, known, named, find_members(events, shown, actors, created_s, time_us), tiers)


def _find_tiers(events: Events, shown: Disclosures) -> Tiers:
    tiers = Tiers(np.zeros(len(events.fault), np.uint8), np.empty(TIERS_MAX, np.int64))
    count = _find_tier_texts(events, shown.first, tiers)
    return tiers._replace(event=tiers.event[:count])


def _room_for_rows(first: NDArray[np.int64]) -> Rows:
    return Rows(first, *(np.empty(first[-1], dtype) for dtype in COLUMNS.values()))


def _room_for_actors(first: NDArray[np.int64], text_first: NDArray[np.int64]) -> Named:
    key, scope, text_end = (np.empty(first[-1], dtype) for dtype in ACTOR_COLUMNS.values())
    return Named(first, text_first, key, scope, text_end, np.empty(text_first[-1], np.uint8))


@in_place
def _find_tier_texts(events: Events, first: NDArray[np.int64], tiers: Tiers) -> int:
    """Fill in the tier of each event that has sightings; how many named ones there are."""
    text, start, size, count = events.text, events.start, events.size, 0
    for row in range(len(tiers.of)):
        begin, length = start[row, Field.TIER], size[row, Field.TIER]
        if length == ABSENT or first[row + 1] == first[row]:
            continue
        for known in range(TIERS_MAX):
            if known == count:
                tiers.event[count] = row
                count += 1
            other = tiers.event[known]
            if size[other, Field.TIER] == length and is_same(text, begin, text, start[other, Field.TIER], length):
                tiers.of[row] = known + 1
                break
    return count


@in_place
def _flags(outcome: int, chief: int, time_us: int, created_s: int) -> int:
    """What every sighting of an event says of it."""
    flags = _MISS if outcome == Outcome.MISSED else 0
    flags |= _LOGGED_IN if chief == ACCOUNT else 0
    made_s = signed(created_s)
    return flags | (_YOUNG if made_s > 0 and time_us // 1_000_000 - made_s < YOUNG_S else 0)


@in_place
def _write_rows(
    shown: Disclosures,
    actors: Actors,
    tiers: NDArray[np.uint8],
    time_us: NDArray[np.int64],
    created_s: NDArray[np.uint32],
    offset: NDArray[np.int64],
    following: NDArray[np.int64],
    rows: Rows,
) -> None:
    """Write all sightings; ``following`` is where the next one of each destination goes."""
    for event in range(len(time_us)):
        chief = actors.chief[event]
        if chief == ABSENT:
            continue
        flags = _flags(shown.outcome[event], chief, time_us[event], created_s[event])
        principal, at_us = actors.key[actors.of[event, chief]], time_us[event]
        if shown.kind[shown.first[event]] == _TOUCH:
            at_us = (at_us // CELL_US + 1) * CELL_US - 1
        for at in range(shown.first[event], shown.first[event + 1]):
            for scope in range(actors.of.shape[1]):
                actor = actors.of[event, scope]
                if actor == ABSENT or (shown.kind[at] == _QUERY and scope != chief):
                    continue
                owner = actors.origin[actor, OWNER]
                to = following[owner]
                following[owner] = to + 1
                rows.actor[to] = actors.origin[actor, PLACE]
                rows.time_us[to] = at_us
                rows.offset[to] = offset[event]
                rows.ordinal[to] = at - shown.first[event]
                rows.kind[to] = shown.kind[at]
                rows.flags[to] = flags | _PRINCIPAL if scope == chief else flags
                rows.tier[to] = tiers[event]
                rows.profile[to] = shown.profile[at]
                rows.principal[to] = principal


@in_place
def _write_details(
    shown: Disclosures,
    actors: Actors,
    found: Details,
    asn: NDArray[np.int64],
    created_s: NDArray[np.uint32],
    following: NDArray[np.int64],
    known: Known,
) -> None:
    """Write what is known of principals' sightings; ``following`` is where the next of each destination goes."""
    for event in range(len(asn)):
        chief = actors.chief[event]
        if chief == ABSENT:
            continue
        owner, first, end = actors.origin[actors.of[event, chief], OWNER], shown.first[event], shown.first[event + 1]
        for at in range(first, end):
            to, kind = following[owner], shown.kind[at]
            following[owner] = to + 1
            number = found.number[event] if kind == _VIEW or kind == _LOOKUP else NO_NUMBER
            known.number[to] = found.query_number[event] if kind == _QUERY else number
            known.address[to] = actors.address[event]
            known.asn[to] = max(asn[event], 0)
            known.created_s[to] = created_s[event]
            known.country[to], known.agent[to] = found.country[event], found.agent[event]
            known.shown[to] = end - first - 1 if kind == _QUERY else 0


@in_place
def _write_actors(
    events: Events, actors: Actors, first: NDArray[np.int64], following: NDArray[np.int64], named: Named
) -> None:
    """Write all actors; ``following`` is where the next text of each destination goes."""
    for actor in range(len(named.key)):
        owner, event = actors.origin[actor, OWNER], actors.origin[actor, EVENT]
        scope = actors.origin[actor, SCOPE]
        begin, length = events.start[event, FIELDS[scope]], events.size[event, FIELDS[scope]]
        following[owner] = copy(events.text, begin, length, named.text, following[owner])
        to = first[owner] + actors.origin[actor, PLACE]
        named.key[to], named.scope[to] = actors.key[actor], min(scope + 1, SCOPES)
        named.text_end[to] = following[owner] - named.text_first[owner]
