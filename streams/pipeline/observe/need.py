"""What a surface wants beside its path: parameters of the query, one of which may hold the id; and ids that are none.

``&`` and ``;`` divide parameters. Of several with one name the last counts, as in PHP, Rails and Django, so that nobody
hides an id behind another one. Names and values are compared as they are meant, percent-decoded.
"""

from collections.abc import Iterator
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.core.compiled import in_place
from schemas.errors import ConfigError
from streams.pipeline.observe.events import ABSENT
from streams.pipeline.observe.text import Text, hex_digit, is_same, signed
from streams.surfaces.setting import PROFILE

_AND: Final = ord("&")
_EQUALS: Final = ord("=")
_PERCENT: Final = ord("%")
_PLUS: Final = ord("+")
_SEMICOLON: Final = ord(";")
_SPACE: Final = ord(" ")


class Want(IntEnum):
    """What a parameter has to be; never empty."""

    TEXT = 0
    """This text."""
    PROFILE = 1
    """This text with an id behind it."""
    ANY = 2


# Columns of the needs.
NAME: Final = 0
NAME_SIZE: Final = 1
WANT: Final = 2
VALUE: Final = 3
VALUE_SIZE: Final = 4


def needs_of(path: str) -> Iterator[tuple[str, Want, str]]:
    """Name, `Want` and text of each parameter behind the ``?`` of a surface's path.

    Raises:
        ConfigError: one has no name or no value, or something stands behind an id.
    """
    _, _, query = path.partition("?")
    for part in query.split("&") if query else ():
        name, _, value = part.partition("=")
        before, found, after = value.partition(PROFILE)
        if not name or not value or after:
            reason = "has to be name=text, name=*, or name={profile} with nothing behind it"
            raise ConfigError("surfaces", None, f"path {path}: {part!r} {reason}")
        want = Want.PROFILE if found else Want.ANY if value == "*" else Want.TEXT
        yield name, want, "" if want == Want.ANY else before


@in_place
def _byte(text: Text, at: int, end: int) -> tuple[int, int]:
    """The byte that is spelled at ``at``, and where the next one begins."""
    byte = signed(text[at])
    if byte == _PLUS:
        return _SPACE, at + 1
    if byte == _PERCENT and at + 2 < end:
        high, low = hex_digit(signed(text[at + 1])), hex_digit(signed(text[at + 2]))
        if high >= 0 and low >= 0:
            return high * 16 + low, at + 3
    return byte, at + 1


@in_place
def _behind(text: Text, at: int, end: int, literals: Text, literal: int, size: int) -> int:
    """Where what follows a literal begins in ``text[at:end]``; ABSENT where that spells something else."""
    for k in range(size):
        if at >= end:
            return ABSENT
        byte, at = _byte(text, at, end)
        if byte != literals[literal + k]:
            return ABSENT
    return at


@in_place
def _last(text: Text, start: int, size: int, literals: Text, name: int, name_size: int) -> tuple[int, int]:
    """Start and end of the value of the last parameter of a name, not decoded; equal where there is none."""
    found, found_end = start, start
    at, end = start, start + size
    while at < end:
        equals, following = ABSENT, at
        while following < end and text[following] != _AND and text[following] != _SEMICOLON:
            if equals == ABSENT and text[following] == _EQUALS:
                equals = following
            following += 1
        if equals != ABSENT and _behind(text, at, equals, literals, name, name_size) == equals:
            found, found_end = equals + 1, following
        at = following + 1
    return found, found_end


@in_place
def _query_fits(
    literals: Text, needs: NDArray[np.int64], first: int, end: int, text: Text, start: int, size: int
) -> tuple[bool, int, int]:
    """Whether a query meets needs ``[first, end)``, and start and size of the id, not decoded; ABSENT without one."""
    id_start, id_size = start, ABSENT
    for row in range(first, end):
        at, value_end = _last(text, start, size, literals, needs[row, NAME], needs[row, NAME_SIZE])
        behind = _behind(text, at, value_end, literals, needs[row, VALUE], needs[row, VALUE_SIZE])
        whole = behind == value_end
        if behind == ABSENT or at == value_end or whole != (needs[row, WANT] == Want.TEXT):
            return False, start, ABSENT
        if needs[row, WANT] == Want.PROFILE:
            id_start, id_size = behind, value_end - behind
    return True, id_start, id_size


@in_place
def _is_excepted(
    literals: Text, excepts: NDArray[np.int64], first: int, end: int, text: Text, start: int, size: int
) -> bool:
    """Whether an id is one of the excepted ``[first, end)``."""
    for row in range(first, end):
        wanted = excepts[row, 1]
        fits = size == wanted or (size > wanted and excepts[row, 2] != 0)
        if fits and is_same(text, start + size - wanted, literals, excepts[row, 0], wanted):
            return True
    return False


@in_place
def _decode_value(text: Text, start: int, size: int) -> int:
    """Decode the value of a parameter in place; its new size."""
    at, to, end = start, start, start + size
    while at < end:
        byte, at = _byte(text, at, end)
        text[to] = byte
        to += 1
    return to - start


@in_place
def id_of(
    literals: Text,
    spans: NDArray[np.int64],
    needs: NDArray[np.int64],
    excepts: NDArray[np.int64],
    text: Text,
    start: int,
    size: int,
    query: int,
    query_size: int,
) -> tuple[bool, int, int]:
    """Whether a surface whose path fits matches, and start and size of the id: that of the path, or of the query.

    ``spans`` has the surface's needs, from the first to the end, and likewise its excepted ids.
    """
    if _is_excepted(literals, excepts, spans[2], spans[3], text, start, size):
        return False, start, ABSENT
    if spans[0] == spans[1]:
        return True, start, size
    fits, begin, length = _query_fits(literals, needs, spans[0], spans[1], text, query, query_size)
    if not fits or length == ABSENT:
        return fits, start, size
    return True, begin, _decode_value(text, begin, length)
