"""Observe: from a batch of raw records to one message of sightings for each destination partition."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.sighting import VERSION, SightingBatch
from streams.pipeline.batch import Batch
from streams.pipeline.observe.address import read_addresses
from streams.pipeline.observe.disclosure import Disclosures, Outcome, disclose
from streams.pipeline.observe.event_time import check_skew, read_times
from streams.pipeline.observe.events import ABSENT, Events, Fault, Field, unpack
from streams.pipeline.observe.fan_out import Named, Rows, Tiers, fan_out
from streams.pipeline.observe.reading import Dead, Reading, dead_letter, read
from streams.pipeline.observe.surface import compile_patterns, match
from streams.settings import InputSettings, Surface

_ENCODER: Final = msgspec.msgpack.Encoder()
_UNKNOWN_US: Final = -1


class Counts(msgspec.Struct, frozen=True, gc=False):
    """Records of a batch by outcome, which add up to `records`; see `Outcome`."""

    records: int
    disclosed: int
    missed: int
    asked: int
    denied: int
    other: int
    dead: int
    profiles: int
    """Profiles that were disclosed; a profile counts once for each response."""
    rows: int
    """Sightings, over all destinations."""
    cut: int
    """Elements of `weir.targets` beyond what one response is taken to disclose."""


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

    def progress(self) -> bytes:
        """The message for a destination without sightings: it moves offset and watermark on."""
        return _empty(self.topic, self.partition, self.lo, self.hi, self.watermark_us, idle=False)


def idle_progress(topic: str, partition: int, position: int) -> bytes:
    """The message for all destinations of a source partition that has nothing beyond offset ``position`` for now."""
    return _empty(topic, partition, position, position, _UNKNOWN_US, idle=True)


class Observer:
    """Makes sightings of batches, one after the other or from several threads; a batch's result hangs on it alone."""

    def __init__(self, settings: InputSettings, surfaces: Sequence[Surface], destinations: int) -> None:
        """Args: ``destinations`` is the number of partitions of the activity topic.

        Raises:
            ConfigError: a surface's path is no pattern.
        """
        self._settings: Final = settings
        self._patterns: Final = compile_patterns(surfaces)
        self._destinations: Final = destinations

    def observe(self, batch: Batch) -> Observed:
        """Sightings, dead letters and counts of a batch. Whatever the records hold, it raises nothing."""
        reading = read(batch, self._settings.record_max_bytes)
        events = unpack(reading.packed, len(reading.records))
        time_us = self._check(batch, reading, events)
        shown = disclose(self._patterns, events, match(self._patterns, events))
        rows, named, tiers = fan_out(events, shown, time_us, _offsets(batch, reading), self._destinations)
        watermark_us = int(time_us[events.fault == Fault.NONE].max(initial=_UNKNOWN_US))
        dead = _dead_letters(batch, reading, events)
        return Observed(
            batch.topic,
            batch.partition,
            batch.lo,
            batch.hi,
            watermark_us,
            _encode(batch, watermark_us, rows, named, _tier_names(events, tiers)),
            dead,
            _count(shown, len(rows.actor), len(batch), len(dead)),
        )

    def _check(self, batch: Batch, reading: Reading, events: Events) -> NDArray[np.int64]:
        """Event times; sets the fault of what is no event."""
        time_us = read_times(events, reading.records)
        skew_max_s, ahead_max_s = self._settings.time_skew_max_s, self._settings.time_ahead_max_s
        if batch.timestamps_ms is not None and skew_max_s > 0:
            check_skew(events, time_us, batch.timestamps_ms[reading.index], skew_max_s, ahead_max_s)
        nobody = (events.size[:, [Field.ADDRESS, Field.USER, Field.SESSION]] == ABSENT).all(axis=1)
        events.fault[nobody & (events.fault == Fault.NONE)] = Fault.NOBODY
        read_addresses(events, reading.records)
        return time_us


def _offsets(batch: Batch, reading: Reading) -> NDArray[np.int64]:
    """Source offset of each event minus ``lo``."""
    return reading.index if batch.offsets is None else batch.offsets[reading.index] - batch.lo


def _dead_letters(batch: Batch, reading: Reading, events: Events) -> list[Dead]:
    rows = np.flatnonzero(events.fault)
    if len(rows) == 0:
        return reading.dead
    found = (dead_letter(batch, int(reading.index[row]), Fault(events.fault[row])) for row in rows)
    return sorted([*reading.dead, *found], key=lambda dead: dead.index)


def _tier_names(events: Events, tiers: Tiers) -> list[str]:
    spans = zip(events.start[tiers.event, Field.TIER], events.size[tiers.event, Field.TIER], strict=True)
    return ["", *(events.text[start : start + size].tobytes().decode() for start, size in spans)]


def _count(shown: Disclosures, rows: int, records: int, dead: int) -> Counts:
    by = np.bincount(shown.outcome, minlength=len(Outcome)).tolist()
    return Counts(
        records=records,
        disclosed=by[Outcome.DISCLOSED],
        missed=by[Outcome.MISSED],
        asked=by[Outcome.ASKED],
        denied=by[Outcome.DENIED],
        other=by[Outcome.OTHER],
        dead=dead,
        profiles=len(shown.profile) - by[Outcome.MISSED],
        rows=rows,
        cut=int(shown.cut.sum()),
    )


def _encode(batch: Batch, watermark_us: int, rows: Rows, named: Named, tiers: list[str]) -> list[bytes | None]:
    return [
        None
        if rows.first[owner] == rows.first[owner + 1]
        else _ENCODER.encode(_message(batch, watermark_us, rows, named, tiers, owner))
        for owner in range(len(rows.first) - 1)
    ]


def _message(batch: Batch, watermark_us: int, rows: Rows, named: Named, tiers: list[str], owner: int) -> SightingBatch:
    row, actor, text = (
        slice(int(first[owner]), int(first[owner + 1])) for first in (rows.first, named.first, named.text_first)
    )
    return SightingBatch(
        version=VERSION,
        topic=batch.topic,
        partition=batch.partition,
        lo=batch.lo,
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
    )


def _empty(topic: str, partition: int, lo: int, hi: int, watermark_us: int, *, idle: bool) -> bytes:
    return _ENCODER.encode(SightingBatch(VERSION, topic, partition, lo, hi, watermark_us, idle, [""], *[b""] * 13))
