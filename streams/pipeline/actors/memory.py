"""Who stands behind an actor: the principals that came through an address or group, and when last, within 14 days.

Each actor has a small block of entries of its own, so that what one remembers never depends on who else is there, on
how many partitions there are, or on the order in which actors came. An entry is a 16-bit tag and the time of the last
meeting in granules of 20 s modulo 2**16 (15.2 days, more than is remembered). A block begins with two entries, for
behind most addresses there is one principal; a larger one has buckets of eight, and the tag names two of them, of which
an entry takes the emptier (two-choice hashing, Azar et al. 1994). When both are full the block doubles, up to a cap;
there the oldest entry gives way and the actor is marked as `overflowed`.

Error: a key that was never met is taken for a known one with a probability of at most entries / 32,768 (0.4 % at 128,
1.6 % at 512): counts err downwards. After an overflow, a key that gave way counts as new again: counts may err
upwards by as many.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.core.compiled import in_place
from streams.pipeline.actors.slotted import Slotted
from streams.pipeline.actors.texts import pick_spans
from streams.pipeline.observe.text import signed

GRANULE_US: Final = 20_000_000
HORIZON: Final = 14 * 86_400 // 20
"""Granules after which a meeting is forgotten."""
SIZES: Final = (2, 4, 8, 16, 32, 64, 128, 256, 512)
WAYS: Final = 8
"""Entries of a bucket."""
GRAIN: Final = 2
"""Entries of a place: a block is made of whole ones."""
SPARE: Final = 512
"""Places that a memory has to spare at least when it grows."""
NEW: Final = -1
NEED: Final = -2
"""No free block of the class in ``need``; give it some and ask again."""
_SWEEP: Final = 4320  # a day: 14 days and a day stay below the 15.2 at which times wrap


class Blocks(NamedTuple):
    """Arrays of a `Memory`, as compiled code takes them.

    All blocks lie in one array, at *places* of `GRAIN` entries each: to pick from a tuple of arrays, one a size, costs
    more than the look itself, since compiled code counts a reference to every one of them.
    """

    entries: NDArray[np.uint32]
    """The first entry of a free block is the place of the next free one of its class."""
    free: NDArray[np.int64]
    """[classes] place of the first free block of each size class; 0 where there is none."""
    room: NDArray[np.int64]
    """[2] first place that was never given out; size class + 1 that `recall` found without a block, else 0."""
    head: NDArray[np.int32]
    """[slots, 2]: place * 16 + size class + 1, or 0 without a block; granule of the last sweep."""
    overflowed: NDArray[np.bool_]


@in_place
def age_of(entry: int, now: int) -> int:
    """Granules since the entry's time, 0 for a time ahead of ``now``."""
    age = (now - entry) & 0xFFFF
    return 0 if age > 0xFFFF - 400 else age


@in_place
def allocate(b: Blocks, slot: int, size_class: int) -> int:
    """Give ``slot`` an empty block; returns its place, or -1 when there is no room for one."""
    place = b.free[size_class]
    if place > 0:
        b.free[size_class] = b.entries[place * GRAIN]
        b.entries[place * GRAIN] = 0
    else:
        place = b.room[0]
        if (place + (1 << size_class)) * GRAIN > b.entries.size:
            b.room[1] = size_class + 1
            return -1
        b.room[0] = place + (1 << size_class)
    b.head[slot, 0] = place * 16 + size_class + 1
    return signed(place)


@in_place
def _free(b: Blocks, size_class: int, place: int) -> None:
    """Take a block back."""
    start = place * GRAIN
    for at in range(start, start + (GRAIN << size_class)):
        b.entries[at] = 0
    b.entries[start] = b.free[size_class]
    b.free[size_class] = place


