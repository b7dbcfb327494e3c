"""Finds an actor's slot by its key: open addressing with linear probing, at most four fifths full.

A key's place follows from the high bits of what it is mixed to, scaled to the size of the table. So the table may have
any size, and grows by a quarter: a doubling would leave more than half of it empty. And its keys lie in the same
order at every size, so that each move to a larger table reads and writes from one end to the other.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.core.compiled import compiled
from detectors.core.prefetch import AHEAD, prefetch

NO_KEY: Final = np.uint64(0)
_LEAST: Final = 1024
_SPREAD: Final = np.uint64(0x9E3779B97F4A7C15)
_HALF: Final = np.uint64(32)
_ONE: Final = np.uint64(1)


@compiled
def _place(key: np.uint64, size: np.uint64) -> np.uint64:
    """Where a key is looked for first."""
    return (key * _SPREAD >> _HALF) * size >> _HALF


@compiled
def _find_or_add(
    keys: NDArray[np.uint64],
    slots: NDArray[np.int32],
    wanted: NDArray[np.uint64],
    start: int,
    count: int,
    out: NDArray[np.int32],
) -> tuple[int, int]:
    """Go on from ``start``; how far it came before the table was too full, and keys that there are then."""
    size, most = np.uint64(keys.size), 4 * keys.size // 5
    for i in range(start, wanted.size):
        prefetch(_place(wanted[min(i + AHEAD, wanted.size - 1)], size), (keys, slots))
        key = wanted[i]
        at = _place(key, size)
        while keys[at] != NO_KEY and keys[at] != key:
            at += _ONE
            if at == size:
                at = np.uint64(0)
        if keys[at] == NO_KEY:
            if count >= most:
                return i, count
            keys[at] = key
            slots[at] = count
            count += 1
        out[i] = slots[at]
    return wanted.size, count


@compiled
def _rebuild(
    keys: NDArray[np.uint64], slots: NDArray[np.int32], old: NDArray[np.uint64], old_slots: NDArray[np.int32]
) -> None:
    size = np.uint64(keys.size)
    for i in range(old.size):
        if old[i] == NO_KEY:
            continue
        at = _place(old[i], size)
        while keys[at] != NO_KEY:
            at += _ONE
            if at == size:
                at = np.uint64(0)
        keys[at] = old[i]
        slots[at] = old_slots[i]


class Index:
    """Slots are given out from 0 upwards, one a key, until `keep` numbers them anew."""

    def __init__(self) -> None:
        self._keys = np.zeros(_LEAST, np.uint64)
        self._slots = np.zeros(_LEAST, np.int32)
        self.count = 0

    def slots(self, keys: NDArray[np.uint64]) -> tuple[NDArray[np.int32], int]:
        """Slot of each key, and how many of them are new: ``count - new`` to ``count - 1`` in order of appearance."""
        out, before, done = np.empty(keys.size, np.int32), self.count, 0
        while True:
            done, self.count = _find_or_add(self._keys, self._slots, keys, done, self.count, out)
            if done == keys.size:
                return out, self.count - before
            # By what there is, not by what may come: a batch names the same keys again and again.
            self._resize(self.count + 1)

    def keep(self, renumbered: NDArray[np.int32]) -> None:
        """Give each slot its new number by the old one; keys of slots that become -1 are dropped."""
        used = self._keys != NO_KEY
        slots = renumbered[self._slots[used]]
        kept = slots >= 0
        self._keys, self._slots = self._keys[used][kept], slots[kept]
        self.count = int(self._keys.size)
        self._resize(self.count)

    def keys(self) -> NDArray[np.uint64]:
        """The key of each slot."""
        used = self._keys != NO_KEY
        out = np.zeros(self.count, np.uint64)
        out[self._slots[used]] = self._keys[used]
        return out

    def _resize(self, needed: int) -> None:
        """Make a table of which ``needed`` keys fill 64 %: a quarter more may come before the next one."""
        size = max(_LEAST, needed * 25 // 16)
        keys, slots = np.zeros(size, np.uint64), np.zeros(size, np.int32)
        _rebuild(keys, slots, self._keys, self._slots)
        self._keys, self._slots = keys, slots

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self._keys.nbytes + self._slots.nbytes
