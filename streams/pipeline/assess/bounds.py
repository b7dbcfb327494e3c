"""How long and of how many actors a partition remembers anything.

Forgotten is who was not seen for `[memory] idle_s`: what is known of it goes at the end of an epoch of event time,
whatever else the partition holds, so that batches and partitions do not show. Its place is given back later, when it
pays to move the others together.

Too many actors are a matter of memory, so of what the partition holds: above `actors_max` those unseen longest are put
to sleep, which leaves what a return needs (`actors/sleepers.py`): first seen, exposure, evidence. What it met is
gone, so whom it meets then counts as new, and its exposure as inexact. Not put to sleep is who has an open
incident, a standing block or sightings that wait. Visitors go first, then addresses with accounts behind them of late,
lest a block hurt people that nobody remembers, and groups last: many stand behind each.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.core.columns import US
from detectors.core.fusion import HALF_LIFE_US
from schemas.actor import Scope
from streams.pipeline.actors.sleepers import PRINCIPAL, Records, Sleepers, record
from streams.pipeline.actors.store import Actors
from streams.pipeline.actors.table import Column
from streams.pipeline.assess.release import Release
from streams.pipeline.assess.roster import Roster
from streams.pipeline.policy.decide import Decider
from streams.settings import Settings

PAIRS_PER_ACTOR: Final = 2
"""Members within groups that are remembered, for each of `actors_max`."""
_NATS_MAX: Final = 65_504.0
"""The largest number of 16 bits."""
_DAY_S: Final = 86_400
_WORTH: Final = 8
"""Places are given back when one in so many is empty: moving the rest costs about as much as making them did."""
_CLOCKS: Final = ("at_us", "seen_us")
"""Names under which a detector keeps the time of its ``sum``."""


@dataclass(slots=True)
class Turnover:
    """Actors that went and came back, ever."""

    forgotten: int = 0
    put_to_sleep: int = 0
    woken: int = 0
    evicted: int = 0
    """Sleepers that had to make room."""

    def add(self, other: "Turnover", less: "Turnover") -> None:
        """Count what ``other`` has beyond ``less``, an earlier copy of it."""
        for name, count in asdict(other).items():
            setattr(self, name, getattr(self, name) + count - getattr(less, name))


class Bounds:
    """Keeps one partition's memory within `[memory]`."""

    def __init__(
        self,
        settings: Settings,
        caps: Sequence[float],
        actors: Actors,
        release: Release,
        decider: Decider,
        roster: Roster,
    ) -> None:
        """``caps`` bound what each detector adds to the sum; the rest is all that knows actors by their slots."""
        self.reconfigure(settings, caps)
        self._actors, self._release, self._decider, self._roster = actors, release, decider, roster
        self.sleepers = Sleepers(len(caps))
        self.turnover = Turnover()

    def reconfigure(self, settings: Settings, caps: Sequence[float]) -> None:
        """Go by other settings from now on, with the caps of the same detectors."""
        self._memory, policy = settings.memory, settings.policy
        # What an incident, a block or a cooldown goes on for is remembered for as long.
        self._idle_s = max(self._memory.idle_s, policy.incident_close_s, policy.block_s, policy.cooldown_s)
        self._members_idle_s = min(self._memory.members_idle_s, self._idle_s)
        self._caps = caps

    def forget(self, now_us: int) -> None:
        """Forget all who were not seen for so long, at the begin of an epoch, once in `[model] lessons_s`."""
        now_s, actors = now_us // US, self._actors
        last_s = actors.columns["last_seen_s"][: len(actors)]
        idle = np.flatnonzero((last_s > 0) & (last_s < now_s - self._idle_s))
        if idle.size:
            actors.clear(idle)
            self._roster.forget(idle)
        asleep_no_more = self.sleepers.forget(now_s - self._idle_s)
        actors.touched.everything |= asleep_no_more > 0
        self.turnover.forgotten += idle.size + asleep_no_more
        kept = (last_s > 0) | self._in_use()
        if _WORTH * np.count_nonzero(~kept) > kept.size:
            self._keep(kept)
        self._forget_pairs(now_s - self._members_idle_s)

    def _forget_pairs(self, before_s: int) -> None:
        pairs = self._actors.pairs
        last_s = pairs.columns["last_seen_s"][: pairs.count]
        gone = np.flatnonzero((last_s > 0) & (last_s < before_s))
        pairs.clear(gone)
        self._actors.touched.pairs[gone] = True
        if _WORTH * np.count_nonzero(last_s == 0) > last_s.size:
            self._actors.keep_pairs(last_s > 0)

    def make_room(self) -> None:
        """Put actors to sleep if there are too many. Whoever comes next may pass the limit by one message's actors."""
        actors, most = self._actors, self._memory.actors_max
        if not most or len(actors) <= most:
            return
        in_use = self._in_use()
        kept = (actors.columns["last_seen_s"][: len(actors)] > 0) | in_use
        tired = self._unseen_longest(kept & ~in_use)[: max(int(np.count_nonzero(kept)) - most * 9 // 10, 0)]
        self.sleepers.add(actors.keys()[tired], self._records(tired))
        self.turnover.put_to_sleep += tired.size
        self.turnover.evicted += self.sleepers.evict(self._memory.sleeping_max)
        kept[tired] = False
        self._keep(kept)
        self._bound_pairs(PAIRS_PER_ACTOR * most)

    def _unseen_longest(self, eligible: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Slots in the order in which they may be put to sleep."""
        slots, c = np.flatnonzero(eligible), self._actors.columns
        last_s = c["last_seen_s"][slots]
        late = last_s > int(last_s.max(initial=0)) - _DAY_S
        shared = (c["scope"][slots] == Scope.IP.value) & (c["accounts_behind"][slots] > 0) & late
        place = np.where(c["scope"][slots] >= Scope.NET.value, 2, shared)
        # Ties go by key: slots are other ones after a restore.
        return slots[np.lexsort((self._actors.keys()[slots], last_s, place))]

    def _bound_pairs(self, most: int) -> None:
        pairs = self._actors.pairs
        if pairs.count <= most:
            return
        last_s = pairs.columns["last_seen_s"][: pairs.count]
        kept = np.ones(last_s.size, np.bool_)
        kept[np.lexsort((self._actors.pair_keys(), last_s))[: last_s.size - most * 9 // 10]] = False
        self._actors.keep_pairs(kept)

    def _in_use(self) -> NDArray[np.bool_]:
        """Slots that something outside of the actors names."""
        used = np.zeros(len(self._actors), np.bool_)
        for slots in self._release.slots():
            used[slots] = True
        used[self._decider.slots()] = True
        return used

    def _keep(self, kept: NDArray[np.bool_]) -> None:
        if kept.all():
            return
        renumbered = self._actors.keep(kept)
        self._release.renumber(renumbered)
        self._decider.renumber(renumbered)
        self._roster.renumber(renumbered)

    def _records(self, slots: NDArray[np.int64]) -> Records:
        c, records = self._actors.columns, np.zeros(slots.size, record(len(self._caps)))
        records["first_seen_s"] = c["first_seen_us"][slots] // US
        records["last_seen_s"] = c["last_seen_s"][slots]
        records["exposed"] = c["exposed"][slots]
        own = np.flatnonzero(self._actors.has_evidence(slots))
        records["what"][own] = PRINCIPAL
        places, at_us = self._actors.principal_places(slots[own]), records["last_seen_s"][own].astype(np.int64) * US
        fused = self._actors.principals.columns
        for d, state in enumerate(self._actors.principals.state.values()):
            nats, clock = (state["sum"], _clock(state)) if _is_sum(state) else (fused["nats"][:, d], fused["fused_us"])
            # By the half-life of the whole, though the part may have one of its own: no clock is kept for each.
            faded = nats[places] * 2.0 ** (-np.maximum(at_us - clock[places], 0) / HALF_LIFE_US)
            records["nats"][own, d] = np.clip(faded, 0.0, _NATS_MAX)
        return records

    def wake(self, keys: NDArray[np.uint64], slots: NDArray[np.int32]) -> None:
        """Give actors that have just been given ``slots`` what is known of them, if they slept."""
        if not self.sleepers.count or not keys.size:
            return
        keys, once = np.unique(keys, return_index=True)
        which, records = self.sleepers.wake(keys)
        woken, c = slots[once[which]].astype(np.int64), self._actors.columns
        self.turnover.woken += woken.size
        c["first_seen_us"][woken] = records["first_seen_s"].astype(np.int64) * US
        c["last_seen_s"][woken] = records["last_seen_s"]
        c["exposed"][woken] = records["exposed"]
        c["inexact"][woken] = True
        own = (records["what"] & PRINCIPAL) != 0
        self._restore_evidence(woken[own], records[own])

    def _restore_evidence(self, slots: NDArray[np.int64], records: Records) -> None:
        if not slots.size:
            return
        places, at_us = self._actors.principal_places(slots), records["last_seen_s"].astype(np.int64) * US
        fused = self._actors.principals.columns
        fused["fused_us"][places] = at_us
        for d, (state, cap) in enumerate(zip(self._actors.principals.state.values(), self._caps, strict=True)):
            nats = records["nats"][:, d]
            fused["nats"][places, d] = np.minimum(nats, cap)
            if _is_sum(state):
                state["sum"][places] = nats
                for clock in (_clock(state), state["since_us"]):
                    clock[places] = at_us

    @property
    def nbytes(self) -> int:
        """Bytes held of those who sleep."""
        return self.sleepers.nbytes

    def counts(self) -> dict[str, int]:
        """What the memory holds, and what went and came back."""
        actors = self._actors
        held = {"actors": len(actors), "asleep": self.sleepers.count, "bytes": actors.nbytes + self.nbytes}
        return held | asdict(self.turnover)


def _is_sum(state: dict[str, Column]) -> bool:
    """The detector keeps a fading sum of its own, from which its part follows."""
    return "sum" in state and "since_us" in state and any(name in state for name in _CLOCKS)


def _clock(state: dict[str, Column]) -> Column:
    return next(state[name] for name in _CLOCKS if name in state)
