"""What each response disclosed: its outcome and its profiles.

What the platform says counts (`weir.target.id`, `weir.targets`); only where it says nothing, the id in the path does,
and only for a view or a look-up. A profile counts once within a response.
"""

from enum import IntEnum
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.core.compiled import compiled
from detectors.core.hashing import xxh64
from schemas.sighting import Kind
from streams.pipeline.observe.events import ABSENT, Events, Fault, Field, text_span
from streams.pipeline.observe.surface import Asked, Patterns
from streams.pipeline.observe.text import Text, signed

PROFILES_MAX: Final = 65_535
"""Profiles of one response that are kept, so that `ordinal` fits in 16 bits."""

_FEW: Final = 16
"""Up to so many profiles a look through all of them is cheaper than a table."""


class Outcome(IntEnum):
    """What became of a record; each has exactly one."""

    DEAD = 0
    DISCLOSED = 1
    """At least one profile."""
    MISSED = 2
    """A view or look-up of a profile that does not exist."""
    ASKED = 3
    """A surface was asked and disclosed nothing that is known, as a search without `weir.targets`."""
    DENIED = 4
    """Status 401, 403 or 429."""
    OTHER = 5
    EXEMPT = 6
    """A verified robot's, whatever was asked."""


class Disclosures(NamedTuple):
    """Outcome of n events and their r items: profiles disclosed or missed, searches and lists as such, touches."""

    outcome: NDArray[np.uint8]
    """[n] `Outcome`"""
    first: NDArray[np.int64]
    """[n + 1] the items of event ``i`` are ``first[i]`` to ``first[i + 1]``."""
    profile: NDArray[np.uint64]
    """[r] XXH64 of the id, seed 0; of a QUERY that of what was searched for, of a TOUCH 0."""
    kind: NDArray[np.uint8]
    """[r] `Kind`"""
    cut: NDArray[np.int64]
    """[n] elements of `weir.targets` that went beyond PROFILES_MAX."""

    def kind_of_first(self) -> NDArray[np.uint8]:
        """[n] kind of the first item of each event; 0 where it has none."""
        out = np.zeros(len(self.outcome), np.uint8)
        some = self.first[1:] > self.first[:-1]
        out[some] = self.kind[self.first[:-1][some]]
        return out


def disclose(
    patterns: Patterns, events: Events, asked: Asked, query: NDArray[np.uint64], exempt: NDArray[np.bool_]
) -> Disclosures:
    """Outcome and items of each event; the percent-decoded ids of ``asked`` are used as they are.

    ``query`` is `Details.query`. A search or list that was served begins with an item of its own. Events in ``exempt``
    are sound and have no items.
    """
    count = len(events.fault)
    most = int((np.minimum(np.maximum(events.targets, 0) + 1, PROFILES_MAX) + 1).sum())
    result = Disclosures(
        np.zeros(count, np.uint8),
        np.zeros(count + 1, np.int64),
        np.empty(most, np.uint64),
        np.empty(most, np.uint8),
        np.zeros(count, np.int64),
    )
    widest = min(int(events.targets.max(initial=0)) + 1, PROFILES_MAX)
    table = np.full(1 << (2 * widest).bit_length() if widest > _FEW else 1, -1, np.int64)
    _disclose(
        patterns.kinds,
        events.text,
        events.start,
        events.size,
        events.status,
        events.targets,
        events.targets_at,
        exempt | (events.fault != Fault.NONE),
        asked.surface,
        asked.start,
        asked.size,
        query,
        *result,
        table,
    )
    result.outcome[exempt] = Outcome.EXEMPT
    rows = int(result.first[-1])
    return result._replace(profile=result.profile[:rows], kind=result.kind[:rows])


