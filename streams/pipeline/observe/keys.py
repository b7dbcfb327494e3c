"""Tables of the keys of a canonical record, for the loop that reads it: what may stand at each level of it.

A name like ``http.request.method`` stands whole at the top, the one level of a flat record. In a nested one it may be
cut at any dot: below its *beginning* ``http`` lies a level at which ``request.method`` may stand, and so on. A table
has an *entry* for each name, and each beginning of one, at each level at which what is left of it may be a key.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.nested import prefixes
from schemas.request import RequestEvent
from streams.pipeline.observe.events import PROJECTION, Field
from streams.pipeline.observe.text import Text


class Sort(IntEnum):
    """What may stand under a key; of those that have a column of text, `Field` says which."""

    STATUS = 100
    ASN = 101
    UNREAD = 102
    """A text that observe has no use for; of another type the record is none."""
    LIST = 103
    """A list, which the loop does not read."""
    BEGINNING = 104
    """An object with what is left of the names that begin so; or anything else, which means nothing."""
    NO_OBJECT = 105
    """The same where names are not cut: an object there is for another reader."""
    ANYTHING = 106
    """Whatever stands there, it means nothing."""


class Keys(NamedTuple):
    """A table of k entries, those of each level together, in l levels from 1 on. The entry behind them is no name's."""

    text: Text
    """What each entry's key is, one after the other."""
    first: NDArray[np.int64]
    """[k + 1] where the key of each entry begins in `text`."""
    sort: NDArray[np.int64]
    """[k + 1] `Field` or `Sort`"""
    bit: NDArray[np.int64]
    """[k + 1] one bit for each name and each beginning, the same in all of its entries; 0 for no name."""
    below: NDArray[np.int64]
    """[k + 1] of a BEGINNING the level below it."""
    level_first: NDArray[np.int64]
    """[l + 2] the first entry of each level."""


TOP: Final = 1
"""Level at which a record begins."""
LEVEL_BITS: Final = 6
"""Of the number of a level."""

_SORTS: Final[Mapping[str, int]] = {
    "time": Field.TIME,
    "created_at": Field.CREATED,
    "ja4": Field.FINGERPRINT,
    "user_agent": Field.AGENT,
    "status": Sort.STATUS,
    "asn": Sort.ASN,
    "targets": Sort.LIST,
}
"""By attribute of a request event, where its name does not say it."""
_EVENT: Final = msgspec.structs.fields(RequestEvent)
_NAMES: Final = [one.encode_name for one in _EVENT]
_BEGINNINGS: Final = prefixes(dict.fromkeys(_NAMES))

REQUIRED: Final = sum(1 << number for number, one in enumerate(_EVENT) if one.required)
"""Bits of the names that no record lacks."""


def _sort_of(attribute: str) -> int:
    if attribute in _SORTS:
        return _SORTS[attribute]
    return Field[attribute.upper()] if attribute in PROJECTION else Sort.UNREAD


def _table(levels: list[str], beginning: Sort) -> Keys:
    """The table of so many levels: the top, which is named "", and those below the beginnings that ``levels`` names."""
    names = [*_NAMES, *_BEGINNINGS]
    sorts = [*(_sort_of(one.name) for one in _EVENT), *(beginning for _ in _BEGINNINGS)]
    keys: list[str] = []
    rows: list[tuple[int, int, int]] = []
    level_first = [0]
    for level in levels:
        level_first.append(len(keys))
        start = f"{level}." if level else ""
        for number, name in enumerate(names):
            if name.startswith(start):
                keys.append(name.removeprefix(start))
                below = TOP + levels.index(name) if name in levels else 0
                rows.append((sorts[number], 1 << number, below))
    rows.append((Sort.ANYTHING, 0, 0))
    text, first = np.array([*"".join(keys).encode()], np.uint8), np.cumsum([0, *map(len, keys)])
    sort, bit, below = np.ascontiguousarray(np.array(rows, np.int64).T)
    return Keys(text, first, sort, bit, below, np.array([*level_first, len(keys)], np.int64))


FLAT: Final = _table([""], Sort.NO_OBJECT)
"""Keys of flat records: names as they are."""
NESTED: Final = _table(["", *_BEGINNINGS], Sort.BEGINNING)
"""Keys of nested records: names cut at any dots, or at none."""
