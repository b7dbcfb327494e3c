"""Who the events of a batch concern: each actor found once, with its key and the partition that owns it."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.core.compiled import compiled, in_place
from detectors.core.hashing import destination, key_within, mix, of_scope, xxh64
from schemas.actor import Scope
from schemas.sighting import Kind
from streams.pipeline.observe.disclosure import Disclosures
from streams.pipeline.observe.events import (
    ABSENT,
    ASN_AT,
    FINGERPRINT_ASN_AT,
    FINGERPRINT_MAX,
    ROOM,
    Events,
    Field,
)
from streams.pipeline.observe.text import Text, copy, signed, write_number
from streams.settings import GROUPS_MAX

SCOPES: Final = len(Scope)
_PLAIN: Final = SCOPES - 1
"""Columns of scopes that have one value an event."""
FIELDS: Final = np.array(
    [
        *(Field.USER, Field.SESSION, Field.ADDRESS, Field.NET, Field.ASN, Field.FINGERPRINT, Field.FINGERPRINT_ASN),
        *range(len(Field), len(Field) + GROUPS_MAX),
    ],
    dtype=np.int64,
)
"""Column of events with the value of each column of `Actors.of`: the scopes in their order, then every combination."""
YOUNG_S: Final = 14 * 86_400
"""An account is young for so long."""
NAMED_ONE_IN: Final = 8
CELL_US: Final = 10_000_000
"""Touches of a principal within one cell of event time are one."""

ACCOUNT: Final = Scope.ACCOUNT - 1
_SESSION: Final = Scope.SESSION - 1
_ADDRESS: Final = Scope.IP - 1
_GROUPS: Final = Scope.NET - 1
"""Column of the first group scope; all behind it are such."""
_FINGERPRINT: Final = Scope.FINGERPRINT - 1
_TOUCH: Final = int(Kind.TOUCH)
_QUERY: Final = int(Kind.QUERY)
_VIEW: Final = int(Kind.VIEW)
_SPREAD: Final = np.uint64(0x9E3779B97F4A7C15)
_AT: Final = ord("@")

# Columns of `Actors.origin`.
OWNER: Final = 0
PLACE: Final = 1
EVENT: Final = 2
SCOPE: Final = 3

# Columns of `Actors.totals`.
_ROWS: Final = 0
_COUNT: Final = 1
_TEXT_BYTES: Final = 2
_DETAILS: Final = 3


class Named(NamedTuple):
    """Columns of actors with their texts, by destination."""

    first: NDArray[np.int64]
    """[destinations + 1] where the actors of each destination begin."""
    text_first: NDArray[np.int64]
    """[destinations + 1] where the texts of each destination begin."""
    key: NDArray[np.uint64]
    scope: NDArray[np.uint8]
    text_end: NDArray[np.uint32]
    """Within the texts of its destination."""
    text: Text


class Actors(NamedTuple):
    """Actors of n events, and the a different ones among them in order of first appearance."""

    of: NDArray[np.int32]
    """[n, columns] the actor of each column of `FIELDS` that the event concerns; ABSENT where there is none."""
    chief: NDArray[np.int8]
    """[n] column of the principal; ABSENT where the event leaves no sighting."""
    address: NDArray[np.uint64]
    """[n] key of the client's address; 0 where there is none."""
    key: NDArray[np.uint64]
    """[a]"""
    origin: NDArray[np.int32]
    """[a, 4] its destination; which of the actors there it is; the first event that names it; its column of `of`."""
    totals: NDArray[np.int64]
    """[destinations, 4] sightings; actors; bytes of their texts; sightings of principals."""


def find_actors(events: Events, shown: Disclosures, time_us: NDArray[np.int64], destinations: int) -> Actors:
    """The actors of all events that leave a sighting, each with one of ``destinations``."""
    count, columns = len(events.fault), _PLAIN + events.size.shape[1] - len(Field)
    most = int(np.count_nonzero(np.diff(shown.first))) * columns
    actors = Actors(
        np.full((count, columns), ABSENT, np.int32),
        np.full(count, ABSENT, np.int8),
        np.zeros(count, np.uint64),
        np.empty(most, np.uint64),
        np.empty((most, 4), np.int32),
        np.zeros((destinations, 4), np.int64),
    )
    table = np.full(1 << (2 * most + 1).bit_length(), ABSENT, np.int32)
    touches = int(np.count_nonzero(shown.kind == _TOUCH))
    cells = np.zeros(1 << (2 * touches + 1).bit_length(), np.uint64)
    _find(events, shown, time_us, table, cells, actors)
    return actors


