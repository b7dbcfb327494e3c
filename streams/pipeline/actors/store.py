"""The actors of one partition: a slot each, everything known of them in columns over slots."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from detectors.core.compiled import compiled
from schemas.actor import Actor, Scope
from streams.pipeline.actors.index import Index
from streams.pipeline.actors.memory import Memory
from streams.pipeline.windows.rings import WORDS

Column = NDArray[Any]
"""The dtype stands in a table of columns, where types cannot follow it."""

COLUMNS: Final[Mapping[str, str]] = {
    "scope": "u1",
    "text_at": "i8",  # where the value begins in the texts
    "text_length": "u4",
    "first_seen_us": "i8",
    "exposed": "i8",  # profiles disclosed, each first contact once and each search result every time
    "inexact": "?",  # search results are among them
    "taught_day": "i4",
    "taught": "i4",  # first contacts that fed the model on that day
    "behind_at": "i8",  # granule at which those behind it were counted
    "members_behind": "i4",
    "accounts_behind": "i4",
    "quiet_until_us": "i8",  # end of the cooldown
    "quiet_rank": "u1",  # severity at its beginning
    "denied_until_us": "i8",  # end of the block, where a replay enforces it
}


@compiled
def _copy(
    source: NDArray[np.uint8], starts: NDArray[np.int64], lengths: NDArray[np.int64], target: NDArray[np.uint8], at: int
) -> None:
    for i in range(starts.size):
        target[at : at + lengths[i]] = source[starts[i] : starts[i] + lengths[i]]
        at += lengths[i]


class Actors:
    """Columns over slots that grow together. Arrays move when they grow: look them up again for every batch."""

    def __init__(self, detector_state: Mapping[str, Mapping[str, str]]) -> None:
        """Keep ``detector_state``: columns and dtypes, by detector."""
        self._index = Index()
        self.columns: dict[str, Column] = {name: np.zeros(0, dtype) for name, dtype in COLUMNS.items()}
        self.state = {name: {c: np.zeros(0, t) for c, t in wanted.items()} for name, wanted in detector_state.items()}
        self.rings: NDArray[np.uint32] = np.zeros((0, WORDS), np.uint32)
        self.contacts, self.members = Memory(), Memory()
        self._texts, self._text_end = np.zeros(1024, np.uint8), 0
        self.capacity = 0

    def __len__(self) -> int:
        return self._index.count

    def slots(
        self, keys: NDArray[np.uint64], scopes: NDArray[np.uint8], texts: NDArray[np.uint8], ends: NDArray[np.uint32]
    ) -> NDArray[np.int32]:
        """Slot of each actor, given with scope and value (UTF-8 in ``texts`` up to ``ends``); new ones get a slot."""
        slots, new = self._index.slots(keys)
        if new:
            self._add(slots, new, scopes, texts, ends.astype(np.int64))
        return slots

    def _add(
        self,
        slots: NDArray[np.int32],
        new: int,
        scopes: NDArray[np.uint8],
        texts: NDArray[np.uint8],
        ends: NDArray[np.int64],
    ) -> None:
        first = len(self) - new
        self._reserve(len(self))
        wanted = np.flatnonzero(slots >= first)
        starts = np.concatenate([np.zeros(1, np.int64), ends[:-1]])[wanted]
        lengths = ends[wanted] - starts
        at = self._keep_texts(texts, starts, lengths)
        self.columns["scope"][slots[wanted]] = scopes[wanted]
        self.columns["text_at"][slots[wanted]] = at
        self.columns["text_length"][slots[wanted]] = lengths

    def _keep_texts(
        self, texts: NDArray[np.uint8], starts: NDArray[np.int64], lengths: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        ends = self._text_end + np.cumsum(lengths)
        if ends[-1] > self._texts.size:
            more = max(self._texts.size // 4, int(ends[-1]) - self._texts.size)
            self._texts = np.concatenate([self._texts, np.zeros(more, np.uint8)])
        _copy(texts, starts, lengths, self._texts, self._text_end)
        self._text_end = int(ends[-1])
        return ends - lengths

    def _reserve(self, slots: int) -> None:
        if slots <= self.capacity:
            return
        self.capacity = max(slots, self.capacity * 5 // 4, 1024)
        self.columns = {name: _grown(column, self.capacity) for name, column in self.columns.items()}
        self.state = {name: {c: _grown(a, self.capacity) for c, a in own.items()} for name, own in self.state.items()}
        self.rings = _grown(self.rings, self.capacity)
        self.contacts.grow_slots(self.capacity)
        self.members.grow_slots(self.capacity)

    @property
    def scopes(self) -> NDArray[np.uint8]:
        """Scope of every slot."""
        return self.columns["scope"].astype(np.uint8, copy=False)

    def value(self, slot: int) -> str:
        """The actor's value, as records spell it."""
        at, length = int(self.columns["text_at"][slot]), int(self.columns["text_length"][slot])
        return self._texts[at : at + length].tobytes().decode()

    def scope(self, slot: int) -> Scope:
        """The actor's scope."""
        return Scope(int(self.columns["scope"][slot]))

    def actor(self, slot: int) -> Actor:
        """The actor as records name it."""
        return Actor(self.scope(slot).label, self.value(slot))

    @property
    def nbytes(self) -> int:
        """Bytes held, room to grow included."""
        columns = sum(c.nbytes for c in self.columns.values()) + sum(
            a.nbytes for own in self.state.values() for a in own.values()
        )
        return (
            columns
            + self.rings.nbytes
            + self._texts.nbytes
            + self._index.nbytes
            + self.contacts.nbytes
            + self.members.nbytes
        )


def _grown(column: Column, capacity: int) -> Column:
    grown: Column = np.zeros((capacity, *column.shape[1:]), column.dtype)
    grown[: len(column)] = column
    return grown
