"""Whom an actor met within 14 days: tags of profiles, in the order in which it met them last.

::

    | a  b | 2 | c  d  e | 1 | f  g  h |       a and b; two days later c, d and e; on the next day f, g and h

A tag has 16 bits and no time beside it: the rings (`windows/rings.py`) know how many profiles were met last in each of
their panes, so the number of those met after a profile says in which pane it lies. While contacts are few each has its
time, and there are no rings (`actors/few.py`).

Days are told apart by marks, and what was met on a day more than `HORIZON_DAYS` ago is forgotten when the next day
begins: a profile is known for 14 days and to the end of the day (UTC) after them. A list is searched from one end to
the other, which for so many tags in a row takes less time than a look into a table that does not lie in the cache.

Each actor has a block of its own, so that what one remembers never depends on who else is there, on how many partitions
there are, or on the order in which actors came. A block grows by a few entries at a time, up to `CAP`; there the
contact that was met longest ago gives way and the actor is marked as `overflowed`.

Error: a profile that was never met is taken for a known one with a probability of at most entries / 32,768, and in the
mean of half of that (0.4 % at 256): counts err downwards. After an overflow, a profile that gave way counts as new
again: counts may err upwards by as many.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.core.compiled import in_place
from streams.pipeline.actors.slotted import Slotted
from streams.pipeline.actors.texts import pick_spans
from streams.pipeline.observe.text import signed

HORIZON_DAYS: Final = 14
CAP: Final = 256
"""Entries of one actor at most, marks of days among them."""
GRAIN: Final = 4
"""Entries of a place: a block is made of whole ones."""
SPARE: Final = 128
"""Places that there are to spare at least when there must be more."""
NEW: Final = -1
NEED: Final = -2
"""No room for a block; make some and ask again."""
FIRST_TAG: Final = HORIZON_DAYS + 1
"""Entries below are marks: so many days later."""
FEW: Final = 32
"""In a head: contacts have their times beside them (`actors/few.py`)."""
_CLASSES: Final = 24


class Blocks(NamedTuple):
    """Arrays of `Contacts`, as compiled code takes them."""

    entries: NDArray[np.uint16]
    """The first two entries of a free block are the place of the next free one of its class, low half first."""
    free: NDArray[np.int64]
    """[classes] place of the first free block of each size class; 0 where there is none."""
    room: NDArray[np.int64]
    """[2] first place that was never given out; 1 when a block was asked for and not found."""
    head: NDArray[np.int32]
    """[slots, 2]: place, or 0 without a block; entries in use * 64 + size class, and `FEW` where they have times."""
    overflowed: NDArray[np.bool_]


@in_place
def places_of(size_class: int) -> int:
    """Places of a block: steps of one up to 8, of two up to 16, then of four."""
    if size_class < 8:
        return size_class + 1
    return 8 + 2 * (size_class - 7) if size_class < 12 else 16 + 4 * (size_class - 11)


@in_place
def class_of(entries: int) -> int:
    """Size class of the smallest block that holds so many entries, at least one and no more than `CAP`."""
    places = (entries + GRAIN - 1) // GRAIN
    if places <= 8:
        return places - 1
    return 7 + (places - 7) // 2 if places <= 16 else 11 + (places - 13) // 4


@in_place
def _allocate(b: Blocks, size_class: int) -> int:
    """Place of a block, or -1 where there is no room for one."""
    place = signed(b.free[size_class])
    if place > 0:
        first = place * GRAIN
        b.free[size_class] = signed(b.entries[first]) | signed(b.entries[first + 1]) << 16
        return place
    place = signed(b.room[0])
    if (place + places_of(size_class)) * GRAIN > b.entries.size:
        b.room[1] = 1
        return -1
    b.room[0] = place + places_of(size_class)
    return place


@in_place
def _free(b: Blocks, place: int, size_class: int) -> None:
    after, first = signed(b.free[size_class]), place * GRAIN
    b.entries[first], b.entries[first + 1] = after & 0xFFFF, after >> 16
    b.free[size_class] = place


@in_place
def _release(b: Blocks, slots: NDArray[np.int64]) -> None:
    """Give the slots' blocks back."""
    for slot in slots:
        if b.head[slot, 0] > 0:
            _free(b, signed(b.head[slot, 0]), signed(b.head[slot, 1]) & 31)
        b.head[slot, 0], b.head[slot, 1] = 0, 0


