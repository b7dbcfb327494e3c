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
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from detectors.core.columns import NO_NUMBER, US, Columns
from detectors.core.contract import Detector, DetectorConfig
from detectors.core.fusion import MODES, Fusion
from detectors.core.model import Model
from schemas.alert import Members
from schemas.incident import Incident
from schemas.mode import Mode
from schemas.model import ModelDelta
from schemas.sighting import DETAIL_COLUMNS, Flag, Kind
from streams.pipeline.actors.store import Actors, Slots
from streams.pipeline.assess.bounds import Bounds
from streams.pipeline.assess.release import LONG_AGO, Release
from streams.pipeline.assess.roster import Roster
from streams.pipeline.assess.view import Own
from streams.pipeline.checkpoint.written import Written
from streams.pipeline.model.learner import Learner
from streams.pipeline.model.models import Models
from streams.pipeline.model.teaching import teach
from streams.pipeline.policy.case import Case
from streams.pipeline.policy.decide import Decider, Decision
from streams.pipeline.policy.finding import Judged
from streams.pipeline.policy.fused import FusedFindings, Limits
from streams.pipeline.policy.session import sessions
from streams.pipeline.rows import NOTHING, Rows
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
    reached_us: int | None = None
    """Event time before which everything is judged; None where that is not known yet."""


