"""Columns over slots of one sort that grow together."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Column = NDArray[Any]
"""The dtype stands in a table of columns, where types cannot follow it."""

_LEAST: Final = 256
_FEW: Final = 32


class Table:
    """Own columns, and those of each detector. Arrays move when they grow: look them up again for every batch."""

    def __init__(self, own: Mapping[str, str], by_detector: Mapping[str, Mapping[str, str]]) -> None:
        """Take columns and dtypes; every entry begins as zero."""
        self.columns: dict[str, Column] = {name: np.zeros(0, dtype) for name, dtype in own.items()}
        self.state = {name: {c: np.zeros(0, t) for c, t in wanted.items()} for name, wanted in by_detector.items()}
        self.count = 0
        self.capacity = 0

    def reserve(self, slots: int) -> None:
        """Make room for ``slots`` of them, and for an eighth more than before."""
        self.count = max(self.count, slots)
        if slots > self.capacity:
            self._grow(max(slots, self.capacity * 9 // 8, _LEAST))

    def make_room(self) -> None:
        """Make room for a few more if there is none for one more."""
        if self.count == self.capacity:
            self._grow(self.capacity + max(self.capacity // 32, _FEW))

    def _grow(self, capacity: int) -> None:
        self.capacity = capacity
        for columns in self._every():
            for name, column in columns.items():
                columns[name] = grown(column, capacity)

    def keep(self, slots: NDArray[np.int64]) -> None:
        """Keep what stands at ``slots``, in their order and from 0 on, and room for an eighth more."""
        self.count = int(slots.size)
        self.capacity = max(self.count * 9 // 8, _LEAST)
        # One column at a time, so that not all of them are held twice.
        for columns in self._every():
            for name, column in columns.items():
                columns[name] = grown(column[slots], self.capacity)

    def clear(self, slots: NDArray[np.int64], except_for: frozenset[str] = frozenset()) -> None:
        """Let everything at ``slots`` be zero again, but for some of the own columns."""
        for columns in self._every():
            for name, column in columns.items():
                if columns is not self.columns or name not in except_for:
                    column[slots] = 0

    def _every(self) -> Iterator[dict[str, Column]]:
        yield self.columns
        yield from self.state.values()

    @property
    def nbytes(self) -> int:
        """Bytes held, room to grow included."""
        return sum(column.nbytes for columns in self._every() for column in columns.values())


def grown(column: Column, capacity: int) -> Column:
    """The column with zeros behind it, up to ``capacity`` entries."""
    result: Column = np.zeros((capacity, *column.shape[1:]), column.dtype)
    result[: len(column)] = column
    return result
