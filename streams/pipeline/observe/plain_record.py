"""Plain canonical records as columns, straight from their JSON.

Most records are plain: no escape, no byte beyond ASCII, whole numbers. One compiled loop reads them where they lie, in
a fraction of what a decoder takes that makes objects of them, and goes down into objects as far as its table of keys
does. It takes no decision that the decoder would take otherwise: whatever it is not sure of it leaves alone, and the
decoder says what that is.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.core.compiled import in_place
from streams.pipeline.observe.events import (
    ABSENT,
    FIELDS,
    ROOM,
    Events,
    Field,
    TimeForm,
    empty,
    fall_back_on_ja3,
    joined,
)
from streams.pipeline.observe.keys import LEVEL_BITS, REQUIRED, TOP, Keys, Sort
from streams.pipeline.observe.plain_json import (
    CLOSES,
    COMMA,
    OPENS,
    is_null,
    key_end,
    scalar_end,
    skip_blanks,
    value_end,
    whole_number,
)
from streams.pipeline.observe.text import QUOTE, Text, is_same

_STATUS_MAX: Final = 999
_ASN_MAX: Final = 2**32 - 1
_LEVEL: Final = 2**LEVEL_BITS - 1


def read_plain(values: Sequence[bytes], keys: Keys) -> tuple[Events, NDArray[np.bool_]]:
    """Columns of all records, and which of them were read: of any other the columns say nothing.

    Raises:
        TypeError: one of them is a tombstone.
    """
    count = len(values)
    buffer, ends = joined(values)
    events, read = empty(buffer, count), np.zeros(count, np.bool_)
    follows = np.zeros(len(keys.sort), np.int64)
    _read_all(ends, count * ROOM, keys, follows, events, read)
    return events, read


@in_place
def _is_key(text: Text, begin: int, size: int, keys: Keys, entry: int) -> bool:
    first = keys.first[entry]
    return keys.first[entry + 1] - first == size and is_same(text, begin, keys.text, first, size)


@in_place
def _entry(text: Text, begin: int, size: int, keys: Keys, level: int, likely: int) -> int:
    """Which entry of a level a key is; the one behind all entries if it is none of them."""
    first, end = keys.level_first[level], keys.level_first[level + 1]
    if first <= likely < end and _is_key(text, begin, size, keys, likely):
        return likely
    for entry in range(first, end):
        if _is_key(text, begin, size, keys, entry):
            return entry
    return keys.sort.size - 1


@in_place
def _keep_text(events: Events, row: int, sort: int, begin: int, size: int) -> bool:
    """Keep a text; False where none may stand."""
    if sort >= FIELDS:
        return sort == Sort.UNREAD
    # Who is named by an empty text is not named.
    nobody = size == 0 and Field.ADDRESS <= sort <= Field.COUNTRY
    events.start[row, sort], events.size[row, sort] = begin, ABSENT if nobody else size
    return True


@in_place
def _keep_number(events: Events, row: int, sort: int, number: int) -> bool:
    """Keep a whole number; False where none may stand, or not this one."""
    if sort == Field.TIME:
        events.time_form[row], events.time_bits[row] = TimeForm.INTEGER, number
    elif sort == Field.CREATED:
        events.created_form[row], events.created_bits[row] = TimeForm.INTEGER, number
    elif sort == Sort.STATUS and number <= _STATUS_MAX:
        events.status[row] = number
    elif sort == Sort.ASN and number <= _ASN_MAX:
        events.asn[row] = number
    else:
        return False
    return True


@in_place
def _keep(events: Events, row: int, sort: int, required: bool, begin: int) -> int:
    """Keep the value at ``begin``: where it ends; ABSENT where it may not stand there, or is not plain."""
    text = events.text
    if sort >= Sort.BEGINNING:
        return ABSENT if sort == Sort.NO_OBJECT and text[begin] == OPENS else value_end(text, begin)
    end = scalar_end(text, begin)
    if end == ABSENT:
        return ABSENT
    if is_null(text, begin):
        return ABSENT if required else end
    if text[begin] == QUOTE:
        return end if _keep_text(events, row, sort, begin + 1, end - begin - 2) else ABSENT
    number_end, number = whole_number(text, begin)
    return end if number_end == end and _keep_number(events, row, sort, number) else ABSENT


@in_place
def _behind(text: Text, at: int, path: int) -> tuple[int, int]:
    """What stands behind a value, and the path there, behind all objects that end with it; 0 behind the record."""
    at = skip_blanks(text, at)
    while path != 0 and text[at] == CLOSES:
        at, path = skip_blanks(text, at + 1), path >> LEVEL_BITS
    return at, path


@in_place
def _read_one(at: int, record_end: int, keys: Keys, follows: NDArray[np.int64], events: Events, row: int) -> bool:
    """Read the record at ``at`` into a row; False where it is not plain.

    ``follows`` has for each entry the one that came behind it last, which is likely to do so again.
    """
    text, seen, last = events.text, 0, keys.sort.size - 1
    at = skip_blanks(text, at)
    if text[at] != OPENS:
        return False
    # The levels that a place lies in, the innermost in the lowest bits.
    path, at = TOP, skip_blanks(text, at + 1)
    while path != 0:
        end, begin = key_end(text, at)
        if begin == ABSENT:
            return False
        entry = _entry(text, at + 1, end - at - 1, keys, path & _LEVEL, follows[last])
        follows[last] = last = entry
        sort, bit = keys.sort[entry], keys.bit[entry]
        # Of what is said twice the decoder knows which one counts.
        if seen & bit:
            return False
        seen |= bit
        if sort == Sort.BEGINNING and text[begin] == OPENS:
            path, at = path << LEVEL_BITS | keys.below[entry], skip_blanks(text, begin + 1)
            if text[at] != CLOSES:
                continue
        else:
            at = _keep(events, row, sort, bit & REQUIRED != 0, begin)
            if at == ABSENT:
                return False
        at, path = _behind(text, at, path)
        if path != 0:
            if text[at] != COMMA:
                return False
            at = skip_blanks(text, at + 1)
    return at == record_end and seen & REQUIRED == REQUIRED


@in_place
def _read_all(
    ends: NDArray[np.int64],
    at: int,
    keys: Keys,
    follows: NDArray[np.int64],
    events: Events,
    read: NDArray[np.bool_],
) -> None:
    for row in range(ends.size):
        read[row] = _read_one(at, ends[row], keys, follows, events, row)
        fall_back_on_ja3(events.start, events.size, row)
        at = ends[row] + 1