@dataclass(frozen=True, slots=True)
class Knowledge:
    """By what rows are judged."""

    model: Model
    complete: bool
    """The model is the one that was due."""
    watermark_us: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Rows with all that was reckoned for them, and what leads to a decision: [2, m] row and rank."""

    rows: Rows
    case: Case
    learned: bool
    """Judged by a model that knows people."""
    candidates: NDArray[np.int64]

    @property
    def columns(self) -> Columns:
        """What detectors read."""
        return self.case.columns

    @property
    def judged(self) -> Sequence[Judged]:
        """Evidence by detector."""
        return self.case.judged

    @property
    def aggregates(self) -> Aggregates:
        """What stands after each row."""
        return self.case.aggregates


Judge = Callable[["Assessor", Rows, Knowledge, Callable[[], int]], Iterable[Decision]]
"""Evaluates rows, learns from them and decides, in order."""


def judge_rows(assessor: "Assessor", rows: Rows, known: Knowledge, decided_us: Callable[[], int]) -> Iterator[Decision]:
    """Judge all rows at once: enforcement, if any, lies outside and shows in what is requested later."""
    evaluation = assessor.evaluate(rows, known.model)
    for candidate in evaluation.candidates.T:
        yield from assessor.decide(evaluation, candidate, known, decided_us())
    assessor.learn(rows, evaluation)


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
        self.epoch_s = settings.model.epoch_s
        self._epoch_us = settings.model.epoch_s * US
        self._epoch: int | None = None
        self.learner = Learner(partition)
        self.tiers: list[str] = [""]
        self.partition = partition
        self.release = Release(sources, settings.input.allowed_lateness_ms * 1000)
        self.decider = Decider(settings, config)
        self.actors = Actors([detector for detector, _ in self._detectors])
        self.roster = Roster()
        self._limits: tuple[Model, int, Limits] | None = None
        caps = [detector.config.cap for detector, _ in self._detectors]
        self._fusion = Fusion(
            caps,
            [mode for _, mode in self._detectors],
            [detector.trait for detector, _ in self._detectors],
            [detector.reading for detector, _ in self._detectors],
        )
        self.bounds = Bounds(settings, caps, self.actors, self.release, self.decider, self.roster)
        self.written = Written()
        self.judged = 0
        self.tiers_cut = 0

    @property
    def epoch(self) -> int:
        """The epoch that is being judged; long ago before the first."""
        return LONG_AGO if self._epoch is None else self._epoch

    def resume(self, epoch: int, tiers: Sequence[str]) -> None:
        """Go on in ``epoch``, `LONG_AGO` before the first, with tiers in the order in which they came."""
        self._epoch = None if epoch == LONG_AGO else epoch
        self.tiers = list(tiers)

    def accept(self, sightings: Sightings) -> None:
        """Take one batch of sightings; raises `GapError` when one before it was lost."""
        self.bounds.make_room()
        known = len(self.actors)
        slots = self.actors.slots(
            sightings.actor_key,
            sightings.actor_scope,
            np.frombuffer(sightings.actor_text, np.uint8),
            sightings.actor_text_end,
        )
        self.bounds.wake(sightings.actor_key[slots >= known], slots[slots >= known])
        tiers = self._tier_indexes(sightings.tiers)
        self.tiers_cut += int(np.count_nonzero((tiers == 0)[sightings.tier] & (sightings.tier > 0)))
        n = sightings.time_us.size
        rows = Rows(
            slots[sightings.actor],
            sightings.time_us,
            np.full(n, sightings.partition, np.int32),
            sightings.start + sightings.offset.astype(np.int64),
            sightings.kind,
            sightings.flags,
            tiers[sightings.tier],
            sightings.profile,
            sightings.principal,
            *_spread(sightings),
        )
        covered = sightings.topic, sightings.partition, sightings.lo, sightings.hi
        self.release.accept(*covered, sightings.watermark_us, sightings.idle, rows)
        for word in sightings.others:
            covered = word.topic, word.partition, word.lo, word.hi
            self.release.accept(*covered, word.watermark_us, word.idle, NOTHING)
        self.roster.hold(sightings)

    def _tier_indexes(self, tiers: Sequence[str]) -> NDArray[np.uint8]:
        for tier in tiers:
            if tier not in self.tiers and len(self.tiers) < 256:
                self.tiers.append(tier)
        return np.array([self.tiers.index(tier) if tier in self.tiers else 0 for tier in tiers], np.uint8)

    def caution(self) -> dict[str, int]:
        """Sightings that came late, twice or with a tier too many; actors that have forgotten whom they met."""
        return {
            "late": self.release.late,
            "duplicates": self.release.duplicates,
            "sightings_tier_cut": self.tiers_cut,
            "overflowed": int(np.count_nonzero(self.actors.contacts.blocks.overflowed[: len(self.actors)])),
        }

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
            outcome.reached_us = reached
            outcome.decisions += self.decider.pass_time(reached, decided_us())
            self.roster.let_go(reached)
        outcome.incidents += self.decider.take_closed()
        return outcome

    def _begin(self, bound: int, outcome: Outcome) -> int:
        self._epoch = min(self.release.earliest(), bound) // self._epoch_us
        outcome.deltas += self.learner.finish(self._epoch - 1)
        return self._epoch

    def _next_epoch(self, epoch: int, bound: int, outcome: Outcome) -> None:
        """Close ``epoch``; go on with the next one that holds a row, saying that there is nothing in between."""
        outcome.deltas += self.learner.finish(epoch)
        self._epoch = max(epoch + 1, min(self.release.earliest(), bound) // self._epoch_us)
        if self._epoch > epoch + 1:
            outcome.deltas += self.learner.finish(self._epoch - 1)
        self.bounds.forget(self._epoch * self._epoch_us)

    def _judge(self, rows: Rows, known: Knowledge, decided_us: Callable[[], int], outcome: Outcome) -> None:
        start = 0
        while start < len(rows):
            end = rows.event_end(min(start + BATCH_ROWS, len(rows)) - 1)
            outcome.decisions += self.judge(self, rows.pick(slice(start, end)), known, decided_us)
            start = end

    def evaluate(self, rows: Rows, model: Model) -> Evaluation:
        """Move windows and detectors on by ``rows`` and see which of them lead to a decision."""
        places = self.actors.places(rows)
        self.actors.see(rows, places)
        known = aggregate(self.actors, rows, places, self._settings.model.contacts_per_day_max)
        columns = self._columns(rows, places, known, model)
        own = Own.of(columns)
        judged = list(self._evidence(columns, own, model))
        fused = self._fuse(own, known, judged, model)
        carried = sessions(self.actors, rows, places.principal, own.rows, fused.fused)
        case = Case(columns, judged, fused, known, carried)
        return Evaluation(rows, case, model.principals_a_day > 0, self.decider.candidates(case, self.actors))

    def _evidence(self, columns: Columns, own: Own, model: Model) -> Iterator[Judged]:
        for detector, mode in self._detectors:
            state = self.actors.state(detector.name)
            if detector.principals_only:
                yield Judged(detector, mode, detector.judge(own.columns, state, model), own)
            else:
                yield Judged(detector, mode, detector.judge(columns, state, model))

    def _columns(self, rows: Rows, places: Slots, known: Aggregates, model: Model) -> Columns:
        return Columns(
            slot=rows.slot,
            principal_slot=places.principal,
            group_slot=places.group,
            member_slot=places.member,
            time_us=rows.time_us,
            scope=self.actors.scopes[rows.slot],
            kind=rows.kind,
            flags=rows.flags,
            tier=rows.tier,
            answers=known.answers,
            first=known.first,
            profiles=known.profiles,
            popularity=model.popularity.bins_of(rows.profile, known.first & (rows.kind == Kind.VIEW)),
            profile=rows.profile,
            number=rows.number,
            shown=rows.shown,
            address=rows.address,
            asn=rows.asn,
            country=rows.country,
            created_s=rows.created_s,
            agent=rows.agent,
            principal=rows.principal,
            together=known.together,
            tiers=tuple(self.tiers),
        )

    def _fuse(self, own: Own, known: Aggregates, judged: Sequence[Judged], model: Model) -> FusedFindings:
        fused = self._fusion.fuse(
            # A session under an account is no principal, nor is an address that accounts came from.
            own.columns.principal_slot,
            own.columns.time_us,
            known.exposed[own.rows],
            own.columns.kind != Kind.TOUCH,
            [one.of_own(one.said.nats, own) for one in judged],
            [one.of_own(one.said.moved, own) for one in judged],
            self.actors.principals.columns,
        )
        settings = self._settings.fusion
        if self._limits is None or self._limits[0] is not model or self._limits[1] != len(self.tiers):
            self._limits = model, len(self.tiers), Limits.of(settings, model, self.tiers)
        limits = self._limits[2]
        places = limits.places(own.columns)
        ceiling, until_fitted = (
            sum(mode.rank <= most.rank for mode in MODES) - 1
            for most in (self._settings.mode.ceiling, settings.until_fitted)
        )
        most = np.where(limits.fitted[places], ceiling, min(ceiling, until_fitted))
        alert, block = limits.alert[places], limits.block[places]
        return FusedFindings(fused, alert, block, most, settings.sightings_min, judged, own)

    def learn(self, rows: Rows, evaluation: Evaluation) -> None:
        """Keep what outlasts the batch: what the model may learn, and names of members that groups are found by."""
        self.roster.keep(evaluation.case, rows)
        teach(self.learner, rows, evaluation.case, self.actors.principals, self.tiers, learned=evaluation.learned)
        self.judged += len(rows)

    def decide(
        self, evaluation: Evaluation, candidate: NDArray[np.int64], known: Knowledge, decided_us: int
    ) -> Iterator[Decision]:
        """Decisions at one candidate of ``evaluation``."""
        row, rank = int(candidate[0]), int(candidate[1])
        event_us = int(evaluation.columns.time_us[row])
        moment = self.decider.moment(event_us, decided_us, known.watermark_us, known.complete, known.model.label)
        members = Members(
            int(evaluation.aggregates.members[row]), self.roster.names(evaluation.case, evaluation.rows, row)
        )
        return self.decider.decide(evaluation.case, self.actors, (row, rank), members, moment)


def _spread(sightings: Sightings) -> Iterator[NDArray[Any]]:
    """What is known of principals' rows alone, as columns over all rows."""
    own = (sightings.flags & Flag.PRINCIPAL) != 0
    for name in DETAIL_COLUMNS:
        values: NDArray[Any] = getattr(sightings, name)
        column = np.full(own.size, NO_NUMBER if name == "number" else 0, values.dtype)
        column[own] = values
        yield column
