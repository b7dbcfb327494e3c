"""Assess: owns the actors of one activity partition and judges their sightings.

A pure fold over the partition's sighting batches and the models by epoch. Batches go in as they come (`accept`),
decisions come out as the watermark moves (`advance`)::

    accept ─▶ release ─▶ windows ─▶ detectors ─▶ decide ─▶ alerts, blocks
              (order)       │            ▲
                            ▼            │ model of the epoch
                         learner ─▶ model deltas
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.core.columns import US, Columns
from detectors.core.contract import Detector, DetectorConfig
from detectors.core.popularity import Popularity
from schemas.incident import Incident
from schemas.mode import Mode
from schemas.model import ModelDelta
from schemas.sighting import Kind
from streams.pipeline.actors.store import Actors
from streams.pipeline.assess.release import LONG_AGO, Release
from streams.pipeline.model.learner import Learner
from streams.pipeline.model.models import Models
from streams.pipeline.policy.decide import Decider, Decision
from streams.pipeline.policy.finding import Judged
from streams.pipeline.rows import Rows
from streams.pipeline.sightings import Sightings
from streams.pipeline.windows.aggregate import Aggregates, aggregate
from streams.settings import Settings

BATCH_ROWS: Final = 65_536
"""Rows judged at once; more are cut behind an event, which changes no result."""


@dataclass(slots=True)
class Outcome:
    """What one `Assessor.advance` led to, in order of decision."""

    decisions: list[Decision] = field(default_factory=list)
    deltas: list[ModelDelta] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)
    """Closed by now."""
    settled: bool = True
    """Nothing that the watermark has passed is still waiting for its model."""


@dataclass(frozen=True, slots=True)
class Knowledge:
    """By what rows are judged."""

    popularity: Popularity
    complete: bool
    """The model is the one that was due."""
    watermark_us: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Rows with their aggregates and evidence, and what leads to a decision: [2, m] row and rank."""

    columns: Columns
    judged: Sequence[Judged]
    aggregates: Aggregates
    candidates: NDArray[np.int64]


Judge = Callable[["Assessor", Rows, Knowledge, Callable[[], int]], Iterable[Decision]]
"""Evaluates rows, learns from them and decides, in order."""


def judge_rows(assessor: "Assessor", rows: Rows, known: Knowledge, decided_us: Callable[[], int]) -> Iterator[Decision]:
    """Judge all rows at once: enforcement, if any, lies outside and shows in what is requested later."""
    evaluation = assessor.evaluate(rows, known.popularity)
    assessor.learn(rows, evaluation)
    for candidate in evaluation.candidates.T:
        yield from assessor.decide(evaluation, candidate, known, decided_us())


