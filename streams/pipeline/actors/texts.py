"""The values of actors as UTF-8, one after the other; where each begins stands in the columns."""

from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from detectors.core.compiled import compiled

T = TypeVar("T", bound=np.generic)
END_MAX: Final = 2**32
"""Where a text begins is kept in 32 bits."""


@compiled
def _copy(
    source: NDArray[T], starts: NDArray[np.int64], lengths: NDArray[np.int64], target: NDArray[T], at: int
) -> None:
    for i in range(starts.size):
        target[at : at + lengths[i]] = source[starts[i] : starts[i] + lengths[i]]
        at += lengths[i]


def pick_spans(source: NDArray[T], starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[T]:
    """Spans of ``source``, one after the other."""
    picked = np.empty(int(lengths.sum()), source.dtype)
    _copy(source, starts, lengths, picked, 0)
    return picked


class Texts:
    """Bytes that grow by a quarter at a time."""

    def __init__(self) -> None:
        self._bytes, self._end = np.zeros(1024, np.uint8), 0

    def keep(
        self, source: NDArray[np.uint8], starts: NDArray[np.int64], lengths: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Take texts of ``source``, one at least; where each of them begins here.

        Raises:
            MemoryError: one would begin beyond 4 GiB.
        """
        ends = self._end + np.cumsum(lengths)
        if ends[-1] > END_MAX:
            raise MemoryError("names of more than 4 GiB in one partition")
        if ends[-1] > self._bytes.size:
            more = max(self._bytes.size // 4, int(ends[-1]) - self._bytes.size)
            self._bytes = np.concatenate([self._bytes, np.zeros(more, np.uint8)])
        _copy(source, starts, lengths, self._bytes, self._end)
        self._end = int(ends[-1])
        return ends - lengths

    def of(self, starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Texts, one after the other."""
        return pick_spans(self._bytes, starts, lengths)

    def gather(self, starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        """Keep no other texts than these; where each of them begins now."""
        texts = self.of(starts, lengths)
        self._end = texts.size
        self._bytes = np.zeros(max(self._end * 5 // 4, 1024), np.uint8)
        self._bytes[: self._end] = texts
        return np.cumsum(lengths) - lengths

    def value(self, start: int, length: int) -> str:
        """One text."""
        return self._bytes[start : start + length].tobytes().decode()

    @property
    def nbytes(self) -> int:
        """Bytes held, room to grow included."""
        return self._bytes.nbytes
