"""Decide: turns findings into alerts and blocks.

Who detects does not decide. A sighting with a finding opens an incident or updates the actor's open one, at most once
in a cooldown unless things become worse; a finding strong enough is a block, unless it would hurt people: whoever is
on the allowlist, and an address or group with more accounts behind it than policy allows, or with any and not known
for a day.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

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
from streams.pipeline.policy.cooldown import after_cooldown
from streams.pipeline.policy.episode import Episode, Moment
from streams.pipeline.policy.exemption import Exemptions
from streams.pipeline.policy.finding import Judged, ranks, severity_of
from streams.pipeline.windows.aggregate import Aggregates
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


Decision = Alert | Block | Lift


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

    def candidates(self, columns: Columns, judged: Sequence[Judged], actors: Actors) -> NDArray[np.int64]:
        """Rows that lead to a decision, and their ranks: [2, m]. A known account is decided on, not its session."""
        rank = ranks(judged, len(columns))
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
        self,
        columns: Columns,
        judged: Sequence[Judged],
        aggregates: Aggregates,
        actors: Actors,
        candidate: tuple[int, int],
        moment: Moment,
    ) -> Iterator[Decision]:
        """Decide on one of `candidates`."""
        row, rank = candidate
        slot = int(columns.slot[row])
        yield from self._end_due(slot, moment)
        speaking = [one for one in judged if one.speaks(row)]
        episode = self._open.get(slot)
        status = AlertStatus.OPEN if episode is None else AlertStatus.UPDATED
        if episode is None:
            episode = self._begin(actors, slot, speaking, row, int(aggregates.exposed[row]), moment)
        self._note(episode, columns, speaking, row, rank, aggregates, actors, moment)
        block = self._block(episode, columns, speaking, row, aggregates, actors, moment)
        yield episode.alert(status, moment)
        if block is not None:
            yield block

    def _begin(
        self, actors: Actors, slot: int, speaking: Sequence[Judged], row: int, exposed: int, moment: Moment
    ) -> Episode:
        loudest = max(speaking, key=lambda one: float(one.evidence.level[row]))
        # A window may reach back to before the actor came, and what came late to before its first sighting.
        since = max(int(loudest.evidence.since_us[row]), int(actors.columns["first_seen_us"][slot]))
        base = max(exposed - int(loudest.evidence.profiles[row]), 0)
        episode = Episode(actors.actor(slot), slot, moment, min(since, moment.event_us), base)
        self._open[slot] = episode
        return episode

    def _note(
        self,
        episode: Episode,
        columns: Columns,
        speaking: Sequence[Judged],
        row: int,
        rank: int,
        aggregates: Aggregates,
        actors: Actors,
        moment: Moment,
    ) -> None:
        episode.take(
            [one.finding(columns, row) for one in speaking], [one.detector.control for one in speaking], moment
        )
        mode = max((one.mode for one in speaking), key=lambda mode: mode.rank)
        episode.mode = max(episode.mode, AlertMode(mode.value), key=lambda m: Mode(m.value).rank)
        episode.severity = max(episode.severity, severity_of(rank), key=lambda s: s.rank)
        exact = actors.scope(episode.slot) in _EXACT and bool(aggregates.exact[row])
        episode.exposure = Exposure(max(int(aggregates.exposed[row]) - episode.base, 0), exact)
        episode.members = Members(int(aggregates.members[row]), [])
        self._next_us = min(self._next_us, episode.last_us + self._policy.incident_close_s * US)

    def _block(
        self,
        episode: Episode,
        columns: Columns,
        speaking: Sequence[Judged],
        row: int,
        aggregates: Aggregates,
        actors: Actors,
        moment: Moment,
    ) -> Block | None:
        strong = [one for one in speaking if one.blocks(row)]
        enforced = [one for one in strong if one.mode is Mode.ENFORCE]
        accounts = int(aggregates.accounts[row])
        if not strong or self._spared(episode, accounts, actors, moment):
            return None
        mode = BlockMode.ENFORCE if enforced else BlockMode.SHADOW
        if mode is BlockMode.SHADOW and self._enforced(episode.slot):
            return None  # the topic keeps one record an actor: a shadow must not hide what is enforced
        why = {one.detector.name: one.explain(columns, row) for one in enforced or strong}
        until_us = moment.event_us + self._policy.block_s * US
        self._blocked[episode.slot] = Standing(until_us, episode.actor, mode)
        self._next_us = min(self._next_us, until_us)
        challenged = episode.actor.scope in self._policy.challenge_scopes
        return episode.block(
            Action.CHALLENGE if challenged else Action.BLOCK,
            mode,
            until_us,
            {name: one.reason for name, one in why.items()},
            "; ".join(sorted({one.public_reason for one in why.values()})),
            accounts,
            moment,
        )

    def _enforced(self, slot: int) -> bool:
        return slot in self._blocked and self._blocked[slot].mode is BlockMode.ENFORCE

    def _spared(self, episode: Episode, accounts: int, actors: Actors, moment: Moment) -> bool:
        """Nobody may be blocked by this: the actor is allowed, or people stand behind it."""
        if self._exemptions.allowed(episode.actor, moment.event_us):
            return True
        if actors.scope(episode.slot) in (Scope.ACCOUNT, Scope.SESSION) or not accounts:
            return False
        known_us = moment.event_us - int(actors.columns["first_seen_us"][episode.slot])
        return accounts > self._policy.accounts_max or known_us < DAY_US

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

    def going_on(self) -> list[Incident]:
        """Open incidents as they stand."""
        return [episode.incident(None) for episode in self._open.values()]
