"""Decide: turns findings into alerts and blocks.

Who detects does not decide. A sighting with a finding opens an incident or updates the actor's open one, at most once
in a cooldown unless things become worse; a finding strong enough is a block, unless it would hurt people: whoever is
on the allowlist, and an address or group with more accounts behind it than policy allows, or with any and not known
for a day.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.core.columns import US, Columns, Span
from schemas.actor import Actor, Scope
from schemas.alert import Alert, AlertMode, AlertStatus, Members
from schemas.block import Action, Block, BlockMode
from schemas.exposure import Exposure
from schemas.incident import Incident
from schemas.mode import Mode
from schemas.sighting import Flag
from streams.pipeline.actors.store import Actors
from streams.pipeline.policy.case import Case
from streams.pipeline.policy.cooldown import after_cooldown
from streams.pipeline.policy.episode import Episode, EpisodeState, Moment
from streams.pipeline.policy.exemption import Exemptions
from streams.pipeline.policy.finding import Judged, ranks, severity_of
from streams.pipeline.policy.lifetime import lasting_until, was_blocked
from streams.pipeline.policy.measure import Measure, measure_of
from streams.settings import Settings

DAY_US: Final = 86_400 * US
_EXACT: Final = frozenset({Scope.ACCOUNT, Scope.SESSION, Scope.IP})
_NEVER: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class Lift:
    """The block on an actor has ended: its record on the blocks topic gives way to a tombstone."""

    actor: Actor
    until_us: int
    """When it ended."""


class Standing(NamedTuple):
    """The record on the blocks topic that an actor has."""

    until_us: int
    actor: Actor
    mode: BlockMode
    action: Action

    def outweighs(self, mode: BlockMode, action: Action) -> bool:
        """It must not give way to a record with this mode and action."""
        mine = (self.mode is BlockMode.ENFORCE, self.action is Action.BLOCK)
        return mine > (mode is BlockMode.ENFORCE, action is Action.BLOCK)


Decision = Alert | Block | Lift


class DeciderState(msgspec.Struct, array_like=True):
    """A `Decider` as a checkpoint keeps it, with keys in place of slots."""

    episodes: list[EpisodeState]
    blocked: list[tuple[int, Standing]]
    next_us: int
    closed: list[Incident]

    def keys(self) -> list[int]:
        """Of all actors that it names."""
        return [one.key for one in self.episodes] + [key for key, _ in self.blocked]


class Decider:
    """Open incidents and blocks of one partition's actors."""

    def __init__(self, settings: Settings, config: str) -> None:
        """``config`` is the revision that decisions name."""
        self._policy = settings.policy
        # A cooldown that outlasts a block would leave the actor unblocked while its findings go on.
        self._cooldown_us = min(settings.policy.cooldown_s, settings.policy.block_s) * US
        self._exemptions = Exemptions(settings)
        self._config = config
        self._open: dict[int, Episode] = {}
        self._blocked: dict[int, Standing] = {}
        self._next_us = _NEVER
        self._closed: list[Incident] = []

    def candidates(self, case: Case, actors: Actors) -> NDArray[np.int64]:
        """Rows that lead to a decision, and their ranks: [2, m]. A known account is decided on, not its session."""
        columns = case.columns
        rank = np.maximum(ranks(case.judged, len(columns)), case.fused.ranks())
        rank[(columns.scope == Scope.SESSION) & ((columns.flags & Flag.LOGGED_IN) != 0)] = 0
        if self._exemptions.has_collectors:
            self._spare_collectors(columns, rank, actors)
        c = actors.columns
        passed = after_cooldown(
            columns.slot, columns.time_us, rank, self._cooldown_us, c["quiet_until_us"], c["quiet_rank"]
        )
        rows = np.flatnonzero(passed)
        return np.stack([rows, rank[rows].astype(np.int64)])

    def _spare_collectors(self, columns: Columns, rank: NDArray[np.uint8], actors: Actors) -> None:
        """Take the findings on authorised collectors within their quota out of ``rank``."""
        for slot in np.unique(columns.slot[rank > 0]).tolist():
            rows = np.flatnonzero(columns.slot == slot)
            for quota, expiry_us in self._exemptions.quotas(actors.actor(slot)):
                within = (columns.profiles[rows, Span.DAY] <= quota) & (columns.time_us[rows] < expiry_us)
                rank[rows[within]] = 0

    def decide(
        self, case: Case, actors: Actors, candidate: tuple[int, int], members: Members, moment: Moment
    ) -> Iterator[Decision]:
        """Decide on one of `candidates`; ``members`` are those of a group, as they are known."""
        row, rank = candidate
        slot = int(case.columns.slot[row])
        for one in dict.fromkeys((slot, self._narrowest(case, row, actors))):
            yield from self._end_due(one, moment)
        speaking = [one for one in case.judged if one.speaks(row)]
        episode = self._open.get(slot)
        status = AlertStatus.OPEN if episode is None else AlertStatus.UPDATED
        if episode is None:
            episode = self._begin(case, actors, slot, speaking, row, moment)
        self._note(episode, case, speaking, row, rank, actors, moment)
        episode.members = members
        measure = measure_of(case, speaking, row, self._policy.challenge_at_alert)
        block = None if measure is None else self._answer(episode, case, measure, row, actors, moment)
        yield episode.alert(status, moment)
        if block is not None:
            yield block

    def _begin(
        self, case: Case, actors: Actors, slot: int, speaking: Sequence[Judged], row: int, moment: Moment
    ) -> Episode:
        # Of what speaks that which is loudest says when it began, and what was disclosed since.
        said = [(one.level(row), one.since_us(row), one.profiles(row)) for one in speaking]
        if case.fused.mode(row) is not None:
            said.append((case.fused.level(row), case.fused.since_us(row), case.fused.profiles(row)))
        _, since_us, profiles = max(said)
        # A window may reach back to before the actor came, and what came late to before its first sighting.
        since_us = max(since_us, int(actors.columns["first_seen_us"][slot]))
        base = max(int(case.aggregates.exposed[row]) - profiles, 0)
        episode = Episode(actors.actor(slot), slot, moment, min(since_us, moment.event_us), base)
        self._open[slot] = episode
        return episode

    def _note(
        self,
        episode: Episode,
        case: Case,
        speaking: Sequence[Judged],
        row: int,
        rank: int,
        actors: Actors,
        moment: Moment,
    ) -> None:
        findings = [one.finding(case.columns, row) for one in speaking]
        controls = [one.detector.control for one in speaking]
        modes = [one.mode for one in speaking]
        together = case.fused.mode(row)
        if together is not None:
            known = {finding.detector for finding in findings}
            findings += [one for one in case.fused.findings(case.columns, row) if one.detector not in known]
            added = case.fused.parts(row)
            controls += [one.detector.control for one in case.judged if one.detector.name in added]
            modes.append(together)
        episode.take(findings, controls, moment)
        mode = max(modes, key=lambda mode: mode.rank)
        episode.mode = max(episode.mode, AlertMode(mode.value), key=lambda m: Mode(m.value).rank)
        episode.severity = max(episode.severity, severity_of(rank), key=lambda s: s.rank)
        episode.level = max(episode.level, case.fused.level(row), *(one.level(row) for one in speaking), 0.0)
        exact = actors.scope(episode.slot) in _EXACT and bool(case.aggregates.exact[row])
        episode.exposure = Exposure(max(int(case.aggregates.exposed[row]) - episode.base, 0), exact)
        self._next_us = min(self._next_us, episode.last_us + self._policy.incident_close_s * US)

    def _answer(
        self, episode: Episode, case: Case, measure: Measure, row: int, actors: Actors, moment: Moment
    ) -> Block | None:
        """The block or challenge that the evidence is enough for, unless it would hurt people."""
        accounts = int(case.aggregates.accounts[row])
        slot = self._narrowest(case, row, actors)
        action = self._allowed_action(episode, measure, accounts, actors, slot, moment)
        if action is None:
            return None
        shared = actors.scope(slot) is Scope.ACCOUNT and case.shared(row)
        if shared or self._has_thief(case, row, slot, actors, moment):
            action = Action.CHALLENGE  # what a thief left on the account must not lock its owner out
        standing = self._blocked.get(slot)
        if standing is not None and moment.event_us < standing.until_us and standing.outweighs(measure.mode, action):
            return None  # the topic keeps one record an actor: a lesser one must not hide what is in force
        actor = actors.actor(slot)
        until_us = moment.event_us + self._policy.block_s * US
        if action is Action.BLOCK and measure.mode is BlockMode.ENFORCE:
            actors.touched.actors[slot] = True  # a session that is not among the rows, perhaps
            until_us = lasting_until(self._policy, actors.columns, slot, actor, moment.event_us)
        self._blocked[slot] = Standing(until_us, actor, measure.mode, action)
        self._next_us = min(self._next_us, until_us)
        return episode.block(
            actor,
            action,
            measure.mode,
            until_us,
            measure.reasons,
            "; ".join(sorted(measure.public_reasons)),
            accounts,
            moment,
        )

    def _allowed_action(
        self, episode: Episode, measure: Measure, accounts: int, actors: Actors, slot: int, moment: Moment
    ) -> Action | None:
        if self._exemptions.allowed(episode.actor, moment.event_us):
            return None
        if self._has_people(episode, accounts, actors, moment):
            return None
        # Who was blocked a day ago at most and is spoken of again goes on where it stopped.
        again = measure.mode is BlockMode.ENFORCE and was_blocked(
            actors.columns, slot, moment.event_us - DAY_US, moment.event_us
        )
        if (measure.blocks or again) and episode.actor.scope not in self._policy.challenge_scopes:
            return Action.BLOCK
        return Action.CHALLENGE

    def _has_people(self, episode: Episode, accounts: int, actors: Actors, moment: Moment) -> bool:
        """People stand behind an address or group whom a block would hurt, or may stand behind it."""
        if actors.scope(episode.slot) in (Scope.ACCOUNT, Scope.SESSION) or not accounts:
            return False
        known_us = moment.event_us - int(actors.columns["first_seen_us"][episode.slot])
        return accounts > self._policy.accounts_max or known_us < DAY_US

    def _narrowest(self, case: Case, row: int, actors: Actors) -> int:
        """Slot of who is decided on: the session that carries an account's evidence, if others may be in use."""
        session, account = int(case.sessions.slot[row]), int(case.columns.slot[row])
        if session < 0 or not (case.sessions.others[row] or case.shared(row)):
            return account
        # Whoever was blocked before and is back is the one: the owner has gone on in between.
        again = int(actors.columns["times_blocked"][session]) > 0
        return session if again or case.sessions.share[row] >= self._policy.session_share else account

    @staticmethod
    def _has_thief(case: Case, row: int, slot: int, actors: Actors, moment: Moment) -> bool:
        """Another session than the one decided on was blocked in the account's place, a day ago at most."""
        others = [other for other in case.sessions.known[row].tolist() if other >= 0 and other != slot]
        return any(
            int(actors.columns["times_blocked"][other]) > 0
            and int(actors.columns["block_ended_us"][other]) > moment.event_us - DAY_US
            for other in others
        )

    def _end_due(self, slot: int, moment: Moment) -> Iterator[Decision]:
        """End what of the actor has come to its end by the event, though the watermark has not got there."""
        episode = self._open.get(slot)
        if episode is not None and moment.event_us >= episode.last_us + self._policy.incident_close_s * US:
            yield self._close(episode, moment.watermark_us, moment.decided_us)
        if slot in self._blocked and moment.event_us >= self._blocked[slot].until_us:
            yield self._lift(slot)

    def _close(self, episode: Episode, watermark_us: int, decided_us: int) -> Alert:
        end_us = episode.last_us + self._policy.incident_close_s * US
        del self._open[episode.slot]
        self._closed.append(episode.incident(end_us))
        last = episode.latest
        at = Moment(end_us, decided_us, watermark_us, last.complete, last.config, last.model)
        return episode.alert(AlertStatus.CLOSED, at)

    def _lift(self, slot: int) -> Lift:
        ended = self._blocked.pop(slot)
        return Lift(ended.actor, ended.until_us)

    def pass_time(self, now_us: int, decided_us: int) -> Iterator[Decision]:
        """Close incidents and lift blocks whose time has come by the watermark ``now_us``."""
        close_us = self._policy.incident_close_s * US
        if now_us < self._next_us:
            return
        for episode in [e for e in self._open.values() if now_us >= e.last_us + close_us]:
            yield self._close(episode, now_us, decided_us)
        for slot in [slot for slot, standing in self._blocked.items() if now_us >= standing.until_us]:
            yield self._lift(slot)
        due = [e.last_us + close_us for e in self._open.values()] + [
            standing.until_us for standing in self._blocked.values()
        ]
        self._next_us = min(due, default=_NEVER)

    def moment(self, event_us: int, decided_us: int, watermark_us: int, complete: bool, model: str) -> Moment:
        """A moment under this decider's config."""
        return Moment(event_us, decided_us, watermark_us, complete, self._config, model)

    def take_closed(self) -> list[Incident]:
        """Incidents closed since the last call."""
        closed, self._closed = self._closed, []
        return closed

    def slots(self) -> list[int]:
        """Slots of all that have an open incident or a standing record on the blocks topic."""
        return [*self._open, *self._blocked]

    def state(self, keys: NDArray[np.uint64]) -> DeciderState:
        """What a checkpoint keeps of it, ``keys`` being those of all slots; shares what changes with it."""
        episodes = [episode.state(int(keys[slot])) for slot, episode in self._open.items()]
        blocked = [(int(keys[slot]), standing) for slot, standing in self._blocked.items()]
        return DeciderState(episodes, blocked, self._next_us, self._closed)

    def load(self, state: DeciderState, slots: Mapping[int, int]) -> None:
        """Become as `state` said; ``slots`` gives that of each key."""
        self._open = {slots[one.key]: Episode.of(one, slots[one.key]) for one in state.episodes}
        self._blocked = {slots[key]: standing for key, standing in state.blocked}
        self._next_us, self._closed = state.next_us, state.closed

    def renumber(self, renumbered: NDArray[np.int32]) -> None:
        """Give each slot its new number by the old one."""
        for episode in self._open.values():
            episode.slot = int(renumbered[episode.slot])
        self._open = {episode.slot: episode for episode in self._open.values()}
        self._blocked = {int(renumbered[slot]): standing for slot, standing in self._blocked.items()}

    def going_on(self) -> list[Incident]:
        """Open incidents as they stand."""
        return [episode.incident(None) for episode in self._open.values()]
