"""What authorised collectors took, day by day: counted from sightings, wherever these come from, and what was decided.

Days are those of the calendar, UTC. A collector is the actor that its entry names and nobody else, as policy has it.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.actor import Actor, Scope
from schemas.alert import Alert
from schemas.block import Block
from schemas.collector_day import CollectorDay, Decided, Surfaces
from schemas.event_time import format_time
from schemas.sighting import Flag, Kind
from streams.offline.affected import SHOWN, indexes_of
from streams.offline.collectors import NOT_COUNTED, order
from streams.pipeline.sightings import Sightings
from streams.settings import Collector

DAY_US: Final = 86_400_000_000
_NAMED: Final = {Kind.VIEW: "view", Kind.SEARCH: "search", Kind.LOOKUP: "lookup", Kind.LIST: "list"}
_PRINCIPALS: Final = (Scope.ACCOUNT.label, Scope.SESSION.label)


@dataclass(slots=True)
class Count:
    """What one actor took on one day."""

    requests: int = 0
    surfaces: dict[str, int] = field(default_factory=dict)
    profiles: set[int] = field(default_factory=set)


@dataclass(slots=True)
class Reach:
    """How much of the time the sightings tell of."""

    from_us: int
    """From here on nothing is missing."""
    to_us: int
    """Up to here, exclusive."""
    heard: set[date] | None = None
    """Days on which anybody asked for anything; None where a day without is no sign of a hole."""

    def missing(self, day: date) -> list[str]:
        """What of a day they do not tell, in words."""
        begin_us, end_us = span_us(day)
        if self.to_us <= begin_us or self.from_us >= end_us:
            return [NOT_COUNTED]
        found = []
        if self.from_us > begin_us:
            found.append(f"what came before {format_time(self.from_us)}")
        if self.to_us < end_us:
            found.append(f"what came after {format_time(self.to_us)}")
        if self.heard is not None and day not in self.heard:
            found.append("nobody at all asked for anything: is a log missing?")
        return found


class Counter:
    """Counts for the collectors that it was asked about."""

    def __init__(self, actors: Iterable[str]) -> None:
        """Of actors as ``scope:value``."""
        self._actors = {key: Actor(*key.split(":", 1)) for key in actors}
        self._counts: dict[tuple[str, date], Count] = {}
        self._applied: dict[tuple[int, str, int], int] = {}
        self.heard: set[date] = set()

    def take(self, sightings: Sightings, destination: int = 0) -> None:
        """Count a message; what an earlier one to the same destination told is left out, as assess leaves it out."""
        source = destination, sightings.topic, sightings.partition
        before = self._applied.get(source, sightings.lo)
        self._applied[source] = max(before, sightings.hi)
        fresh = sightings.start + sightings.offset.astype(np.int64) >= before
        days = sightings.time_us // DAY_US
        self.heard |= {_EPOCH + timedelta(days=int(day)) for day in np.unique(days[fresh])}
        for key, actor in self._actors.items():
            rows = fresh & np.isin(sightings.actor, indexes_of(sightings, actor)) & (sightings.kind != Kind.TOUCH)
            if actor.scope not in _PRINCIPALS:
                rows &= (sightings.flags & Flag.LOGGED_IN) == 0
            for day in np.unique(days[rows]).tolist():
                self._add(key, _EPOCH + timedelta(days=day), sightings, rows & (days == day))

    def _add(self, key: str, day: date, sightings: Sightings, rows: NDArray[np.bool_]) -> None:
        count = self._counts.setdefault((key, day), Count())
        offset, kind = sightings.offset[rows], sightings.kind[rows]
        shown = np.isin(kind, SHOWN) & ((sightings.flags[rows] & Flag.MISS) == 0)
        count.profiles |= set(sightings.profile[rows][shown].tolist())
        count.requests += len(np.unique(offset))
        asked = {name: np.unique(offset[kind == one]) for one, name in _NAMED.items()}
        queries = np.unique(offset[kind == Kind.QUERY])
        asked["empty"] = queries[~np.isin(queries, offset[kind != Kind.QUERY])]
        for name, offsets in asked.items():
            count.surfaces[name] = count.surfaces.get(name, 0) + len(offsets)

    def of(self, key: str, day: date) -> Count:
        """What a collector took on a day."""
        return self._counts.get((key, day), Count())


_EPOCH: Final = date(1970, 1, 1)


def span_us(day: date) -> tuple[int, int]:
    """Microseconds ``[from, to)`` of a day."""
    begin = (day - _EPOCH).days * DAY_US
    return begin, begin + DAY_US


def day_at(time_us: int) -> date:
    """The day of a time."""
    return datetime.fromtimestamp(time_us // 1_000_000, UTC).date()


def entry_on(entries: Sequence[Collector], day: date) -> Collector:
    """The entry of one collector that counts on a day: the largest quota in force, else the one that ended last."""
    in_force = [entry for entry in entries if day <= entry.expires]
    if in_force:
        return max(in_force, key=lambda entry: entry.profiles_per_day)
    return max(entries, key=lambda entry: entry.expires)


def counted(entry: Collector, day: date, count: Count, decided: Sequence[Decided], missing: list[str]) -> CollectorDay:
    """The record of one collector on one day."""
    begin, end = (format_time(time_us) for time_us in span_us(day))
    return CollectorDay(
        actor=entry.actor,
        day=day.isoformat(),
        owner=entry.owner,
        reason=entry.reason,
        expires=entry.expires.isoformat(),
        quota=entry.profiles_per_day,
        requests=count.requests,
        profiles=len(count.profiles),
        surfaces=Surfaces(**count.surfaces),
        decided=[one for one in decided if begin <= one.at < end],
        missing=missing,
    )


def by_actor(collectors: Iterable[Collector]) -> dict[str, list[Collector]]:
    """Entries of the configuration by whom they name."""
    found: dict[str, list[Collector]] = {}
    for entry in collectors:
        found.setdefault(entry.actor, []).append(entry)
    return found


def decided_on(actors: Collection[str], alerts: Iterable[Alert], blocks: Iterable[Block]) -> dict[str, list[Decided]]:
    """Alerts and blocks by the collector that they are on; of its incidents also what was blocked in its place."""
    found: dict[str, dict[str, Decided]] = {actor: {} for actor in actors}
    incidents: dict[str, str] = {}
    for alert in alerts:
        if alert.actor.key in found:
            incidents[alert.incident] = alert.actor.key
            names = ", ".join(one.detector for one in alert.findings)
            what = f"alert {alert.status}, {alert.severity}, {alert.mode}" + (f": {names}" if names else "")
            found[alert.actor.key][alert.id] = Decided(alert.id, alert.incident, alert.event_time, what)
    for block in blocks:
        actor = block.actor.key if block.actor.key in found else incidents.get(block.incident)
        if actor is not None:
            what = f"{block.action} on {block.actor.key}, {block.mode}, {block.status}, until {block.until}"
            found[actor][block.id] = Decided(block.id, block.incident, block.event_time, what)
    return {actor: sorted(said.values(), key=order) for actor, said in found.items()}
