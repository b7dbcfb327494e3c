"""Which surface a request asked, and the profile id in its path.

A pattern is matched segment by segment, in two ways: against the path, percent-decoded; and against the route, whose
parameter segments (``{x}``, ``:x``, ``<x>``, ``*``) stand for ``{profile}`` or ``*``. By route, the id is the segment
of the path at the same distance from its end, so a path that lies below a mount point still gives its id. Empty
segments do not count: ``//people/7/`` is ``/people/7``. Behind a ``?`` stands what the query must have (`need`). Where
the id is one of those that are none, the surface does not match, and the next ones are tried.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.core.compiled import in_place
from schemas.errors import ConfigError
from schemas.sighting import Kind
from streams.pipeline.observe.events import ABSENT, Events, Field
from streams.pipeline.observe.need import id_of, needs_of
from streams.pipeline.observe.text import Text, hex_digit, is_same, signed
from streams.surfaces.setting import PROFILE, Surface

_A: Final = ord("a")
_Z: Final = ord("z")
_SLASH: Final = ord("/")
_QUESTION: Final = ord("?")
_PERCENT: Final = ord("%")
_STAR: Final = ord("*")
_COLON: Final = ord(":")
_BRACE: Final = ord("{")
_BRACE_END: Final = ord("}")
_LESS: Final = ord("<")
_GREATER: Final = ord(">")


class Part(IntEnum):
    """What one segment of a pattern asks for."""

    LITERAL = 0
    PROFILE = 1
    """The id, between a fixed beginning and a fixed end."""
    ANY = 2


# Columns of `Patterns.surfaces`.
_KIND: Final = 0
_FIRST: Final = 1
_END: Final = 2
_REST: Final = 3
_ID: Final = 4
_METHOD: Final = 5
_METHOD_SIZE: Final = 6
_QUERY: Final = 7
_QUERY_SIZE: Final = 8
_NEED: Final = 9

# Columns of `Patterns.parts`.
_WHAT: Final = 0
_BEFORE: Final = 1
_BEFORE_SIZE: Final = 2
_AFTER: Final = 3
_AFTER_SIZE: Final = 4


class Patterns(NamedTuple):
    """Compiled patterns of s surfaces with p segments in all."""

    literals: Text
    """The fixed texts of all patterns, which the others point into."""
    surfaces: NDArray[np.int64]
    """[s, 13] `Kind`; its segments, from the first to the end; whether more may follow; which of its segments holds the
    id, or ABSENT; start and size of the method in capitals, the size being 0 for any; likewise of the parameter that is
    searched for; its needs, from the first to the end; likewise the ids that are none."""
    parts: NDArray[np.int64]
    """[p, 5] `Part`; start and size of the literal, or of what stands before the id; start and size of what stands
    after the id."""
    needs: NDArray[np.int64]
    """[q, 5] start and size of the name; `Want`; start and size of the text."""
    excepts: NDArray[np.int64]
    """[e, 3] start and size of the text; whether it is how an id ends."""

    @property
    def kinds(self) -> NDArray[np.int64]:
        """[s] `Kind` of each surface."""
        return self.surfaces[:, _KIND].copy()

    @property
    def parameters(self) -> NDArray[np.int64]:
        """[s, 2] start and size, in the literals, of the parameter that each surface searches for; size 0 for none."""
        return self.surfaces[:, _QUERY : _QUERY_SIZE + 1].copy()


class Asked(NamedTuple):
    """What n requests asked for."""

    surface: NDArray[np.int64]
    """The first surface that matches; ABSENT if none does."""
    start: NDArray[np.int64]
    """Where the id begins in the text of the events."""
    size: NDArray[np.int64]
    """Of the id; ABSENT if there is none."""


class _Literals:
    """Fixed texts, one after the other."""

    def __init__(self) -> None:
        self.data = bytearray()

    def span(self, text: str) -> tuple[int, int]:
        """Add a text; its start and size."""
        start = len(self.data)
        self.data += text.encode()
        return start, len(self.data) - start


def compile_patterns(surfaces: Sequence[Surface]) -> Patterns:
    """Patterns of surfaces in their order.

    Raises:
        ConfigError: a path has two ids, ``**`` before its end, or a query that is none; or ids are excepted of a path
            that has none.
    """
    literals = _Literals()
    rows, parts, needs, excepts = [list[tuple[int, ...]]() for _ in range(4)]
    for surface in surfaces:
        path = _segments(surface)
        rest = path[-1:] == ["**"]
        path = path[:-1] if rest else path
        found = next((at for at, segment in enumerate(path) if PROFILE in segment), ABSENT)
        method = literals.span((surface.method or "").upper())
        query = literals.span(surface.query or "")
        first = len(parts), len(needs), len(excepts)
        parts.extend(_part(literals, segment) for segment in path)
        needs.extend((*literals.span(name), want, *literals.span(text)) for name, want, text in needs_of(surface.path))
        excepts.extend((*literals.span(text.removeprefix("*")), text.startswith("*")) for text in surface.except_ids)
        spans = first[1], len(needs), first[2], len(excepts)
        rows.append((Kind[surface.kind.upper()], first[0], len(parts), rest, found, *method, *query, *spans))
    return Patterns(
        np.array(list(literals.data), np.uint8),
        _table(rows, 13),
        _table(parts, 5),
        _table(needs, 5),
        _table(excepts, 3),
    )


def _table(rows: list[tuple[int, ...]], columns: int) -> NDArray[np.int64]:
    return np.array(rows, np.int64).reshape(len(rows), columns)


def match(patterns: Patterns, events: Events) -> Asked:
    """What each request asked for. Paths that hold ``%`` are decoded in place."""
    count = len(events.fault)
    asked = Asked(np.full(count, ABSENT), np.zeros(count, np.int64), np.full(count, ABSENT))
    longest = int(events.size[:, Field.PATH : Field.ROUTE + 1].max(initial=0))
    segments = np.empty((2, longest // 2 + 1, 2), np.int64)
    _match(*patterns, events.text, events.start, events.size, events.fault, *asked, segments[0], segments[1])
    return asked


def _segments(surface: Surface) -> list[str]:
    path = surface.path
    segments = [segment for segment in path.partition("?")[0].split("/") if segment]
    if "**" in segments[:-1]:
        raise ConfigError("surfaces", None, f"path {path}: '**' stands for the rest, so nothing follows it")
    if path.count(PROFILE) > 1:
        raise ConfigError("surfaces", None, f"path {path}: more than one {PROFILE}")
    if surface.except_ids and not any(PROFILE in segment for segment in segments):
        raise ConfigError("surfaces", None, f"path {path}: except_ids needs a {PROFILE} before any '?'")
    if "*" in surface.except_ids:
        raise ConfigError("surfaces", None, f"path {path}: except_ids '*' leaves no id")
    return segments


def _part(literals: _Literals, segment: str) -> tuple[int, ...]:
    if segment == "*":
        return Part.ANY, 0, 0, 0, 0
    before, found, after = segment.partition(PROFILE)
    return Part.PROFILE if found else Part.LITERAL, *literals.span(before), *literals.span(after)


@in_place
def decode_percent(text: Text, start: int, end: int) -> int:
    """Percent-decode ``text[start:end]`` in place; its new end. What is no escape stays as it is."""
    at, to = start, start
    while at < end:
        byte = text[at]
        if byte == _PERCENT and at + 2 < end:
            high, low = hex_digit(signed(text[at + 1])), hex_digit(signed(text[at + 2]))
            if high >= 0 and low >= 0:
                byte = np.uint8(high * 16 + low)
                at += 2
        text[to] = byte
        to += 1
        at += 1
    return to


@in_place
def _split(text: Text, start: int, size: int, segments: NDArray[np.int64]) -> int:
    """Fill in start and end of the segments before a ``?`` that are not empty; how many there are."""
    count, begin, end = 0, start, start + size
    escaped = False
    for at in range(start, end + 1):
        byte = signed(text[at]) if at < end else _QUESTION
        escaped |= byte == _PERCENT
        if byte == _SLASH or byte == _QUESTION:
            if at > begin:
                segments[count, 0] = begin
                segments[count, 1] = decode_percent(text, begin, at) if escaped else at
                count += 1
            begin, escaped = at + 1, False
            if byte == _QUESTION:
                return count
    return count


@in_place
def _inner(literals: Text, parts: NDArray[np.int64], part: int, text: Text, start: int, end: int) -> tuple[int, int]:
    """What lies between the fixed beginning and the fixed end of an id's segment; empty if they differ."""
    before, after = parts[part, _BEFORE_SIZE], parts[part, _AFTER_SIZE]
    inner, inner_end = start + before, end - after
    if (
        inner < inner_end
        and is_same(text, start, literals, parts[part, _BEFORE], before)
        and is_same(text, inner_end, literals, parts[part, _AFTER], after)
    ):
        return inner, inner_end
    return start, start


