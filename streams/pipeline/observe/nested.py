"""Nested canonical records as columns, straight from their JSON.

One compiled loop goes down into objects as the decoder of the nested spelling does: each level has a table of what may
follow of the known names, and of their beginnings. It takes no decision that the decoder would take otherwise: what is
said twice, in whatever spelling, is left alone, as is all that is not plain, and the decoder says what that is.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.core.compiled import compiled, in_place
from schemas.nested import prefixes
from streams.pipeline.observe.event_time import are_times
from streams.pipeline.observe.events import ABSENT, ROOM, Events, Field, empty, joined
from streams.pipeline.observe.flat import (
    CLOSES,
    COLON,
    COMMA,
    FALSE,
    FIELDS,
    NULL,
    OPENS,
    QUOTE,
    REQUIRED,
    SORTS,
    TRUE,
    skip_blanks,
    take,
    text_end,
    value_end,
    with_numbers,
)
from streams.pipeline.observe.text import Text, is_same

_OPENS_LIST: Final = ord("[")
_CLOSES_LIST: Final = ord("]")
_DEPTH_MAX: Final = 30
"""Of what nobody asked for: less than any decoder takes."""

# A name is a number: first the names of values, then their beginnings, then what is no name.
_BEGINNINGS: Final = prefixes({one.encode_name: one for one in FIELDS})
_ALL: Final = [*(one.encode_name for one in FIELDS), *_BEGINNINGS]
_VALUES: Final = len(FIELDS)
_NO_NAME: Final = len(_ALL)
_TOP: Final = _NO_NAME + 1
_BITS: Final = 6
"""Of a level in the path of levels that a place lies in."""
_LEVEL: Final = 2**_BITS - 1


def _table() -> tuple[list[str], list[int], list[int]]:
    """What is left of each name at each level, the top or below a beginning; which name; where each level begins."""
    left: list[str] = []
    which: list[int] = []
    level_first = [0] * (_TOP + 2)
    for level in range(_VALUES, _TOP + 1):
        level_first[level] = len(left)
        start = "" if level >= _NO_NAME else f"{_ALL[level]}."
        for number, name in enumerate(_ALL):
            if level != _NO_NAME and name.startswith(start):
                left.append(name.removeprefix(start))
                which.append(number)
    level_first[_TOP + 1] = len(left)
    return left, [*which, _NO_NAME], level_first


_LEFT, _OF, _LEVELS = _table()
_NAMES: Final = np.frombuffer("".join(_LEFT).encode(), np.uint8)
_FIRST: Final = np.cumsum([0, *map(len, _LEFT)])
_WHICH: Final = np.array(_OF, np.int64)
_LEVEL_FIRST: Final = np.array(_LEVELS, np.int64)


def is_nested(value: bytes) -> bool:
    """Whether a record looks like a nested one and like none of another format."""
    return (
        value[:1] == b"{" and b'"http.request.method"' not in value and b'"http"' in value and b'"@timestamp"' in value
    )


def read_nested(values: Sequence[bytes]) -> tuple[Events, NDArray[np.int64]]:
    """Columns of all records, for which `is_nested` holds, and which of them are odd: there the columns say nothing."""
    count = len(values)
    buffer, ends = joined(values)
    events, numbers = empty(buffer, count), np.zeros((count, 4), np.int64)
    numbers[:, 2:] = ABSENT
    forms, read = np.zeros((count, 2), np.uint8), np.zeros(count, np.bool_)
    follows = np.zeros(len(_WHICH), np.int64)
    _read(
        events.text, ends, count * ROOM, _NAMES, _FIRST, _WHICH, _LEVEL_FIRST, SORTS, follows, NULL, TRUE, FALSE,
        events.start, events.size, numbers, forms, read,
    )  # fmt: skip
    events = with_numbers(events, numbers, forms)
    # Whoever reads records one by one refuses these before anything else is looked for in them.
    named = (events.size[:, [Field.ADDRESS, Field.USER, Field.SESSION]] != ABSENT).any(axis=1)
    return events, np.flatnonzero(~(read & named & are_times(events)))


@compiled
def _value_at(text: Text, at: int) -> tuple[int, int]:
    """Where the plain key at ``at`` ends and where its value begins; ABSENT if this is neither."""
    end = text_end(text, at + 1) if text[at] == QUOTE else ABSENT
    if end == ABSENT:
        return ABSENT, ABSENT
    colon = skip_blanks(text, end + 1)
    return (end, skip_blanks(text, colon + 1)) if text[colon] == COLON else (ABSENT, ABSENT)


@compiled
def _any_end(text: Text, at: int, true: Text, false: Text, null: Text) -> int:
    """Where the value at ``at`` ends, whatever it is; ABSENT if it is not plain."""
    depth, objects = 0, 0
    while True:
        is_object = text[at] == OPENS
        if is_object or text[at] == _OPENS_LIST:
            if depth == _DEPTH_MAX:
                return ABSENT
            depth, objects = depth + 1, objects << 1 | int(is_object)
            at = skip_blanks(text, at + 1)
            more = text[at] != (CLOSES if is_object else _CLOSES_LIST)
        else:
            at, more = value_end(text, at, true, false, null), False
        while not more:
            if depth == 0 or at == ABSENT:
                return at
            at = skip_blanks(text, at)
            more = text[at] == COMMA
            if not more and text[at] != (CLOSES if objects & 1 else _CLOSES_LIST):
                return ABSENT
            if not more:
                depth, objects = depth - 1, objects >> 1
            at += 1
        if objects & 1:
            _, at = _value_at(text, skip_blanks(text, at))
        else:
            at = skip_blanks(text, at)
        if at == ABSENT:
            return ABSENT


@compiled
def _is_name(text: Text, at: int, size: int, names: Text, first: NDArray[np.int64], place: int) -> bool:
    return first[place + 1] - first[place] == size and is_same(text, at, names, first[place], size)


@compiled
def _entry(
    text: Text, at: int, size: int, names: Text, first: NDArray[np.int64], begin: int, end: int, likely: int
) -> int:
    """Which entry of a level the key at ``at`` is; as many as there are entries at all if it is none."""
    if begin <= likely < end and _is_name(text, at, size, names, first, likely):
        return likely
    for place in range(begin, end):
        if _is_name(text, at, size, names, first, place):
            return place
    return first.size - 1


@compiled
def _kept_end(
    text: Text,
    begin: int,
    name: int,
    sorts: NDArray[np.int64],
    null: Text,
    true: Text,
    false: Text,
    row: int,
    start: NDArray[np.int64],
    size: NDArray[np.int64],
    numbers: NDArray[np.int64],
    forms: NDArray[np.uint8],
) -> int:
    """Keep the value at ``begin`` if it has a name: where it ends; ABSENT where it may not stand there, or not so."""
    if name >= _VALUES:
        return _any_end(text, begin, true, false, null)
    end = value_end(text, begin, true, false, null)
    if end == ABSENT:
        return ABSENT
    if text[begin] == null[0]:
        return ABSENT if REQUIRED >> name & 1 else end
    return end if take(text, begin, end, sorts[name], row, start, size, numbers, forms) else ABSENT


@compiled
def _closed(text: Text, at: int, path: int) -> tuple[int, int]:
    """What stands behind a value, and the path there, behind all objects that end with it; 0 behind the record."""
    at = skip_blanks(text, at)
    while path != 0 and text[at] == CLOSES:
        at, path = skip_blanks(text, at + 1), path >> _BITS
    return at, path


@compiled
def _is_plain(
    text: Text,
    at: int,
    record_end: int,
    names: Text,
    first: NDArray[np.int64],
    which: NDArray[np.int64],
    level_first: NDArray[np.int64],
    sorts: NDArray[np.int64],
    follows: NDArray[np.int64],
    null: Text,
    true: Text,
    false: Text,
    row: int,
    start: NDArray[np.int64],
    size: NDArray[np.int64],
    numbers: NDArray[np.int64],
    forms: NDArray[np.uint8],
) -> bool:
    """Read one record up to ``record_end``; False where it is not plain."""
    seen, path, last = 0, (_TOP if text[at] == OPENS else 0), first.size - 1
    at = skip_blanks(text, at + 1)
    while path != 0:
        key_end, begin = _value_at(text, at)
        if begin == ABSENT:
            return False
        level = path & _LEVEL
        entry = _entry(
            text, at + 1, key_end - at - 1, names, first, level_first[level], level_first[level + 1], follows[last]
        )
        follows[last] = last = entry
        name = which[entry]
        # Of what is said twice the decoder knows which one counts.
        if name != _NO_NAME and seen >> name & 1:
            return False
        seen |= 1 << name
        if _VALUES <= name < _NO_NAME and text[begin] == OPENS:
            path, at = path << _BITS | name, skip_blanks(text, begin + 1)
            if text[at] != CLOSES:
                continue
        else:
            at = _kept_end(text, begin, name, sorts, null, true, false, row, start, size, numbers, forms)
            if at == ABSENT:
                return False
        at, path = _closed(text, at, path)
        if path != 0:
            if text[at] != COMMA:
                return False
            at = skip_blanks(text, at + 1)
    return at == record_end and seen & REQUIRED == REQUIRED


@in_place
def _read(
    text: Text,
    ends: NDArray[np.int64],
    at: int,
    names: Text,
    first: NDArray[np.int64],
    which: NDArray[np.int64],
    level_first: NDArray[np.int64],
    sorts: NDArray[np.int64],
    follows: NDArray[np.int64],
    null: Text,
    true: Text,
    false: Text,
    start: NDArray[np.int64],
    size: NDArray[np.int64],
    numbers: NDArray[np.int64],
    forms: NDArray[np.uint8],
    read: NDArray[np.bool_],
) -> None:
    for row in range(ends.size):
        read[row] = _is_plain(
            text, at, ends[row], names, first, which, level_first, sorts, follows, null, true, false,
            row, start, size, numbers, forms,
        )  # fmt: skip
        if size[row, Field.FINGERPRINT] == ABSENT:
            start[row, Field.FINGERPRINT], size[row, Field.FINGERPRINT] = start[row, Field.JA3], size[row, Field.JA3]
        at = ends[row] + 1
