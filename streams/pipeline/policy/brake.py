"""Brakes: enforcement stops by itself when more of it begins than anybody can have meant.

A wrong limit, a release that makes every client look alike, a day that is unlike all others: what they have in common
is that many are blocked at once. Two brakes look at that, by event time alone, each partition for itself::

    new blocks   x  x x xxxx│                 within a minute more than the partition's part of the limit, or
    enforced     x  x x xxx │ - - - - - - -   more of its active accounts blocked than a share of them:
    brake                   └──── brake_s ──  trips, holds from the last time that it was tripped, lets go
                                                                                                   by itself

While one holds, what would be enforced is shown (mode shadow) and alerted on, and counts on as if it were; what stands
goes on to its end.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator
from enum import StrEnum
from math import ceil, sqrt
from typing import Final

import msgspec

from detectors.core.columns import US
from schemas.event_time import format_time
from streams.settings import PolicySettings

MINUTE_US: Final = 60 * US
BLOCKED_MIN: Final = 20
"""Blocked accounts of a partition below which no share of them trips."""
CHANCE: Final = 4.0
"""Standard deviations that a partition's part may be above an even one: who falls into which is chance."""


class Brake(StrEnum):
    """What was too much."""

    BLOCKS_PER_MINUTE = "blocks_per_minute"
    BLOCKED_SHARE = "blocked_share"


class Braking(msgspec.Struct, frozen=True, array_like=True):
    """A brake was tripped, or has let go."""

    brake: Brake
    partition: int
    holds: bool
    """It was tripped; else it has let go."""
    event_us: int
    reason: str
    """In numbers, for people."""
    config: str


class BrakesState(msgspec.Struct, array_like=True):
    """`Brakes` as a checkpoint keeps it."""

    new_us: list[int]
    held: dict[Brake, int]
    active: int
    moved: list[Braking]


def part_of(blocks_per_minute_max: int, partitions: int) -> int:
    """New blocks a minute that one of so many partitions may begin: an even part, and as much more as chance brings."""
    even = blocks_per_minute_max / partitions
    return (
        blocks_per_minute_max if partitions == 1 else min(ceil(even + CHANCE * (sqrt(even) + 1)), blocks_per_minute_max)
    )


class Brakes:
    """Those of one partition."""

    def __init__(self, policy: PolicySettings, partition: int, partitions: int) -> None:
        """``partition`` is one of so many."""
        self._partition, self._partitions = partition, partitions
        self._new_us: list[int] = []
        """New blocks of the last minute in order, as many of the latest as trip."""
        self._held: dict[Brake, int] = {}
        """Until when each holds that does."""
        self._active = 0
        self._moved: list[Braking] = []
        self.reconfigure(policy)

    def reconfigure(self, policy: PolicySettings) -> None:
        """Other limits from now on; what holds holds as long as it would have."""
        self._part = part_of(policy.blocks_per_minute_max, self._partitions)
        self._most, self._share_max = policy.blocks_per_minute_max, policy.blocked_share_max
        self._brake_us = policy.brake_s * US

    def count_active(self, accounts: int) -> None:
        """Say how many accounts were active within a day; 0, as at first, for not known."""
        self._active = accounts

    def let_go(self, now_us: int, config: str) -> None:
        """Let go what has not been tripped for long enough by ``now_us``."""
        for brake, until_us in list(self._held.items()):
            if now_us >= until_us:
                del self._held[brake]
                reason = f"not tripped for {self._brake_us // US} s"
                self._moved.append(Braking(brake, self._partition, False, until_us, reason, config))

    def hold(self, event_us: int, config: str, *, new: bool, blocked: int) -> bool:
        """Whether what would be enforced at the event must not be.

        ``new`` says that nothing of it stands yet; ``blocked`` is how many accounts would be blocked with it, 0 where
        it blocks no account.
        """
        self.let_go(event_us, config)
        if new:
            insort(self._new_us, event_us)
            del self._new_us[: -self._part - 1]
            del self._new_us[: bisect_left(self._new_us, self._new_us[-1] - MINUTE_US + 1)]
            for brake, reason in self._tripped(event_us, blocked):
                self._trip(brake, event_us, reason, config)
        return bool(self._held)

    def too_many(self, blocked: int) -> bool:
        """Whether so many blocked accounts are too large a share of the active ones."""
        known = self._active > 0 and self._share_max < 1.0
        return known and blocked >= BLOCKED_MIN and blocked > self._share_max * self._active

    def _tripped(self, event_us: int, blocked: int) -> Iterator[tuple[Brake, str]]:
        recent = bisect_left(self._new_us, event_us + 1) - bisect_left(self._new_us, event_us - MINUTE_US + 1)
        if recent > self._part:
            of = f" of {self._most} in all" if self._partitions > 1 else ""
            yield Brake.BLOCKS_PER_MINUTE, f"more than {self._part} new blocks within a minute, the most here{of}"
        if self.too_many(blocked):
            reason = f"{blocked} of {self._active} active accounts blocked, more than {self._share_max:.3g} of them"
            yield Brake.BLOCKED_SHARE, reason

    def _trip(self, brake: Brake, event_us: int, reason: str, config: str) -> None:
        if brake not in self._held:
            self._moved.append(Braking(brake, self._partition, True, event_us, reason, config))
        self._held[brake] = max(event_us + self._brake_us, self._held.get(brake, 0))

    @property
    def held(self) -> tuple[Brake, ...]:
        """Which of them hold."""
        return tuple(self._held)

    def take_moved(self) -> list[Braking]:
        """What was tripped or has let go since the last call, in order."""
        moved, self._moved = self._moved, []
        return moved

    def state(self) -> BrakesState:
        """What a checkpoint keeps; shares what changes with it."""
        return BrakesState(self._new_us, self._held, self._active, self._moved)

    def load(self, state: BrakesState) -> None:
        """Become as `state` said."""
        self._new_us, self._held, self._active, self._moved = state.new_us, state.held, state.active, state.moved


def told(braking: Braking) -> str:
    """One line on it."""
    what = "holds" if braking.holds else "has let go"
    return f"{format_time(braking.event_us)} {braking.brake}, partition {braking.partition}, {what}: {braking.reason}"
