"""From recordings to what assess needs of them, batch after batch."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from streams.enrichment import enrichment_of
from streams.offline.reading import Source, read_all
from streams.pipeline.batch import Batch
from streams.pipeline.observe.observer import Counts, Observer
from streams.pipeline.observe.reading import Dead
from streams.settings import Settings

SHOWN_BYTES: Final = 120
"""Of a line that could not be read."""


@dataclass(frozen=True, slots=True)
class Piece:
    """What came of one batch."""

    messages: list[bytes]
    """Of sightings, one for each partition of assess."""
    counts: Counts
    formats: Mapping[str, int]
    """Events by the format that they came in; none where all are canonical."""
    bad: list[str]
    """Lines that could not be read, for a person."""
    ended: tuple[str, int, int] | None
    """Topic, partition and next offset of the source, where it has nothing more."""
    cut: str
    """Why it could not be read to its end."""
    bytes_read: int
    """Of all sources, so far."""


def observer_of(settings: Settings) -> Observer:
    """What observes files for one partition of assess.

    Raises:
        ConfigError: a surface's path is no pattern, or a database of [enrich] cannot be read.
    """
    origins = enrichment_of(settings.enrich)
    return Observer(settings.input, settings.surfaces, 1, settings.bots, settings.groups, origins)


def observe_all(sources: Sequence[Source], observer: Observer, show_bad: int) -> Generator[Piece]:
    """All batches, as `read_all` gives them; of the bad lines the first ``show_bad`` are told."""
    for source, batch in read_all(sources):
        observed = observer.observe(batch)
        bad = [_told(source, batch, dead) for dead in observed.dead[:show_bad]]
        show_bad -= len(bad)
        source.watermark_us = max(source.watermark_us, observed.watermark_us)
        yield Piece(
            observed.told(),
            observed.counts,
            observed.formats,
            bad,
            source.position if source.done else None,
            source.cut if source.done else "",
            sum(one.bytes_read for one in sources),
        )


def _told(source: Source, batch: Batch, dead: Dead) -> str:
    value = batch.values[dead.index] if dead.value is None else dead.value
    begins = (value or b"")[:SHOWN_BYTES].decode("utf-8", "backslashreplace")
    return f"{source.place(dead.offset)}: {dead.where}: {dead.reason}: {begins}"
