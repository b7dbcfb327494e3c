"""Whom an actor met while these are few: each with its time, so that no rings are kept (`windows/rings.py`) for it.

Most actors meet a handful of profiles in two weeks, and rings of 120 bytes would be most of what is known of them. So a
list begins with the granule of the last meeting, in two entries, and holds a tag and the low half of a granule for each
contact, in the order of last meetings::

    | last, last | a  12:00 | c  12:30 | b  14:10 |

What stands in each window is counted when it is asked for. The contact that would be one more than `MOST` makes rings
of it and a list without times (`actors/contacts.py`), for good; what is told is the same on both sides.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.core.compiled import in_place
from streams.pipeline.actors.contacts import FEW, GRAIN, HORIZON_DAYS, NEED, NEW, Blocks, grow, move, tag_of
from streams.pipeline.observe.text import signed
from streams.pipeline.windows.rings import SPANS, begin, note, reach

MOST: Final = 39
"""Contacts of which each has its time: from some 50 on rings take less."""
KNOWN: Final = 0
MANY: Final = -3
"""There are too many for a time each."""
_LAST: Final = 2
"""Entries before the first contact."""
_DAY: Final = 4320
"""Granules of a day."""


@in_place
def is_few(b: Blocks, slot: int) -> bool:
    """Contacts of the slot have times, or there are none."""
    return bool(b.head[slot, 1] < 64 or b.head[slot, 1] & FEW != 0)


@in_place
def last_of(b: Blocks, slot: int) -> int:
    """Granule of the last meeting of a slot with few contacts, 0 where there was none."""
    if b.head[slot, 1] < 64:
        return 0
    start = signed(b.head[slot, 0]) * GRAIN
    return signed(b.entries[start]) | signed(b.entries[start + 1]) << 16


@in_place
def _forget(entries: NDArray[np.uint16], start: int, used: int, last: int, day: int) -> int:
    """Drop contacts of more than `HORIZON_DAYS` before ``day``; entries that are left."""
    first = _LAST
    while first < used:
        met = last - ((last - signed(entries[start + first + 1])) & 0xFFFF)
        if day - met // _DAY <= HORIZON_DAYS:
            break
        first += 2
    if first > _LAST:
        move(entries, start + _LAST, start + first, used - first)
    return used - (first - _LAST)


@in_place
def meet_few(b: Blocks, slot: int, key: np.uint64, now: int) -> int:
    """`NEW` or `KNOWN`, `NEED` without room, `MANY` if there would be too many; remembers the key.

    ``now`` is a granule, no earlier than that of the last meeting.
    """
    last, used = last_of(b, slot), max(signed(b.head[slot, 1]) >> 6, _LAST)
    tag, start = tag_of(key), signed(b.head[slot, 0]) * GRAIN
    if last > 0 and now // _DAY != last // _DAY:
        used = _forget(b.entries, start, used, last, now // _DAY)
        b.head[slot, 1] = used << 6 | (signed(b.head[slot, 1]) & 63)
    at = _LAST
    while at < used and b.entries[start + at] != tag:
        at += 2
    known = at < used
    if known:
        move(b.entries, start + at, start + at + 2, used - at - 2)
        used -= 2
    elif used == _LAST + 2 * MOST:
        return MANY
    elif not grow(b, slot, used + 2, FEW):
        return NEED
    start = signed(b.head[slot, 0]) * GRAIN
    b.entries[start], b.entries[start + 1] = now & 0xFFFF, now >> 16
    b.entries[start + used], b.entries[start + used + 1] = tag, now & 0xFFFF
    b.head[slot, 1] = (used + 2) << 6 | (signed(b.head[slot, 1]) & 63)
    return KNOWN if known else NEW


@in_place
def tell_few(b: Blocks, slot: int, out: NDArray[np.uint32], row: int) -> None:
    """Write into [n, 4] ``out`` how many contacts stood in each window at the last meeting."""
    last, start, used = last_of(b, slot), signed(b.head[slot, 0]) * GRAIN, signed(b.head[slot, 1]) >> 6
    for r in range(SPANS):
        most, count = reach(last, r), 0
        for at in range(start + _LAST, start + used, 2):
            count += (last - signed(b.entries[at + 1])) & 0xFFFF <= most
        out[row, r] = count


@in_place
def make_many(b: Blocks, slot: int, words: NDArray[np.uint32], cells: NDArray[np.uint16]) -> None:
    """Move the times of a slot's contacts into rings, and keep a list without."""
    last, start, used = last_of(b, slot), signed(b.head[slot, 0]) * GRAIN, signed(b.head[slot, 1]) >> 6
    begin(words, cells, last)
    end, day = start, -1
    for at in range(start + _LAST, start + used, 2):
        met = last - ((last - signed(b.entries[at + 1])) & 0xFFFF)
        note(words, cells, met)
        tag = b.entries[at]
        if 0 <= day < met // _DAY:
            b.entries[end] = met // _DAY - day
            end += 1
        day = met // _DAY
        b.entries[end] = tag
        end += 1
    b.head[slot, 1] = (end - start) << 6 | (signed(b.head[slot, 1]) & 31)
