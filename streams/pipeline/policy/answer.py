"""Whom an answer falls upon, and how far it may go there without hurting people."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.core.columns import US
from detectors.core.hashing import mix
from schemas.actor import Actor, Scope
from schemas.block import Action, BlockMode
from streams.pipeline.actors.store import Actors
from streams.pipeline.policy.case import Case
from streams.pipeline.policy.episode import Episode, Moment
from streams.pipeline.policy.exemption import Exemptions
from streams.pipeline.policy.finding import BLOCKS, MODE_STEP
from streams.pipeline.policy.lifetime import was_blocked
from streams.pipeline.policy.measure import Measure
from streams.pipeline.policy.standing import Standing
from streams.settings import PolicySettings, Settings

DAY_US: Final = 86_400 * US
SHARED_SHARE: Final = 2 / 3
"""What a session must carry where somebody else uses the account too: beside a thief its owner hops as well, and else
the account is challenged, and its owner with it."""
_SALT: Final = 0x9E3779B97F4A7C15
"""So that who takes part has nothing to do with the partition or bucket that a key falls into."""


class Answers:
    """The rules on whom to decide and how far to go, under one configuration."""

    def __init__(self, settings: Settings) -> None:
        self._policy: PolicySettings = settings.policy
        self._share = settings.mode.enforce_share
        self._exemptions = Exemptions(settings)

    def narrowest(self, case: Case, row: int, actors: Actors) -> int:
        """Slot of who is decided on: the session that carries an account's evidence, if others may be in use."""
        session, account = int(case.sessions.slot[row]), int(case.columns.slot[row])
        if session < 0 or not (case.sessions.others[row] or case.shared(row)):
            return account
        # Whoever was blocked before and is back is the one: the owner has gone on in between.
        again = int(actors.columns["times_blocked"][session]) > 0
        needed = self._policy.session_share
        if case.shared(row):
            needed = min(needed, SHARED_SHARE)
        return session if again or case.sessions.share[row] >= needed else account

    def within_reach(self, case: Case, rank: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """[n] rows with ground for a block of which a session carries so much that it may be blocked alone.

        While it did not, the account was challenged: this is no worse, but more can be done about it.
        """
        enough = case.sessions.share >= min(self._policy.session_share, SHARED_SHARE)
        return (case.sessions.slot >= 0) & enough & (rank % MODE_STEP >= BLOCKS)

    def action(
        self, episode: Episode, case: Case, measure: Measure, row: int, slot: int, actors: Actors, moment: Moment
    ) -> Action | None:
        """What the evidence at ``row`` is enough for, on the actor in ``slot``; None where it would hurt people."""
        action = self._allowed(episode, measure, int(case.aggregates.accounts[row]), actors, slot, moment)
        if action is None:
            return None
        shared = actors.scope(slot) is Scope.ACCOUNT and case.shared(row)
        if shared or _has_thief(case, row, slot, actors, moment):
            return Action.CHALLENGE  # what a thief left on the account must not lock its owner out
        return action

    def climb(self, action: Action, mode: BlockMode, standing: Standing | None, event_us: int) -> Action:
        """A challenge that has stood for long enough in the same mode becomes a throttle; all else stays as it is."""
        if action is not Action.CHALLENGE or standing is None or standing.mode is not mode:
            return action
        lasted = event_us - standing.since_us >= self._policy.throttle_after_s * US
        return Action.THROTTLE if lasted and standing.action is not Action.BLOCK else action

    def takes_part(self, key: int) -> bool:
        """The actor with this key belongs to the share of those against whom anything is enforced."""
        return (int(mix(np.uint64(key ^ _SALT))) >> 11) / (1 << 53) < self._share

    def _allowed(
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

    def within(self, actor: Actor) -> list[Actor]:
        """Wider actors, see `Exemptions.within`."""
        return self._exemptions.within(actor)

    def quotas(self, actors: Actors, slot: int) -> list[tuple[int, int]]:
        """Quotas of an authorised collector, see `Exemptions.quotas`."""
        return self._exemptions.quotas(actors.actor(slot))

    @property
    def has_collectors(self) -> bool:
        """Anybody has a quota."""
        return self._exemptions.has_collectors


def _has_thief(case: Case, row: int, slot: int, actors: Actors, moment: Moment) -> bool:
    """Another session than the one decided on was blocked in the account's place, a day ago at most."""
    others = [other for other in case.sessions.known[row].tolist() if other >= 0 and other != slot]
    return any(
        int(actors.columns["times_blocked"][other]) > 0
        and int(actors.columns["block_ended_us"][other]) > moment.event_us - DAY_US
        for other in others
    )