class Assessor:
    """State of one partition."""

    def __init__(
        self,
        settings: Settings,
        detectors: Sequence[tuple[Detector[DetectorConfig], Mode]],
        models: Models,
        config: str,
        partition: int,
        sources: int,
        judge: Judge | None = None,
    ) -> None:
        """Judge with ``detectors``, each in its mode, under revision ``config``, of ``sources`` source partitions.

        ``judge`` takes the place of `judge_rows`, where a replay enforces its own blocks.
        """
        self.judge = judge or judge_rows
        self._settings = settings
        self._detectors = [(detector, mode) for detector, mode in detectors if mode is not Mode.OFF]
        self._models = models
        self._epoch_us = settings.model.epoch_s * US
        self._epoch: int | None = None
        self._learner = Learner(partition)
        self._tiers: list[str] = [""]
        self.partition = partition
        self.release = Release(sources, settings.input.allowed_lateness_ms * 1000)
        self.decider = Decider(settings, config)
        self.actors = Actors({detector.name: detector.state for detector, _ in self._detectors})
        self.judged = 0

    @property
    def epoch(self) -> int:
        """The epoch that is being judged; long ago before the first."""
        return LONG_AGO if self._epoch is None else self._epoch

    def accept(self, sightings: Sightings) -> None:
        """Take one batch of sightings; raises `GapError` when one before it was lost."""
        slots = self.actors.slots(
            sightings.actor_key,
            sightings.actor_scope,
            np.frombuffer(sightings.actor_text, np.uint8),
            sightings.actor_text_end,
        )
        n = sightings.time_us.size
        rows = Rows(
            slots[sightings.actor],
            sightings.time_us,
            np.full(n, sightings.partition, np.int32),
            sightings.lo + sightings.offset.astype(np.int64),
            sightings.kind,
            sightings.flags,
            self._tier_indexes(sightings.tiers)[sightings.tier],
            sightings.profile,
            sightings.principal,
        )
        covered = sightings.topic, sightings.partition, sightings.lo, sightings.hi
        self.release.accept(*covered, sightings.watermark_us, sightings.idle, rows)

    def _tier_indexes(self, tiers: Sequence[str]) -> NDArray[np.uint8]:
        for tier in tiers:
            if tier not in self._tiers and len(self._tiers) < 256:
                self._tiers.append(tier)
        return np.array([self._tiers.index(tier) if tier in self._tiers else 0 for tier in tiers], np.uint8)

    def advance(self, decided_us: Callable[[], int], *, impatient: bool = False) -> Outcome:
        """Judge all that the watermark has passed.

        ``decided_us`` tells the time of a decision. ``impatient`` judges by an older model where the due one is
        missing; else such sightings wait, and the outcome is not `settled`.
        """
        outcome, bound = Outcome(), self.release.bound()
        reached = LONG_AGO
        while bound > LONG_AGO:
            epoch = self._epoch if self._epoch is not None else self._begin(bound, outcome)
            complete = self._models.complete_for(epoch)
            if not complete and not impatient:
                outcome.settled = False
                break
            end_us = (epoch + 1) * self._epoch_us
            reached = min(bound, end_us)
            knowledge = Knowledge(self._models.serve(epoch), complete, reached)
            self._judge(self.release.take(reached), knowledge, decided_us, outcome)
            if bound < end_us:
                break
            self._next_epoch(epoch, bound, outcome)
        if reached > LONG_AGO:
            outcome.decisions += self.decider.pass_time(reached, decided_us())
        outcome.incidents += self.decider.take_closed()
        return outcome

    def _begin(self, bound: int, outcome: Outcome) -> int:
        self._epoch = min(self.release.earliest(), bound) // self._epoch_us
        outcome.deltas += self._learner.finish(self._epoch - 1)
        return self._epoch

    def _next_epoch(self, epoch: int, bound: int, outcome: Outcome) -> None:
        """Close ``epoch``; go on with the next one that holds a row, saying that there is nothing in between."""
        outcome.deltas += self._learner.finish(epoch)
        self._epoch = max(epoch + 1, min(self.release.earliest(), bound) // self._epoch_us)
        if self._epoch > epoch + 1:
            outcome.deltas += self._learner.finish(self._epoch - 1)

    def _judge(self, rows: Rows, known: Knowledge, decided_us: Callable[[], int], outcome: Outcome) -> None:
        start = 0
        while start < len(rows):
            end = rows.event_end(min(start + BATCH_ROWS, len(rows)) - 1)
            outcome.decisions += self.judge(self, rows.pick(slice(start, end)), known, decided_us)
            start = end

    def evaluate(self, rows: Rows, popularity: Popularity) -> Evaluation:
        """Move windows and detectors on by ``rows`` and see which of them lead to a decision."""
        known = aggregate(self.actors, rows, self._settings.model.contacts_per_day_max)
        columns = Columns(
            slot=rows.slot,
            time_us=rows.time_us,
            scope=self.actors.scopes[rows.slot],
            kind=rows.kind,
            flags=rows.flags,
            tier=rows.tier,
            answers=known.answers,
            first=known.first,
            profiles=known.profiles,
            popularity=popularity.bins_of(rows.profile, known.first & (rows.kind == Kind.VIEW)),
            tiers=tuple(self._tiers),
        )
        judged = [
            Judged(detector, mode, detector.judge(columns, self.actors.state[detector.name], popularity))
            for detector, mode in self._detectors
        ]
        return Evaluation(columns, judged, known, self.decider.candidates(columns, judged, self.actors))

    def learn(self, rows: Rows, evaluation: Evaluation) -> None:
        """Let the model learn from first contacts, its taste only from principals against whom nothing speaks."""
        teaches = evaluation.aggregates.teaches
        calm = np.ones(len(rows), np.bool_)
        for one in evaluation.judged:
            calm &= one.evidence.level < one.detector.learns_below
        self._learner.learn(rows.profile[teaches], evaluation.columns.popularity[teaches], calm[teaches])
        self.judged += len(rows)

    def decide(
        self, evaluation: Evaluation, candidate: NDArray[np.int64], known: Knowledge, decided_us: int
    ) -> Iterator[Decision]:
        """Decisions at one candidate of ``evaluation``."""
        row, rank = int(candidate[0]), int(candidate[1])
        event_us = int(evaluation.columns.time_us[row])
        moment = self.decider.moment(event_us, decided_us, known.watermark_us, known.complete, known.popularity.label)
        return self.decider.decide(
            evaluation.columns, evaluation.judged, evaluation.aggregates, self.actors, (row, rank), moment
        )