@in_place
def move(entries: NDArray[np.uint16], to: int, start: int, count: int) -> None:
    """Copy entries to a place before them, or to another block."""
    # Unsigned, here and below: the compiler then need not ask whether an index is negative, and takes 16 at once.
    target, source = np.uint64(to), np.uint64(start)
    for k in range(np.uint64(count)):
        entries[target + k] = entries[source + k]


@in_place
def grow(b: Blocks, slot: int, wanted: int, kind: int) -> bool:
    """Give the slot a block for so many entries, if it has none; false where there is no room for it.

    ``kind`` is `FEW` or 0.
    """
    old, state = signed(b.head[slot, 0]), signed(b.head[slot, 1])
    if old > 0 and wanted <= places_of(state & 31) * GRAIN:
        return True
    size_class = class_of(wanted)
    new = _allocate(b, size_class)
    if new < 0:
        return False
    move(b.entries, new * GRAIN, old * GRAIN, state >> 6)
    if old > 0:
        _free(b, old, state & 31)
    b.head[slot, 0], b.head[slot, 1] = new, (state >> 6) << 6 | kind | size_class
    return True


@in_place
def _drop_first(b: Blocks, slot: int, start: int, used: int) -> int:
    """Let the first entry give way; how many are left."""
    if b.entries[start] >= FIRST_TAG:
        b.overflowed[slot] = True
    move(b.entries, start, start + 1, used - 1)
    return used - 1


@in_place
def _pass_days(b: Blocks, slot: int, start: int, used: int, days: int) -> int:
    """Mark that so many days later one begins, and forget what was met too many before it; how many entries stay."""
    ago, first = days, start + used
    while first > start and ago <= HORIZON_DAYS:
        first -= 1
        ago += b.entries[first] if b.entries[first] < FIRST_TAG else 0
    if ago > HORIZON_DAYS:
        # What stands behind the mark that leads too far back stays.
        first += 1
        used = max(used - (first - start), 0)
        if days > HORIZON_DAYS or used == 0:
            return 0
        move(b.entries, start, first, used)
    if used == CAP:
        used = _drop_first(b, slot, start, used)
    b.entries[start + used] = days
    return used + 1


@in_place
def _find(entries: NDArray[np.uint16], start: int, used: int, tag: np.uint16) -> int:
    """Where the tag stands, counted from ``start``; -1 for nowhere."""
    first, some = np.uint64(start), np.uint16(0)
    for k in range(np.uint64(used)):
        some |= np.uint16(entries[first + k] == tag)
    if some != 0:
        for k in range(used):
            if entries[start + k] == tag:
                return k
    return -1


@in_place
def _to_end(entries: NDArray[np.uint16], at: int, end: int) -> int:
    """Move the contact at ``at`` behind all others, which end at ``end``; how many of them were met after it."""
    tag, marks = entries[at], 0
    for k in range(at + 1, end):
        marks += entries[k] < FIRST_TAG
    move(entries, at, at + 1, end - at - 1)
    entries[end - 1] = tag
    return end - at - 1 - marks


@in_place
def tag_of(key: np.uint64) -> int:
    """Tag of a profile's key; what would be read as a mark is another one."""
    tag = signed(key >> np.uint64(48))
    return tag + FIRST_TAG if tag < FIRST_TAG else tag


@in_place
def meet(b: Blocks, slot: int, key: np.uint64, days: int) -> int:
    """Contacts that ``slot`` met after it last met ``key``, `NEW` if it did not, `NEED` without room; remembers it.

    ``days`` have begun since the slot's last meeting of all, by the calendar of UTC. No meeting comes before another
    one.
    """
    tag, used = tag_of(key), signed(b.head[slot, 1]) >> 6
    passed = days > 0 and used > 0
    if not grow(b, slot, min(used + 1 + passed, CAP), 0):
        return NEED
    start, size_class = signed(b.head[slot, 0]) * GRAIN, signed(b.head[slot, 1]) & 31
    if passed:
        used = _pass_days(b, slot, start, used, days)
    at, after = _find(b.entries, start, used, np.uint16(tag)), NEW
    if at >= 0:
        after = _to_end(b.entries, start + at, start + used)
    else:
        if used == CAP:
            used = _drop_first(b, slot, start, used)
        b.entries[start + used] = tag
        used += 1
    b.head[slot, 1] = used << 6 | size_class
    return after


@in_place
def _places_for(used: NDArray[np.int32] | NDArray[np.uint16]) -> int:
    """Places that lists of so many entries take in blocks that are no larger than they must be."""
    count = 0
    for i in range(used.size):
        if used[i] > 0:
            count += places_of(class_of(signed(used[i])))
    return count


