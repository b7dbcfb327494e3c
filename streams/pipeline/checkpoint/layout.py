"""Which columns the state of a partition has, and of which dtypes: what two builds must agree on to share it."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from detectors.core.hashing import xxh64
from streams.pipeline.actors.sleepers import record
from streams.pipeline.actors.store import PLACES, SLOTS, Actors
from streams.pipeline.actors.table import Column, Table

PLACED: Final = ("windows", "principals", "groups")
"""Tables in which not every actor has a place."""
Layout = dict[str, str]
"""Dtype of each column by its name, ``table.column`` or ``table.detector.column``; a row of k as ``k<u4``."""


def table_of(actors: Actors, name: str) -> Table:
    """The table that a name stands for."""
    table: Table = getattr(actors, name)
    return table


def columns_of(table: Table, prefix: str) -> Iterator[tuple[str, dict[str, Column], str]]:
    """Name of each column that a checkpoint keeps, and where the column is found: a dictionary and its key."""
    for detector, columns in (("", table.columns), *table.state.items()):
        for column in columns:
            if columns is not table.columns or column not in PLACES:
                yield f"{prefix}.{detector}.{column}" if detector else f"{prefix}.{column}", columns, column


def is_slots(name: str) -> bool:
    """The column names actors by slot, which a checkpoint turns into keys."""
    return name.rpartition(".")[2] in SLOTS and name.count(".") == 1


def layout_of(actors: Actors) -> Layout:
    """Of all columns; the order of detectors, by which evidence is kept, is one of the entries."""
    found: Layout = {"detectors": " ".join(actors.all.state)}
    for prefix in ("all", *PLACED, "pairs"):
        for name, columns, column in columns_of(table_of(actors, prefix), prefix):
            found[name] = _spelt(columns[column], slots=is_slots(name))
    found["sleeper"] = str(record(len(actors.all.state)).descr)
    return found


def _spelt(column: Column, *, slots: bool) -> str:
    dtype = np.dtype(np.uint64) if slots else column.dtype
    return "x".join(map(str, column.shape[1:])) + dtype.newbyteorder("<").str


def digest(layout: Layout) -> int:
    """A number that differs for another layout."""
    text = "\n".join(f"{name} {spelt}" for name, spelt in layout.items()).encode()
    return int(xxh64(np.frombuffer(text, np.uint8), 0, len(text), np.uint64(0)))


def difference(found: Layout, wanted: Layout) -> str | None:
    """What the first differences are, for a person; None where there is none."""
    names = [name for name in {**wanted, **found} if found.get(name) != wanted.get(name)]
    said = [f"{name} is {found.get(name, 'missing')}, not {wanted.get(name, 'there')}" for name in names[:3]]
    if len(names) > 3:
        said.append(f"{len(names) - 3} more")
    return "; ".join(said) or (None if list(found) == list(wanted) else "columns stand in another order")