@in_place
def _is_parameter(text: Text, start: int, end: int) -> bool:
    if end - start < 2:
        return end - start == 1 and bool(text[start] == _STAR)
    first, last = signed(text[start]), signed(text[end - 1])
    return first == _COLON or (first == _BRACE and last == _BRACE_END) or (first == _LESS and last == _GREATER)


@in_place
def _fits_segment(
    literals: Text,
    parts: NDArray[np.int64],
    part: int,
    text: Text,
    start: int,
    end: int,
    by_route: bool,
) -> bool:
    what = parts[part, _WHAT]
    if what == Part.ANY:
        return True
    if what == Part.LITERAL:
        size = parts[part, _BEFORE_SIZE]
        return end - start == size and is_same(text, start, literals, parts[part, _BEFORE], size)
    inner, inner_end = _inner(literals, parts, part, text, start, end)
    return inner_end > inner and (not by_route or _is_parameter(text, inner, inner_end))


@in_place
def _fits(
    literals: Text,
    parts: NDArray[np.int64],
    first: int,
    end: int,
    rest: int,
    text: Text,
    segments: NDArray[np.int64],
    count: int,
    by_route: bool,
) -> bool:
    """Whether parts ``[first, end)`` fit the first ``count`` segments of a path or route; -1 segments fit nothing."""
    wanted = end - first
    if count < wanted or (count > wanted and rest == 0):
        return False
    for k in range(wanted):
        if not _fits_segment(literals, parts, first + k, text, segments[k, 0], segments[k, 1], by_route):
            return False
    return True


