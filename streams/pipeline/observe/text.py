"""Bytes of text in compiled code."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.core.compiled import compiled

QUOTE: Final = ord('"')
_BACKSLASH: Final = ord("\\")
_BLANK: Final = ord(" ")
_TILDE: Final = ord("~")
_ZERO: Final = ord("0")
_NINE: Final = ord("9")
_A: Final = ord("a")
_F: Final = ord("f")

# Tables by byte: one look instead of three comparisons, at each byte of a record.
_PLAIN: Final = np.array([_BLANK <= byte <= _TILDE and byte != _BACKSLASH for byte in range(256)])
_PLAIN_BUT_QUOTE: Final = _PLAIN & (np.arange(256) != QUOTE)

Text = NDArray[np.uint8]
"""UTF-8, in which a value is a *span*: where it starts and its size in bytes."""


@compiled
def signed(number: np.integer | float) -> int:
    """A number as 64 bits with a sign. Bytes must not be reckoned with as they are: unsigned, they wrap around at 0."""
    return np.int64(number)  # type: ignore[return-value]  # an int to whoever calls it from Python


@compiled
def hex_digit(byte: int) -> int:
    """Value of a hexadecimal digit; -1 for any other byte."""
    if _ZERO <= byte <= _NINE:
        return byte - _ZERO
    lower = byte | 32
    return lower - _A + 10 if _A <= lower <= _F else -1


@compiled
def is_digit(text: Text, at: int) -> bool:
    """Whether a decimal digit stands there."""
    return bool(_ZERO <= text[at] <= _NINE)


@compiled
def is_plain(text: Text, at: int) -> bool:
    """Whether a byte stands there that means itself wherever it stands: printable ASCII, but no backslash."""
    return bool(_PLAIN[text[at]])


@compiled
def quote_at(text: Text, at: int) -> int:
    """Where the next quote stands from ``at`` on; -1 if something comes before it that is not plain."""
    while _PLAIN_BUT_QUOTE[text[at]]:
        at += 1
    return at if text[at] == QUOTE else -1


@compiled
def has_nul(text: Text, start: int, size: int) -> bool:
    """Whether one byte of the span is 0."""
    found = False
    # No early end: hardly any span has one, so that it is read to its end anyway.
    for at in range(start, start + size):
        found |= text[at] == 0
    return found


@compiled
def is_same(text: Text, start: int, other: Text, other_start: int, size: int) -> bool:
    """Whether two spans of the same size hold the same bytes."""
    for k in range(size):
        if text[start + k] != other[other_start + k]:
            return False
    return True


@compiled
def copy(text: Text, start: int, size: int, into: Text, at: int) -> int:
    """Copy a span to ``at``; the position behind the copy."""
    for k in range(size):
        into[at + k] = text[start + k]
    return at + size


@compiled
def write_number(text: Text, at: int, number: int) -> int:
    """Write a number that is not negative in decimal at ``at``; the position behind it."""
    size, left = 1, number // 10
    while left > 0:
        left //= 10
        size += 1
    for k in range(size):
        text[at + size - 1 - k] = _ZERO + number % 10
        number //= 10
    return at + size
