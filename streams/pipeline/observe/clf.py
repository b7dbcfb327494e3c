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
from streams.pipeline.observe.text import Text, signed

_BLANK: Final = ord(" ")
_QUOTE: Final = ord('"')
_BACKSLASH: Final = ord("\\")
_OPENS: Final = ord("[")
_CLOSES: Final = ord("]")
_BRACE: Final = ord("{")
_LESS: Final = ord("<")
_DASH: Final = ord("-")
_SCORE: Final = ord("_")
_SLASH: Final = ord("/")
_ASKS: Final = ord("?")
_COLON: Final = ord(":")
_ZERO: Final = ord("0")
_NINE: Final = ord("9")
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
    _read(events.text, ends, count * ROOM, trusts, events.start, events.size, events.status, events.time_bits, odd)
    return events, np.flatnonzero(odd)


@compiled
def _word_end(text: Text, at: int) -> int:
    """Where the blank stands that ends the plain word at ``at``; ABSENT if it is empty or not plain."""
    begin = at
    while True:
        byte = text[at]
        if byte == _BLANK:
            return ABSENT if at == begin else at
        if byte == _QUOTE or byte == _OPENS or byte == _LESS or not _is_plain(text, at):
            return ABSENT
        at += 1


@compiled
def _quoted_end(text: Text, at: int) -> int:
    """Where the plain text ends that stands in quotes behind a blank at ``at``; ABSENT if there is none."""
    if text[at] != _BLANK or text[at + 1] != _QUOTE:
        return ABSENT
    at += 2
    while text[at] != _QUOTE:
        if not _is_plain(text, at):
            return ABSENT
        at += 1
    return at


@compiled
def _is_plain(text: Text, at: int) -> bool:
    return bool(_BLANK <= text[at] <= 126 and text[at] != _BACKSLASH)


@compiled
def _is_dash(text: Text, begin: int, end: int) -> bool:
    return bool(end - begin == 1 and text[begin] == _DASH)


@compiled
def _is_digit(text: Text, at: int) -> bool:
    return bool(_ZERO <= text[at] <= _NINE)


@compiled
def _is_letter(text: Text, at: int) -> bool:
    return bool(_A <= (text[at] | 32) <= _Z)


@compiled
def _is_address(text: Text, begin: int, end: int) -> bool:
    """Whether a client is not told by the name of its host."""
    if _is_digit(text, end - 1):
        return True
    for at in range(begin, end):
        if text[at] == _COLON:
            return True
    return False


@compiled
def _put(start: NDArray[np.int64], size: NDArray[np.int64], row: int, field: int, begin: int, end: int) -> None:
    start[row, field], size[row, field] = begin, end - begin


@compiled
def _who(text: Text, at: int, start: NDArray[np.int64], size: NDArray[np.int64], row: int) -> int:
    """Read ``[host] address - user [`` at ``at``: where the time begins; ABSENT if this is not plain."""
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
    _put(start, size, row, Field.ADDRESS, client, first)
    if not _is_dash(text, second + 1, third):
        _put(start, size, row, Field.USER, second + 1, third)
    return third + 2


@compiled
def _method_end(text: Text, at: int) -> int:
    """Where the blank stands behind the method at ``at``; ABSENT if it is none."""
    begin = at
    while _is_letter(text, at) or (at > begin and (_is_digit(text, at) or text[at] == _DASH or text[at] == _SCORE)):
        at += 1
    return at if 0 < at - begin <= _METHOD_MAX and text[at] == _BLANK else ABSENT


@compiled
def _part_end(text: Text, at: int, ends: int) -> int:
    """Where the byte ``ends``, or one that does not stand in a plain request line between its blanks, is next."""
    while text[at] != ends and text[at] != _BLANK and text[at] != _QUOTE and _is_plain(text, at):
        at += 1
    return at


