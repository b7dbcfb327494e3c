"""Some actors, and members within groups, copied out of their partition: everything known of them, by key."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from detectors.core.compiled import compiled
from schemas.errors import CheckpointError
from streams.pipeline.actors.contacts import Met
from streams.pipeline.actors.memory import Copied
from streams.pipeline.actors.sleepers import Records
from streams.pipeline.actors.store import Actors
from streams.pipeline.actors.table import Column
from streams.pipeline.actors.texts import pick_spans
from streams.pipeline.checkpoint.layout import PLACED, columns_of, is_slots, table_of

Places = NDArray[np.int64]
MEMORIES = ("contacts", "members")
"""Names of `Part.memories`."""
M = TypeVar("M", Met, Copied)


@dataclass(frozen=True, slots=True)
class Part:
    """n actors and p pairs; all arrays are its own, unless columns were lent."""

    keys: NDArray[np.uint64]
    placed: NDArray[np.bool_]
    """[n, 3] whether each has a place in the tables of `layout.PLACED`."""
    texts: NDArray[np.uint8]
    memories: tuple[Met, Copied]
    """Whom they met, and who stands behind them."""
    pair_keys: NDArray[np.uint64]
    sleeping: NDArray[np.uint64]
    """Keys of those who sleep; they are none of the n."""
    sleepers: Records
    columns: dict[str, Column]
    """By `layout.Layout`: n of ``all``, p of ``pairs``, and of each other table one for each actor that is placed."""
    lent: dict[str, Places] | None = None
    """Where columns are the tables' own, the places in each table at which those entries stand."""

    def lengths(self) -> NDArray[np.int64]:
        """Of the texts."""
        column = self.columns["all.text_length"]
        lengths: NDArray[np.int64] = (column if self.lent is None else column[self.lent["all"]]).astype(np.int64)
        return lengths

    def pick(self, actors: Places, pairs: Places, sleeping: Places) -> "Part":
        """Those at some places, in the order given."""
        of_table = {"all": actors, "pairs": pairs}
        for k, name in enumerate(PLACED):
            rank = np.cumsum(self.placed[:, k]) - 1
            of_table[name] = rank[actors[self.placed[actors, k]]]
        if self.lent is not None:
            of_table = {name: self.lent[name][places] for name, places in of_table.items()}
        lengths = self.lengths()
        return Part(
            self.keys[actors],
            self.placed[actors],
            pick_spans(self.texts, (np.cumsum(lengths) - lengths)[actors], lengths[actors]),
            (self.memories[0].pick(actors), self.memories[1].pick(actors)),
            self.pair_keys[pairs],
            self.sleeping[sleeping],
            self.sleepers[sleeping],
            {name: picked(column, of_table[name.partition(".")[0]]) for name, column in self.columns.items()},
        )

    def cut(self, bounds: Iterable[tuple[slice, slice, slice]]) -> Iterator["Part"]:
        """Stretches of actors, pairs and sleepers each; views of this part."""
        texts, contacts, members = (_ends(each) for each in (self.lengths(), *self._sizes()))
        ranks = [_ends(self.placed[:, k]) for k in range(len(PLACED))]
        for actors, pairs, sleeping in bounds:
            of_table = {"all": actors, "pairs": pairs}
            of_table |= {name: _within(ends, actors) for name, ends in zip(PLACED, ranks, strict=True)}
            yield Part(
                self.keys[actors],
                self.placed[actors],
                self.texts[_within(texts, actors)],
                (_stretch(self.memories[0], actors, contacts), _stretch(self.memories[1], actors, members)),
                self.pair_keys[pairs],
                self.sleeping[sleeping],
                self.sleepers[sleeping],
                {name: column[of_table[name.partition(".")[0]]] for name, column in self.columns.items()},
            )

    def _sizes(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Entries of each actor in `memories`."""
        contacts, members = self.memories
        return contacts.used.astype(np.int64), members.sizes()


def _ends(sizes: NDArray[Any]) -> NDArray[np.int64]:
    """Where each of some spans begins, and where the last one ends."""
    ends = np.zeros(sizes.size + 1, np.int64)
    np.cumsum(sizes, out=ends[1:])
    return ends


def _within(ends: NDArray[np.int64], actors: slice) -> slice:
    return slice(int(ends[actors.start]), int(ends[actors.stop]))


def _stretch(memory: M, actors: slice, ends: NDArray[np.int64]) -> M:
    fields = {name: values[actors] for name, values in memory._asdict().items()}
    return memory._replace(**fields | {"entries": memory.entries[_within(ends, actors)]})


def picked(column: Column, places: Places) -> Column:
    """``column[places]``, while other threads go on: numpy would hold the interpreter's lock.

    Raises:
        IndexError: one of ``places`` is none of the column.
    """
    width = column.dtype.itemsize * math.prod(column.shape[1:])
    out = np.empty((places.size, *column.shape[1:]), column.dtype)
    if not _pick(_octets(column, width), places, _octets(out, width)):
        raise IndexError(f"a place beyond the {len(column)} of a column")
    return out


def _octets(column: Column, width: int) -> NDArray[np.uint8]:
    return np.ascontiguousarray(column).view(np.uint8).reshape(len(column), width)


@compiled
def _pick(octets: NDArray[np.uint8], places: Places, out: NDArray[np.uint8]) -> bool:
    for i in range(places.size):
        at = places[i]
        if not 0 <= at < octets.shape[0]:
            return False
        for k in range(octets.shape[1]):
            out[i, k] = octets[at, k]
    return True


def copy(
    actors: Actors, keys: NDArray[np.uint64], slots: Places | None, pairs: Places | None, *, lent: bool = False
) -> Part:
    """Copy actors in ``slots`` and ``pairs``, None for all, out of their partition; ``keys`` are those of all slots.

    With ``lent`` columns are not copied: `Part.pick` before anything of the partition changes.
    """
    every, every_pair = np.arange(len(actors)), np.arange(actors.pairs.count)
    own, own_pairs = every if slots is None else slots, every_pair if pairs is None else pairs
    places = actors.places_of(own)
    of_table: dict[str, Places | slice] = {
        "all": slice(len(actors)) if slots is None else own,
        "pairs": slice(actors.pairs.count) if pairs is None else own_pairs,
    }
    in_table = {name: places[places[:, k] >= 0, k].astype(np.int64) for k, name in enumerate(PLACED)}
    return Part(
        keys[own],
        places >= 0,
        actors.texts_of(own),
        (actors.contacts.copy(own), actors.members.copy(own)),
        actors.pair_keys()[own_pairs],
        np.zeros(0, np.uint64),
        np.zeros(0, np.uint8),
        dict((_lent if lent else _copied)(actors, keys, of_table | in_table)),
        {"all": own, "pairs": own_pairs, **in_table} if lent else None,
    )


def _copied(
    actors: Actors, keys: NDArray[np.uint64], of_table: Mapping[str, Places | slice]
) -> Iterator[tuple[str, Column]]:
    for prefix, places in of_table.items():
        for name, columns, column in columns_of(table_of(actors, prefix), prefix):
            values = columns[column][places]
            if is_slots(name):
                yield name, _keys_at(keys, values)
            else:
                yield name, values.copy() if isinstance(places, slice) else values


def _lent(
    actors: Actors, keys: NDArray[np.uint64], of_table: Mapping[str, Places | slice]
) -> Iterator[tuple[str, Column]]:
    for prefix, places in of_table.items():
        for name, columns, column in columns_of(table_of(actors, prefix), prefix):
            values = columns[column]
            if is_slots(name):
                # Elsewhere than at these places may stand slots that are no longer there.
                spelled = np.zeros(values.shape, np.uint64)
                spelled[places] = _keys_at(keys, values[places])
                yield name, spelled
            else:
                yield name, values


def _keys_at(keys: NDArray[np.uint64], slots: Column) -> Column:
    """Key of each slot + 1, 0 where it is none."""
    return np.where(slots > 0, keys[np.maximum(slots, 1) - 1], np.uint64(0))


def join(parts: Sequence[Part]) -> Part:
    """All of the parts, one after the other; there is one at least."""

    def whole(name: str) -> Any:
        return np.concatenate([getattr(part, name) for part in parts])

    return Part(
        whole("keys"),
        whole("placed"),
        whole("texts"),
        (Met.join([part.memories[0] for part in parts]), Copied.join([part.memories[1] for part in parts])),
        whole("pair_keys"),
        whole("sleeping"),
        whole("sleepers"),
        {name: np.concatenate([part.columns[name] for part in parts]) for name in parts[0].columns},
    )


def load(part: Part, actors: Actors, serial: int) -> None:
    """Put a whole partition's actors into ``actors``, which know none; they get slots in their order.

    Raises:
        CheckpointError: one of them names an actor that is not among them, or comes twice.
    """
    n, ends = part.keys.size, np.cumsum(part.lengths())
    slots = actors.slots(part.keys, part.columns["all.scope"], part.texts, ends.astype(np.uint32))
    if len(actors) != n or actors.give_pairs(part.pair_keys).size != actors.pairs.count:
        raise CheckpointError("actors", "one of them is there twice")
    actors.give(slots.astype(np.int64), part.placed)
    for prefix in ("all", *PLACED, "pairs"):
        for name, columns, column in columns_of(table_of(actors, prefix), prefix):
            values = part.columns[name]
            columns[column][: len(values)] = slots_of(part.keys, values) + 1 if is_slots(name) else values
    actors.serial = serial
    actors.contacts.put(np.arange(n), part.memories[0])
    actors.members.load(part.memories[1])


def slots_of(keys: NDArray[np.uint64], wanted: NDArray[np.uint64]) -> NDArray[np.int32]:
    """Place of each of ``wanted`` among ``keys``, each there once; -1 for 0.

    Raises:
        CheckpointError: one is not among them.
    """
    order = np.argsort(keys)
    at = np.minimum(np.searchsorted(keys, wanted, sorter=order), max(keys.size - 1, 0))
    found = order[at] if keys.size else np.zeros_like(at)
    there = keys[found] == wanted if keys.size else np.zeros(wanted.shape, np.bool_)
    if not (there | (wanted == 0)).all():
        raise CheckpointError("actors", "one of them names another that is not there")
    slots: NDArray[np.int32] = np.where(wanted == 0, -1, found).astype(np.int32)
    return slots


def with_sleepers(part: Part, sleeping: NDArray[np.uint64], sleepers: Records) -> Part:
    """The part, and sleepers of the same buckets."""
    return replace(part, sleeping=sleeping, sleepers=sleepers)
