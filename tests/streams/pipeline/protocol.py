"""A model of what lies between observe and assess, around the real bookkeeping of both.

Source partitions with a few records each; workers that observe them in random cuts, tell in rounds, commit, crash in
the middle of a fan-out and send on as zombies; one log a destination; readers of it that keep checkpoints and crash.
`Telling`, `AckLedger` and `Release` are the real ones; what is modelled is the producer, the broker and the crashes.
"""

from collections import Counter, deque
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import Final, NamedTuple

from schemas.sighting import Progress
from streams.live.transport.ledger import AckLedger
from streams.pipeline.assess.release import Release, ReleaseState
from streams.pipeline.observe.telling import Telling
from streams.pipeline.rows import NOTHING, Rows
from tests.streams.pipeline.rows_of import rows_of

TOPIC: Final = "http.requests"
SOURCES: Final = 2
RECORDS: Final = 8
DESTINATIONS: Final = 2
LATENESS_US: Final = 3
STEPS: Final = 45
FOREVER_US: Final = 1 << 60

Row = tuple[int, int]
"""Source and offset."""
Token = tuple[int, int]
"""Source and end of a batch."""


class Message(NamedTuple):
    """One message of the log; offsets of its rows if it has any."""

    words: list[Progress]
    offsets: tuple[int, ...] = ()


HEARD: Final = Message([Progress(TOPIC, source, 0, 0, -1, idle=False) for source in range(SOURCES)])
"""The log begins with a word of every source: what comes before the first one may have been deleted by retention."""


@cache
def rows(source: int, offsets: tuple[int, ...]) -> Rows:
    """Rows of these records; a record's time is its offset."""
    return rows_of(offsets, source=source, offsets=offsets) if offsets else NOTHING


@dataclass
class Parts:
    """What a mutant replaces."""

    telling: type[Telling[Token]] = Telling
    release: type[Release] = Release
    commits_ahead: bool = False
    """Readers commit what they have read, whether a checkpoint covers it or not."""


@dataclass
class Broker:
    """What outlasts every process."""

    homes: list[list[int]]
    """[source][offset] bits of the destinations that the record has a row for"""
    logs: list[list[Message]] = field(default_factory=lambda: [[HEARD] for _ in range(DESTINATIONS)])
    committed: list[int] = field(default_factory=lambda: [0] * SOURCES)


class Worker:
    """One process that observes."""

    def __init__(self, broker: Broker, parts: Parts) -> None:
        self._broker = broker
        self._telling = parts.telling(DESTINATIONS)
        self._queues: list[deque[tuple[int, Message]]] = [deque() for _ in range(DESTINATIONS)]
        self._unsent: Counter[int] = Counter()
        self.zombie = False
        self.assign()

    def assign(self) -> None:
        """Begin an assignment: where the last one was committed."""
        self._telling.forget()
        self._at = list(self._broker.committed)
        self._ledgers = [AckLedger(at, at) for at in self._at]

    @property
    def done(self) -> bool:
        """Everything is observed, told and with the broker."""
        return min(self._at) == RECORDS and not self._telling.behind and not any(self._queues)

    def observe(self, rng: Random) -> None:
        """Take a batch, of one piece or more."""
        source = rng.randrange(SOURCES)
        lo = self._at[source]
        if lo == RECORDS:
            self._telling.idle(TOPIC, source, lo)
            return
        end = min(lo + 1 + int(rng.random() * 5), RECORDS)
        self._ledgers[source].deliver(lo, end)
        made: list[tuple[int, Message]] = []
        while lo < end:
            hi = lo + 1 + int(rng.random() * (end - lo))
            made += self._piece(source, lo, hi)
            lo = hi
        self._at[source] = end
        self._send(self._telling.await_all(TOPIC, source, (source, end)), made)

    def _piece(self, source: int, lo: int, hi: int) -> list[tuple[int, Message]]:
        since, homes = self._telling.since(TOPIC, source, lo), self._broker.homes[source]
        made: list[tuple[int, Message]] = []
        for destination in range(DESTINATIONS):
            offsets = tuple(offset for offset in range(lo, hi) if homes[offset] >> destination & 1)
            if offsets:
                word = Progress(TOPIC, source, since.told[destination], hi, hi - 1, idle=False)
                made.append((destination, Message([word], offsets)))
        self._telling.take(TOPIC, source, lo, hi, hi - 1, [destination for destination, _ in made])
        return made

    def tell(self) -> None:
        """Have a round."""
        if self._telling.behind:
            serial, progress = self._telling.round()
            self._send(serial, [(destination, Message(words)) for destination, words in progress.items()])

    def _send(self, serial: int, made: list[tuple[int, Message]]) -> None:
        self._unsent[serial] = len(made)
        for destination, message in made:
            self._queues[destination].append((serial, message))
        self._settle(serial)

    def deliver(self, destination: int) -> None:
        """Let the broker have the next message of one destination."""
        if self._queues[destination]:
            serial, message = self._queues[destination].popleft()
            self._broker.logs[destination].append(message)
            self._unsent[serial] -= 1
            self._settle(serial)

    def flush(self) -> None:
        """Let the broker have everything."""
        for destination, queue in enumerate(self._queues):
            while queue:
                self.deliver(destination)

    def _settle(self, serial: int) -> None:
        if not self._unsent[serial]:
            for source, hi in self._telling.sent(serial):
                self._ledgers[source].ack(hi)

    def commit(self) -> None:
        """Commit what is acknowledged; the broker refuses it from a zombie."""
        for source, ledger in enumerate(self._ledgers):
            settled = ledger.settle()
            if settled is not None and not self.zombie:
                self._broker.committed[source] = settled