@in_place
def _fits_method(literals: Text, wanted: int, wanted_size: int, text: Text, start: int, size: int) -> bool:
    if wanted_size == 0:
        return True
    if wanted_size != size:
        return False
    for k in range(size):
        byte = signed(text[start + k])
        upper = byte - 32 if _A <= byte <= _Z else byte
        if upper != literals[wanted + k]:
            return False
    return True


@in_place
def _is_elsewhere(
    surfaces: NDArray[np.int64],
    parts: NDArray[np.int64],
    at: int,
    path: NDArray[np.int64],
    path_count: int,
) -> bool:
    """Whether two numbers already tell that a path fits no pattern of these; most surfaces of most requests."""
    first = surfaces[at, _FIRST]
    wanted = surfaces[at, _END] - first
    if path_count < wanted or (path_count > wanted and surfaces[at, _REST] == 0):
        return True
    if wanted == 0 or parts[first, _WHAT] != Part.LITERAL:
        return False
    return bool(path[0, 1] - path[0, 0] != parts[first, _BEFORE_SIZE])


@in_place
def _match_one(
    literals: Text,
    surface: NDArray[np.int64],
    parts: NDArray[np.int64],
    text: Text,
    path: NDArray[np.int64],
    path_count: int,
    route: NDArray[np.int64],
    route_count: int,
) -> tuple[bool, int, int]:
    """Whether one surface matches, and start and size of the id; the size is ABSENT if there is none."""
    first, end, rest, at = surface[_FIRST], surface[_END], surface[_REST], surface[_ID]
    if not _fits(literals, parts, first, end, rest, text, path, path_count, False):
        if not _fits(literals, parts, first, end, rest, text, route, route_count, True):
            return False, 0, ABSENT
        at = at + path_count - route_count if at >= 0 else at
    if at < 0:
        return True, 0, ABSENT
    part = first + surface[_ID]
    inner, inner_end = _inner(literals, parts, part, text, path[at, 0], path[at, 1])
    return True, inner, inner_end - inner if inner_end > inner else ABSENT


@in_place
def _match(
    literals: Text,
    surfaces: NDArray[np.int64],
    parts: NDArray[np.int64],
    needs: NDArray[np.int64],
    excepts: NDArray[np.int64],
    text: Text,
    start: NDArray[np.int64],
    size: NDArray[np.int64],
    fault: NDArray[np.uint8],
    asked: NDArray[np.int64],
    id_start: NDArray[np.int64],
    id_size: NDArray[np.int64],
    path: NDArray[np.int64],
    route: NDArray[np.int64],
) -> None:
    for row in range(len(fault)):
        if fault[row] != 0:
            continue
        path_count = _split(text, start[row, Field.PATH], size[row, Field.PATH], path)
        route_count = -1
        if size[row, Field.ROUTE] > 0:
            route_count = _split(text, start[row, Field.ROUTE], size[row, Field.ROUTE], route)
        for at in range(len(surfaces)):
            if route_count < 0 and _is_elsewhere(surfaces, parts, at, path, path_count):
                continue
            method, method_size = surfaces[at, _METHOD], surfaces[at, _METHOD_SIZE]
            if not _fits_method(literals, method, method_size, text, start[row, Field.METHOD], size[row, Field.METHOD]):
                continue
            fits, begin, length = _match_one(literals, surfaces[at], parts, text, path, path_count, route, route_count)
            if fits:
                query, query_size = start[row, Field.QUERY], size[row, Field.QUERY]
                spans = surfaces[at, _NEED:]
                fits, begin, length = id_of(literals, spans, needs, excepts, text, begin, length, query, query_size)
            if fits:
                asked[row], id_start[row], id_size[row] = at, begin, length
                break
