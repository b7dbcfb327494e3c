"""Assess: owns the actors of one activity partition and judges their sightings.

A pure fold over the partition's sighting batches and the models by epoch. Batches go in as they come (`accept`),
decisions come out as the watermark moves (`advance`)::

    accept ─▶ release ─▶ windows ─▶ detectors ─▶ decide ─▶ alerts, blocks
              (order)       │            ▲
                            ▼            │ model of the epoch
                         learner ─▶ model deltas
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from detectors.core.columns import NO_NUMBER, US, Columns
from detectors.core.contract import Detector, DetectorConfig
from detectors.core.fusion import MODES, Fusion
from detectors.core.model import Model
from schemas.alert import Members
from schemas.mode import Mode
from schemas.sighting import DETAIL_COLUMNS, Flag, Kind
from streams.pipeline.actors.store import Actors, Slots
from streams.pipeline.assess.bounds import Bounds
from streams.pipeline.assess.outcome import Evaluation, Knowledge, Outcome, Switch
from streams.pipeline.assess.release import LONG_AGO, Release
from streams.pipeline.assess.roster import Roster
from streams.pipeline.assess.timeline import Chosen, Regime, Timeline
from streams.pipeline.assess.view import Own
from streams.pipeline.checkpoint.written import Written
from streams.pipeline.model.epochs import Epochs
from streams.pipeline.model.learner import Learner
from streams.pipeline.model.models import Models
from streams.pipeline.model.teaching import teach
from streams.pipeline.policy.case import Case
from streams.pipeline.policy.decide import Decider, Decision
from streams.pipeline.policy.finding import Judged
from streams.pipeline.policy.fused import FusedFindings, Limits
from streams.pipeline.policy.overrides import Overrides
from streams.pipeline.policy.overruling import Overruling
from streams.pipeline.policy.session import sessions, tags
from streams.pipeline.rows import NOTHING, Rows
from streams.pipeline.sightings import Sightings
from streams.pipeline.windows.aggregate import Aggregates, aggregate
from streams.settings import Settings

BATCH_ROWS: Final = 65_536
"""Rows judged at once; more are cut behind an event, which changes no result."""


def cap_of(detector: Detector[DetectorConfig], mode: Mode) -> float:
    """What a detector adds to the sum at most."""
    return 0.0 if mode is Mode.OFF else detector.config.cap


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
        detectors: Chosen,
        models: Models,
        config: str,
        partition: int,
        sources: int,
        judge: Judge | None = None,
        timeline: Timeline | None = None,
        overrides: Overrides | None = None,
    ) -> None:
        """Judge with ``detectors``, each in its mode, under revision ``config``, of ``sources`` source partitions.

        ``judge`` takes the place of `judge_rows`, where a replay enforces its own blocks. A ``timeline``, which the
        partitions of a worker share, says what comes into force later; its first regime is of the same ``settings``.
        They share ``overrides`` likewise.
        """
        self.judge = judge or judge_rows
        self._timeline = timeline or Timeline(Regime(LONG_AGO, settings, detectors, config))
        self._regime = self._timeline.first
        self._begun = False
        self._models = models
        self.epoch_s = settings.model.epoch_s
        self._epoch_us = settings.model.epoch_s * US
        self._epoch: int | None = None
        self.learner = Learner(partition, Epochs.of(settings.model))
        self.tiers: list[str] = [""]
        self.partition = partition
        self.release = Release(sources, settings.input.allowed_lateness_ms * 1000)
        self.decider = Decider(settings, config, partition, models.partitions, overrides)
        self.actors = Actors([detector for detector, _ in self._timeline.detectors])
        self.roster = Roster()
        caps = [cap_of(*each) for each in self._timeline.detectors]
        self.bounds = Bounds(settings, caps, self.actors, self.release, self.decider, self.roster)
        self._configure(self._regime)
        self.written = Written()
        self.judged = 0
        self.tiers_cut = 0

    def _configure(self, regime: Regime) -> None:
        """Go by another regime from now on; everything known stays."""
        self._regime, self._settings = regime, regime.settings
        self._detectors = self._timeline.of_stateful(regime)
        self._limits: tuple[Model, int, Limits] | None = None
        ceilings = regime.settings.mode.ceiling, regime.settings.fusion.until_fitted
        self._most = [sum(mode.rank <= most.rank for mode in MODES) - 1 for most in ceilings]
        caps = [cap_of(*each) for each in self._detectors]
        self._fusion = Fusion(
            caps,
            [Mode.SHADOW if mode is Mode.OFF else mode for _, mode in self._detectors],
            [detector.trait for detector, _ in self._detectors],
            [detector.reading for detector, _ in self._detectors],
        )
        self.bounds.reconfigure(regime.settings, caps)
        self.decider.reconfigure(regime.settings, regime.revision)

    @property
    def enforces(self) -> bool:
        """Whether any detector is enforced where the partition is: else no decision can be."""
        return any(mode is Mode.ENFORCE for _, mode in self._detectors)

    @property
    def revision(self) -> str:
        """The revision in force where the partition is."""
        return self._regime.revision

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
        self._catch_up(outcome, decided_us)
        reached = LONG_AGO
        while bound > LONG_AGO:
            epoch = self._epoch if self._epoch is not None else self._begin(bound, outcome)
            complete = self._models.complete_for(epoch)
            if not complete and not impatient:
                outcome.settled = False
                break
            end_us = (epoch + 1) * self._epoch_us
            reached = min(bound, end_us, self._next_turn_us())
            knowledge = Knowledge(self._models.serve(epoch), complete, reached)
            self._judge(self.release.take(reached), knowledge, decided_us, outcome)
            self._switch(outcome, decided_us)
            if not self.overruling.overrides.at_once:
                outcome.decisions += self._overrule(self.release.let_go_us)
            if reached == end_us:
                self._next_epoch(epoch, bound, outcome)
            elif reached == bound:
                break
        if reached > LONG_AGO:
            outcome.reached_us = reached
            outcome.decisions += self.decider.pass_time(reached, decided_us())
            self.roster.let_go(reached)
        outcome.incidents += self.decider.take_closed()
        outcome.brakes += self.decider.take_braked()
        return outcome

    @property
    def overruling(self) -> Overruling:
        """What overrides do here."""
        return self.decider.overruling

    def heed(self, heeding: bool) -> None:
        """Go by overrides as they stand, or as they stood: what was decided and sent before is judged by the latter."""
        self.overruling.heed(heeding)

    def overdue(self, now_us: int) -> bool:
        """Whether `overrule` has something to look at."""
        return self.overruling.due(now_us)

    def overrule(self, now_us: int) -> list[Decision]:
        """What has to be taken back since overrides have come; from now on all are heeded.

        ``now_us`` is that of the wall clock where they are in force as they come, and event time in a replay.
        """
        self.overruling.heed(True)
        return self._overrule(now_us)

    def _overrule(self, now_us: int) -> list[Decision]:
        return list(self.decider.overrule(self.actors, now_us, now_us))

    def _next_turn_us(self) -> int:
        """The next point of event time at which another regime or an override comes into force."""
        at_us = self.release.let_go_us
        return min(self._timeline.next_us(at_us), self.overruling.overrides.next_us(at_us))

    def _catch_up(self, outcome: Outcome, decided_us: Callable[[], int]) -> None:
        """Go by what is in force where the partition is: it may have come late, or before a restart."""
        regime = self._timeline.at(self.release.let_go_us)
        if self._begun:
            self._switch(outcome, decided_us)
        elif regime is not self._regime:
            self._configure(regime)
        self._begun = True

    def _switch(self, outcome: Outcome, decided_us: Callable[[], int]) -> None:
        """Let the regime come into force whose point the partition has reached, if there is one."""
        before, at_us = self._regime, self.release.let_go_us
        after = self._timeline.at(at_us)
        if after is not before:
            # What ends before the point ends under the regime before it, wherever the watermark stands.
            outcome.decisions += self.decider.pass_time(at_us, decided_us())
            self._configure(after)
            outcome.switches.append(Switch(before, after, at_us))

    def _begin(self, bound: int, outcome: Outcome) -> int:
        self._epoch = min(self.release.earliest(), bound) // self._epoch_us
        outcome.deltas += self.learner.begin(self._epoch)
        return self._epoch

    def _next_epoch(self, epoch: int, bound: int, outcome: Outcome) -> None:
        """Close ``epoch``; go on with the next one that holds a row, saying that there is nothing in between."""
        self._epoch = max(epoch + 1, min(self.release.earliest(), bound) // self._epoch_us)
        outcome.deltas += self.learner.leave(epoch, self._epoch)
        first = self.learner.epochs.first(self._epoch)
        if first > epoch:
            self.bounds.forget(first * self._epoch_us)
            self.decider.count_active(self.actors, first * self._epoch_us)

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
                judged = Judged(detector, mode, detector.judge(own.columns, state, model), own)
            else:
                judged = Judged(detector, mode, detector.judge(columns, state, model))
            yield judged.muted if mode is Mode.OFF else judged

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
            popularity=model.popularity.bins_of(rows.profile, known.first & (rows.kind == Kind.VIEW.value)),
            profile=rows.profile,
            number=rows.number,
            shown=rows.shown,
            address=rows.address,
            asn=rows.asn,
            country=rows.country,
            created_s=rows.created_s,
            agent=rows.agent,
            session=tags(self.actors, rows, np.flatnonzero(places.principal >= 0)),
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
            own.columns.kind != Kind.TOUCH.value,
            [one.of_own(one.said.nats, own) for one in judged],
            [one.of_own(one.said.moved, own) for one in judged],
            self.actors.principals.columns,
        )
        settings = self._settings.fusion
        if self._limits is None or self._limits[0] is not model or self._limits[1] != len(self.tiers):
            self._limits = model, len(self.tiers), Limits.of(settings, model, self.tiers)
        limits = self._limits[2]
        places = limits.places(own.columns)
        ceiling, until_fitted = self._most
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
    own = (sightings.flags & Flag.PRINCIPAL.value) != 0
    for name in DETAIL_COLUMNS:
        values: NDArray[Any] = getattr(sightings, name)
        column = np.full(own.size, NO_NUMBER if name == "number" else 0, values.dtype)
        column[own] = values
        yield column
