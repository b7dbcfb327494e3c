"""The comparison can fail: whatever is left out of a checkpoint shows in the picture of who goes on from it."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any, Final, TypeVar

import msgspec
import numpy as np
import pytest

from schemas.errors import CheckpointError
from streams.pipeline.actors.contacts import Met
from streams.pipeline.actors.memory import Copied
from streams.pipeline.checkpoint.part import Part
from streams.pipeline.checkpoint.rest import Rest
from streams.pipeline.checkpoint.snapshot import Snapshot, encode, restore, take
from streams.pipeline.model.learner import LearnerState
from streams.pipeline.policy.brake import BrakesState
from streams.pipeline.rows import NOTHING
from tests.streams.pipeline.checkpoint.picture import Picture, picture, unlike
from tests.streams.pipeline.checkpoint.stretch import TIGHT, Kept, Run

M = TypeVar("M", Met, Copied)
EMPTY: Final = frozenset({"all.denied_until_us"})
"""Columns that are zero in every stretch: a replay that enforces its blocks is all that fills them."""
NAMING: Final = frozenset({"all.text_length", "all.scope"})
"""Without these nothing can be read at all."""


@cache
def stood() -> tuple[Run, Snapshot, Picture]:
    """A point well within a stretch, a checkpoint of all that is known there, and the picture of it."""
    run = Run(TIGHT)
    while run.at < 15:
        run.step()
    return run, take(run.assessors[0], everything=True), picture(run.assessors[0])


def differences(spoil: Callable[[Snapshot], Snapshot]) -> set[str]:
    """What differs for who goes on from a spoilt checkpoint."""
    run, snapshot, expected = stood()
    other = run.fresh(0)
    restore(other, dict(encode(spoil(snapshot))))
    return unlike(picture(other), expected)


def with_part(**changes: Any) -> Callable[[Snapshot], Snapshot]:
    """Let arrays of the actors be others."""
    return lambda snapshot: replace(snapshot, buckets=replace(snapshot.buckets, **changes))


def of_part(change: Callable[[Part], dict[str, Any]]) -> Callable[[Snapshot], Snapshot]:
    """Let arrays of the actors be others, which follow from those that they are."""
    return lambda snapshot: with_part(**change(snapshot.buckets))(snapshot)


def of_rest(change: Callable[[Any], dict[str, Any]]) -> Callable[[Snapshot], Snapshot]:
    """Let something beside the actors be other."""
    return lambda snapshot: replace(snapshot, rest=snapshot.rest._replace(**change(snapshot.rest)))


def of_encoded(**changes: Any) -> Callable[[Snapshot], Snapshot]:
    """Let a field of `Rest` be another."""

    def change(copied: Any) -> dict[str, Any]:
        rest = msgspec.structs.replace(msgspec.msgpack.decode(copied.encoded, type=Rest), **changes)
        return {"encoded": msgspec.msgpack.encode(rest)}

    return of_rest(change)


def without_decider(field: str, nothing: object = ()) -> Callable[[Snapshot], Snapshot]:
    """Forget the open incidents, the records on the blocks topic, or the brakes."""

    def change(copied: Any) -> dict[str, Any]:
        rest = msgspec.msgpack.decode(copied.encoded, type=Rest)
        setattr(rest.decider, field, nothing)
        return {"encoded": msgspec.msgpack.encode(rest)}

    return of_rest(change)


def blank(memory: M, field: str) -> M:
    """A memory without one of its arrays."""
    return memory._replace(**{field: np.zeros_like(getattr(memory, field))})


def without_rows(copied: Any) -> dict[str, Any]:
    """Forget the rows that wait."""
    rest = msgspec.msgpack.decode(copied.encoded, type=Rest)
    rest.sources = [(*one[:4], 0) for one in rest.sources]
    sources = [one._replace(rows=NOTHING) for one in copied.release.sources]
    return {"encoded": msgspec.msgpack.encode(rest), "release": copied.release._replace(sources=sources)}


def another_met(learner: LearnerState) -> LearnerState:
    """As many first contacts, with other profiles."""
    return learner._replace(met=[one + np.uint64(1) for one in learner.met])


def of_learner(**changes: Any) -> Callable[[Snapshot], Snapshot]:
    """Let something of what is learned be other."""
    return of_rest(lambda copied: {"learner": copied.learner._replace(**changes)})


def test_nothing_spoilt() -> None:
    """As it was taken there is no difference."""
    assert differences(lambda snapshot: snapshot) == set()


def test_each_column() -> None:
    """Without any one column of any table the state is another, in just this column."""
    run, snapshot, expected = stood()
    columns = snapshot.buckets.columns
    unseen = {name for name, column in columns.items() if not column.any()}
    assert unseen - EMPTY <= {name for name in columns if not column_moves(name)}
    wanted = sorted(columns.keys() - unseen - NAMING)
    for some in (wanted[::3], wanted[1::3], wanted[2::3]):
        other = run.fresh(0)
        spoilt = with_part(columns=columns | {name: np.zeros_like(columns[name]) for name in some})(snapshot)
        restore(other, dict(encode(spoilt)))
        assert unlike(picture(other), expected) == set(some)


def column_moves(name: str) -> bool:
    """The column is filled by every stretch: own columns are, what a detector keeps depends on what it sees."""
    return name.count(".") == 1


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (of_part(lambda part: {"texts": np.full_like(part.texts, ord("x"))}), "values"),
        (of_part(lambda part: {"memories": (blank(part.memories[0], "entries"), part.memories[1])}), "contacts"),
        (of_part(lambda part: {"memories": (blank(part.memories[0], "few"), part.memories[1])}), "contacts"),
        (of_part(lambda part: {"memories": (part.memories[0], blank(part.memories[1], "entries"))}), "members"),
        (of_part(lambda part: {"pair_keys": part.pair_keys + np.uint64(1)}), "pair keys"),
        (of_part(lambda part: {"sleeping": part.sleeping[:0], "sleepers": part.sleepers[:0]}), "sleepers"),
        (of_encoded(turnover={}), "turnover"),
        (of_encoded(serial=0), "counts"),
        (of_encoded(judged=0), "counts"),
        (of_encoded(epoch=7), "course"),
        (of_encoded(tiers=[""]), "course"),
        (without_decider("episodes"), "open"),
        (without_decider("blocked"), "blocked"),
        (without_decider("brakes", BrakesState([], {}, 0, [])), "brakes"),
    ],
)
def test_what_actors_and_decisions_need(spoil: Callable[[Snapshot], Snapshot], found: str) -> None:
    """Texts, whom actors met, who sleeps, what is open or stands."""
    assert found in differences(spoil)


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (of_rest(without_rows), "rows that wait, source 0"),
        (of_encoded(release=(0, 0, 0, 0)), "rows that wait, course"),
        (of_rest(lambda copied: {"held": []}), "roster, held"),
        (of_encoded(names=[]), "roster, names"),
        (of_learner(honest=np.zeros(8, np.uint64)), "honest"),
        (of_learner(tables={}), "tables"),
        (of_learner(suspects=np.zeros(0, np.uint64)), "suspects"),
        (of_rest(lambda copied: {"learner": another_met(copied.learner)}), "met"),
    ],
)
def test_what_waits_and_what_is_learned(spoil: Callable[[Snapshot], Snapshot], found: str) -> None:
    """Rows before the watermark, names, and what the epoch has taught so far."""
    assert found in differences(spoil)


def test_marks_that_are_forgotten() -> None:
    """Where what changed is not marked, later checkpoints miss it, or are of no use."""
    for marks in ("actors", "pairs"):
        run, kept = Run(TIGHT), Kept()
        while run.at < 12:
            run.step()
        kept.write(run.assessors[0], everything=True)
        run.step()
        touched = run.assessors[0].actors.touched
        getattr(touched, marks)[:] = touched.everything = False
        kept.write(run.assessors[0])
        # An actor that is missing may be named by one that is there, and then the checkpoint is refused.
        try:
            missed = unlike(picture(kept.read(run.fresh(0))), picture(run.assessors[0]))
        except CheckpointError:
            continue
        assert missed