@in_place
def release(b: Blocks, slot: int) -> None:
    """Give the slot's block back, emptied."""
    head = signed(b.head[slot, 0])
    if head > 0:
        b.head[slot, 0] = 0
        _free(b, head % 16 - 1, head // 16)


@in_place
def release_all(b: Blocks, slots: NDArray[np.int64] | NDArray[np.int32]) -> None:
    """Likewise of all ``slots``."""
    for slot in slots:
        release(b, slot)


@in_place
def _sweep(b: Blocks, slot: int, start: int, size: int, now: int) -> None:
    last = signed(b.head[slot, 1])
    for at in range(start, start + size):
        entry = signed(b.entries[at])
        # Reckoned from the last sweep: no entry was older than the horizon then, and none is newer than a day after it.
        met = (entry - last) & 0xFFFF
        if entry != 0 and now - last - (met if met <= _SWEEP else met - 0x10000) > HORIZON:
            b.entries[at] = 0
    b.head[slot, 1] = now


@in_place
def _bucket(tag: int, second: bool, size: int) -> int:
    """Where one of the two buckets of a tag begins; up to `WAYS` entries are one bucket."""
    return ((tag >> 8 if second else tag) & (size // WAYS - 1)) * WAYS if size > WAYS else 0


@in_place
def _put(entries: NDArray[np.uint32], start: int, size: int, entry: int) -> bool:
    best, best_room = -1, 0
    for second in (False, True):
        bucket = start + _bucket(entry >> 16, second, size)
        room, place = 0, -1
        for at in range(bucket, bucket + min(size, WAYS)):
            if entries[at] == 0:
                room += 1
                place = at
        if room > best_room:
            best, best_room = place, room
    if best < 0:
        return False
    entries[best] = entry
    return True


@in_place
def _grow(b: Blocks, slot: int) -> bool:
    head = signed(b.head[slot, 0])
    size_class, old = head % 16 - 1, head // 16
    new = allocate(b, slot, size_class + 1)
    if new < 0:
        return False
    size = GRAIN << size_class
    for at in range(old * GRAIN, old * GRAIN + size):
        if b.entries[at] != 0 and not _put(b.entries, new * GRAIN, 2 * size, signed(b.entries[at])):
            b.overflowed[slot] = True
    _free(b, size_class, old)
    return True


@in_place
def recall(b: Blocks, slot: int, key: np.uint64, now: int, cap: int) -> int:  # noqa: C901, PLR0912 - the hot loop
    """Granules since ``slot`` last met ``key``, `NEW` if it did not, `NEED` if memory must grow; remembers it.

    ``now`` is the event time in granules since 1970, ``cap`` the largest size class of the actor's scope.
    """
    if b.head[slot, 0] == 0:
        if allocate(b, slot, 0) < 0:
            return NEED
        b.head[slot, 1] = now
    tag = signed(key >> np.uint64(48))
    fresh = np.uint32(max(tag << 16 | now & 0xFFFF, 1))
    while True:
        head = signed(b.head[slot, 0])
        size_class, start = head % 16 - 1, head // 16 * GRAIN
        size = GRAIN << size_class
        if now - b.head[slot, 1] > _SWEEP:
            _sweep(b, slot, start, size, now)
        oldest, oldest_age = 0, -1
        room, place = 0, -1
        for second in (False, True):
            bucket = start + _bucket(tag, second, size)
            free, free_at = 0, -1
            for at in range(bucket, bucket + min(size, WAYS)):
                entry = signed(b.entries[at])
                if entry == 0:
                    free += 1
                    free_at = at
                    continue
                age = age_of(entry, now)
                if entry >> 16 == tag and age <= HORIZON:
                    if age > 0:
                        b.entries[at] = fresh
                    return age
                if age > oldest_age:
                    oldest, oldest_age = at, age
            if free > room:
                room, place = free, free_at
            if size <= WAYS:
                break
        if room > 0 or oldest_age > HORIZON:
            b.entries[place if room > 0 else oldest] = fresh
            return NEW
        if size_class >= cap:
            b.entries[oldest] = fresh
            b.overflowed[slot] = True
            return NEW
        if not _grow(b, slot):
            return NEED


@in_place
def remembered(b: Blocks, slot: int, now: int, horizon: int) -> tuple[int, int]:
    """Keys that ``slot`` met within ``horizon`` granules, and those among them whose tag is odd."""
    head = signed(b.head[slot, 0])
    count, odd = 0, 0
    if head == 0:
        return count, odd
    start = head // 16 * GRAIN
    for at in range(start, start + (GRAIN << (head % 16 - 1))):
        entry = signed(b.entries[at])
        if entry != 0 and age_of(entry, now) <= horizon:
            count += 1
            odd += (entry >> 16) & 1
    return count, odd


@in_place
def _gather(b: Blocks, entries: NDArray[np.uint32]) -> int:
    """Move the blocks of all slots into ``entries``, one after another; the place behind them."""
    place = 1
    for slot in range(len(b.head)):
        head = signed(b.head[slot, 0])
        if head > 0:
            start, to = head // 16 * GRAIN, place * GRAIN
            for k in range(GRAIN << (head % 16 - 1)):
                entries[to + k] = b.entries[start + k]
            b.head[slot, 0] = place * 16 + head % 16
            place += 1 << (head % 16 - 1)
    return place


class Copied(NamedTuple):
    """Blocks of some slots, apart from any memory."""

    heads: NDArray[np.int32]
    """[n, 2]: size class + 1, or 0 without a block; granule of the last sweep."""
    overflowed: NDArray[np.bool_]
    entries: NDArray[np.uint32]
    """Blocks of those that have one, one after the other."""

    def sizes(self) -> NDArray[np.int64]:
        """Entries of each."""
        return np.array([0, *SIZES], np.int64)[self.heads[:, 0]]

    def pick(self, places: NDArray[np.int64]) -> "Copied":
        """Of the slots at some places, in the order given."""
        sizes = self.sizes()
        entries = pick_spans(self.entries, (np.cumsum(sizes) - sizes)[places], sizes[places])
        return Copied(self.heads[places], self.overflowed[places], entries)

    @staticmethod
    def join(parts: Sequence["Copied"]) -> "Copied":
        """All of the parts, one after the other."""
        return Copied(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


class Memory(Slotted[Blocks]):
    """Blocks of all slots, with room that grows by an eighth at a time."""

    def __init__(self) -> None:
        # Place 0 is never given out, so that 0 says that there is none.
        first = np.array([1, 0], np.int64)
        heads, overflowed = np.zeros((0, 2), np.int32), np.zeros(0, np.bool_)
        self.blocks = Blocks(np.zeros(GRAIN, np.uint32), np.zeros(len(SIZES), np.int64), first, heads, overflowed)

    def clear(self, slots: NDArray[np.int64]) -> None:
        """Let ``slots`` remember nothing."""
        release_all(self.blocks, slots)
        self.blocks.overflowed[slots] = False
        self.blocks.head[slots] = 0

    def copy(self, slots: NDArray[np.int64]) -> Copied:
        """What ``slots`` remember."""
        heads = self.blocks.head[slots]
        starts = heads[:, 0].astype(np.int64) // 16 * GRAIN
        heads[:, 0] %= 16
        copied = Copied(heads, self.blocks.overflowed[slots], np.zeros(0, np.uint32))
        return copied._replace(entries=pick_spans(self.blocks.entries, starts, copied.sizes()))

    def load(self, copied: Copied) -> None:
        """Let slots from 0 on, all there are so far, remember what was copied."""
        n, classes = len(copied.heads), copied.heads[:, 0].astype(np.int64)
        places = copied.sizes() // GRAIN
        ends = 1 + np.cumsum(places)
        end = int(ends[-1]) if n else 1
        entries = np.zeros((end + max(end // 8, SPARE)) * GRAIN, np.uint32)
        entries[GRAIN : GRAIN + copied.entries.size] = copied.entries
        self.blocks.head[:n, 0] = np.where(classes > 0, (ends - places) * 16 + classes, 0)
        self.blocks.head[:n, 1] = copied.heads[:, 1]
        self.blocks.overflowed[:n] = copied.overflowed
        self.blocks.room[:] = end, 0
        self.blocks.free[:] = 0
        self.blocks = self.blocks._replace(entries=entries)

    def grow_needed(self) -> None:
        """Make room for the block that `recall` found wanting, and for more; what actors grew out of is given up.

        Everything moves anyhow, so only the blocks that actors have do: else each block that one grew out of would be
        kept for whoever needs one of just that size.
        """
        old = self.blocks
        sizes = old.head[:, 0] & 15
        used = int((1 << (sizes[sizes > 0].astype(np.int64) - 1)).sum())
        entries = np.zeros((1 + used + max(used // 8, SPARE)) * GRAIN, np.uint32)
        old.room[:] = _gather(old, entries), 0
        old.free[:] = 0
        self.blocks = old._replace(entries=entries)
