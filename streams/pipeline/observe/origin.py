"""Where addresses belong: ASN and country, where the record does not say them and somebody else knows.

Who knows is given from outside, and asked once a batch for its distinct addresses. What it says must hang on the
address alone for as long as one batch lasts. Addresses are those of ip actors, so all of a subscriber's /64 belong to
one place.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.core.compiled import compiled
from detectors.core.hashing import xxh64
from streams.pipeline.observe.events import ABSENT, ROOM, Events, Fault, Field
from streams.pipeline.observe.text import Text

COUNTRY_AT: Final = 60
"""In the room of an event, behind the ten digits that a number of 32 bits has at most."""
_LETTERS: Final = 2


class Origin(NamedTuple):
    """What is known of an address."""

    asn: int = ABSENT
    """Below 2**32."""
    country: bytes = b""
    """Two capital letters, or nothing."""


Origins = Callable[[Sequence[str]], Sequence[Origin]]
"""Says of each address, ``203.0.113.9`` or ``2001:db8:1:2::``, where it belongs."""


def add_origins(origins: Origins | None, events: Events) -> None:
    """Fill in ASN and country where they are absent. Wants addresses that are read, as `read_addresses` does it."""
    if origins is None:
        return
    lacking = (events.asn == ABSENT) | (events.size[:, Field.COUNTRY] <= 0)
    rows = np.flatnonzero(lacking & (events.size[:, Field.ADDRESS] != ABSENT) & (events.fault == Fault.NONE))
    if not rows.size:
        return
    keys = _keys(events.text, events.start[:, Field.ADDRESS], events.size[:, Field.ADDRESS], rows)
    _, first, which = np.unique(keys, return_index=True, return_inverse=True)
    found = origins([_address(events, row) for row in rows[first].tolist()])
    _write(events, rows, np.array([one.asn for one in found], np.int64)[which], _letters(found)[which])


def _address(events: Events, row: int) -> str:
    start, size = events.start[row, Field.ADDRESS], events.size[row, Field.ADDRESS]
    return events.text[start : start + size].tobytes().decode().removesuffix("/64")


def _letters(found: Sequence[Origin]) -> NDArray[np.uint8]:
    """[n, 2], zeros where no country is known."""
    text = b"".join(one.country.ljust(_LETTERS, b"\0") for one in found)
    return np.frombuffer(text, np.uint8).reshape(len(found), _LETTERS)


def _write(events: Events, rows: NDArray[np.int64], asn: NDArray[np.int64], letters: NDArray[np.uint8]) -> None:
    events.asn[rows] = np.where(events.asn[rows] == ABSENT, asn, events.asn[rows])
    named = (events.size[rows, Field.COUNTRY] <= 0) & (letters[:, 0] != 0)
    rows, letters = rows[named], letters[named]
    count = len(events.fault)
    room = events.text[: count * ROOM].reshape(count, ROOM)
    room[rows, COUNTRY_AT : COUNTRY_AT + _LETTERS] = letters
    events.start[rows, Field.COUNTRY] = rows * ROOM + COUNTRY_AT
    events.size[rows, Field.COUNTRY] = _LETTERS


@compiled
def _hash_all(
    text: Text, start: NDArray[np.int64], size: NDArray[np.int64], rows: NDArray[np.int64], keys: NDArray[np.uint64]
) -> None:
    for k in range(len(rows)):
        row = rows[k]
        keys[k] = xxh64(text, start[row], size[row], np.uint64(0))


def _keys(text: Text, start: NDArray[np.int64], size: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.uint64]:
    keys = np.zeros(len(rows), np.uint64)
    _hash_all(text, np.ascontiguousarray(start), np.ascontiguousarray(size), rows, keys)
    return keys
