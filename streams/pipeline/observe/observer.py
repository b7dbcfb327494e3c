"""Observe: from a batch of raw records to one message of sightings for each destination partition."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.sighting import VERSION, Kind, Progress, SightingBatch
from streams.inputs.reader import reader_of
from streams.pipeline.batch import Batch
from streams.pipeline.observe.adapted import read_any
from streams.pipeline.observe.address import read_addresses
from streams.pipeline.observe.bot import compile_bots, recognise
from streams.pipeline.observe.combination import combine, compile_groups
from streams.pipeline.observe.detail import details
from streams.pipeline.observe.disclosure import Disclosures, Outcome, disclose
from streams.pipeline.observe.event_time import check_skew, read_created, read_times
from streams.pipeline.observe.events import ABSENT, FINGERPRINT_MAX, Events, Fault, Field
from streams.pipeline.observe.fan_out import FannedOut, Tiers, fan_out
from streams.pipeline.observe.origin import Origins, add_origins
from streams.pipeline.observe.reading import CANONICAL, Dead, Reading, dead_letter, read
from streams.pipeline.observe.surface import compile_patterns, match
from streams.pipeline.observe.telling import UNKNOWN_US, Since
from streams.settings import Bot, Group, InputSettings
from streams.surfaces.setting import Surface

_ENCODER: Final = msgspec.msgpack.Encoder()
_COLUMNS: Final = len(SightingBatch.__struct_fields__) - SightingBatch.__struct_fields__.index("tiers") - 1


class Counts(msgspec.Struct, frozen=True, gc=False):
    """Records of a batch by outcome, which add up to `records`; see `Outcome`. Of one that holds several, its parts."""

    records: int
    disclosed: int
    missed: int
    asked: int
    denied: int
    other: int
    exempt: int
    dead: int
    profiles: int
    """Profiles that were disclosed; a profile counts once for each response."""
    rows: int
    """Sightings, over all destinations."""
    cut: int
    """Elements of `weir.targets` beyond what one response is taken to disclose."""
    cut_responses: int
    """Responses that such elements were cut from."""
    created_ahead: int
    """Events of accounts that would be made after them: their age is unknown."""
    tiers_cut: int
    """Events whose tier is one too many for the batch, so the unnamed one."""
    long_fingerprints: int
    """Events whose fingerprint is too long to be told by network."""
    skipped: int = 0
    """What tells of no request, as a line of an error log."""

    def caution(self) -> dict[str, int]:
        """What was left out of the batch, and of how many."""
        return {
            "targets_cut": self.cut,
            "responses_cut": self.cut_responses,
            "created_ahead": self.created_ahead,
            "tiers_cut": self.tiers_cut,
            "long_fingerprints": self.long_fingerprints,
        }


@dataclass(frozen=True, slots=True)
class Observed:
    """What came of one batch."""

    topic: str
    partition: int
    lo: int
    hi: int
    """The batch covers the source offsets ``[lo, hi)`` whole."""
    watermark_us: int
    """Highest event time in the batch; -1 if it holds no event."""
    messages: list[bytes | None]
    """An encoded `SightingBatch` for each destination; None for one that no sighting goes to."""
    dead: list[Dead]
    """In the order of the batch."""
    counts: Counts
    formats: Mapping[str, int] = field(default_factory=dict)
    """Events by the format that they came in; none where all are canonical."""

    def told(self) -> list[bytes]:
        """A message for each destination, where each batch is told to all of them at once."""
        return [self.progress() if message is None else message for message in self.messages]

    def progress(self) -> bytes:
        """The message for a destination without sightings, where each batch is told at once."""
        return progress_of([Progress(self.topic, self.partition, self.lo, self.hi, self.watermark_us, idle=False)])


def idle_progress(topic: str, partition: int, position: int) -> bytes:
    """The message for all destinations of a source partition that has nothing beyond offset ``position`` for now."""
    return progress_of([Progress(topic, partition, position, position, UNKNOWN_US, idle=True)])


def progress_of(words: Sequence[Progress]) -> bytes:
    """The message without sightings that says how far at least one source partition is."""
    first, *others = words
    covered = first.topic, first.partition, first.lo, first.hi, first.hi
    empty = [b""] * _COLUMNS
    return _ENCODER.encode(SightingBatch(VERSION, others, *covered, first.watermark_us, first.idle, [""], *empty))


class Observer:
    """Makes sightings of batches, one after the other or from several threads; a batch's result hangs on it alone."""

    def __init__(
        self,
        settings: InputSettings,
        surfaces: Sequence[Surface],
        destinations: int,
        bots: Sequence[Bot] = (),
        groups: Sequence[Group] = (),
        origins: Origins | None = None,
    ) -> None:
        """Args: ``destinations`` is the number of partitions of the activity topic; ``origins`` knows addresses.

        Raises:
            ConfigError: a surface's path is no pattern.
        """
        self._settings: Final = settings
        self._reader: Final = reader_of(settings)
        self._patterns: Final = compile_patterns(surfaces)
        self._bots = compile_bots(bots)
        self._combinations: Final = compile_groups(groups)
        self._destinations: Final = destinations
        self._origins: Final = origins

    def know(self, bots: Sequence[Bot]) -> None:
        """Go by other robots from the next batch on."""
        self._bots = compile_bots(bots)

    def observe(self, batch: Batch, since: Since | None = None) -> Observed:
        """Sightings, dead letters and counts of a batch. Whatever the records hold, it raises nothing.

        Messages begin where each destination was told up to, ``since``; where this batch does, if that is None.
        """
        reading = self._read(batch)
        events = reading.events
        time_us, created_s, ahead = self._check(batch, reading, events)
        asked = match(self._patterns, events)
        found = details(self._patterns, events, asked)
        exempt = recognise(self._bots, events, time_us)
        shown = disclose(self._patterns, events, asked, found.query, exempt)
        events = combine(self._combinations, events, np.diff(shown.first) > 0)
        out = fan_out(events, shown, found, time_us, created_s, _offsets(batch, reading), self._destinations)
        watermark_us = int(time_us[events.fault == Fault.NONE].max(initial=UNKNOWN_US))
        dead = _dead_letters(batch, reading, events)
        return Observed(
            batch.topic,
            batch.partition,
            batch.lo,
            batch.hi,
            watermark_us,
            _encode(batch, watermark_us, since, out, _tier_names(events, out.tiers)),
            dead,
            _count(events, shown, out, ahead, len(dead), len(reading.dead), reading.skipped),
            Counter(reading.names),
        )

    def _read(self, batch: Batch) -> Reading:
        most = self._settings.record_max_bytes
        return read(batch, most) if self._settings.format == CANONICAL else read_any(batch, most, self._reader)

    def _check(
        self, batch: Batch, reading: Reading, events: Events
    ) -> tuple[NDArray[np.int64], NDArray[np.uint32], NDArray[np.bool_]]:
        """Event times, when accounts were made and which of them later; sets the fault of what is no event."""
        time_us = read_times(events, reading.records)
        skew_max_s, ahead_max_s = self._settings.time_skew_max_s, self._settings.time_ahead_max_s
        if batch.timestamps_ms is not None and skew_max_s > 0:
            check_skew(events, time_us, batch.timestamps_ms[reading.index], skew_max_s, ahead_max_s)
        nobody = (events.size[:, [Field.ADDRESS, Field.USER, Field.SESSION]] == ABSENT).all(axis=1)
        events.fault[nobody & (events.fault == Fault.NONE)] = Fault.NOBODY
        created_s, ahead = read_created(events, reading.records, time_us)
        read_addresses(events, reading.records)
        add_origins(self._origins, events)
        return time_us, created_s, ahead


