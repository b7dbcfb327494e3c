"""Actors as they stood, to be put back: for a replay that must cut a batch at the very event a block begins with."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.core.compiled import compiled
from streams.pipeline.actors.contacts import Met
from streams.pipeline.actors.memory import GRAIN, SIZES, Blocks, Memory, allocate, release_all
from streams.pipeline.actors.store import Actors
from streams.pipeline.actors.table import Column, Table
from streams.pipeline.rows import Rows


@dataclass(frozen=True, slots=True)
class _SavedMemory:
    heads: NDArray[np.int32]
    overflowed: NDArray[np.bool_]
    entries: list[NDArray[np.uint32]]
    """By size class, the blocks of the slots that have one of it, in their order."""


@dataclass(frozen=True, slots=True)
class _SavedTable:
    slots: NDArray[np.int32]
    columns: list[Column]


@dataclass(frozen=True, slots=True)
class Saved:
    """Everything known of ``slots`` (each once), and of their places in the tables."""

    slots: NDArray[np.int32]
    tables: list[_SavedTable]
    contacts: Met
    members: _SavedMemory


def save(actors: Actors, rows: Rows) -> Saved:
    """Copy everything known of the actors of ``rows``."""
    principal, group, member = actors.places(rows)
    # Rings come when contacts become many, so not by what the rows are.
    wanted = (rows.slot, actors.places_of(rows.slot.astype(np.int64))[:, 0], principal, group, member)
    tables = _tables(actors)
    places = [_distinct(place, table.capacity) for place, table in zip(wanted, tables, strict=True)]
    slots = places[0]
    return Saved(
        slots,
        [_save_table(table, place) for table, place in zip(tables, places, strict=True)],
        actors.contacts.copy(slots.astype(np.int64)),
        _save_memory(actors.members, slots),
    )


def restore(actors: Actors, saved: Saved) -> None:
    """Put back what was saved. Only the saved actors may have changed since."""
    for table, kept in zip(_tables(actors), saved.tables, strict=True):
        for column, values in zip(_columns(table), kept.columns, strict=True):
            column[kept.slots] = values
    actors.contacts.put(saved.slots.astype(np.int64), saved.contacts)
    _restore_memory(actors.members, saved.slots, saved.members)


def _tables(actors: Actors) -> tuple[Table, ...]:
    return actors.all, actors.windows, actors.principals, actors.groups, actors.pairs


def _columns(table: Table) -> list[Column]:
    return [column for columns in (table.columns, *table.state.values()) for column in columns.values()]


def _distinct(places: NDArray[np.int32], capacity: int) -> NDArray[np.int32]:
    """Each place once, ascending, without those that are none; faster than a sort where there are many rows."""
    wanted = np.zeros(capacity + 1, np.bool_)
    wanted[places] = True
    return np.flatnonzero(wanted[:capacity]).astype(np.int32)


def _save_table(table: Table, slots: NDArray[np.int32]) -> _SavedTable:
    return _SavedTable(slots, [column[slots] for column in _columns(table)])


def _save_memory(memory: Memory, slots: NDArray[np.int32]) -> _SavedMemory:
    heads = memory.blocks.head[slots]
    classes, starts = heads[:, 0] % 16 - 1, heads[:, 0].astype(np.int64) // 16 * GRAIN
    entries = [memory.blocks.entries[starts[classes == k][:, None] + np.arange(size)] for k, size in enumerate(SIZES)]
    return _SavedMemory(heads, memory.blocks.overflowed[slots], entries)


def _restore_memory(memory: Memory, slots: NDArray[np.int32], saved: _SavedMemory) -> None:
    blocks = memory.blocks
    release_all(blocks, slots)
    blocks.overflowed[slots] = saved.overflowed
    blocks.head[slots, 1] = saved.heads[:, 1]
    classes = saved.heads[:, 0] % 16 - 1
    for k, entries in enumerate(saved.entries):
        owners, done = slots[classes == k], 0
        while (done := _fill(memory.blocks, owners, k, entries, done)) < owners.size:
            memory.grow_needed()


@compiled
def _fill(blocks: Blocks, slots: NDArray[np.int32], size_class: int, entries: NDArray[np.uint32], first: int) -> int:
    """Give each slot from ``first`` on a block with its entries; which one found no room, or how many there are."""
    for i in range(first, slots.size):
        place = allocate(blocks, slots[i], size_class)
        if place < 0:
            return i
        blocks.entries[place * GRAIN : place * GRAIN + entries.shape[1]] = entries[i]
    return slots.size
