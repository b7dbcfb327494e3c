"""What a partition knows beside its actors: small, and written every time."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.codec import DECODE_ERRORS
from schemas.errors import CheckpointError
from streams.pipeline.assess.assessor import Assessor
from streams.pipeline.assess.bounds import Turnover
from streams.pipeline.assess.release import LONG_AGO, ReleaseState, Waiting
from streams.pipeline.assess.roster import Givers
from streams.pipeline.checkpoint.layout import Layout
from streams.pipeline.checkpoint.part import slots_of
from streams.pipeline.model.learner import LearnerState
from streams.pipeline.policy.decide import DeciderState
from streams.pipeline.rows import Rows, join
from streams.pipeline.sightings import MemberNames

NAME: Final = "rest"
_TABLE: Final = "table "
Names = tuple[int, bytes, bytes, bytes, bytes]


class Rest(msgspec.Struct, array_like=True):
    """All but arrays. Actors are named by key."""

    layout: Layout
    epoch_s: int
    """Length of the model's epochs: under another one the partition begins where it is, with what it has not told."""
    bits: int
    parts: dict[str, int]
    """All blobs of the checkpoint, this one excepted: the sequence number of the checkpoint that wrote each."""
    serial: int
    epoch: int
    tiers: list[str]
    judged: int
    tiers_cut: int
    turnover: dict[str, int]
    release: tuple[int, int, int, int]
    """Bound, let go, late, duplicates."""
    sources: list[tuple[int, int, int, bool, int]]
    """Number, applied, watermark, idle, rows that wait."""
    decider: DeciderState
    held: list[Names]
    """Last time and columns of what messages can be asked for."""
    names: list[tuple[int, list[Givers]]]
    """By group, its members that gave most."""
    met: int
    """First contacts that are not told yet, which lie in blobs of their own."""


class Copy(NamedTuple):
    """What of the rest must be copied at the point; the arrays never change."""

    encoded: bytes
    """A `Rest`: what changes in place, and is small."""
    keys: NDArray[np.uint64]
    """Of all slots."""
    release: ReleaseState
    learner: LearnerState
    held: list[tuple[int, MemberNames]]


def copy(assessor: Assessor, layout: Layout, keys: NDArray[np.uint64], met: int) -> Copy:
    """Copy the rest of a partition; ``keys`` are those of all slots."""
    release = assessor.release.state()
    held, names = assessor.roster.state()
    rest = Rest(
        layout=layout,
        epoch_s=assessor.epoch_s,
        bits=assessor.written.bits,
        parts=assessor.written.parts,
        serial=assessor.actors.serial,
        epoch=assessor.epoch,
        tiers=assessor.tiers,
        judged=assessor.judged,
        tiers_cut=assessor.tiers_cut,
        turnover=asdict(assessor.bounds.turnover),
        release=(release.bound, release.let_go, release.late, release.duplicates),
        sources=[(*one[:4], len(one.rows)) for one in release.sources],
        decider=assessor.decider.state(keys),
        held=[],
        names=[(int(keys[slot]), givers) for slot, givers in names.items()],
        met=met,
    )
    return Copy(msgspec.msgpack.encode(rest), keys, release, assessor.learner.state(), held)


def columns(copied: Copy) -> Iterator[tuple[str, NDArray[Any]]]:
    """Everything as columns of a blob."""
    rest = msgspec.msgpack.decode(copied.encoded, type=Rest)
    rest.held = [
        (last_us, _plain(one.key, "<u8"), _plain(one.scope, "u1"), _plain(one.text_end, "<u4"), one.text)
        for last_us, one in copied.held
    ]
    yield NAME, np.frombuffer(msgspec.msgpack.encode(rest), np.uint8)
    rows = join([one.rows for one in copied.release.sources])
    named, place = np.unique(rows.slot, return_inverse=True)
    yield "actor", copied.keys[named]
    yield "slot", place.astype(np.int32)
    yield from zip(Rows._fields[1:], rows[1:], strict=True)
    yield "honest", copied.learner.honest
    yield "suspects", copied.learner.suspects
    for table, counts in copied.learner.tables.items():
        yield _TABLE + table, counts


def _plain(column: NDArray[Any], dtype: str) -> bytes:
    return column.astype(dtype, copy=False).tobytes()


def read(arrays: Mapping[str, NDArray[Any]]) -> Rest:
    """The rest of a checkpoint.

    Raises:
        CheckpointError: it is of another form.
    """
    try:
        return msgspec.msgpack.decode(arrays[NAME].tobytes(), type=Rest)
    except (KeyError, *DECODE_ERRORS) as error:
        raise CheckpointError(NAME, f"is of another form: {error}") from error


def load(rest: Rest, arrays: Mapping[str, NDArray[Any]], met: NDArray[np.uint64], assessor: Assessor) -> None:
    """Put it back into an assessor that has its actors already, and nothing else."""
    keys = assessor.actors.keys()
    assessor.resume(rest.epoch if rest.epoch_s == assessor.epoch_s else LONG_AGO, rest.tiers)
    assessor.judged, assessor.tiers_cut = rest.judged, rest.tiers_cut
    assessor.bounds.turnover = Turnover(**rest.turnover)
    assessor.release.load(ReleaseState(*rest.release, list(_sources(rest, arrays, keys))))
    tables = {name.removeprefix(_TABLE): one for name, one in arrays.items() if name.startswith(_TABLE)}
    assessor.learner.load(LearnerState([met] if met.size else [], arrays["honest"], tables, arrays["suspects"]))
    named = [*rest.decider.keys(), *(key for key, _ in rest.names)]
    slots = dict(zip(named, slots_of(keys, np.array(named, np.uint64)).tolist(), strict=True))
    assessor.decider.load(rest.decider, slots)
    assessor.roster.load(_held(rest), {slots[key]: givers for key, givers in rest.names})


def _sources(rest: Rest, arrays: Mapping[str, NDArray[Any]], keys: NDArray[np.uint64]) -> Iterator[Waiting]:
    slots = slots_of(keys, arrays["actor"])[arrays["slot"]]
    rows, at = Rows(slots, *(arrays[name] for name in Rows._fields[1:])), 0
    for number, applied, watermark_us, idle, count in rest.sources:
        yield Waiting(number, applied, watermark_us, idle, rows.pick(slice(at, at + count)))
        at += count


def _held(rest: Rest) -> Iterator[tuple[int, MemberNames]]:
    for last_us, key, scope, text_end, text in rest.held:
        columns = np.frombuffer(key, "<u8"), np.frombuffer(scope, "u1"), np.frombuffer(text_end, "<u4")
        yield last_us, MemberNames(*columns, text)
