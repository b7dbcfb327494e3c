"""Whose profiles an actor was shown: the request log, read again between two times.

The live stream keeps hashes of ids and forgets them; whoever must tell the members affected (GDPR, articles 33 and 34)
reads the log once more. Each row that a request gave the actor is found as observe finds it, and the id is the text in
the request whose hash the row has.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import unquote_to_bytes

import msgspec
import numpy as np
import xxhash
from numpy.typing import NDArray

from schemas.actor import Actor, Scope
from schemas.event_time import format_time
from schemas.request import RequestEvent
from schemas.sighting import Flag, Kind
from streams.enrichment import enrichment_of
from streams.inputs.reader import Reader, reader_of
from streams.offline.reading import Recording, open_all, read_all
from streams.pipeline.batch import Batch
from streams.pipeline.observe.observer import Observer
from streams.pipeline.sightings import Sightings, decode
from streams.robots import with_lists
from streams.settings import Settings
from streams.surfaces.setting import PROFILE, Surface

SHOWN: Final = (Kind.VIEW, Kind.SEARCH, Kind.LOOKUP, Kind.LIST)


class Member(msgspec.Struct):
    """One member whose profile was shown to the actor."""

    profile: str | None
    """Its id; None where no text of the requests has its hash."""
    key: str
    """XXH64 of the id, 16 hexadecimal digits."""
    first: str
    """Event time at which it was shown first."""
    last: str
    times: int
    """Responses that showed it."""


class Statement(msgspec.Struct):
    """How much of what there was to read has been read."""

    files: list[str]
    """Names without directories."""
    lines: int
    unreadable: int
    """Lines that are no request events."""
    log_begins: str | None
    """Event time of the earliest event; None without any."""
    log_ends: str | None
    covers: bool
    """The log begins before the span and ends after it."""
    members: int
    unnamed: int
    """Members of whom only the hash is known."""
    responses: int
    """Responses to the actor within the span that showed a profile."""
    served_while_blocked: int
    """The same while a block stood: an enforcer that did not know of it yet, or a log without enforcement."""


@dataclass(slots=True)
class Affected:
    """All that was found."""

    statement: Statement
    members: list[Member]
    """In order of their first time, then id."""
    requests: list[bytes]
    """The lines themselves, as they stand in the logs, file by file in order."""


@dataclass(slots=True)
class _Seen:
    first_us: int
    last_us: int
    times: int
    name: str | None


@dataclass(slots=True)
class _Search:
    actor: Actor
    spans: Sequence[tuple[int, int]]
    reader: Reader
    affixes: Collection[tuple[str, str]]
    seen: dict[int, _Seen] = field(default_factory=dict)
    requests: dict[tuple[int, int], bytes] = field(default_factory=dict)
    lines: int = 0
    unreadable: int = 0
    first_us: int | None = None
    last_us: int | None = None
    apart: set[tuple[int, int]] = field(default_factory=set)
    """Where the requests stand that were served between the spans."""

    def take(self, recording: Recording, batch: Batch, sightings: Sightings | None) -> None:
        self.lines += len(batch)
        if sightings is None or not len(sightings):
            return
        self._reach(sightings.time_us)
        rows = self._rows(sightings)
        time_us = sightings.time_us[rows]
        within = np.zeros(len(rows), np.bool_)
        for from_us, to_us in self.spans:
            within |= (time_us >= from_us) & (time_us <= to_us)
        for row in rows[within].tolist():
            self._note(recording, batch, sightings, row)
        offsets = sightings.offset[rows[~within]].tolist()
        self.apart.update((recording.partition, sightings.start + offset) for offset in offsets)

    def _reach(self, time_us: NDArray[np.int64]) -> None:
        earliest, latest = int(time_us.min()), int(time_us.max())
        self.first_us = earliest if self.first_us is None else min(self.first_us, earliest)
        self.last_us = latest if self.last_us is None else max(self.last_us, latest)

    def _rows(self, sightings: Sightings) -> NDArray[np.int64]:
        """Rows that showed the actor a profile from the first span to the last."""
        own = indexes_of(sightings, self.actor)
        if not own.size:
            return own
        time_us = sightings.time_us
        shown = np.isin(sightings.kind, SHOWN) & ((sightings.flags & Flag.MISS) == 0)
        within = (time_us >= self.spans[0][0]) & (time_us <= self.spans[-1][1])
        return np.flatnonzero(np.isin(sightings.actor, own) & shown & within)

    def _note(self, recording: Recording, batch: Batch, sightings: Sightings, row: int) -> None:
        offset = sightings.start + int(sightings.offset[row])
        place = recording.partition, offset
        value = self.requests.get(place)
        if value is None:
            value = self.requests[place] = _value_at(batch, offset)
        key, time_us = int(sightings.profile[row]), int(sightings.time_us[row])
        seen = self.seen.get(key)
        if seen is None:
            seen = self.seen[key] = _Seen(time_us, time_us, 0, None)
        seen.first_us, seen.last_us = min(seen.first_us, time_us), max(seen.last_us, time_us)
        seen.times += 1
        if seen.name is None:
            seen.name = self._name(value, key)

    def _name(self, value: bytes, key: int) -> str | None:
        events = (part.event for part in self.reader.parts(value) if part.event is not None)
        names = (name for event in events for name in ids_in(event, self.affixes))
        return next((name for name in names if hash_of(name) == key), None)


def affected(paths: Sequence[Path], settings: Settings, actor: Actor, spans: Sequence[tuple[int, int]]) -> Affected:
    """Members whose profiles ``actor`` was shown within ``spans``, by the logs at ``paths``.

    Spans are in us, in order, at least one, and hold both their ends.

    Raises:
        InputError: a log cannot be read.
    """
    origins, settings = enrichment_of(settings.enrich), with_lists(settings)
    observer = Observer(settings.input, settings.surfaces, 1, settings.bots, settings.groups, origins)
    search = _Search(actor, spans, reader_of(settings.input), affixes_of(settings.surfaces))
    recordings = open_all(paths)
    for recording, batch in read_all(recordings):
        observed = observer.observe(batch)
        recording.watermark_us = max(recording.watermark_us, observed.watermark_us)
        search.unreadable += len(observed.dead)
        search.take(recording, batch, None if observed.messages[0] is None else decode(observed.messages[0]))
    return _result(search, [path.name for path in paths])


def _result(search: _Search, files: list[str]) -> Affected:
    members = [
        Member(one.name, f"{key:016x}", format_time(one.first_us), format_time(one.last_us), one.times)
        for key, one in search.seen.items()
    ]
    members.sort(key=lambda member: (member.first, member.profile or "", member.key))
    begins, ends = search.first_us, search.last_us
    statement = Statement(
        files=files,
        lines=search.lines,
        unreadable=search.unreadable,
        log_begins=None if begins is None else format_time(begins),
        log_ends=None if ends is None else format_time(ends),
        covers=begins is not None and ends is not None and begins <= search.spans[0][0] and ends >= search.spans[-1][1],
        members=len(members),
        unnamed=sum(member.profile is None for member in members),
        responses=len(search.requests),
        served_while_blocked=len(search.apart - search.requests.keys()),
    )
    return Affected(statement, members, [value for _, value in sorted(search.requests.items())])


def hash_of(name: str) -> int:
    """XXH64 of an id, as sightings have it."""
    return xxhash.xxh64_intdigest(name.encode("utf-8", "surrogatepass"))


def affixes_of(surfaces: Sequence[Surface]) -> set[tuple[str, str]]:
    """What stands before and after an id, in a segment of a path or in a value of a query."""
    parts = [part for one in surfaces for part in re.split(r"[/?&]", one.path) if PROFILE in part]
    parts += [part.partition("=")[2] for one in surfaces for part in one.path.partition("?")[2].split("&")]
    halves = [part.partition(PROFILE) for part in parts]
    return {(before, after) for before, _, after in halves}


def ids_in(event: RequestEvent, affixes: Collection[tuple[str, str]] = frozenset({("", "")})) -> Iterator[str]:
    """All texts of a request that may be the id of a profile that it showed."""
    if event.target is not None:
        yield event.target
    yield from event.targets or ()
    values = [part.partition("=")[2].replace("+", " ") for part in re.split("[&;]", event.query or "")]
    for part in [*(event.path or "").split("/"), *values]:
        text = unquote_to_bytes(part).decode("utf-8", "replace")
        for before, after in affixes:
            if text.startswith(before) and text.endswith(after):
                yield text[len(before) : len(text) - len(after)]


def indexes_of(sightings: Sightings, actor: Actor) -> NDArray[np.int64]:
    """Indexes of the actor among those of a message; a session id may stand under several accounts."""
    scope = next((one for one in Scope if one.label == actor.scope), None)
    if scope is None:
        return np.zeros(0, np.int64)
    ends = sightings.actor_text_end.astype(np.int64)
    sizes = np.diff(ends, prepend=0)
    wanted = actor.value.encode()
    likely = np.flatnonzero((sightings.actor_scope == scope) & (sizes == len(wanted)))
    own = [at for at in likely.tolist() if sightings.actor_text[ends[at] - len(wanted) : ends[at]] == wanted]
    return np.array(own, np.int64)


def _value_at(batch: Batch, offset: int) -> bytes:
    at = offset - batch.lo if batch.offsets is None else int(np.searchsorted(batch.offsets, offset))
    return batch.values[at] or b""