def _offsets(batch: Batch, reading: Reading) -> NDArray[np.int64]:
    """Source offset of each event minus ``lo``."""
    return reading.index if batch.offsets is None else batch.offsets[reading.index] - batch.lo


def _dead_letters(batch: Batch, reading: Reading, events: Events) -> list[Dead]:
    rows = np.flatnonzero(events.fault)
    if len(rows) == 0:
        return reading.dead
    found = (dead_letter(batch, reading, row, Fault(events.fault[row])) for row in rows.tolist())
    return sorted([*reading.dead, *found], key=lambda dead: dead.index)


def _tier_names(events: Events, tiers: Tiers) -> list[str]:
    spans = zip(events.start[tiers.event, Field.TIER], events.size[tiers.event, Field.TIER], strict=True)
    return ["", *(events.text[start : start + size].tobytes().decode() for start, size in spans)]


def _count(
    events: Events,
    shown: Disclosures,
    out: FannedOut,
    ahead: NDArray[np.bool_],
    dead: int,
    unread: int,
    skipped: int,
) -> Counts:
    sound = (events.fault == Fault.NONE) & (shown.outcome != Outcome.EXEMPT)
    unnamed = (out.tiers.of == 0) & (events.size[:, Field.TIER] != ABSENT) & (np.diff(shown.first) > 0)
    long = events.size[:, Field.FINGERPRINT] > FINGERPRINT_MAX
    by = np.bincount(shown.outcome, minlength=len(Outcome)).tolist()
    return Counts(
        records=len(events.fault) + unread + skipped,
        disclosed=by[Outcome.DISCLOSED],
        missed=by[Outcome.MISSED],
        asked=by[Outcome.ASKED],
        denied=by[Outcome.DENIED],
        other=by[Outcome.OTHER],
        exempt=by[Outcome.EXEMPT],
        dead=dead,
        profiles=int(np.count_nonzero(shown.kind < Kind.TOUCH)) - by[Outcome.MISSED],
        rows=len(out.rows.actor),
        cut=int(shown.cut.sum()),
        cut_responses=int(np.count_nonzero(shown.cut)),
        created_ahead=int(np.count_nonzero(ahead & sound)),
        tiers_cut=int(np.count_nonzero(unnamed)),
        long_fingerprints=int(np.count_nonzero(long & sound)),
        skipped=skipped,
    )