@in_place
def _gather(b: Blocks, entries: NDArray[np.uint16]) -> int:
    """Move the contacts of all slots into ``entries``, one list after another; the place behind them."""
    place = 1
    for slot in range(len(b.head)):
        start, used = signed(b.head[slot, 0]) * GRAIN, signed(b.head[slot, 1]) >> 6
        kind = signed(b.head[slot, 1]) & FEW
        b.head[slot, 0], b.head[slot, 1] = 0, 0
        if used > 0:
            size_class = class_of(used)
            for k in range(used):
                entries[place * GRAIN + k] = b.entries[start + k]
            b.head[slot, 0], b.head[slot, 1] = place, used << 6 | kind | size_class
            place += places_of(size_class)
    return place


@in_place
def _put(
    b: Blocks,
    slots: NDArray[np.int64],
    used: NDArray[np.uint16],
    few: NDArray[np.bool_],
    entries: NDArray[np.uint16],
) -> None:
    """Give slots without a block one with their entries; there is room."""
    start = 0
    for i in range(slots.size):
        count = signed(used[i])
        if count > 0:
            size_class = class_of(count)
            place = _allocate(b, size_class)
            for k in range(count):
                b.entries[place * GRAIN + k] = entries[start + k]
            b.head[slots[i], 0], b.head[slots[i], 1] = place, count << 6 | (FEW if few[i] else 0) | size_class
            start += count


class Met(NamedTuple):
    """Contacts of some slots, apart from any others."""

    used: NDArray[np.uint16]
    """[n] entries of each."""
    few: NDArray[np.bool_]
    """Whose contacts have times."""
    overflowed: NDArray[np.bool_]
    entries: NDArray[np.uint16]
    """Those of each slot, one after the other."""

    def pick(self, places: NDArray[np.int64]) -> "Met":
        """Of the slots at some places, in the order given."""
        sizes = self.used.astype(np.int64)
        entries = pick_spans(self.entries, (np.cumsum(sizes) - sizes)[places], sizes[places])
        return Met(self.used[places], self.few[places], self.overflowed[places], entries)

    @staticmethod
    def join(parts: Sequence["Met"]) -> "Met":
        """All of the parts, one after the other."""
        return Met(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


class Contacts(Slotted[Blocks]):
    """Blocks of all slots, with room that grows by a sixteenth at a time."""

    def __init__(self) -> None:
        # Place 0 is never given out, so that 0 says that there is none.
        first = np.array([1, 0], np.int64)
        heads, overflowed = np.zeros((0, 2), np.int32), np.zeros(0, np.bool_)
        self.blocks = Blocks(np.zeros(GRAIN, np.uint16), np.zeros(_CLASSES, np.int64), first, heads, overflowed)

    def clear(self, slots: NDArray[np.int64]) -> None:
        """Let ``slots`` have met nobody."""
        _release(self.blocks, slots)
        self.blocks.overflowed[slots] = False

    def copy(self, slots: NDArray[np.int64]) -> Met:
        """Whom ``slots`` met."""
        heads = self.blocks.head[slots].astype(np.int64)
        used = heads[:, 1] >> 6
        entries = pick_spans(self.blocks.entries, heads[:, 0] * GRAIN, used)
        return Met(used.astype(np.uint16), (heads[:, 1] & FEW) != 0, self.blocks.overflowed[slots], entries)

    def put(self, slots: NDArray[np.int64], met: Met) -> None:
        """Let ``slots`` have met what was copied, and nobody else."""
        self.clear(slots)
        needed = _places_for(met.used)
        if (int(self.blocks.room[0]) + needed) * GRAIN > self.blocks.entries.size:
            self.grow_needed(needed)
        _put(self.blocks, slots, met.used, met.few, met.entries)
        self.blocks.overflowed[slots] = met.overflowed

    def grow_needed(self, more: int = 0) -> None:
        """Make room for what `meet` found wanting, and for ``more`` places; what actors grew out of is given up.

        Everything moves anyhow, so only the contacts that actors have do, each list into a block no larger than it.
        """
        old = self.blocks
        used = _places_for(old.head[:, 1] >> 6) + more
        entries = np.zeros((1 + used + max(used // 16, SPARE)) * GRAIN, np.uint16)
        old.room[:] = _gather(old, entries), 0
        old.free[:] = 0
        self.blocks = old._replace(entries=entries)
