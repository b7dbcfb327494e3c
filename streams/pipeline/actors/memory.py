"""What an actor remembers: which keys it met, and when last, within 14 days.

Each actor has a small block of entries of its own, so that what one remembers never depends on who else is there, on
how many partitions there are, or on the order in which actors came. An entry is a 16-bit tag and the time of the last
meeting in granules of 20 s modulo 2**16 (15.2 days, more than is remembered). A block has buckets of eight entries
and the tag names two of them, of which an entry takes the emptier (two-choice hashing, Azar et al. 1994). When both
are full the block doubles, up to the cap of the actor's scope; there the oldest entry gives way and the actor is
marked as `overflowed`.

Error: a key that was never met is taken for a known one with a probability of at most entries / 32,768 (0.4 % at 128,
1.6 % at 512): counts err downwards. After an overflow, a key that gave way counts as new again: counts may err
upwards by as many.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.core.compiled import compiled
from streams.pipeline.observe.text import signed

GRANULE_US: Final = 20_000_000
HORIZON: Final = 14 * 86_400 // 20
"""Granules after which a meeting is forgotten."""
SIZES: Final = (8, 16, 32, 64, 128, 256, 512)
WAYS: Final = 8
NEW: Final = -1
NEED: Final = -2
"""No free block of the class in ``need``; give it some and ask again."""
_SWEEP: Final = 4320  # a day: 14 days and a day stay below the 15.2 at which times wrap


class Blocks(NamedTuple):
    """Arrays of a `Memory`, as compiled code takes them."""

    entries: tuple[NDArray[np.uint32], ...]
    """A 2-D array a size class: block, entry."""
    free: tuple[NDArray[np.int32], ...]
    free_count: NDArray[np.int64]
    need: NDArray[np.int64]
    """[1] size class + 1 that `recall` found without a free block, else 0."""
    head: NDArray[np.int32]
    """[slots, 2]: block * 8 + size class + 1, or 0 without a block; granule of the last sweep."""
    overflowed: NDArray[np.bool_]


@compiled
def age_of(entry: int, now: int) -> int:
    """Granules since the entry's time, 0 for a time ahead of ``now``."""
    age = (now - entry) & 0xFFFF
    return 0 if age > 0xFFFF - 400 else age


@compiled
def allocate(b: Blocks, slot: int, size_class: int) -> int:
    """Give ``slot`` an empty block; returns its number, or -1 when none of the class is free."""
    count = b.free_count[size_class]
    if count == 0:
        b.need[0] = size_class + 1
        return -1
    b.free_count[size_class] = count - 1
    place = b.free[size_class][count - 1]
    b.head[slot, 0] = place * 8 + size_class + 1
    return signed(place)


@compiled
def release(b: Blocks, slot: int) -> None:
    """Give the slot's block back, emptied."""
    head = b.head[slot, 0]
    if head == 0:
        return
    size_class, place = head % 8 - 1, head // 8
    b.entries[size_class][place][:] = 0
    b.free[size_class][b.free_count[size_class]] = place
    b.free_count[size_class] += 1
    b.head[slot, 0] = 0


@compiled
def _sweep(b: Blocks, slot: int, block: NDArray[np.uint32], now: int) -> None:
    last = signed(b.head[slot, 1])
    for i in range(block.size):
        # Reckoned from the last sweep: no entry was older than the horizon then, and none is newer than a day after it.
        met = (signed(block[i]) - last) & 0xFFFF
        if block[i] != 0 and now - last - (met if met <= _SWEEP else met - 0x10000) > HORIZON:
            block[i] = 0
    b.head[slot, 1] = now


