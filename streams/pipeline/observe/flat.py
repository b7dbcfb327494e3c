"""Flat canonical records as columns, straight from their JSON.

Most records are plain: no escape, no byte beyond ASCII, no object or array, whole numbers. One compiled loop reads them
where they lie, in a fraction of what a decoder takes that makes objects of them. It takes no decision that the decoder
would take otherwise: whatever it is not sure of it leaves alone, and the decoder says what that is.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.core.compiled import compiled, in_place
from schemas.request import RequestEvent
from streams.pipeline.observe.events import ABSENT, PROJECTION, ROOM, Events, Field, TimeForm, empty, joined
from streams.pipeline.observe.text import Text, is_same, signed

QUOTE: Final = ord('"')
_BACKSLASH: Final = ord("\\")
COLON: Final = ord(":")
COMMA: Final = ord(",")
OPENS: Final = ord("{")
CLOSES: Final = ord("}")
_MINUS: Final = ord("-")
_DOT: Final = ord(".")
_ZERO: Final = ord("0")
_NINE: Final = ord("9")
_BLANK: Final = ord(" ")
_DIGITS_MAX: Final = 15
"""Of a number that is read here: it fits, whatever it is compared with."""

# Sorts of keys, beside the columns of text.
_STATUS: Final = 100
_ASN: Final = 101
_UNREAD: Final = 102
"""A text that observe has no use for; of another type the record is none."""
_LIST: Final = 103
_UNKNOWN: Final = 104
"""Whatever stands there."""

_STATUS_MAX: Final = 999
_ASN_MAX: Final = 2**32 - 1
_SORT_OF: Final = {
    "time": Field.TIME,
    "created_at": Field.CREATED,
    "ja4": Field.FINGERPRINT,
    "user_agent": Field.AGENT,
    "status": _STATUS,
    "asn": _ASN,
    "targets": _LIST,
}


def _sort_of(name: str) -> int:
    if name in _SORT_OF:
        return _SORT_OF[name]
    return Field[name.upper()] if name in PROJECTION else _UNREAD


FIELDS: Final = msgspec.structs.fields(RequestEvent)
_NAMES: Final = np.frombuffer("".join(one.encode_name for one in FIELDS).encode(), np.uint8)
_FIRST: Final = np.cumsum([0, *(len(one.encode_name) for one in FIELDS)])
SORTS: Final = np.array([*(_sort_of(one.name) for one in FIELDS), _UNKNOWN], np.int64)
REQUIRED: Final = sum(1 << place for place, one in enumerate(FIELDS) if one.required)
NULL: Final = np.frombuffer(b"null", np.uint8)
TRUE: Final = np.frombuffer(b"true", np.uint8)
FALSE: Final = np.frombuffer(b"false", np.uint8)


def read_flat(values: Sequence[bytes]) -> tuple[Events, NDArray[np.int64]]:
    """Columns of all records, and which of them are odd: there the columns say nothing.

    Raises:
        TypeError: one of them is a tombstone.
    """
    count = len(values)
    buffer, ends = joined(values)
    events, numbers = empty(buffer, count), np.zeros((count, 4), np.int64)
    numbers[:, 2:] = ABSENT
    forms, odd = np.zeros((count, 2), np.uint8), np.zeros(count, np.bool_)
    follows = np.zeros(len(SORTS), np.int64)
    _read(
        events.text, ends, count * ROOM, _NAMES, _FIRST, SORTS, follows, NULL, TRUE, FALSE,
        events.start, events.size, numbers, forms, odd,
    )  # fmt: skip
    return with_numbers(events, numbers, forms), np.flatnonzero(odd)


def with_numbers(events: Events, numbers: NDArray[np.int64], forms: NDArray[np.uint8]) -> Events:
    """Columns with what `take` has kept of numbers."""
    time_form, created_form = np.ascontiguousarray(forms.T)
    time_bits, created_bits, status, asn = np.ascontiguousarray(numbers.T)
    return events._replace(
        time_form=time_form,
        time_bits=time_bits,
        created_form=created_form,
        created_bits=created_bits,
        status=status,
        asn=asn,
    )


@compiled
def text_end(text: Text, at: int) -> int:
    """Where the quote stands that ends the plain text at ``at``; ABSENT if it is not plain."""
    while True:
        byte = text[at]
        if byte == QUOTE:
            return at
        if byte < _BLANK or byte > 126 or byte == _BACKSLASH:
            return ABSENT
        at += 1


@compiled
def skip_blanks(text: Text, at: int) -> int:
    """Where the next byte stands that is no blank."""
    while text[at] == _BLANK or 9 <= text[at] <= 10 or text[at] == 13:
        at += 1
    return at


@compiled
def _whole(text: Text, at: int) -> tuple[int, int]:
    """Where the whole number at ``at`` ends, and the number; it ends where it begins if it is none to be read here."""
    begin, number = at, 0
    while _ZERO <= text[at] <= _NINE:
        if at - begin == _DIGITS_MAX:
            return begin, 0
        number = number * 10 + signed(text[at]) - _ZERO
        at += 1
    return (begin, 0) if at - begin > 1 and text[begin] == _ZERO else (at, number)


@compiled
def value_end(text: Text, at: int, true: Text, false: Text, null: Text) -> int:
    """Where the text, number or word at ``at`` ends; ABSENT if it is not plain."""
    if text[at] == QUOTE:
        end = text_end(text, at + 1)
        return ABSENT if end == ABSENT else end + 1
    for word in (true, false, null):
        # Behind the last record no word fits, and its first byte says so.
        if text[at] == word[0] and at + word.size < text.size and is_same(text, at, word, 0, word.size):
            return at + word.size
    at += text[at] == _MINUS
    end, _ = _whole(text, at)
    if end == at:
        return ABSENT
    if text[end] == _DOT:
        at = end = end + 1
        while _ZERO <= text[end] <= _NINE:
            end += 1
    return ABSENT if end == at else end


@compiled
def _key(text: Text, at: int, size: int, names: Text, first: NDArray[np.int64], likely: int) -> int:
    """Which of the names the key at ``at`` is; as many as there are names if it is none."""
    count = first.size - 1
    if likely < count and first[likely + 1] - first[likely] == size and is_same(text, at, names, first[likely], size):
        return likely
    for place in range(count):
        if first[place + 1] - first[place] == size and is_same(text, at, names, first[place], size):
            return place
    return count


@compiled
def take(
    text: Text,
    begin: int,
    end: int,
    sort: int,
    row: int,
    start: NDArray[np.int64],
    size: NDArray[np.int64],
    numbers: NDArray[np.int64],
    forms: NDArray[np.uint8],
) -> bool:
    """Keep the value of a known key, which is not null; False where it may not stand there, or not as it does."""
    if text[begin] == QUOTE:
        if sort < _STATUS:
            start[row, sort] = begin + 1
            # Who is named by an empty text is not named.
            nobody = end - begin == 2 and Field.ADDRESS <= sort <= Field.COUNTRY
            size[row, sort] = ABSENT if nobody else end - begin - 2
        return sort < _STATUS or sort == _UNREAD
    number_end, number = _whole(text, begin)
    if number_end != end:
        return False
    if sort == Field.TIME or sort == Field.CREATED:
        place = int(sort == Field.CREATED)
        forms[row, place], numbers[row, place] = TimeForm.INTEGER, number
        return True
    if sort == _STATUS or sort == _ASN:
        numbers[row, 2 + (sort == _ASN)] = number
        return number <= (_STATUS_MAX if sort == _STATUS else _ASN_MAX)
    return False


@in_place
def _read(
    text: Text,
    ends: NDArray[np.int64],
    at: int,
    names: Text,
    first: NDArray[np.int64],
    sorts: NDArray[np.int64],
    follows: NDArray[np.int64],
    null: Text,
    true: Text,
    false: Text,
    start: NDArray[np.int64],
    size: NDArray[np.int64],
    numbers: NDArray[np.int64],
    forms: NDArray[np.uint8],
    odd: NDArray[np.bool_],
) -> None:
    for row in range(ends.size):
        seen, last, closed = 0, first.size - 1, False
        at = skip_blanks(text, at)
        more = text[at] == OPENS
        while more:
            more = False
            at = skip_blanks(text, at + 1)
            end = text_end(text, at + 1) if text[at] == QUOTE else ABSENT
            if end == ABSENT:
                break
            key = _key(text, at + 1, end - at - 1, names, first, follows[last])
            follows[last] = last = key
            at = skip_blanks(text, end + 1)
            if text[at] != COLON:
                break
            begin = skip_blanks(text, at + 1)
            end = value_end(text, begin, true, false, null)
            if end == ABSENT:
                break
            if sorts[key] != _UNKNOWN:
                # Of a key that stands there twice the decoder knows which one counts.
                bit, null_here = 1 << key, text[begin] == null[0]
                if seen & bit or (null_here and REQUIRED & bit):
                    break
                seen |= bit
                if not (null_here or take(text, begin, end, sorts[key], row, start, size, numbers, forms)):
                    break
            at = skip_blanks(text, end)
            more, closed = text[at] == COMMA, text[at] == CLOSES
        odd[row] = not closed or (seen & REQUIRED) != REQUIRED or skip_blanks(text, at + 1) != ends[row]
        if size[row, Field.FINGERPRINT] == ABSENT:
            start[row, Field.FINGERPRINT], size[row, Field.FINGERPRINT] = start[row, Field.JA3], size[row, Field.JA3]
        at = ends[row] + 1