@compiled
def _known(profiles: NDArray[np.uint64], first: int, end: int, table: NDArray[np.int64]) -> bool:
    """Whether ``profiles[end]`` stands in ``[first, end)`` already; else it is entered in the table, if there is one.

    A place in the table that holds an index below ``first`` is left from an earlier event, and so is free.
    """
    wanted = profiles[end]
    if len(table) == 1:
        for at in range(first, end):
            if profiles[at] == wanted:
                return True
        return False
    mask = len(table) - 1
    place = signed(wanted & np.uint64(mask))
    while table[place] >= first:
        if profiles[table[place]] == wanted:
            return True
        place = (place + 1) & mask
    table[place] = end
    return False


@compiled
def _add(
    text: Text,
    start: int,
    size: int,
    profiles: NDArray[np.uint64],
    first: int,
    end: int,
    table: NDArray[np.int64],
) -> int:
    """Add the profile whose id is a span of the text to those from ``first`` on; the new end."""
    profiles[end] = xxh64(text, start, size, np.uint64(0))
    return end if _known(profiles, first, end, table) else end + 1


@compiled
def _add_targets(
    text: Text,
    at: int,
    count: int,
    profiles: NDArray[np.uint64],
    first: int,
    end: int,
    table: NDArray[np.int64],
) -> tuple[int, int]:
    """Add the profiles of a packed list; the new end, and how many elements found no room."""
    for k in range(count):
        if end - first == PROFILES_MAX:
            return end, count - k
        start, size = text_span(text, at)
        at = start + size
        if size > 0:
            end = _add(text, start, size, profiles, first, end, table)
    return end, 0


@compiled
def _answer(status: int) -> int:
    """The outcome that a status allows: DISCLOSED if something was served, MISSED if it said that there is nothing."""
    if status == ABSENT or 200 <= status < 300 or status == 304:
        return Outcome.DISCLOSED
    if status == 404 or status == 410:
        return Outcome.MISSED
    return Outcome.DENIED if status == 401 or status == 403 or status == 429 else Outcome.OTHER


@compiled
def _disclose(
    surface_kinds: NDArray[np.int64],
    text: Text,
    start: NDArray[np.int64],
    size: NDArray[np.int64],
    status: NDArray[np.int64],
    targets: NDArray[np.int64],
    targets_at: NDArray[np.int64],
    skipped: NDArray[np.bool_],
    surface: NDArray[np.int64],
    id_start: NDArray[np.int64],
    id_size: NDArray[np.int64],
    query: NDArray[np.uint64],
    outcome: NDArray[np.uint8],
    first: NDArray[np.int64],
    profile: NDArray[np.uint64],
    kind: NDArray[np.uint8],
    cut: NDArray[np.int64],
    table: NDArray[np.int64],
) -> None:
    for row in range(len(skipped)):
        begin = first[row]
        first[row + 1] = begin
        if skipped[row]:
            continue
        asked = surface_kinds[surface[row]] if surface[row] != ABSENT else 0
        by_id = asked == Kind.VIEW or asked == Kind.LOOKUP
        answer = _answer(status[row])
        served, missed = answer == Outcome.DISCLOSED, answer == Outcome.MISSED
        if served and (asked == Kind.SEARCH or asked == Kind.LIST):
            profile[begin], kind[begin] = query[row], Kind.QUERY
            begin += 1
        end = begin
        if size[row, Field.TARGET] != ABSENT:
            if served or (missed and (by_id or asked == 0)):
                target = start[row, Field.TARGET]
                end = _add(text, target, size[row, Field.TARGET], profile, begin, end, table)
        elif by_id and id_size[row] != ABSENT and (missed or (served and targets[row] == ABSENT)):
            end = _add(text, id_start[row], id_size[row], profile, begin, end, table)
        kind[begin:end] = asked if asked != 0 else Kind.VIEW
        if served and targets[row] != ABSENT:
            before = end
            end, cut[row] = _add_targets(text, targets_at[row], targets[row], profile, begin, end, table)
            kind[before:end] = asked if asked != 0 else Kind.SEARCH
        if end == begin and (served or missed):
            answer = Outcome.ASKED if served and asked != 0 else Outcome.OTHER
        if asked == 0 and answer == Outcome.OTHER:
            profile[end], kind[end] = 0, Kind.TOUCH
            end += 1
        outcome[row], first[row + 1] = answer, end
