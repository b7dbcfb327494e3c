"""Runs hostile records through the whole pipeline and checks what holds whatever they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np

from schemas.alert import Alert
from schemas.sighting import Kind
from streams.pipeline.assess.assessor import Assessor, judge_rows
from streams.pipeline.assess.outcome import Knowledge
from streams.pipeline.batch import Batch
from streams.pipeline.observe import Counts
from streams.pipeline.pipeline import Pipeline
from streams.pipeline.policy.decide import Decision
from streams.pipeline.rows import Rows
from streams.settings import Settings
from tests import days

OUTCOMES: Final = ("disclosed", "missed", "asked", "denied", "other", "exempt", "dead")


@dataclass
class Done:
    """What came of a run."""

    flow: Pipeline
    counts: dict[str, int]
    """Sums over all batches."""
    reasons: list[str]
    """Of dead letters."""
    decisions: list[Decision]

    @property
    def judged(self) -> int:
        """Sightings judged, over all partitions."""
        return sum(one.judged for one in self.flow.assessors)

    @property
    def late(self) -> int:
        """Sightings that came late."""
        return sum(one.release.late for one in self.flow.assessors)

    def exposed(self, actor: str) -> int:
        """Profiles that an actor ``scope:value`` met."""
        for one in self.flow.assessors:
            for slot in range(len(one.actors)):
                if one.actors.actor(slot).key == actor:
                    return int(one.actors.columns["exposed"][slot])
        raise AssertionError(f"{actor} is not known")


def run(values: Sequence[bytes | None], settings: Settings = days.QUICK, step: int = 5_000, parts: int = 1) -> Done:
    """Run one source's records to their end; every count adds up, every evidence is finite, every row is judged."""
    flow = days.pipeline(settings, partitions=parts, judge=_finite)
    done = Done(flow, {}, [], [])
    for lo in range(0, len(values), step):
        batch = Batch(days.TOPIC, 0, lo, min(lo + step, len(values)), values[lo : lo + step])
        observed, outcomes = flow.feed(batch, lambda: 0)
        counts = observed.counts
        check(counts, len(batch), len(observed.dead))
        done.counts = {name: done.counts.get(name, 0) + n for name, n in msgspec.structs.asdict(counts).items()}
        done.reasons += [f"{dead.where} {dead.reason}" for dead in observed.dead]
        done.decisions += [decision for outcome in outcomes for decision in outcome.decisions]
    flow.idle(days.TOPIC, 0, len(values))
    done.decisions += [decision for outcome in flow.advance(lambda: 0) for decision in outcome.decisions]
    held = [part for one in flow.assessors for source in one.release._sources.values() for part in source.held]
    # Touches stand at the end of their cell, so beyond the last event.
    assert all((part.rows.kind == Kind.TOUCH).all() for part in held)
    assert done.judged + sum(len(part.rows) for part in held) == done.counts.get("rows", 0)
    for decision in done.decisions:
        if isinstance(decision, Alert):
            assert 0 <= decision.confidence <= 1
        msgspec.json.decode(msgspec.json.encode(decision))
    return done


def check(counts: Counts, records: int, dead: int) -> None:
    """Each record has one outcome, and nothing is counted below zero."""
    assert counts.records == records == sum(getattr(counts, name) for name in OUTCOMES)
    assert counts.dead == dead
    assert min(msgspec.structs.astuple(counts)) >= 0


def _finite(assessor: Assessor, rows: Rows, known: Knowledge, decided_us: object) -> list[Decision]:
    """Judge as ever, and look at all that detectors hold afterwards: no NaN, no infinity."""
    decisions = list(judge_rows(assessor, rows, known, decided_us))  # type: ignore[arg-type]  # what a judge is given
    actors = assessor.actors
    for table in (actors.all, actors.principals, actors.groups, actors.pairs):
        for columns in (table.columns, *table.state.values()):
            for name, column in columns.items():
                if column.dtype.kind == "f":
                    assert np.isfinite(column).all(), name
    return decisions