@compiled
def _bucket(tag: int, second: bool, size: int) -> int:
    return ((tag >> 8 if second else tag) & (size // WAYS - 1)) * WAYS


@compiled
def _put(block: NDArray[np.uint32], entry: np.uint32) -> bool:
    tag = signed(entry) >> 16
    best, best_room = -1, 0
    for second in (False, True):
        start = _bucket(tag, second, block.size)
        room, at = 0, -1
        for i in range(start, start + WAYS):
            if block[i] == 0:
                room += 1
                at = i
        if room > best_room:
            best, best_room = at, room
    if best < 0:
        return False
    block[best] = entry
    return True


@compiled
def _grow(b: Blocks, slot: int) -> bool:
    head = b.head[slot, 0]
    old_class, old_place = head % 8 - 1, head // 8
    place = allocate(b, slot, old_class + 1)
    if place < 0:
        return False
    old, new = b.entries[old_class][old_place], b.entries[old_class + 1][place]
    for i in range(old.size):
        if old[i] != 0 and not _put(new, old[i]):
            b.overflowed[slot] = True
        old[i] = 0
    b.free[old_class][b.free_count[old_class]] = old_place
    b.free_count[old_class] += 1
    return True


@compiled
def recall(b: Blocks, slot: int, key: np.uint64, now: int, cap: int) -> int:  # noqa: C901, PLR0912 - the hot loop
    """Granules since ``slot`` last met ``key``, `NEW` if it did not, `NEED` if memory must grow; remembers it.

    ``now`` is the event time in granules since 1970, ``cap`` the largest size class of the actor's scope.
    """
    head = b.head[slot, 0]
    if head == 0:
        if allocate(b, slot, 0) < 0:
            return NEED
        b.head[slot, 1] = now
        head = b.head[slot, 0]
    tag = signed(key >> np.uint64(48))
    fresh = np.uint32(max(tag << 16 | now & 0xFFFF, 1))
    while True:
        size_class = head % 8 - 1
        block = b.entries[size_class][head // 8]
        if now - b.head[slot, 1] > _SWEEP:
            _sweep(b, slot, block, now)
        oldest, oldest_age = 0, -1
        room, place = 0, -1
        for second in (False, True):
            start = _bucket(tag, second, block.size)
            free, at = 0, -1
            for i in range(start, start + WAYS):
                entry = signed(block[i])
                if entry == 0:
                    free += 1
                    at = i
                    continue
                age = age_of(entry, now)
                if entry >> 16 == tag and age <= HORIZON:
                    if age > 0:
                        block[i] = fresh
                    return age
                if age > oldest_age:
                    oldest, oldest_age = i, age
            if free > room:
                room, place = free, at
            if size_class == 0:
                break
        if room > 0 or oldest_age > HORIZON:
            block[place if room > 0 else oldest] = fresh
            return NEW
        if size_class >= cap:
            block[oldest] = fresh
            b.overflowed[slot] = True
            return NEW
        if not _grow(b, slot):
            return NEED
        head = b.head[slot, 0]


@compiled
def remembered(b: Blocks, slot: int, now: int, horizon: int) -> tuple[int, int]:
    """Keys that ``slot`` met within ``horizon`` granules, and those among them whose tag is odd."""
    head = b.head[slot, 0]
    count, odd = 0, 0
    if head == 0:
        return count, odd
    for word in b.entries[head % 8 - 1][head // 8]:
        entry = signed(word)
        if entry != 0 and age_of(entry, now) <= horizon:
            count += 1
            odd += (entry >> 16) & 1
    return count, odd


class Memory:
    """Blocks of all slots, with room that grows by a quarter at a time."""

    def __init__(self) -> None:
        empty = tuple(np.zeros((0, size), np.uint32) for size in SIZES)
        free = tuple(np.zeros(0, np.int32) for _ in SIZES)
        counts, need = np.zeros(len(SIZES), np.int64), np.zeros(1, np.int64)
        self.blocks = Blocks(empty, free, counts, need, np.zeros((0, 2), np.int32), np.zeros(0, np.bool_))

    def grow_slots(self, slots: int) -> None:
        """Make room for ``slots`` actors."""
        head, overflowed = np.zeros((slots, 2), np.int32), np.zeros(slots, np.bool_)
        head[: len(self.blocks.head)] = self.blocks.head
        overflowed[: len(self.blocks.head)] = self.blocks.overflowed
        self.blocks = self.blocks._replace(head=head, overflowed=overflowed)

    @property
    def wanting(self) -> bool:
        """`recall` asked for more blocks."""
        return bool(self.blocks.need[0])

    def grow_needed(self) -> None:
        """Add blocks of the class that `recall` found wanting."""
        wanted, old = int(self.blocks.need[0]) - 1, self.blocks
        old.need[0] = 0
        entries, free = list(old.entries), list(old.free)
        have, unused = len(entries[wanted]), int(old.free_count[wanted])
        more = max(have // 4, 64)
        entries[wanted] = np.concatenate([entries[wanted], np.zeros((more, SIZES[wanted]), np.uint32)])
        free[wanted] = np.zeros(have + more, np.int32)
        free[wanted][:unused] = old.free[wanted][:unused]
        free[wanted][unused : unused + more] = np.arange(have, have + more)
        old.free_count[wanted] += more
        self.blocks = old._replace(entries=tuple(entries), free=tuple(free))

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        b = self.blocks
        return sum(a.nbytes for a in (*b.entries, *b.free, b.head, b.overflowed))
