"""Order in what is asked for: the next number, the next text in the alphabet."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.core.compiled import compiled

NEAR: Final = 5_000
NEXT_LLR: Final = float(np.log(0.8 / 0.01))
"""A number within `NEAR` of the last, in the direction of the step before, from who never turned."""
FAR_LLR: Final = float(np.log(0.2 / 0.99))
LATER_LLR: Final = float(np.log(40.0))
"""A text of at most three letters after the last one in the alphabet."""
OTHER_LLR: Final = float(np.log(0.15 / 0.8))
ON_LLR: Final = float(np.log(0.99 / 0.4))
TURN_LLR: Final = float(np.log(0.01 / 0.6))
"""Among neighbours in no order, as an office's numbers are, one step in three goes on in the direction of the last."""
RUN, RUNS = 8, 2
"""Neighbours that make a run, and runs of an address book: more blocks of numbers than two are gone through."""
MORE_LLR: Final = float(np.log(0.8 / 0.2))
"""A neighbour in the third block of numbers or a later one, whatever its direction."""
RUN_MAX: Final = 15
DIRECTION, TURNED = 3, 16
"""Bits of a mark: the last direction, 1 up, 2 down; whether it ever changed between neighbours."""


@compiled
def _run(near: bool, runs: NDArray[np.uint8], at: int) -> int:
    """Runs of neighbours before this number, if it goes on with one of its own; 0 otherwise. Moves them on.

    ``runs[at]`` holds the length of the present run in its low half, and how many there were in its high one.
    """
    length, before = int(runs[at]) % 16, int(runs[at]) // 16
    if near:
        length = min(length + 1, RUN_MAX)
    else:
        before, length = min(before + int(length >= RUN), RUN_MAX), 0
    runs[at] = before * 16 + length
    return before if length > RUN // 2 else 0


@compiled
def import_llr(last: int, number: int, marks: NDArray[np.uint8], runs: NDArray[np.uint8], at: int) -> float:
    """Log-likelihood ratio of a number asked for after ``last``; remembers direction and runs (`_run`)."""
    if last <= 0 or number == last:
        return 0.0
    near = max(number, last) - min(number, last) <= NEAR
    before_runs = _run(near, runs, at)
    if not near:
        return 0.0 if int(runs[at]) // 16 >= RUNS else FAR_LLR
    if before_runs >= RUNS:
        return MORE_LLR
    before, now = marks[2] & DIRECTION, 1 if number > last else 2
    marks[2] = marks[2] - before + now
    if before == 0:
        return 0.0
    if now != before:
        marks[2] |= TURNED
        return TURN_LLR
    return ON_LLR if marks[2] & TURNED else NEXT_LLR


@compiled
def short(text: int) -> bool:
    """Whether a text is whole, of one to three letters and of an alphabet: of one or two bytes a letter."""
    letters = 0
    for j in range(7):
        byte = (text >> (8 * (6 - j))) & 0xFF
        if byte >= 0xE0 or (j == 6 and byte != 0):
            return False
        letters += byte != 0 and (byte & 0xC0) != 0x80
    return 1 <= letters <= 3


@compiled
def goes_on(one: int, other: int) -> bool:
    """Whether one of two texts begins with the other."""
    shorter, longer = min(one, other), max(one, other)
    bits = 0
    while bits < 56 and (shorter >> bits) & 0xFF == 0:
        bits += 8
    return shorter > 0 and shorter >> bits == longer >> bits


@compiled
def alphabet_llr(done: int, text: int) -> float:
    """Log-likelihood ratio of a search that is done, against the one done before it."""
    if done == 0:
        return 0.0
    return LATER_LLR if text > done and short(text) else OTHER_LLR
