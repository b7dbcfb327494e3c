"""Combinations: groups of events that have several things in common, as ``[[groups]]`` names them.

Each is an actor of the scope `combination` with the value ``<name>:<part>@<part>``, its parts in the order of the
configuration: ``agent_net:d24ec4f1a98c6e5b@203.0.113.0/24``. An event that lacks a part is in no group of that name,
nor is one whose part is longer than `PART_MAX` bytes or holds an ``@``: two different groups never have one value.

Texts are written behind those of the batch, in columns behind those of `Field`: where nothing is named, there is no
room and no column.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.core.compiled import compiled
from detectors.core.hashing import xxh64
from streams.pipeline.observe.events import ABSENT, Events, Field
from streams.pipeline.observe.events import FIELDS as FIRST
from streams.pipeline.observe.text import Text, copy, signed, write_number
from streams.settings import COMBINED_MAX, Group

PART_MAX: Final = 64
"""Bytes of a part; a JA4 has 36, a network 24."""
_PARTS: Final = {
    "net": Field.NET,
    "asn": Field.ASN,
    "fingerprint": Field.FINGERPRINT,
    "country": Field.COUNTRY,
    "agent": Field.AGENT,
    "tier": Field.TIER,
}
_AT: Final = ord("@")
_HEX: Final = np.frombuffer(b"0123456789abcdef", np.uint8)
_COUNTRY_BYTES: Final = 2


class Combinations(NamedTuple):
    """c combinations."""

    names: Text
    """Each with a colon behind it."""
    name_end: NDArray[np.int64]
    """[c] where each name ends in `names`."""
    parts: NDArray[np.int64]
    """[c, COMBINED_MAX] column of each part; ABSENT behind the last."""

    @property
    def event_bytes(self) -> int:
        """The most that the values of one event take."""
        return self.names.size + self.parts.size * (PART_MAX + 1)


def compile_groups(groups: Sequence[Group]) -> Combinations | None:
    """The combinations of a configuration; None where it names none."""
    if not groups:
        return None
    names = [f"{group.name}:".encode() for group in groups]
    parts = np.full((len(groups), COMBINED_MAX), ABSENT, np.int64)
    for row, group in enumerate(groups):
        parts[row, : len(group.of)] = [_PARTS[part] for part in group.of]
    return Combinations(np.array([*b"".join(names)], np.uint8), np.cumsum([len(name) for name in names]), parts)


def combine(combinations: Combinations | None, events: Events, wanted: NDArray[np.bool_]) -> Events:
    """The events with a column for each combination, filled in where ``wanted``. Wants addresses that are read."""
    if combinations is None:
        return events
    count, more = len(events.fault), len(combinations.parts)
    text = np.concatenate([events.text, np.zeros(count * combinations.event_bytes, np.uint8)])
    start = np.concatenate([events.start, np.zeros((count, more), np.int64)], axis=1)
    size = np.concatenate([events.size, np.full((count, more), ABSENT, np.int64)], axis=1)
    _combine(text, start, size, events.asn, wanted, *combinations, events.text.size, combinations.event_bytes)
    return events._replace(text=text, start=start, size=size)


@compiled
def _write_hash(text: Text, start: int, size: int, at: int) -> int:
    """Write XXH64 of a span in 16 hexadecimal digits; the position behind them."""
    digest = xxh64(text, start, size, np.uint64(0))
    for k in range(16):
        text[at + k] = _HEX[signed(digest >> np.uint64(60 - 4 * k)) & 15]
    return at + 16


@compiled
def _is_part(text: Text, start: int, size: int, field: int) -> bool:
    if size <= 0 or size > PART_MAX or (field == Field.COUNTRY and size != _COUNTRY_BYTES):
        return False
    for k in range(size):
        if text[start + k] == _AT:
            return False
    return True


@compiled
def _write_part(
    text: Text, start: NDArray[np.int64], size: NDArray[np.int64], asn: int, row: int, field: int, at: int
) -> int:
    """Write one part of an event at ``at``; the position behind it, ABSENT where there is no such part."""
    if field == Field.ASN:
        return ABSENT if asn == ABSENT else write_number(text, at, asn)
    begin, length = start[row, field], size[row, field]
    if field == Field.AGENT:
        return ABSENT if length <= 0 else _write_hash(text, begin, length, at)
    return copy(text, begin, length, text, at) if _is_part(text, begin, length, field) else ABSENT


@compiled
def _combine(
    text: Text,
    start: NDArray[np.int64],
    size: NDArray[np.int64],
    asn: NDArray[np.int64],
    wanted: NDArray[np.bool_],
    names: Text,
    name_end: NDArray[np.int64],
    parts: NDArray[np.int64],
    room_at: int,
    event_bytes: int,
) -> None:
    for row in range(len(asn)):
        at = room_at + row * event_bytes
        for c in range(len(parts) if wanted[row] else 0):
            name_at = name_end[c - 1] if c > 0 else 0
            end, k = copy(names, name_at, name_end[c] - name_at, text, at), 0
            while end != ABSENT and k < parts.shape[1] and parts[c, k] != ABSENT:
                if k > 0:
                    text[end] = _AT
                    end += 1
                end = _write_part(text, start, size, asn[row], row, parts[c, k], end)
                k += 1
            if end != ABSENT:
                start[row, FIRST + c], size[row, FIRST + c] = at, end - at
                at = end
