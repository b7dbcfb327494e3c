"""Actors as they stood, to be put back: for a replay that must cut a batch at the very event a block begins with."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.core.compiled import compiled
from streams.pipeline.actors.memory import SIZES, WAYS, Blocks, Memory, allocate, release
from streams.pipeline.actors.store import Actors


@dataclass(frozen=True, slots=True)
class _SavedMemory:
    heads: NDArray[np.int32]
    overflowed: NDArray[np.bool_]
    entries: list[NDArray[np.uint32]]
    """By size class, the blocks of the slots that have one of it, in their order."""


@dataclass(frozen=True, slots=True)
class Saved:
    """Everything known of ``slots`` (each once)."""

    slots: NDArray[np.int32]
    columns: dict[str, NDArray[np.generic]]
    state: dict[str, dict[str, NDArray[np.generic]]]
    rings: NDArray[np.uint32]
    contacts: _SavedMemory
    members: _SavedMemory


def save(actors: Actors, slots: NDArray[np.int32]) -> Saved:
    """Copy everything known of ``slots``, each named once."""
    return Saved(
        slots,
        {name: column[slots] for name, column in actors.columns.items()},
        {name: {c: a[slots] for c, a in own.items()} for name, own in actors.state.items()},
        actors.rings[slots],
        _save_memory(actors.contacts, slots),
        _save_memory(actors.members, slots),
    )


def restore(actors: Actors, saved: Saved) -> None:
    """Put back what was saved. Only the saved slots may have changed since."""
    for name, column in saved.columns.items():
        actors.columns[name][saved.slots] = column
    for name, own in saved.state.items():
        for c, values in own.items():
            actors.state[name][c][saved.slots] = values
    actors.rings[saved.slots] = saved.rings
    _restore_memory(actors.contacts, saved.slots, saved.contacts)
    _restore_memory(actors.members, saved.slots, saved.members)


def _save_memory(memory: Memory, slots: NDArray[np.int32]) -> _SavedMemory:
    heads = memory.blocks.head[slots]
    classes, starts = heads[:, 0] % 8 - 1, heads[:, 0].astype(np.int64) // 8 * WAYS
    entries = [memory.blocks.entries[starts[classes == k][:, None] + np.arange(size)] for k, size in enumerate(SIZES)]
    return _SavedMemory(heads, memory.blocks.overflowed[slots], entries)


def _restore_memory(memory: Memory, slots: NDArray[np.int32], saved: _SavedMemory) -> None:
    blocks = memory.blocks
    _release_all(blocks, slots)
    blocks.overflowed[slots] = saved.overflowed
    blocks.head[slots, 1] = saved.heads[:, 1]
    classes = saved.heads[:, 0] % 8 - 1
    for k, entries in enumerate(saved.entries):
        owners, done = slots[classes == k], 0
        while (done := _fill(memory.blocks, owners, k, entries, done)) < owners.size:
            memory.grow_needed()


@compiled
def _release_all(blocks: Blocks, slots: NDArray[np.int32]) -> None:
    for slot in slots:
        release(blocks, slot)


@compiled
def _fill(blocks: Blocks, slots: NDArray[np.int32], size_class: int, entries: NDArray[np.uint32], first: int) -> int:
    """Give each slot from ``first`` on a block with its entries; which one found no room, or how many there are."""
    for i in range(first, slots.size):
        place = allocate(blocks, slots[i], size_class)
        if place < 0:
            return i
        blocks.entries[place * WAYS : place * WAYS + entries.shape[1]] = entries[i]
    return slots.size
