"""How many different things a crowd saw together: a sketch of 4 bits a register, counted as it grows.

HyperLogLog (Flajolet 2007) in `REGISTERS` registers: a key names one of them and a rank, 1 with probability 1/2, 2 with
1/4 and so on up to `RANK_MAX`; a register keeps the highest rank it met. Every key that raises one is counted with the
inverse of the probability that a new key would have (Ting 2014): an estimate without bias at any size, small counts
need no correction, and all of it is whole numbers. Its relative standard error is at most 0.83 / sqrt(REGISTERS),
10.4 %. Which keys came counts, and the order of their first appearances, nothing else; one met again changes nothing.

Time goes by halves that the caller numbers. The low four bits of a register are of this half, the high four of the one
before. Two counts are kept: of this half by itself, and of both together. When a half ends, its own count is that of
both, so that what is told covers this half and the whole of the one before:

    half        |      7      |      8      |      9      |
    low bits    |  7          |  8          |  9          |
    high bits   |          6  |          7  |          8  |
    both        |  6 and 7    |  7 and 8    |  8 and 9    |

Registers are full at some 10 million keys within two halves: then nothing is added.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.core.compiled import in_place
from detectors.core.hashing import mix

REGISTERS: Final = 64
RANK_MAX: Final = 15
GRAIN: Final = 256
"""Counts are kept in so many parts of one."""
ERROR: Final = 0.83 / REGISTERS**0.5
_WHOLE: Final = REGISTERS << RANK_MAX
_COUNT_MAX: Final = 2**32 - 1
_BOTH: Final = 1

COLUMNS: Final = {
    "registers": f"({REGISTERS},)u1",
    "raised": "(2,)u4",
    "distinct": "(2,)u4",
    "contacts": "(2,)u4",
    "half": "u2",
}
"""Columns of g sketches, zero at first, in the order of `Sketches`."""


class Sketches(NamedTuple):
    """Columns of g sketches."""

    registers: NDArray[np.uint8]
    """[g, REGISTERS]"""
    raised: NDArray[np.uint32]
    """[g, 2] share of new keys that would change nothing, in parts of `_WHOLE`: in this half; in both."""
    distinct: NDArray[np.uint32]
    """[g, 2] keys, in `GRAIN`: of this half; of both."""
    contacts: NDArray[np.uint32]
    """[g, 2] what the caller adds up beside it: of this half; of the one before."""
    half: NDArray[np.uint16]


@in_place
def _rank(key: np.uint64) -> int:
    """Rank of a key, from the bits above those that name its register."""
    left, rank = key >> np.uint64(6), 1
    while rank < RANK_MAX and left & np.uint64(1) == 0:
        left >>= np.uint64(1)
        rank += 1
    return rank


@in_place
def _weight(rank: int) -> int:
    """Share of keys, in parts of one register, that raise a register with this rank; none at the highest."""
    return 1 << (RANK_MAX - rank) if rank < RANK_MAX else 0


@in_place
def _raise(sketches: Sketches, g: int, which: int, before: int, rank: int) -> int:
    """Count a key that raises a register from ``before``; what it counts for, in `GRAIN`."""
    open_ = _WHOLE - np.int64(sketches.raised[g, which])
    gain = int(_WHOLE * GRAIN // open_)
    sketches.raised[g, which] = np.int64(sketches.raised[g, which]) + _weight(before) - _weight(rank)
    sketches.distinct[g, which] = min(np.int64(sketches.distinct[g, which]) + gain, np.int64(_COUNT_MAX))
    return gain


@in_place
def turn(sketches: Sketches, g: int, half: int) -> None:
    """Let ``half`` be the present one if it is later than that of the sketch."""
    ahead = half - np.int64(sketches.half[g])
    if ahead <= 0:
        return
    sketches.half[g] = half
    for k in range(REGISTERS):
        sketches.registers[g, k] = sketches.registers[g, k] << 4 & 0xF0 if ahead == 1 else 0
    for column in (sketches.raised, sketches.distinct):
        column[g, _BOTH] = column[g, 0] if ahead == 1 else 0
        column[g, 0] = 0
    sketches.contacts[g, 1] = sketches.contacts[g, 0] if ahead == 1 else 0
    sketches.contacts[g, 0] = 0


@in_place
def meet(sketches: Sketches, g: int, key: np.uint64) -> int:
    """Count a key; what it counts for among those of both halves, in `GRAIN`: 0 for one that was met."""
    mixed = mix(key)
    k, rank = np.int64(mixed & np.uint64(REGISTERS - 1)), _rank(mixed)
    held = np.int64(sketches.registers[g, k])
    here, ago, gain = int(held & 0xF), int(held >> 4), 0
    if rank > max(here, ago):
        gain = _raise(sketches, g, _BOTH, max(here, ago), rank)
    if rank > here:
        _raise(sketches, g, 0, here, rank)
        sketches.registers[g, k] = ago << 4 | rank
    return gain


@in_place
def told(sketches: Sketches, g: int) -> tuple[int, int]:
    """Distinct keys of both halves, and contacts."""
    distinct = (np.int64(sketches.distinct[g, _BOTH]) + GRAIN // 2) // GRAIN
    return int(distinct), int(np.int64(sketches.contacts[g, 0]) + np.int64(sketches.contacts[g, 1]))
