"""Sliding windows of distinct profiles: four rings of panes, each pane counting the profiles met last in it.

Groups have them, and persons who met more than a few (`actors/few.py`).

A profile met again moves from the pane of its last meeting to the current one, so the sum over the panes of a window
is the number of distinct profiles in it. A window never covers more than its name says, and at least all but one pane
of it::

    minute         3 panes of 20 s      |--|--|--|
    ten minutes   10 panes of 1 min        now ^ lies in the last pane
    hour          12 panes of 5 min
    day           24 panes of 1 h

The record of an actor has 120 bytes, read as 32-bit words (the four sums, the granule it was last moved to) and as
16-bit cells (the panes).
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.core.compiled import in_place
from streams.pipeline.observe.text import signed

WORDS: Final = 30
"""32-bit words of an actor's record."""
SPANS: Final = 4
_PANES: Final = (3, 10, 12, 24)
_FIRST_CELL: Final = (10, 13, 23, 35)
_HEAD: Final = 4
_FULL: Final = 0xFFFF


@in_place
def _pane(granule: int, r: int) -> int:
    # Divisors spelled out: the compiler turns a division by a constant into a multiplication, ten times as fast.
    if r == 0:
        return granule
    if r == 1:
        return granule // 3
    if r == 2:
        return granule // 15
    return granule // 180


@in_place
def reach(head: int, r: int) -> int:
    """Granules from ``head`` back to the begin of the oldest pane of a window."""
    pane = _pane(head, r) - _PANES[r] + 1
    if r == 0:
        return head - pane
    if r == 1:
        return head - pane * 3
    return head - pane * (15 if r == 2 else 180)


@in_place
def _cell(pane: int, r: int) -> int:
    if r == 0:
        return 10 + pane % 3
    if r == 1:
        return 13 + pane % 10
    if r == 2:
        return 23 + pane % 12
    return 35 + pane % 24


@in_place
def advance(words: NDArray[np.uint32], cells: NDArray[np.uint16], now: int) -> None:
    """Move one actor's rings on to granule ``now``: panes that fall out of a window are emptied."""
    head = signed(words[_HEAD])
    if now <= head:
        return
    for r in range(SPANS):
        pane, last = _pane(now, r), _pane(head, r)
        if pane - last >= _PANES[r]:
            cells[_FIRST_CELL[r] : _FIRST_CELL[r] + _PANES[r]] = 0
            words[r] = 0
            continue
        for p in range(last + 1, pane + 1):
            cell = _cell(p, r)
            words[r] -= cells[cell]
            cells[cell] = 0
    words[_HEAD] = now


@in_place
def begin(words: NDArray[np.uint32], cells: NDArray[np.uint16], head: int) -> None:
    """Empty rings, moved to granule ``head``."""
    cells[:] = 0
    words[_HEAD] = head


@in_place
def note(words: NDArray[np.uint32], cells: NDArray[np.uint16], met: int) -> None:
    """Count one profile that was met last at granule ``met``, no later than the head."""
    for r in range(SPANS):
        pane = _pane(met, r)
        if _pane(signed(words[_HEAD]), r) - pane < _PANES[r]:
            words[r] += 1
            cells[_cell(pane, r)] += 1


@in_place
def count(words: NDArray[np.uint32], cells: NDArray[np.uint16], after: int) -> None:
    """Count one profile at the rings' head; ``after`` is how many were met after it was met last, negative for never.

    The panes hold the profiles in the order in which they were met last, so ``after`` says in which pane it was.
    """
    head = signed(words[_HEAD])
    for r in range(SPANS):
        pane = _pane(head, r)
        cell = _cell(pane, r)
        if cells[cell] == _FULL:
            continue
        if after < 0 or after >= words[r]:
            words[r] += 1
            cells[cell] += 1
            continue
        before, left = pane, after
        while left >= cells[_cell(before, r)]:
            left -= cells[_cell(before, r)]
            before -= 1
        if before != pane:
            cells[_cell(before, r)] -= 1
            cells[cell] += 1
