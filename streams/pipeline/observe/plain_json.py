"""Plain JSON in compiled code: where its texts, numbers and values end.

Plain is what is read in one way only: printable ASCII without an escape, numbers of few digits without an exponent,
objects and lists that do not lie deep in each other. What is not plain ends at ABSENT, nowhere: a decoder then says
what it is.

A NUL must stand behind the text, as `events.joined` puts it there. It belongs to no token, so nothing looks beyond it.
"""

from typing import Final

import numpy as np

from detectors.core.compiled import compiled
from streams.pipeline.observe.events import ABSENT
from streams.pipeline.observe.text import QUOTE, Text, is_digit, is_same, quote_at, signed

COMMA: Final = ord(",")
OPENS: Final = ord("{")
CLOSES: Final = ord("}")
_OPENS_LIST: Final = ord("[")
_CLOSES_LIST: Final = ord("]")
_COLON: Final = ord(":")
_MINUS: Final = ord("-")
_DOT: Final = ord(".")
_ZERO: Final = ord("0")
_BLANKS: Final = np.isin(np.arange(256), [*b" \t\n\r"])
_TRUE: Final = np.frombuffer(b"true", np.uint8)
_FALSE: Final = np.frombuffer(b"false", np.uint8)
_NULL: Final = np.frombuffer(b"null", np.uint8)
_N: Final = ord("n")

_DIGITS_MAX: Final = 15
"""Of a whole number: it fits, whatever it is compared with."""
_DEPTH_MAX: Final = 30
"""Less than any decoder takes."""

# What lies around a value, as a number: a 1, then for each object or list around it a bit, which is 1 for an object.
_NOTHING: Final = 1
_AROUND_MAX: Final = 1 << _DEPTH_MAX


@compiled
def skip_blanks(text: Text, at: int) -> int:
    """Where the next byte stands that is no blank."""
    while _BLANKS[text[at]]:
        at += 1
    return at


@compiled
def whole_number(text: Text, at: int) -> tuple[int, int]:
    """Where the digits at ``at`` end, and their number; they end where they begin if that is none."""
    begin, number = at, 0
    while is_digit(text, at):
        if at - begin == _DIGITS_MAX:
            return begin, 0
        number = number * 10 + signed(text[at]) - _ZERO
        at += 1
    return (begin, 0) if at - begin > 1 and text[begin] == _ZERO else (at, number)


@compiled
def _number_end(text: Text, at: int) -> int:
    begin = at + (text[at] == _MINUS)
    end, _ = whole_number(text, begin)
    if end == begin:
        return ABSENT
    if text[end] != _DOT:
        return end
    begin = end = end + 1
    while is_digit(text, end):
        end += 1
    return ABSENT if end == begin else end


@compiled
def scalar_end(text: Text, at: int) -> int:
    """Where the text, number or word at ``at`` ends."""
    if text[at] == QUOTE:
        end = quote_at(text, at + 1)
        return ABSENT if end == ABSENT else end + 1
    for word in (_TRUE, _FALSE, _NULL):
        if is_same(text, at, word, 0, word.size):
            return at + word.size
    return _number_end(text, at)


@compiled
def is_null(text: Text, at: int) -> bool:
    """Whether the text, number or word at ``at``, which ends somewhere, is null."""
    return bool(text[at] == _N)


@compiled
def key_end(text: Text, at: int) -> tuple[int, int]:
    """Where the quote stands that ends the key at ``at``, and where its value begins; ABSENT if either is not plain."""
    end = quote_at(text, at + 1) if text[at] == QUOTE else ABSENT
    if end == ABSENT:
        return ABSENT, ABSENT
    colon = skip_blanks(text, end + 1)
    return (end, skip_blanks(text, colon + 1)) if text[colon] == _COLON else (ABSENT, ABSENT)


@compiled
def value_end(text: Text, at: int) -> int:
    """Where the value at ``at`` ends, whatever it is: a scalar, an object or a list."""
    around = _NOTHING
    while True:
        if text[at] == OPENS or text[at] == _OPENS_LIST:
            if around >= _AROUND_MAX:
                return ABSENT
            around = around << 1 | int(text[at] == OPENS)
            at = skip_blanks(text, at + 1)
            has_more = text[at] != _closing(around)
        else:
            at, has_more = scalar_end(text, at), False
            if at == ABSENT:
                return ABSENT
        if not has_more:
            at, around = _behind(text, at, around)
            if around == _NOTHING:
                return at
            if text[at] != COMMA:
                return ABSENT
            at = skip_blanks(text, at + 1)
        if around & 1:
            _, at = key_end(text, at)
            if at == ABSENT:
                return ABSENT


@compiled
def _closing(around: int) -> int:
    """The byte that ends the innermost of what lies around a value."""
    return CLOSES if around & 1 else _CLOSES_LIST


@compiled
def _behind(text: Text, at: int, around: int) -> tuple[int, int]:
    """What stands behind a value that ends at ``at``, and lies around it there: behind all that ends with the value."""
    while around != _NOTHING:
        following = skip_blanks(text, at)
        if text[following] != _closing(around):
            return following, around
        at, around = following + 1, around >> 1
    return at, around
