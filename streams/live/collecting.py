"""What authorised collectors took, from a broker: sightings while they are kept, and days that were counted before.

Sightings are kept for two days, requests perhaps for a week. So what an auditor asks for at the end of a month is
counted day by day (``weir collectors count``) and kept in the audit, which stays for more than a year.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, NamedTuple

import numpy as np
import xxhash

from detectors.core.hashing import destination, of_scope
from schemas import topic
from schemas.actor import Scope
from schemas.audit import AUDIT_CODEC, Audit, AuditKind
from schemas.collector_day import CollectorDay
from schemas.event_time import format_time
from schemas.identity import stable_id
from schemas.sighting import Progress
from streams import config
from streams.clock import Clock
from streams.live.access import name_of
from streams.live.decided import Readable, decisions
from streams.live.operating import OnKafka
from streams.live.topics import partitions
from streams.live.whole_topic import beginnings, records
from streams.offline.collecting import (
    DAY_US,
    Counter,
    Reach,
    by_actor,
    counted,
    decided_on,
    entry_on,
    span_us,
)
from streams.outputs.cloudevents import audit_record
from streams.pipeline.sightings import Sightings, decode
from streams.settings import Collector, KafkaSettings, Settings

MARGIN_US: Final = 3_600_000_000
"""How far a record's time may lie behind that of its event: clocks of shippers run ahead."""
SETTLED_US: Final = 60_000_000
"""How long after its end a day's last events may come in: beyond the allowed lateness."""
LATEST: Final = (1 << 62) // DAY_US * DAY_US


@dataclass(slots=True)
class Words:
    """How far each source partition is known to be, in one partition of the sightings."""

    first_us: dict[tuple[str, int], int] = field(default_factory=dict)
    last_us: dict[tuple[str, int], int] = field(default_factory=dict)

    def take(self, sightings: Sightings, written_us: int) -> None:
        """Heed a message and the word of others in it."""
        words: list[Sightings | Progress] = [sightings, *sightings.others]
        for word in words:
            source = word.topic, word.partition
            if word.watermark_us > 0:
                self.first_us.setdefault(source, word.watermark_us)
            # One that is idle is told anew every hour, and has nothing older than that to come.
            reached = written_us if word.idle else word.watermark_us
            self.last_us[source] = max(self.last_us.get(source, 0), reached)


class Told(NamedTuple):
    """What was read."""

    counter: Counter
    reach: Reach


def read(settings: Settings, kafka: KafkaSettings, actors: Collection[str], since_us: int) -> Told:
    """Count ``actors`` by the sightings of ``since_us`` and later that the broker still has.

    Raises:
        TransportError: the broker cannot be reached or refuses, or there is no such topic.
        StopError: sightings are of another version.
    """
    name = name_of(topic.ACTIVITY, settings)
    wanted = homes(actors, partitions(kafka, [name])[name])
    counter, words = Counter(actors), {number: Words() for number in wanted}
    first, kept = beginnings(kafka, name, wanted), dict.fromkeys(wanted, -1)
    for record in _records(kafka, name, wanted, max(since_us - MARGIN_US, 0) // 1000):
        if record.value is None:
            continue
        sightings = decode(record.value)
        kept[record.partition] = record.offset if kept[record.partition] < 0 else kept[record.partition]
        words[record.partition].take(sightings, record.timestamp * 1000)
        counter.take(sightings, record.partition)
    reaches = [reach_of(words[number], deleted=0 < first[number] == kept[number]) for number in wanted]
    from_us = max((one.from_us for one in reaches), default=0)
    return Told(counter, Reach(from_us, min((one.to_us for one in reaches), default=0)))


def _records(kafka: KafkaSettings, name: str, wanted: Collection[int], since_ms: int) -> Iterator[Any]:
    return records(kafka, name, wanted, since_ms) if wanted else iter(())


def reach_of(words: Words, *, deleted: bool) -> Reach:
    """What of the time is known whole; ``deleted`` when retention may have taken what lay before the first message.

    Where it has not, the first message is the first that there ever was: of earlier days nothing is known either.
    """
    from_us = max(words.first_us.values(), default=LATEST)
    if not deleted:
        from_us = min(words.first_us.values(), default=LATEST) // DAY_US * DAY_US
    return Reach(from_us, min(words.last_us.values(), default=0) - SETTLED_US)


def homes(actors: Iterable[str], count: int) -> list[int]:
    """Partitions of the sightings in which these actors may be, of ``count``."""
    found: set[int] = set()
    for actor in actors:
        scope_name, _, value = actor.partition(":")
        scope = next((one for one in Scope if one.label == scope_name), None)
        if scope is None:
            continue
        if scope in (Scope.SESSION, Scope.COMBINATION):
            # A session lives with its account, and a combination's key is made of its parts.
            return list(range(count))
        key = of_scope(np.uint64(xxhash.xxh64_intdigest(value.encode(), int(scope))), int(scope))
        found.add(int(destination(np.uint64(key), count)))
    return sorted(found)


class Kept(NamedTuple):
    """Days that were counted before."""

    days: list[CollectorDay]
    remark: str
    """What could not be read."""


def kept(settings: Settings, kafka: KafkaSettings, since_us: int) -> Kept:
    """All days in the audit since ``since_us``; raises as `read`."""
    reader = Readable(settings, kafka, since_us // 1000)
    entries = reader.read(topic.AUDIT, AUDIT_CODEC.decode)
    return Kept([entry.counted for entry in entries if entry.counted is not None], reader.remark)


def entries_of(settings: Settings, found: Sequence[CollectorDay], now_us: int) -> list[Audit]:
    """What the audit is told of days."""
    revision = config.revision(settings)
    return [
        Audit(
            id=stable_id("counted", one.actor, one.day, one.requests, one.profiles, len(one.decided), *one.missing),
            kind=AuditKind.COUNTED,
            time=format_time(now_us),
            who=f"collector:{one.actor}",
            causes=[],
            config=revision,
            counted=one,
        )
        for one in found
    ]


def keep(settings: Settings, kafka: KafkaSettings, found: Sequence[CollectorDay], clock: Clock) -> None:
    """Write days to the audit; raises `TransportError`."""
    OnKafka(kafka).send([audit_record(entry) for entry in entries_of(settings, found, clock())])


def count(
    settings: Settings, kafka: KafkaSettings, days: Sequence[date], known: Mapping[tuple[str, str], CollectorDay]
) -> tuple[list[CollectorDay], str]:
    """Count collectors of the configuration on the days that are not known whole, and what was decided on them.

    Also returns what could not be read, in words. Raises as `read`.
    """
    collectors: dict[str, list[Collector]] = by_actor(settings.collectors)
    wanted = [
        day for day in days if any((one := known.get((actor, f"{day}"))) is None or one.missing for actor in collectors)
    ]
    if not collectors or not wanted:
        return [], ""
    since_us = span_us(wanted[0])[0]
    told = read(settings, kafka, list(collectors), since_us)
    said = decisions(settings, kafka, since_us // 1000)
    decided = decided_on(collectors, said.alerts, said.blocks)
    found = [
        counted(entry_on(entries, day), day, told.counter.of(actor, day), decided[actor], told.reach.missing(day))
        for actor, entries in collectors.items()
        for day in wanted
    ]
    return found, said.remark
