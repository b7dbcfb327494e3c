"""A checkpoint of one activity partition: taken at a point, encoded beside the assessor, restored into a new one.

A point lies right behind an `Assessor.advance`. All of the checkpoint belongs to that one point: rows of a session or a
group read columns of their principal, which may lie in another bucket, so points of their own for buckets would not
repeat the same decisions.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from detectors.core.compiled import compiled
from detectors.core.hashing import mix
from schemas.errors import CheckpointError
from streams.pipeline.actors.contacts import Met
from streams.pipeline.actors.memory import Copied
from streams.pipeline.assess.assessor import Assessor
from streams.pipeline.checkpoint import part as parts
from streams.pipeline.checkpoint import rest as rests
from streams.pipeline.checkpoint.blob import Header, pack, unpack
from streams.pipeline.checkpoint.layout import Layout, difference, digest, layout_of
from streams.pipeline.checkpoint.part import MEMORIES, Part
from streams.pipeline.checkpoint.written import (
    PAIRS_AN_ACTOR,
    ROUND,
    SLEEPERS_AN_ACTOR,
    Plan,
    bucket_name,
    chunks,
    is_met,
    met_spans,
)

STRETCHES: Final = 32
"""So many times blobs are put in order, a stretch of them each time, lest all actors are held once more."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A consistent copy of a partition: nothing of it changes when the assessor goes on, unless it was lent."""

    plan: Plan
    written: tuple[str, ...]
    """Names of the blobs that `encode` makes, without the last."""
    names: tuple[str, ...]
    """Names of all blobs that the checkpoint consists of, those of earlier checkpoints among them."""
    partition: int
    layout: Layout
    buckets: Part
    """Those of the buckets that are written."""
    recent: Part | None
    """Others that have changed since the checkpoint before."""
    rest: rests.Copy

    @property
    def sequence(self) -> int:
        """Number of the checkpoint, which rises by one each time."""
        return self.plan.sequence


def take(assessor: Assessor, *, everything: bool, lent: bool = False) -> Snapshot:
    """Copy what the next checkpoint has to write: what has changed and a share of the rest, or ``everything``.

    If the one before was not written in the end, ask for everything: what was marked for it is marked no more.
    With ``lent`` its columns are not copied: encode before it goes on.
    """
    actors, sleepers, written = assessor.actors, assessor.bounds.sleepers, assessor.written
    keys, pair_keys = actors.keys(), actors.pair_keys()
    marked = actors.touched.take(keys.size, pair_keys.size)
    if marked is not None and 2 * marked[0].size > keys.size:
        marked = None
    weight = keys.size + pair_keys.size // PAIRS_AN_ACTOR + sleepers.count // SLEEPERS_AN_ACTOR
    plan = written.plan(weight, whole=everything or marked is None)
    recent: Part | None = None
    if plan.whole or marked is None:
        buckets = parts.copy(actors, keys, None, None, lent=lent)
    else:
        now, pairs_now = (_is_due(plan, each) for each in (keys, pair_keys))
        buckets = parts.copy(actors, keys, np.flatnonzero(now), np.flatnonzero(pairs_now), lent=lent)
        rest_of = marked[0][~now[marked[0]]], marked[1][~pairs_now[marked[1]]]
        recent = parts.copy(actors, keys, *rest_of, lent=lent)
    asleep, records = sleepers.state()
    due = _is_due(plan, asleep)
    buckets = parts.with_sleepers(buckets, asleep[due], records[due])
    met = assessor.learner.met
    names = written.write(plan, _chunks(recent), assessor.learner.epochs.first(assessor.epoch), met)
    layout = layout_of(actors)
    rest = rests.copy(assessor, layout, keys, met)
    return Snapshot(plan, tuple(names), (*written.parts, rests.NAME), assessor.partition, layout, buckets, recent, rest)


def encode(snapshot: Snapshot) -> Iterator[tuple[str, bytes]]:
    """Blobs by name, `rests.NAME` last; in any thread."""
    wanted = set(snapshot.written)
    for name, columns in _blobs(snapshot):
        if name in wanted or name == rests.NAME:
            yield name, pack(_header(snapshot, name), columns)


def buckets(snapshot: Snapshot) -> int:
    """How many buckets there are."""
    return 1 << snapshot.plan.bits


def restore(assessor: Assessor, blobs: Mapping[str, bytes]) -> None:
    """Let a new assessor be as the one was that the checkpoint was taken of; blobs beyond it are ignored.

    Raises:
        CheckpointError: something does not fit or is missing; the assessor is of no use then.
    """
    header, arrays = _opened(rests.NAME, blobs)
    rest = rests.read(arrays)
    layout = layout_of(assessor.actors)
    unlike = difference(rest.layout, layout)
    if unlike is not None:
        raise CheckpointError(rests.NAME, unlike)
    if header.partition != assessor.partition:
        raise CheckpointError(rests.NAME, f"is of partition {header.partition}, not {assessor.partition}")
    found = {name: _fitting(name, sequence, header, blobs) for name, sequence in rest.parts.items()}
    newest_first = sorted((name for name in found if not is_met(name)), key=lambda name: -rest.parts[name])
    sleeper = assessor.bounds.sleepers.record
    whole = _newest([_read(found[name], layout, sleeper) for name in newest_first])
    parts.load(whole, assessor.actors, rest.serial)
    awake = np.isin(whole.sleeping, whole.keys)
    assessor.bounds.sleepers.add(whole.sleeping[~awake], whole.sleepers[~awake])
    met = [found[name]["met"] for name, _ in met_spans(rest.met)]
    rests.load(rest, arrays, np.concatenate([np.zeros(0, np.uint64), *met]), assessor)
    written = assessor.written
    written.sequence, written.bits, written.parts = header.sequence, rest.bits, dict(rest.parts)