def _encode(
    batch: Batch, watermark_us: int, since: Since | None, out: FannedOut, tiers: list[str]
) -> list[bytes | None]:
    first = out.rows.first
    told = [batch.lo] * (len(first) - 1) if since is None else since.told
    latest_us = watermark_us if since is None else max(watermark_us, since.watermark_us)
    return [
        None
        if first[owner] == first[owner + 1]
        else _ENCODER.encode(_message(batch, latest_us, told[owner], out, tiers, owner))
        for owner in range(len(first) - 1)
    ]


def _message(batch: Batch, watermark_us: int, told: int, out: FannedOut, tiers: list[str], owner: int) -> SightingBatch:
    rows, known, named, members = out.rows, out.known, out.named, out.members
    row, detail, actor, text, member, member_text = (
        slice(int(first[owner]), int(first[owner + 1]))
        for first in (rows.first, known.first, named.first, named.text_first, members.first, members.text_first)
    )
    return SightingBatch(
        version=VERSION,
        others=[],
        topic=batch.topic,
        partition=batch.partition,
        lo=told,
        start=batch.lo,
        hi=batch.hi,
        watermark_us=watermark_us,
        idle=False,
        tiers=tiers,
        actor_key=named.key[actor].tobytes(),
        actor_scope=named.scope[actor].tobytes(),
        actor_text=named.text[text].tobytes(),
        actor_text_end=named.text_end[actor].tobytes(),
        actor=rows.actor[row].tobytes(),
        time_us=rows.time_us[row].tobytes(),
        offset=rows.offset[row].tobytes(),
        ordinal=rows.ordinal[row].tobytes(),
        kind=rows.kind[row].tobytes(),
        flags=rows.flags[row].tobytes(),
        tier=rows.tier[row].tobytes(),
        profile=rows.profile[row].tobytes(),
        principal=rows.principal[row].tobytes(),
        number=known.number[detail].tobytes(),
        address=known.address[detail].tobytes(),
        asn=known.asn[detail].tobytes(),
        created_s=known.created_s[detail].tobytes(),
        country=known.country[detail].tobytes(),
        agent=known.agent[detail].tobytes(),
        shown=known.shown[detail].tobytes(),
        member_key=members.key[member].tobytes(),
        member_scope=members.scope[member].tobytes(),
        member_text=members.text[member_text].tobytes(),
        member_text_end=members.text_end[member].tobytes(),
    )
