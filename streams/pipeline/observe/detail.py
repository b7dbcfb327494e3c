"""What is known of a request beside who asked and what was shown.

Where the id stands in an order, what was searched for, by which program, from which country.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.core.columns import AGENTS, NO_NUMBER
from detectors.core.compiled import compiled, in_place
from detectors.core.hashing import xxh64
from schemas.sighting import Kind
from streams.pipeline.observe.events import ABSENT, Events, Fault, Field
from streams.pipeline.observe.surface import Asked, Patterns, decode_percent
from streams.pipeline.observe.text import Text, is_same, signed

_ZERO: Final = ord("0")
_NINE: Final = ord("9")
_A: Final = ord("A")
_Z: Final = ord("Z")
_AND: Final = ord("&")
_EQUALS: Final = ord("=")
_PLUS: Final = ord("+")
_SPACE: Final = ord(" ")
PREFIX_MAX: Final = 3
"""Bytes that may stand before the digits of an id that counts as a number: ``u123``, ``id-7``."""
DIGITS_MAX: Final = 18
ORDER_BYTES: Final = 7
"""Bytes of a text that its place in the alphabet is told by, so that it fits in 63 bits."""


class Details(NamedTuple):
    """Columns of n events."""

    number: NDArray[np.int64]
    """Place of the id that was asked for, or else of the one that was disclosed; see `Columns.number`."""
    query: NDArray[np.uint64]
    """XXH64 of what was searched for, or of the path of a list; 0 where neither was asked."""
    query_number: NDArray[np.int64]
    """Place in the alphabet of what was searched for."""
    country: NDArray[np.uint16]
    agent: NDArray[np.uint16]


def details(patterns: Patterns, events: Events, asked: Asked) -> Details:
    """Details of every event; what was searched for is decoded in place."""
    count = len(events.fault)
    found = Details(
        np.full(count, NO_NUMBER, np.int64),
        np.zeros(count, np.uint64),
        np.full(count, NO_NUMBER, np.int64),
        np.zeros(count, np.uint16),
        np.zeros(count, np.uint16),
    )
    skipped = events.fault != Fault.NONE
    _details(patterns.kinds, patterns.parameters, patterns.literals, events, asked, skipped, found)
    return found


@compiled
def alphabetical(text: Text, start: int, size: int) -> int:
    """``-2 - k``, k the first seven bytes in lower case as one big-endian number; shorter text ends in zeros."""
    key = 0
    for k in range(ORDER_BYTES):
        byte = signed(text[start + k]) if k < size else 0
        key = key << 8 | (byte + 32 if _A <= byte <= _Z else byte)
    return -2 - key


@compiled
def place_of(text: Text, start: int, size: int) -> int:
    """Where an id stands in an order: its digits as a number behind a short prefix, else its place in the alphabet."""
    at, end = start, start + size
    while at < end and at - start < PREFIX_MAX and not _ZERO <= text[at] <= _NINE:
        at += 1
    number = 0
    if at == end or end - at > DIGITS_MAX:
        return alphabetical(text, start, size)
    for k in range(at, end):
        digit = signed(text[k]) - _ZERO
        if digit < 0 or digit > 9:
            return alphabetical(text, start, size)
        number = number * 10 + digit
    return number


@compiled
def parameter(text: Text, start: int, size: int, names: Text, name: int, name_size: int) -> tuple[int, int]:
    """Start and size of the value of a query's parameter, not decoded; size is ABSENT where there is none."""
    at, end = start, start + size
    while at < end:
        following = at
        while following < end and text[following] != _AND:
            following += 1
        value = at + name_size + 1
        if value <= following and text[value - 1] == _EQUALS and is_same(text, at, names, name, name_size):
            return value, following - value
        at = following + 1
    return start, ABSENT


@compiled
def _decoded(text: Text, start: int, size: int) -> int:
    """Decode a query's value in place; its new size."""
    for at in range(start, start + size):
        if text[at] == _PLUS:
            text[at] = _SPACE
    return decode_percent(text, start, start + size) - start


@compiled
def _letters(text: Text, start: int, size: int) -> int:
    return signed(text[start]) << 8 | signed(text[start + 1]) if size == 2 else 0


@in_place
def _number(events: Events, asked: Asked, row: int) -> int:
    """Place of the id that was asked for, or else of the one that was disclosed."""
    if asked.size[row] != ABSENT:
        return place_of(events.text, asked.start[row], asked.size[row])
    start, size = events.start[row, Field.TARGET], events.size[row, Field.TARGET]
    return NO_NUMBER if size == ABSENT else place_of(events.text, start, size)


@in_place
def _searched(events: Events, row: int, literals: Text, name: int, name_size: int) -> tuple[int, int]:
    """Start and size of what was searched for, decoded in place: of a parameter, or of the query as it is."""
    start, size = events.start[row, Field.QUERY], events.size[row, Field.QUERY]
    if size <= 0 or name_size == 0:
        return start, size
    start, size = parameter(events.text, start, size, literals, name, name_size)
    return start, _decoded(events.text, start, size) if size > 0 else size


@in_place
def _details(
    kinds: NDArray[np.int64],
    parameters: NDArray[np.int64],
    literals: Text,
    events: Events,
    asked: Asked,
    skipped: NDArray[np.bool_],
    found: Details,
) -> None:
    text, start, size = events.text, events.start, events.size
    for row in range(len(skipped)):
        if skipped[row]:
            continue
        surface = asked.surface[row]
        kind = kinds[surface] if surface != ABSENT else 0
        found.number[row] = _number(events, asked, row)
        if kind == Kind.SEARCH:
            at, length = _searched(events, row, literals, parameters[surface, 0], parameters[surface, 1])
            if length > 0:
                found.query[row] = xxh64(text, at, length, np.uint64(0))
                found.query_number[row] = alphabetical(text, at, length)
        elif kind == Kind.LIST:
            found.query[row] = xxh64(text, start[row, Field.PATH], size[row, Field.PATH], np.uint64(0))
        found.country[row] = _letters(text, start[row, Field.COUNTRY], size[row, Field.COUNTRY])
        if size[row, Field.AGENT] > 0:
            called = xxh64(text, start[row, Field.AGENT], size[row, Field.AGENT], np.uint64(0))
            found.agent[row] = signed(called >> np.uint64(32)) % AGENTS
