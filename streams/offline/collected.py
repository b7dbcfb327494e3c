"""What authorised collectors took, from request logs and from what a watch or a replay has written."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Final

from schemas.collector_day import CollectorDay
from schemas.event_time import format_time
from streams.enrichment import enrichment_of
from streams.offline.collecting import Counter, Reach, by_actor, counted, decided_on, entry_on
from streams.offline.reading import open_all, read_all
from streams.offline.told import told_in
from streams.pipeline.observe.observer import Observer
from streams.pipeline.sightings import decode
from streams.robots import with_lists
from streams.settings import Settings

UNKNOWN: Final = 1 << 62


def from_logs(
    settings: Settings, logs: Sequence[Path], directory: Path | None, days: Sequence[date]
) -> tuple[list[CollectorDay], list[str]]:
    """Each collector on each day, and in words what was read.

    Raises:
        InputError: a log or a record cannot be read.
    """
    collectors = by_actor(settings.collectors)
    counter, reach, sources = _read(settings, logs, list(collectors))
    told = None if directory is None else told_in(directory)
    incidents = [] if told is None else told.latest()
    alerts = [alert for one in incidents for alert in one.alerts]
    decided = decided_on(collectors, alerts, [block for one in incidents for block in one.blocks])
    if directory is None:
        sources.append("no decisions: name what weir watch or weir replay wrote with --in")
    else:
        sources.append(f"alerts.ndjson and blocks.ndjson in {directory.name}: {len(alerts):,} alerts")
    found = [
        counted(entry_on(entries, day), day, counter.of(actor, day), decided[actor], reach.missing(day))
        for actor, entries in collectors.items()
        for day in days
    ]
    return found, sources


def _read(settings: Settings, logs: Sequence[Path], actors: list[str]) -> tuple[Counter, Reach, list[str]]:
    origins, settings = enrichment_of(settings.enrich), with_lists(settings)
    observer = Observer(settings.input, settings.surfaces, 1, settings.bots, settings.groups, origins)
    counter, reach = Counter(actors), Reach(UNKNOWN, 0)
    lines = unreadable = 0
    recordings = open_all(logs)
    for recording, batch in read_all(recordings):
        observed = observer.observe(batch)
        recording.watermark_us = max(recording.watermark_us, observed.watermark_us)
        lines, unreadable = lines + len(batch), unreadable + len(observed.dead)
        if observed.messages[0] is not None:
            sightings = decode(observed.messages[0])
            counter.take(sightings)
            if len(sightings):
                reach.from_us = min(reach.from_us, int(sightings.time_us.min()))
                reach.to_us = max(reach.to_us, int(sightings.time_us.max()) + 1)
    reach.heard = counter.heard
    span = "no requests" if not reach.to_us else f"{format_time(reach.from_us)} to {format_time(reach.to_us - 1)}"
    names = ", ".join(path.name for path in logs) or "no log"
    sources = [f"{names}: {lines:,} lines, {unreadable:,} unreadable, {span}; a log missing within does not show"]
    return counter, reach, sources + [one.cut for one in recordings if one.cut]