@compiled
def _find_in(table: NDArray[np.int32], keys: NDArray[np.uint64], key: np.uint64) -> int:
    """Where in the table the actor with ``key`` stands, or else is to be entered."""
    mask = len(table) - 1
    place = signed(key & np.uint64(mask))
    while table[place] != ABSENT and keys[table[place]] != key:
        place = (place + 1) & mask
    return place


@compiled
def _principal(account: int, address: int) -> int:
    """Column of who the request is judged by first: the account, else the address, else the session."""
    if account != ABSENT:
        return ACCOUNT
    return _ADDRESS if address != ABSENT else _SESSION


@in_place
def _write_group_texts(events: Events, row: int) -> None:
    """Write the values of the ASN and of the fingerprint within it, where there are such."""
    text, start, size = events.text, events.start, events.size
    if events.asn[row] == ABSENT:
        return
    at = row * ROOM + ASN_AT
    start[row, Field.ASN], size[row, Field.ASN] = at, write_number(text, at, events.asn[row]) - at
    length = size[row, Field.FINGERPRINT]
    if length != ABSENT and length <= FINGERPRINT_MAX:
        begin = row * ROOM + FINGERPRINT_ASN_AT
        end = copy(text, start[row, Field.FINGERPRINT], length, text, begin)
        text[end] = _AT
        end = copy(text, at, size[row, Field.ASN], text, end + 1)
        start[row, Field.FINGERPRINT_ASN], size[row, Field.FINGERPRINT_ASN] = begin, end - begin


@compiled
def _is_new_cell(cells: NDArray[np.uint64], key: np.uint64) -> bool:
    """Whether no touch before had the key; enters it."""
    mask = len(cells) - 1
    place = signed(key & np.uint64(mask))
    while cells[place] != 0:
        if cells[place] == key:
            return False
        place = (place + 1) & mask
    cells[place] = key
    return True


@in_place
def _key(events: Events, row: int, scope: int) -> tuple[np.uint64, np.uint64]:
    """Key of an event's actor, and of the actor with which it has its home."""
    text, start, size, field = events.text, events.start, events.size, FIELDS[scope]
    number = min(scope + 1, SCOPES)
    key = of_scope(xxh64(text, start[row, field], size[row, field], np.uint64(number)), number)
    if scope == _SESSION and size[row, Field.USER] != ABSENT:
        account = xxh64(text, start[row, Field.USER], size[row, Field.USER], np.uint64(ACCOUNT + 1))
        account = of_scope(account, ACCOUNT + 1)
        return of_scope(key_within(key, account), scope + 1), account
    return key, key


@compiled
def _concerns(scope: int, chief: int, touch: bool, wide: bool) -> bool:
    """Whether an event with such items leaves a sighting of its actor of a scope."""
    return scope == chief or wide or (touch and scope >= _GROUPS)