@compiled
def _asked(text: Text, at: int, start: NDArray[np.int64], size: NDArray[np.int64], row: int) -> int:
    """Read ``GET /path?query HTTP/1.1"`` at ``at``: where the status begins; ABSENT if this is not plain."""
    end = _method_end(text, at)
    if end == ABSENT or text[end + 1] != _SLASH:
        return ABSENT
    _put(start, size, row, Field.METHOD, at, end)
    begin, at = end + 1, _part_end(text, end + 1, _ASKS)
    _put(start, size, row, Field.PATH, begin, at)
    if text[at] == _ASKS:
        begin, at = at + 1, _part_end(text, at + 1, _BLANK)
        if at > begin:
            _put(start, size, row, Field.QUERY, begin, at)
    for k in range(len(_BEFORE_VERSION)):
        if text[at + k] != _BEFORE_VERSION[k]:
            return ABSENT
    at = _part_end(text, at + len(_BEFORE_VERSION), _BLANK)
    return at + 2 if text[at] == _QUOTE and text[at + 1] == _BLANK else ABSENT


@compiled
def _behind(
    text: Text, at: int, end: int, trusts: bool, start: NDArray[np.int64], size: NDArray[np.int64], row: int
) -> bool:
    """Read ``5316 "referer" "agent" more`` or the beginning of it, up to ``end``; False if this is not plain."""
    if text[at] == _BLANK:
        at += 1
        while _is_digit(text, at) or text[at] == _DASH:
            at += 1
    if at == end:
        return True
    referer_end = _quoted_end(text, at)
    agent, agent_end = referer_end + 3, _quoted_end(text, referer_end + 1)
    if agent_end == ABSENT:
        return False
    if agent_end > agent and not _is_dash(text, agent, agent_end):
        _put(start, size, row, Field.AGENT, agent, agent_end)
    return agent_end + 1 == end or _is_of_no_matter(text, agent_end + 1, end, trusts)


@compiled
def _is_of_no_matter(text: Text, at: int, end: int, trusts: bool) -> bool:
    """Whether what follows the user agent says nothing of the client, and does not make the line one of Traefik."""
    following = _quoted_end(text, at)
    if trusts and (following == ABSENT or not _is_dash(text, at + 2, following)):
        return False
    for k in range(at, end):
        if not _is_plain(text, k):
            return False
    return bool(text[end - 1] != _S and text[end - 1] != _BLANK)


@compiled
def _status_end(text: Text, at: int) -> int:
    """Where the status at ``at`` ends, of one to three digits; ABSENT if it is none."""
    begin = at
    while _is_digit(text, at):
        at += 1
    return at if 0 < at - begin <= 3 else ABSENT


@compiled
def _line(
    text: Text,
    at: int,
    end: int,
    trusts: bool,
    row: int,
    start: NDArray[np.int64],
    size: NDArray[np.int64],
    status: NDArray[np.int64],
    time_us: NDArray[np.int64],
) -> bool:
    """Read one line up to ``end``; False if it is not plain."""
    at = _who(text, at, start, size, row)
    if at == ABSENT or at + CLF_SIZE + 3 > end:
        return False
    time_us[row] = clf_us(text, at)
    at += CLF_SIZE
    if time_us[row] < 0 or text[at] != _CLOSES or text[at + 1] != _BLANK or text[at + 2] != _QUOTE:
        return False
    begin = _asked(text, at + 3, start, size, row)
    if begin == ABSENT:
        return False
    at = _status_end(text, begin)
    if at == ABSENT:
        return False
    status[row] = 0
    for k in range(begin, at):
        status[row] = status[row] * 10 + signed(text[k]) - _ZERO
    if status[row] == _UNAUTHORIZED:
        size[row, Field.USER] = ABSENT  # nobody has shown yet that it is theirs
    return _behind(text, at, end, trusts, start, size, row)


@in_place
def _read(
    text: Text,
    ends: NDArray[np.int64],
    at: int,
    trusts: bool,
    start: NDArray[np.int64],
    size: NDArray[np.int64],
    status: NDArray[np.int64],
    time_us: NDArray[np.int64],
    odd: NDArray[np.bool_],
) -> None:
    for row in range(ends.size):
        odd[row] = not _line(text, at, ends[row], trusts, row, start, size, status, time_us)
        at = ends[row] + 1
