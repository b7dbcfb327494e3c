"""Operators' overrides as deciders heed them: whom nothing may be enforced against, and whose word counts no more.

Live, what has come is in force at once and ends by its `until`: clocks differ, and an operator does not wait for the
stream. In a replay each is in force from its `since` on, in event time, so that what would have been can be tried. So
it is where a partition judges once more what was decided before: an override of today was not in force then.

An operator's block stands in a network that is allowed: the word on exactly an actor is the operator's last one on it.
What Weir itself decides is spared there all the same.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_network
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.actor import Actor, Scope
from schemas.errors import RecordError
from schemas.event_time import parse_time_us
from schemas.override import EVERYTHING, Override, OverrideKind
from streams.pipeline.observe.bot import edges

NEVER: Final = 1 << 62
SPARING: Final = (OverrideKind.ALLOW, OverrideKind.UNBLOCK)
ADDRESSED: Final = frozenset({Scope.IP.label, Scope.NET.label})
_SCOPES: Final = frozenset(scope.label for scope in Scope)


class Entry(NamedTuple):
    """One override and when it is in force: half-open, in us."""

    override: Override
    since_us: int
    until_us: int

    def holds(self, time_us: int) -> bool:
        """It is in force."""
        return self.since_us <= time_us < self.until_us


class Stage(NamedTuple):
    """What overrides have come to; another one means that what stands must be looked at again."""

    version: int
    begun: int
    """How many of them have begun."""


class Overrides:
    """All overrides that a worker has read, or that a replay is given."""

    def __init__(self, records: Iterable[Override] = (), *, at_once: bool = False) -> None:
        """Begin with ``records``; ``at_once`` puts each in force as it comes, whatever its `since` says.

        Raises:
            RecordError: see `take`.
        """
        self.in_time = Overrides() if at_once else self
        """The same, each in force from its `since` on."""
        self.version = 0
        """Grows with each change."""
        self.at_once = at_once
        self._entries: dict[OverrideKind, dict[str, Entry]] = {kind: {} for kind in OverrideKind}
        self._spans: tuple[list[Entry], NDArray[np.int64]] | None = None
        """Addresses of those that spare one: sort, first and last address, begin and end."""
        self._begins: list[int] | None = None
        for record in records:
            self.take(record.key, record)

    def take(self, key: str, override: Override | None) -> None:
        """Let ``override`` be what is known under its key; None takes back what was.

        Raises:
            RecordError: the key is another's, its times or its actor's scope are none, or an address is none; nothing
                is changed.
        """
        entry = None if override is None else self._entry(key, override)
        if self.in_time is not self:
            self.in_time.take(key, override)
        for entries in self._entries.values():
            entries.pop(key, None)
        if entry is not None:
            self._entries[entry.override.kind][key] = entry
        self.version += 1
        self._spans = self._begins = None

    def _entry(self, key: str, override: Override) -> Entry:
        if override.key != key:
            raise RecordError("$", "the key of the record is another's")
        if override.actor is not None:
            _require_actor(override.actor)
        try:
            since_us = parse_time_us(override.since)
            until_us = NEVER if override.until is None else parse_time_us(override.until)
        except ValueError as error:
            raise RecordError("$.until", str(error)) from error
        return Entry(override, -NEVER if self.at_once else since_us, until_us)

    def under(self, key: str, time_us: int) -> Override | None:
        """What is in force under a key."""
        held = (_held(entries, key, time_us) for entries in self._entries.values())
        return next((found for found in held if found is not None), None)

    def all(self) -> list[Entry]:
        """Everything, what has ended too."""
        return [entry for entries in self._entries.values() for entry in entries.values()]

    def stage(self, time_us: int) -> Stage:
        """What has come by ``time_us``."""
        return Stage(self.version, bisect_right(self._sorted(), time_us))

    def next_us(self, time_us: int) -> int:
        """When the next one begins after ``time_us``; `NEVER` when none does."""
        begins = self._sorted()
        place = bisect_right(begins, time_us)
        return begins[place] if place < len(begins) else NEVER

    def _sorted(self) -> list[int]:
        if self._begins is None:
            self._begins = sorted(entry.since_us for entry in self.all())
        return self._begins

    def orders(self, time_us: int) -> list[Override]:
        """Operators' blocks in force; none while all enforcement is off."""
        if self.switched_off(EVERYTHING, time_us):
            return []
        found = self._entries[OverrideKind.BLOCK].values()
        return [entry.override for entry in found if entry.holds(time_us)]

    def ordered(self, actor: Actor, time_us: int) -> Override | None:
        """The operator's block on exactly this actor, if one is in force."""
        found = _held(self._entries[OverrideKind.BLOCK], actor.key, time_us)
        return None if found is None or self.switched_off(EVERYTHING, time_us) else found

    def spares(self, named: Sequence[Actor], time_us: int) -> Override | None:
        """What forbids to enforce anything against an actor; ``named`` is the actor, and then what it lies within.

        An address or network stands for all that it shares an address with, as in `exemption`.
        """
        for kind in SPARING:
            for actor in named:
                found = _held(self._entries[kind], actor.key, time_us)
                if found is not None:
                    return found
        return next((found for actor in named for found in self.touching(actor, time_us)), None)

    def touching(self, actor: Actor, time_us: int) -> list[Override]:
        """What spares an address that the actor, an address or network, shares."""
        if actor.scope not in ADDRESSED:
            return []
        entries, spans = self._sparing_spans()
        if not entries:
            return []
        sort, low, high = edges(actor.value)
        sorts, lows, highs, since_us, until_us = spans.T
        hit = (sorts == sort) & (lows <= high) & (low <= highs) & (since_us <= time_us) & (time_us < until_us)
        return [entries[place].override for place in np.flatnonzero(hit).tolist()]

    def _sparing_spans(self) -> tuple[list[Entry], NDArray[np.int64]]:
        if self._spans is None:
            found: list[Entry] = []
            rows: list[tuple[int, ...]] = []
            for kind in SPARING:
                for entry in self._entries[kind].values():
                    actor = entry.override.actor
                    if actor is not None and actor.scope in ADDRESSED:
                        found.append(entry)
                        rows.append((*edges(actor.value), entry.since_us, entry.until_us))
            self._spans = found, np.array(rows, np.int64).reshape(-1, 5)
        return self._spans

    def switched_off(self, detector: str, time_us: int) -> Override | None:
        """The kill switch of exactly this detector, or of `EVERYTHING`, if it is on."""
        return _held(self._entries[OverrideKind.KILL_SWITCH], f"kill_switch:{detector}", time_us)

    def off(self, config: str, time_us: int) -> frozenset[str]:
        """Detectors that may not enforce under a revision; `EVERYTHING` among them stands for all."""
        switches = self._entries[OverrideKind.KILL_SWITCH].values()
        found = {entry.override.detector or EVERYTHING for entry in switches if entry.holds(time_us)}
        return frozenset(found | {EVERYTHING} if self.revoked(config, time_us) else found)

    def revoked(self, config: str, time_us: int) -> Override | None:
        """What takes back the blocks of a config revision."""
        return _held(self._entries[OverrideKind.REVOKE], f"revoke:{config}", time_us)

    def against(self, named: Sequence[Actor], detectors: Iterable[str], config: str, time_us: int) -> Override | None:
        """Why a block must end that stands on the word of ``detectors`` and was decided under ``config``."""
        for detector in (EVERYTHING, *detectors):
            found = self.switched_off(detector, time_us)
            if found is not None:
                return found
        return self.revoked(config, time_us) or self.spares(named, time_us)


def _held(entries: Mapping[str, Entry], key: str, time_us: int) -> Override | None:
    entry = entries.get(key)
    return entry.override if entry is not None and entry.holds(time_us) else None


def _require_actor(actor: Actor) -> None:
    if actor.scope not in _SCOPES:
        raise RecordError("$.actor.scope", "there is no such scope")
    if actor.scope in ADDRESSED:
        try:
            ip_network(actor.value, strict=False)
        except ValueError as error:
            raise RecordError("$.actor.value", "neither an address nor a range") from error