@in_place
def _touch_key(events: Events, row: int, chief: int, address: np.uint64, time_us: int) -> np.uint64:
    """What a touch has in common with those that it is one with: principal, address, fingerprint and cell."""
    start, size = events.start[row, Field.FINGERPRINT], max(events.size[row, Field.FINGERPRINT], 0)
    client = xxh64(events.text, start, size, np.uint64(_FINGERPRINT + 1))
    who, _ = _key(events, row, chief)
    return mix(who ^ mix(address ^ mix(client ^ np.uint64(time_us // CELL_US)))) | np.uint64(1)


@in_place
def _enter(actors: Actors, actor: int, key: np.uint64, home: np.uint64, row: int, scope: int, text_bytes: int) -> None:
    """Enter an actor that was not met before."""
    owner = destination(home, len(actors.totals))
    actors.key[actor] = key
    actors.origin[actor, OWNER], actors.origin[actor, PLACE] = owner, actors.totals[owner, _COUNT]
    actors.origin[actor, EVENT], actors.origin[actor, SCOPE] = row, scope
    actors.totals[owner, _COUNT] += 1
    actors.totals[owner, _TEXT_BYTES] += text_bytes


@in_place
def _find(
    events: Events,
    shown: Disclosures,
    time_us: NDArray[np.int64],
    table: NDArray[np.int32],
    cells: NDArray[np.uint64],
    actors: Actors,
) -> None:
    """Fill in the actors of all events; ``table`` and ``cells`` have room for twice as many as there may be."""
    count = 0
    for row in range(len(time_us)):
        items = shown.first[row + 1] - shown.first[row]
        if items == 0:
            continue
        kind = shown.kind[shown.first[row]]
        touch, query = kind == _TOUCH, kind == _QUERY
        if events.size[row, Field.ADDRESS] != ABSENT:
            actors.address[row] = _key(events, row, _ADDRESS)[0]
        chief = _principal(events.size[row, Field.USER], events.size[row, Field.ADDRESS])
        if touch and not _is_new_cell(cells, _touch_key(events, row, chief, actors.address[row], time_us[row])):
            continue
        actors.chief[row] = chief
        _write_group_texts(events, row)
        profiles = items - query
        for scope in range(actors.of.shape[1]):
            size = events.size[row, FIELDS[scope]]
            if size == ABSENT or not _concerns(scope, chief, touch, not touch and profiles > 0):
                continue
            key, home = _key(events, row, scope)
            place = _find_in(table, actors.key, key)
            if table[place] == ABSENT:
                table[place] = count
                _enter(actors, count, key, home, row, scope, size)
                count += 1
            actor = table[place]
            owner = actors.origin[actor, OWNER]
            actors.of[row, scope] = actor
            actors.totals[owner, _ROWS] += profiles + (query and scope == chief)
            if scope == chief:
                actors.totals[owner, _DETAILS] += items


def find_members(
    events: Events, shown: Disclosures, actors: Actors, created_s: NDArray[np.uint32], time_us: NDArray[np.int64]
) -> Named:
    """Principals to be named, for each destination of a group that they came through.

    Those without an account or with a young one, always. Any other account can belong to a cohort only if it asks for
    nothing beside profiles, which is not known here: it is named with one in `NAMED_ONE_IN` of its views, by account
    and profile, so that names cost little and a group that was found is named by and by.
    """
    destinations = len(actors.totals)
    apart = actors.chief != ACCOUNT
    young = (created_s > 0) & (time_us // 1_000_000 - created_s.astype(np.int64) < YOUNG_S)
    kind = shown.kind_of_first()
    named = apart | young | _at_times(actors, shown, (actors.chief == ACCOUNT) & (kind == _VIEW))
    rows = np.flatnonzero((actors.chief != ABSENT) & named & (kind != _TOUCH))
    groups = actors.of.shape[1] - _GROUPS
    seen = np.zeros(1 << (2 * rows.size * groups + 1).bit_length(), np.uint64)
    found = np.empty((rows.size * groups, 2), np.int64)
    count = _find_members(rows, actors, seen, found)
    found = found[:count][np.argsort(found[:count, 0], kind="stable")]
    row, chief = found[:, 1], actors.chief[found[:, 1]].astype(np.int64)
    field = FIELDS[chief]
    size = events.size[row, field]
    first = np.searchsorted(found[:, 0], np.arange(destinations + 1))
    ends = np.cumsum(size)
    text_first = np.concatenate(([0], ends))[first]
    text = np.empty(int(text_first[-1]), np.uint8)
    _copy_all(events.text, events.start[row, field], size, text)
    text_end = (ends - text_first[found[:, 0]]).astype(np.uint32)
    return Named(first, text_first, actors.key[actors.of[row, chief]], (chief + 1).astype(np.uint8), text_end, text)


def names_at(principal: NDArray[np.uint64], profile: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """[n] whether a view names its account though it is neither young nor a visitor."""
    mixed = (principal ^ profile) * _SPREAD
    named: NDArray[np.bool_] = (mixed >> np.uint64(32)) % np.uint64(NAMED_ONE_IN) == 0
    return named


def _at_times(actors: Actors, shown: Disclosures, wanted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """[n] events, of those ``wanted``, with an item that names its account."""
    out, items = np.zeros(len(wanted), np.bool_), np.diff(shown.first)
    event = np.repeat(np.arange(items.size), items)
    at = np.flatnonzero(wanted[event])
    named = names_at(actors.key[actors.of[event[at], ACCOUNT]], shown.profile[at])
    out[event[at[named]]] = True
    return out


@in_place
def _find_members(rows: NDArray[np.int64], actors: Actors, seen: NDArray[np.uint64], found: NDArray[np.int64]) -> int:
    """Fill in destination and event of each name; how many there are."""
    count = 0
    for row in rows:
        who = actors.key[actors.of[row, actors.chief[row]]]
        for scope in range(_GROUPS, actors.of.shape[1]):
            if actors.of[row, scope] == ABSENT:
                continue
            owner = actors.origin[actors.of[row, scope], OWNER]
            if _is_new_cell(seen, mix(who ^ mix(np.uint64(owner + 1))) | np.uint64(1)):
                found[count, 0], found[count, 1] = owner, row
                count += 1
    return count


@compiled
def _copy_all(text: Text, starts: NDArray[np.int64], sizes: NDArray[np.int64], into: Text) -> None:
    at = 0
    for k in range(starts.size):
        at = copy(text, starts[k], sizes[k], into, at)
