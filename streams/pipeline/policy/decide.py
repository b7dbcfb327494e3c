"""Decide: turns findings into alerts and blocks.

Who detects does not decide. A sighting with a finding opens an incident or updates the actor's open one, at most once
in a cooldown unless things become worse; a finding strong enough is a block, unless it would hurt people: whoever is
on the allowlist, and an address or group with more accounts behind it than policy allows, or with any and not known
for a day.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.core.columns import US, Columns, Span
from schemas.actor import Actor, Scope
from schemas.alert import Alert, AlertStatus, Members
from schemas.block import Action, Block, BlockMode
from schemas.incident import Incident
from schemas.sighting import Flag
from streams.pipeline.actors.store import Actors
from streams.pipeline.policy.answer import Answers
from streams.pipeline.policy.brake import Brake, Brakes, BrakesState, Braking
from streams.pipeline.policy.case import Case
from streams.pipeline.policy.cooldown import after_cooldown
from streams.pipeline.policy.episode import Episode, EpisodeState, Moment
from streams.pipeline.policy.finding import ranks
from streams.pipeline.policy.lifetime import lasting_until, longest_s, renewal_s
from streams.pipeline.policy.measure import Measure, measure_of
from streams.pipeline.policy.note import begin, note
from streams.pipeline.policy.overrides import NEVER, Overrides
from streams.pipeline.policy.overruling import Overruling
from streams.pipeline.policy.standing import Standing
from streams.settings import Settings

DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class Lift:
    """The block on an actor has ended: its record on the blocks topic gives way to a tombstone."""

    actor: Actor
    until_us: int
    """When it ended."""


Decision = Alert | Block | Lift


class DeciderState(msgspec.Struct, array_like=True):
    """A `Decider` as a checkpoint keeps it, with keys in place of slots."""

    episodes: list[EpisodeState]
    blocked: list[tuple[int, Standing]]
    next_us: int
    closed: list[Incident]
    brakes: BrakesState

    def keys(self) -> list[int]:
        """Of all actors that it names."""
        return [one.key for one in self.episodes] + [key for key, _ in self.blocked]


class Decider:
    """Open incidents and blocks of one partition's actors."""

    def __init__(
        self,
        settings: Settings,
        config: str,
        partition: int = 0,
        partitions: int = 1,
        overrides: Overrides | None = None,
    ) -> None:
        """``config`` is the revision that decisions name; brakes share their limits out over ``partitions``."""
        self.overruling = Overruling(overrides)
        self._open: dict[int, Episode] = {}
        self._blocked: dict[int, Standing] = {}
        self._denied: set[int] = set()
        """Slots of whom enforcers deny every request, and some of whom they did."""
        self._next_us = NEVER
        self._closed: list[Incident] = []
        self._brakes = Brakes(settings.policy, partition, partitions)
        self.reconfigure(settings, config)

    def reconfigure(self, settings: Settings, config: str) -> None:
        """Decide by other settings from now on, under revision ``config``; what is open and what stands goes on."""
        self._policy, self._config = settings.policy, config
        # A cooldown that outlasts a block would leave the actor unblocked while its findings go on.
        self._cooldown_us = min(settings.policy.cooldown_s, renewal_s(settings.policy)) * US
        self._answers = Answers(settings)
        self._brakes.reconfigure(settings.policy)
        # What is open may be due earlier than it was.
        self._next_us = self._next_due_us()

    def candidates(self, case: Case, actors: Actors) -> NDArray[np.int64]:
        """Rows that lead to a decision, and their ranks: [2, m]. A known account is decided on, not its session."""
        columns = case.columns
        rank = np.maximum(ranks(case.judged, len(columns)), case.fused.ranks())
        rank[(columns.scope == Scope.SESSION.value) & ((columns.flags & Flag.LOGGED_IN.value) != 0)] = 0
        if self._answers.has_collectors:
            self._spare_collectors(columns, rank, actors)
        c = actors.columns
        urgency = 2 * rank + self._answers.within_reach(case, rank)
        passed = after_cooldown(
            columns.slot, columns.time_us, urgency, self._cooldown_us, c["quiet_until_us"], c["quiet_urgency"]
        )
        rows = np.flatnonzero(passed)
        return np.stack([rows, rank[rows].astype(np.int64)])

    def _spare_collectors(self, columns: Columns, rank: NDArray[np.uint8], actors: Actors) -> None:
        """Take the findings on authorised collectors within their quota out of ``rank``."""
        for slot in np.unique(columns.slot[rank > 0]).tolist():
            rows = np.flatnonzero(columns.slot == slot)
            for quota, expiry_us in self._answers.quotas(actors, slot):
                within = (columns.profiles[rows, Span.DAY] <= quota) & (columns.time_us[rows] < expiry_us)
                rank[rows[within]] = 0

    def decide(
        self, case: Case, actors: Actors, candidate: tuple[int, int], members: Members, moment: Moment
    ) -> Iterator[Decision]:
        """Decide on one of `candidates`; ``members`` are those of a group, as they are known."""
        case = self.overruling.restrain(case, self._config, moment.event_us)
        row, rank = candidate
        slot = int(case.columns.slot[row])
        for one in dict.fromkeys((slot, self._answers.narrowest(case, row, actors))):
            yield from self._end_due(one, moment)
        speaking = [one for one in case.judged if one.speaks(row)]
        episode = self._open.get(slot)
        status = AlertStatus.OPEN if episode is None else AlertStatus.UPDATED
        if episode is None:
            episode = self._open[slot] = begin(case, actors, slot, speaking, row, moment)
        note(episode, case, speaking, row, rank, actors, moment)
        self._next_us = min(self._next_us, episode.last_us + self._policy.incident_close_s * US)
        episode.members = members
        measure = measure_of(case, speaking, row, self._policy.challenge_at_alert)
        block = None if measure is None else self._answer(episode, case, measure, row, actors, moment)
        yield episode.alert(status, moment)
        if block is not None:
            yield block

    def _answer(
        self, episode: Episode, case: Case, measure: Measure, row: int, actors: Actors, moment: Moment
    ) -> Block | None:
        """The block or challenge that the evidence is enough for, unless it would hurt people."""
        slot = self._answers.narrowest(case, row, actors)
        action = self._answers.action(episode, case, measure, row, slot, actors, moment)
        if action is None or self.overruling.forbids(
            self._named(episode, slot, actors), measure.mode, action, moment.event_us
        ):
            return None
        standing = self._blocked.get(slot)
        if standing is not None and moment.event_us >= standing.until_us:
            standing = None
        mode = measure.mode
        if mode is BlockMode.ENFORCE and not self._may_enforce(action, episode, slot, standing, actors, moment):
            mode = BlockMode.SHADOW
        action = self._answers.climb(action, mode, standing, moment.event_us)
        if standing is not None and standing.outweighs(mode, action):
            return None  # the topic keeps one record an actor: a lesser one must not hide what is in force
        return self._put(episode, case, measure, row, (slot, mode, action), standing, actors, moment)

    def _named(self, episode: Episode, slot: int, actors: Actors) -> tuple[Actor, ...]:
        """The actor in ``slot``, and whom else an operator may name to spare it."""
        actor = actors.actor(slot)
        account = () if slot == episode.slot else (episode.actor,)
        return (actor, *account, *self._answers.within(actor))

    def _may_enforce(
        self, action: Action, episode: Episode, slot: int, standing: Standing | None, actors: Actors, moment: Moment
    ) -> bool:
        """The actor belongs to those against whom anything is enforced, and no brake holds."""
        if not self._answers.takes_part(int(actors.keys()[episode.slot])):
            return False
        blocks = action is Action.BLOCK and (standing is None or not standing.blocks)
        account = blocks and episode.actor.scope == Scope.ACCOUNT.label
        return not self._brakes.hold(
            moment.event_us,
            self._config,
            new=blocks or standing is None or not standing.enforced,
            blocked=self._blocked_with(episode.actor, moment.event_us) if account else 0,
        )

    def _blocked_with(self, account: Actor, event_us: int) -> int:
        """How many accounts are blocked together with this one; counted where it might be too many, else 0."""
        if not self._brakes.too_many(len(self._denied) + 1):
            return 0
        return len({account, *self._accounts_blocked(event_us)})

    def _accounts_blocked(self, event_us: int) -> Iterator[Actor]:
        """Accounts that are blocked, or one of whose sessions is in their place."""
        self._denied = {slot for slot in self._denied if slot in self._blocked and self._blocked[slot].blocks}
        for one in [self._blocked[slot] for slot in self._denied]:
            if one.until_us > event_us:
                yield from (actor for actor in one.named if actor.scope == Scope.ACCOUNT.label)

    def _put(
        self,
        episode: Episode,
        case: Case,
        measure: Measure,
        row: int,
        decided: tuple[int, BlockMode, Action],
        standing: Standing | None,
        actors: Actors,
        moment: Moment,
    ) -> Block:
        """Let what was ``decided``, on which slot, stand in place of what stood."""
        slot, mode, action = decided
        actor = actors.actor(slot)
        until_us = moment.event_us + min(self._policy.block_s, longest_s(self._policy, actor)) * US
        if action is Action.BLOCK and mode is BlockMode.ENFORCE:
            actors.touched.actors[slot] = True  # a session that is not among the rows, perhaps
            until_us = lasting_until(self._policy, actors.columns, slot, actor, moment.event_us)
            self._denied.add(slot)
        if mode is BlockMode.ENFORCE:
            self.overruling.cover(actor, moment.event_us, until_us)
        goes_on = standing is not None and standing.mode is mode
        since_us = standing.since_us if standing is not None and goes_on else moment.event_us
        on_word = tuple(sorted(measure.reasons))
        self._next_us = min(self._next_us, until_us)
        public = "; ".join(sorted(measure.public_reasons))
        accounts = int(case.aggregates.accounts[row])
        block = episode.block(actor, action, mode, until_us, measure.reasons, public, accounts, moment)
        record, around = (block if mode is BlockMode.ENFORCE else None), self._named(episode, slot, actors)[1:]
        self._blocked[slot] = Standing(until_us, actor, mode, action, since_us, on_word, moment.config, record, around)
        return block

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

    def _lift(self, slot: int) -> Decision:
        ended = self._blocked.pop(slot)
        order = self.overruling.order_on(ended.actor, self._config, ended.until_us)
        return Lift(ended.actor, ended.until_us) if order is None else order

    def overrule(self, actors: Actors, time_us: int, decided_us: int) -> Iterator[Decision]:
        """Take back what stands against overrides that have come into force since the last call."""
        yield from self.overruling.overrule(self._blocked, actors, self._config, time_us, decided_us)

    def pass_time(self, now_us: int, decided_us: int) -> Iterator[Decision]:
        """Close incidents and lift blocks whose time has come by the watermark ``now_us``."""
        self._brakes.let_go(now_us, self._config)
        if now_us < self._next_us:
            return
        close_us = self._policy.incident_close_s * US
        for episode in [e for e in self._open.values() if now_us >= e.last_us + close_us]:
            yield self._close(episode, now_us, decided_us)
        for slot in [slot for slot, standing in self._blocked.items() if now_us >= standing.until_us]:
            yield self._lift(slot)
        self._next_us = self._next_due_us()

    def _next_due_us(self) -> int:
        """When the next incident closes, or the next block ends."""
        close_us = self._policy.incident_close_s * US
        due = [e.last_us + close_us for e in self._open.values()] + [one.until_us for one in self._blocked.values()]
        return min(due, default=NEVER)

    def moment(self, event_us: int, decided_us: int, watermark_us: int, complete: bool, model: str) -> Moment:
        """A moment under this decider's config."""
        return Moment(event_us, decided_us, watermark_us, complete, self._config, model)

    def count_active(self, actors: Actors, now_us: int) -> None:
        """Count who is active, when everything before ``now_us`` is judged and nothing after it."""
        c, n = actors.columns, len(actors)
        recent = c["last_seen_s"][:n] >= now_us // US - DAY_S
        self._brakes.count_active(int(np.count_nonzero(recent & (c["scope"][:n] == Scope.ACCOUNT))))

    @property
    def braked(self) -> tuple[Brake, ...]:
        """Brakes that hold."""
        return self._brakes.held

    def take_braked(self) -> list[Braking]:
        """Brakes tripped or let go since the last call."""
        return self._brakes.take_moved()

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
        return DeciderState(episodes, blocked, self._next_us, self._closed, self._brakes.state())

    def load(self, state: DeciderState, slots: Mapping[int, int]) -> None:
        """Become as `state` said; ``slots`` gives that of each key."""
        self._open = {slots[one.key]: Episode.of(one, slots[one.key]) for one in state.episodes}
        self._blocked = {slots[key]: standing for key, standing in state.blocked}
        self._denied = {slot for slot, standing in self._blocked.items() if standing.blocks}
        self._next_us, self._closed = state.next_us, state.closed
        self._brakes.load(state.brakes)

    def renumber(self, renumbered: NDArray[np.int32]) -> None:
        """Give each slot its new number by the old one."""
        for episode in self._open.values():
            episode.slot = int(renumbered[episode.slot])
        self._open = {episode.slot: episode for episode in self._open.values()}
        self._blocked = {int(renumbered[slot]): standing for slot, standing in self._blocked.items()}
        self._denied = {slot for slot, standing in self._blocked.items() if standing.blocks}

    def going_on(self) -> list[Incident]:
        """Open incidents as they stand."""
        return [episode.incident(None) for episode in self._open.values()]
