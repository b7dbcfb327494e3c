"""Who has been told how far of which source: all that observe keeps between batches, and no restart misses it.

A destination needs a word of every source, also where it gets no sightings: offsets that go on without a gap, and a
watermark. A message of each batch to each destination says so at once and is a flood where events are few. Here a
destination without sightings is told later, once for many batches and for all sources in one message::

    batches of a source   [10,20) [20,35) [35,40)
    sightings for it              [20,35)              message [10,35): nothing in [10,20), rows from 20 on
    told at the next round                [35,40)      message [35,40), with the other sources' in the same one

Each message begins where the last one to that destination ended, so one that is missing shows. A batch may be
acknowledged when the broker has a message up to its end for each destination: so a restart never begins behind what
somebody was not told, and may begin before it.
"""

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from schemas.sighting import Progress

Token = TypeVar("Token")
UNKNOWN_US = -1


class Since(NamedTuple):
    """What came before a batch of a source."""

    told: Sequence[int]
    """[d] offset up to which each destination has been told"""
    watermark_us: int
    """Highest event time so far; -1 when none is known."""


class Round(NamedTuple):
    """One round of telling."""

    serial: int
    progress: dict[int, list[Progress]]
    """By destination, of the sources that it does not know the latest of."""


@dataclass(slots=True)
class _Source(Generic[Token]):
    told: list[int]
    reached: int
    watermark_us: int = UNKNOWN_US
    idle: bool = False
    news: bool = False
    """Idleness that nobody has been told of."""
    waiting: deque[tuple[int, Token]] = field(default_factory=deque)
    """End of each batch that somebody has not been told of, and what to acknowledge then."""


class Telling(Generic[Token]):
    """The bookkeeping of one assignment, without clock and wire: the caller sends, in the order of the serials."""

    def __init__(self, destinations: int) -> None:
        """Tell ``destinations`` partitions of the activity topic."""
        self._destinations = destinations
        self._sources: dict[tuple[str, int], _Source[Token]] = {}
        self._behind: set[tuple[str, int]] = set()
        self._serial = 0
        self._on_the_way: set[int] = set()
        self._told: deque[tuple[int, Token]] = deque()

    def forget(self) -> None:
        """Begin anew, at another assignment: what waits is read again by whoever is given the partition."""
        self._sources.clear()
        self._behind.clear()
        self._told.clear()

    def since(self, topic: str, partition: int, lo: int) -> Since:
        """What comes before a batch that begins at ``lo``. A source's first one begins where everybody was told."""
        source = self._source(topic, partition, lo)
        return Since(source.told, source.watermark_us)

    def _source(self, topic: str, partition: int, lo: int) -> _Source[Token]:
        source = self._sources.get((topic, partition))
        if source is None:
            source = self._sources[topic, partition] = _Source([lo] * self._destinations, lo)
        return source

    def take(self, topic: str, partition: int, lo: int, hi: int, watermark_us: int, sighted: Collection[int]) -> None:
        """Note a batch ``[lo, hi)``, whose messages to the destinations ``sighted`` are sent before any other."""
        source = self._source(topic, partition, lo)
        source.reached, source.idle, source.news = hi, False, False
        source.watermark_us = max(source.watermark_us, watermark_us)
        for destination in sighted:
            source.told[destination] = hi
        if len(sighted) < self._destinations:
            self._behind.add((topic, partition))

    def await_all(self, topic: str, partition: int, token: Token) -> int:
        """Have ``token`` acknowledged when everybody has been told up to the last batch; serial of what is sent now."""
        source = self._sources[topic, partition]
        source.waiting.append((source.reached, token))
        return self._send(source)

    def idle(self, topic: str, partition: int, position: int) -> bool:
        """Have everybody told that a source has nothing beyond ``position``; false when a batch is still to come."""
        source = self._source(topic, partition, position)
        if position != source.reached:
            return False
        source.idle = source.news = True
        self._behind.add((topic, partition))
        return True

    @property
    def behind(self) -> bool:
        """Whether a round has anything to say."""
        return bool(self._behind)

    def round(self) -> Round:
        """All that any destination does not know, which is to be sent now."""
        found: dict[int, list[Progress]] = {}
        behind = [(topic, partition, self._sources[topic, partition]) for topic, partition in sorted(self._behind)]
        for topic, partition, source in behind:
            hi = source.reached
            for destination, lo in enumerate(source.told):
                if lo < hi or source.news:
                    word = Progress(topic, partition, lo, hi, source.watermark_us, source.idle)
                    found.setdefault(destination, []).append(word)
            source.told[:] = [hi] * self._destinations
            source.news = False
        self._behind.clear()
        return Round(self._send(*(source for *_, source in behind)), found)

    def _send(self, *sources: _Source[Token]) -> int:
        self._serial += 1
        self._on_the_way.add(self._serial)
        for source in sources:
            everybody = min(source.told)
            while source.waiting and source.waiting[0][0] <= everybody:
                self._told.append((self._serial, source.waiting.popleft()[1]))
        return self._serial

    def sent(self, serial: int) -> list[Token]:
        """Note that the broker has all messages of ``serial``; what may be acknowledged now.

        The message that told the last destination need not be the last on the way, so all before it count too.
        """
        self._on_the_way.discard(serial)
        first = min(self._on_the_way, default=self._serial + 1)
        ready: list[Token] = []
        while self._told and self._told[0][0] < first:
            ready.append(self._told.popleft()[1])
        return ready