def _opened(name: str, blobs: Mapping[str, bytes]) -> tuple[Header, dict[str, NDArray[Any]]]:
    if name not in blobs:
        raise CheckpointError(name, "is missing")
    return unpack(name, blobs[name])


def _fitting(name: str, sequence: int, rest: Header, blobs: Mapping[str, bytes]) -> dict[str, NDArray[Any]]:
    header, arrays = _opened(name, blobs)
    if (header.partition, header.sequence) != (rest.partition, sequence):
        found = f"checkpoint {header.sequence} of partition {header.partition}"
        raise CheckpointError(name, f"is of {found}, not of {sequence} of {rest.partition}")
    if header.layout != rest.layout:
        raise CheckpointError(name, f"has other columns than {rests.NAME}")
    return arrays


def _header(snapshot: Snapshot, name: str) -> Header:
    return Header(name, snapshot.partition, snapshot.sequence, digest(snapshot.layout), [])


def _blobs(snapshot: Snapshot) -> Iterator[tuple[str, list[tuple[str, NDArray[Any]]]]]:
    bits = snapshot.plan.bits
    own = snapshot.buckets
    labels = [bucket_of(keys, bits) for keys in (own.keys, own.pair_keys, own.sleeping)]
    for bucket, some in zip(snapshot.plan.buckets, _split(own, labels, snapshot.plan.buckets), strict=True):
        yield bucket_name(bucket), list(_columns(some))
    if snapshot.recent is not None:
        own, count = snapshot.recent, _chunks(snapshot.recent)
        labels = [np.arange(keys.size) * count // max(keys.size, 1) for keys in (own.keys, own.pair_keys)]
        for place, some in enumerate(_split(own, [*labels, np.zeros(0, np.int64)], range(count))):
            yield f"{snapshot.plan.recent}{place:04}", list(_columns(some))
    met = np.concatenate([np.zeros(0, np.uint64), *snapshot.rest.learner.met])
    for name, span in met_spans(met.size):
        yield name, [("met", met[span])]
    yield rests.NAME, list(rests.columns(snapshot.rest))


def _split(part: Part, labels: Sequence[NDArray[np.int64]], wanted: Sequence[int]) -> Iterator[Part]:
    """The actors, pairs and sleepers with each of the ``wanted`` labels."""
    orders = [np.argsort(each, kind="stable") for each in labels]
    bounds = [
        (np.searchsorted(each[order], wanted), np.searchsorted(each[order], wanted, side="right"))
        for each, order in zip(labels, orders, strict=True)
    ]
    step = -(-len(wanted) // STRETCHES) or 1
    for first in range(0, len(wanted), step):
        some = [(los[first : first + step], his[first : first + step]) for los, his in bounds]
        begins = [int(los[0]) for los, _ in some]
        ordered = part.pick(
            *(order[lo : int(his[-1])] for order, lo, (_, his) in zip(orders, begins, some, strict=True))
        )
        yield from ordered.cut(
            zip(*(map(slice, los - lo, his - lo) for lo, (los, his) in zip(begins, some, strict=True)), strict=True)
        )


def _chunks(recent: Part | None) -> int:
    return 0 if recent is None else chunks(recent.keys.size, recent.pair_keys.size)


@compiled
def bucket_of(keys: NDArray[np.uint64], bits: int) -> NDArray[np.int64]:
    """Bucket of each key: the high ``bits`` of what it is mixed to."""
    out = np.empty(keys.size, np.int64)
    for i in range(keys.size):
        out[i] = np.int64(mix(keys[i]) >> np.uint64(64 - bits))
    return out


def _is_due(plan: Plan, keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which of ``keys`` fall into buckets that the plan writes."""
    if plan.whole:
        return np.ones(keys.size, np.bool_)
    due: NDArray[np.bool_] = bucket_of(keys, plan.bits) % ROUND == plan.sequence % ROUND
    return due


def _columns(part: Part) -> Iterator[tuple[str, NDArray[Any]]]:
    yield "keys", part.keys
    yield "placed", part.placed
    yield "texts", part.texts
    for name, memory in zip(MEMORIES, [memory._asdict() for memory in part.memories], strict=True):
        for field, values in memory.items():
            yield f"{name} {field}", values
    yield "pair_keys", part.pair_keys
    yield "sleeping", part.sleeping
    yield "sleepers", part.sleepers
    yield from part.columns.items()


def _read(arrays: Mapping[str, NDArray[Any]], layout: Layout, sleeper: np.dtype[np.void]) -> Part:
    contacts, members = MEMORIES
    return Part(
        arrays["keys"],
        arrays["placed"],
        arrays["texts"],
        (
            Met(*(arrays[f"{contacts} {field}"] for field in Met._fields)),
            Copied(*(arrays[f"{members} {field}"] for field in Copied._fields)),
        ),
        arrays["pair_keys"],
        arrays["sleeping"],
        arrays["sleepers"].view(sleeper),
        {name: arrays[name] for name in layout if name in arrays},
    )


def _newest(sections: Sequence[Part]) -> Part:
    """Of each actor and pair what stands in the first of ``sections`` that has it."""
    firsts = [
        np.unique(np.concatenate([getattr(one, name) for one in sections]), return_index=True)[1]
        for name in ("keys", "pair_keys")
    ]
    picked, starts = [], [0, 0]
    for one in sections:
        sizes = one.keys.size, one.pair_keys.size
        own = [
            np.sort(first[(first >= start) & (first < start + size)] - start)
            for first, start, size in zip(firsts, starts, sizes, strict=True)
        ]
        picked.append(one.pick(own[0], own[1], np.arange(one.sleeping.size)))
        starts = [start + size for start, size in zip(starts, sizes, strict=True)]
    return parts.join(picked)
