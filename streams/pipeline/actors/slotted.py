"""What `Contacts` and `Memory` have in common: a block for each slot, in arrays that compiled code takes."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Generic, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from streams.pipeline.actors.table import grown


class Arrays(Protocol):
    """A named tuple of arrays."""

    @property
    def room(self) -> NDArray[np.int64]:
        """[2] first place that was never given out; not 0 when a block was asked for and not found."""

    @property
    def head(self) -> NDArray[np.int32]:
        """[slots, 2] where the slot's block is, and what is known of it."""

    @property
    def overflowed(self) -> NDArray[np.bool_]:
        """[slots] A block was full, and something gave way."""

    def __iter__(self) -> Iterator[NDArray[Any]]:
        """All of them."""

    def _replace(self, *, head: NDArray[np.int32] = ..., overflowed: NDArray[np.bool_] = ...) -> Self: ...


B = TypeVar("B", bound=Arrays)


class Slotted(ABC, Generic[B]):
    """Blocks of all slots."""

    blocks: B

    def grow_slots(self, slots: int) -> None:
        """Make room for ``slots`` actors."""
        head, overflowed = grown(self.blocks.head, slots), grown(self.blocks.overflowed, slots)
        self.blocks = self.blocks._replace(head=head, overflowed=overflowed)

    def keep(self, slots: NDArray[np.int64], capacity: int) -> None:
        """Keep the blocks of ``slots``, which stand in their order from 0 on; make room for ``capacity`` actors."""
        head, overflowed = self.blocks.head[slots], self.blocks.overflowed[slots]
        self.blocks = self.blocks._replace(head=head, overflowed=overflowed)
        self.grow_slots(capacity)
        self.grow_needed()

    @abstractmethod
    def grow_needed(self) -> None:
        """Make room for what was found wanting, and for more; what actors grew out of is given up."""

    @property
    def wanting(self) -> bool:
        """More room was asked for."""
        return bool(self.blocks.room[1])

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return sum(array.nbytes for array in self.blocks)
