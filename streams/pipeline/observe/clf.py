"""Plain lines of the common log format as columns, straight from their text.

Most lines are plain: no backslash, no byte beyond ASCII, no blank within what was asked for. One compiled loop reads
them where they lie, in a fraction of what an event object a line takes. It takes no decision that `streams.inputs.clf`
would take otherwise: whatever it is not sure of it leaves alone, and the regular expression there says what that is.

Before the first line stands a NUL, so what is read behind ABSENT is ABSENT too.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.core.compiled import compiled, in_place
from streams.pipeline.observe.event_time import CLF_SIZE, clf_us
from streams.pipeline.observe.events import ABSENT, ROOM, Events, Field, TimeForm, empty, joined
from streams.pipeline.observe.text import QUOTE, Text, is_digit, is_plain, quote_at, signed

_BLANK: Final = ord(" ")
_OPENS: Final = ord("[")
_CLOSES: Final = ord("]")
_BRACE: Final = ord("{")
_LESS: Final = ord("<")
_DASH: Final = ord("-")
_UNDERSCORE: Final = ord("_")
_SLASH: Final = ord("/")
_QUESTION: Final = ord("?")
_COLON: Final = ord(":")
_ZERO: Final = ord("0")
_A: Final = ord("a")
_Z: Final = ord("z")
_S: Final = ord("s")
_BEFORE_VERSION: Final = tuple(b" HTTP/")
_METHOD_MAX: Final = 32
_UNAUTHORIZED: Final = 401


def read_clf(values: Sequence[bytes], trusts: bool) -> tuple[Events, NDArray[np.int64]]:
    """Columns of all lines, and which of them are odd: there the columns say nothing.

    With ``trusts`` some proxies are believed, so a line is odd that may name a client whom one of them forwarded.
    """
    count = len(values)
    buffer, ends = joined(values)
    events, odd = empty(buffer, count), np.zeros(count, np.bool_)
    events.time_form[:] = TimeForm.INTEGER
    _read_lines(events, ends, count * ROOM, trusts, odd)
    return events, np.flatnonzero(odd)


@compiled
def _word_end(text: Text, at: int) -> int:
    """Where the blank stands that ends the plain word at ``at``; ABSENT if it is empty or not plain."""
    begin = at
    while True:
        byte = text[at]
        if byte == _BLANK:
            return ABSENT if at == begin else at
        if byte == QUOTE or byte == _OPENS or byte == _LESS or not is_plain(text, at):
            return ABSENT
        at += 1


@compiled
def _quoted_end(text: Text, at: int) -> int:
    """Where the plain text ends that stands in quotes behind a blank at ``at``; ABSENT if there is none."""
    return quote_at(text, at + 2) if text[at] == _BLANK and text[at + 1] == QUOTE else ABSENT


@compiled
def _is_dash(text: Text, begin: int, end: int) -> bool:
    return bool(end - begin == 1 and text[begin] == _DASH)


@compiled
def _is_letter(text: Text, at: int) -> bool:
    return bool(_A <= (text[at] | 32) <= _Z)


@compiled
def _is_address(text: Text, begin: int, end: int) -> bool:
    """Whether a client is not told by the name of its host."""
    if is_digit(text, end - 1):
        return True
    for at in range(begin, end):
        if text[at] == _COLON:
            return True
    return False


@in_place
def _put(events: Events, row: int, field: int, begin: int, end: int) -> None:
    events.start[row, field], events.size[row, field] = begin, end - begin


@in_place
def _read_who(events: Events, row: int, at: int) -> int:
    """Read ``[host] address - user [`` at ``at``: where the time begins; ABSENT if this is not plain."""
    text = events.text
    first = _word_end(text, at)
    second = _word_end(text, first + 1)
    third = _word_end(text, second + 1)
    client = at
    if text[third + 1] != _OPENS:
        # One word more: the first one is a host.
        client, first, second, third = first + 1, second, third, _word_end(text, third + 1)
    if third == ABSENT or text[third + 1] != _OPENS or text[at] == _BRACE:
        return ABSENT
    if _is_dash(text, client, first) or not _is_dash(text, first + 1, second) or not _is_address(text, client, first):
        return ABSENT
    _put(events, row, Field.ADDRESS, client, first)
    if not _is_dash(text, second + 1, third):
        _put(events, row, Field.USER, second + 1, third)
    return third + 2


@compiled
def _method_end(text: Text, at: int) -> int:
    """Where the blank stands behind the method at ``at``; ABSENT if it is none."""
    begin = at
    while _is_letter(text, at) or (at > begin and (is_digit(text, at) or text[at] == _DASH or text[at] == _UNDERSCORE)):
        at += 1
    return at if 0 < at - begin <= _METHOD_MAX and text[at] == _BLANK else ABSENT


@compiled
def _part_end(text: Text, at: int, ends: int) -> int:
    """Where the byte ``ends``, or one that does not stand in a plain request line between its blanks, is next."""
    while text[at] != ends and text[at] != _BLANK and text[at] != QUOTE and is_plain(text, at):
        at += 1
    return at


@in_place
def _read_asked(events: Events, row: int, at: int) -> int:
    """Read ``GET /path?query HTTP/1.1"`` at ``at``: where the status begins; ABSENT if this is not plain."""
    text = events.text
    end = _method_end(text, at)
    if end == ABSENT or text[end + 1] != _SLASH:
        return ABSENT
    _put(events, row, Field.METHOD, at, end)
    begin, at = end + 1, _part_end(text, end + 1, _QUESTION)
    _put(events, row, Field.PATH, begin, at)
    if text[at] == _QUESTION:
        begin, at = at + 1, _part_end(text, at + 1, _BLANK)
        if at > begin:
            _put(events, row, Field.QUERY, begin, at)
    for k in range(len(_BEFORE_VERSION)):
        if text[at + k] != _BEFORE_VERSION[k]:
            return ABSENT
    at = _part_end(text, at + len(_BEFORE_VERSION), _BLANK)
    return at + 2 if text[at] == QUOTE and text[at + 1] == _BLANK else ABSENT


@in_place
def _read_rest(events: Events, row: int, at: int, end: int, trusts: bool) -> bool:
    """Read ``5316 "referer" "agent" more`` or the beginning of it, up to ``end``; False if this is not plain."""
    text = events.text
    if text[at] == _BLANK:
        at += 1
        while is_digit(text, at) or text[at] == _DASH:
            at += 1
    if at == end:
        return True
    referer_end = _quoted_end(text, at)
    agent, agent_end = referer_end + 3, _quoted_end(text, referer_end + 1)
    if agent_end == ABSENT:
        return False
    if agent_end > agent and not _is_dash(text, agent, agent_end):
        _put(events, row, Field.AGENT, agent, agent_end)
    return agent_end + 1 == end or _is_of_no_matter(text, agent_end + 1, end, trusts)


@compiled
def _is_of_no_matter(text: Text, at: int, end: int, trusts: bool) -> bool:
    """Whether what follows the user agent says nothing of the client, and does not make the line one of Traefik."""
    following = _quoted_end(text, at)
    if trusts and (following == ABSENT or not _is_dash(text, at + 2, following)):
        return False
    for k in range(at, end):
        if not is_plain(text, k):
            return False
    return bool(text[end - 1] != _S and text[end - 1] != _BLANK)


@compiled
def _status(text: Text, at: int) -> tuple[int, int]:
    """Where the status at ``at`` ends, of one to three digits, and the status; ABSENT if it is none."""
    begin, status = at, 0
    while is_digit(text, at):
        status = status * 10 + signed(text[at]) - _ZERO
        at += 1
    return (at, status) if 0 < at - begin <= 3 else (ABSENT, ABSENT)


@in_place
def _read_line(events: Events, row: int, at: int, end: int, trusts: bool) -> bool:
    """Read the line from ``at`` to ``end`` into a row; False if it is not plain."""
    text = events.text
    at = _read_who(events, row, at)
    if at == ABSENT or at + CLF_SIZE + 3 > end:
        return False
    time_us = clf_us(text, at)
    at += CLF_SIZE
    if time_us < 0 or text[at] != _CLOSES or text[at + 1] != _BLANK or text[at + 2] != QUOTE:
        return False
    at = _read_asked(events, row, at + 3)
    if at == ABSENT:
        return False
    at, status = _status(text, at)
    if at == ABSENT:
        return False
    events.time_bits[row], events.status[row] = time_us, status
    if status == _UNAUTHORIZED:
        events.size[row, Field.USER] = ABSENT  # nobody has shown yet that it is theirs
    return _read_rest(events, row, at, end, trusts)


@in_place
def _read_lines(events: Events, ends: NDArray[np.int64], at: int, trusts: bool, odd: NDArray[np.bool_]) -> None:
    for row in range(ends.size):
        odd[row] = not _read_line(events, row, at, ends[row], trusts)
        at = ends[row] + 1