class Checkpoint(NamedTuple):
    """State of a reader and where it goes on."""

    state: ReleaseState
    judged: Counter[Row]
    offset: int


class Reader:
    """The process that assesses one destination."""

    def __init__(self, log: list[Message], parts: Parts) -> None:
        self._log, self._parts = log, parts
        self._release = parts.release(SOURCES, LATENESS_US)
        self._judged: Counter[Row] = Counter()
        self._offset = self._committed = 0
        self.checkpoint()

    def read(self, count: int) -> None:
        """Take messages and judge what the watermark has passed; raises `GapError` when one is missing."""
        for message in self._log[self._offset : self._offset + count]:
            for word in message.words:
                took = rows(word.partition, message.offsets)
                self._release.accept(TOPIC, word.partition, word.lo, word.hi, word.watermark_us, word.idle, took)
            self._offset += 1
        if self._parts.commits_ahead:
            self._committed = self._offset
        self._judge(self._release.bound())

    def _judge(self, before_us: int) -> None:
        found = self._release.take(before_us)
        self._judged.update(zip(found.source.tolist(), found.offset.tolist(), strict=True))

    def checkpoint(self) -> None:
        """Write the state down."""
        self._saved = Checkpoint(self._release.state(), self._judged.copy(), self._offset)

    def commit(self) -> None:
        """Commit what the checkpoint covers."""
        self._committed = max(self._committed, self._saved.offset)

    def crash(self, *, seeks: bool) -> None:
        """Go on from the checkpoint, reading from the committed offset, or from its own with ``seeks``."""
        self._release = self._parts.release(SOURCES, LATENESS_US)
        self._release.load(self._saved.state)
        self._judged = self._saved.judged.copy()
        self._offset = self._saved.offset if seeks else self._committed

    def finish(self) -> Counter[Row]:
        """Read to the end and judge everything."""
        self.read(len(self._log))
        self._judge(FOREVER_US)
        return self._judged


def run(seed: int, parts: Parts, *, loses: bool = False) -> bool:
    """One trial: whether each row was judged exactly once; raises `GapError` as a worker would.

    With ``loses``, one message is taken from a log as if the broker had never had it.
    """
    rng = Random(seed)
    broker = Broker([[rng.getrandbits(DESTINATIONS) for _ in range(RECORDS)] for _ in range(SOURCES)])
    _observe(rng, broker, parts)
    if loses:
        log = rng.choice(broker.logs)
        del log[rng.randrange(1, len(log))]
    return all(
        _assess(rng, log, parts) == _expected(broker, destination) for destination, log in enumerate(broker.logs)
    )


def _expected(broker: Broker, destination: int) -> Counter[Row]:
    return Counter(
        (source, offset)
        for source, homes in enumerate(broker.homes)
        for offset, home in enumerate(homes)
        if home >> destination & 1
    )


def _observe(rng: Random, broker: Broker, parts: Parts) -> None:
    """Lives of workers until one has got through."""
    owner, zombie = Worker(broker, parts), None
    for _ in range(STEPS):
        chance = rng.random()
        if chance < 0.06:
            # The successor begins at the commit; half of the old ones do not know yet.
            owner.zombie, zombie = True, owner if rng.random() < 0.5 else None
            owner = Worker(broker, parts)
        elif chance < 0.08:
            owner.assign()
        else:
            _step(rng, zombie if zombie is not None and rng.random() < 0.4 else owner)
    while not owner.done:
        owner.observe(rng)
        owner.tell()
        owner.flush()
    for source in range(SOURCES):
        # A word that covers nothing, as one of idleness does: a message lost at the very end shows by it.
        word = Progress(TOPIC, source, RECORDS, RECORDS, -1, idle=True)
        for log in broker.logs:
            log.append(Message([word]))


def _step(rng: Random, worker: Worker) -> None:
    chance = rng.random()
    if chance < 0.3:
        worker.observe(rng)
    elif chance < 0.42:
        worker.tell()
    elif chance < 0.85:
        worker.deliver(rng.randrange(DESTINATIONS))
    else:
        worker.commit()


def _assess(rng: Random, log: list[Message], parts: Parts) -> Counter[Row]:
    """Lives of readers until one has got through."""
    reader = Reader(log, parts)
    for _ in range(8):
        chance = rng.random()
        if chance < 0.45:
            reader.read(1 + int(rng.random() * 6))
        elif chance < 0.6:
            reader.checkpoint()
        elif chance < 0.75:
            reader.commit()
        else:
            reader.crash(seeks=chance < 0.85)
    return reader.finish()
