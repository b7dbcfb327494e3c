"""The dead letters on a broker: reading them, choosing some, sending them again.

What is chosen is settled before anything is sent, so a letter that fails again, and so comes back as a new one, is not
sent twice by one run. Of letters that tell of the same record, as a crash before a commit leaves them, one is sent.
Letters of one source partition go in the order in which its records lay there, wherever the letters lie: they are
read again one by one, each partition of letters forwards as far as that order allows.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import accumulate, groupby
from typing import Any, Final, NamedTuple, Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from kafka import KafkaConsumer, TopicPartition

from schemas import topic
from schemas.dead_letter import DeadLetter, original_headers, read_headers
from schemas.errors import RecordError, TransportError
from streams.live.connection import for_aiokafka, for_kafka_python
from streams.live.topics import ANSWER_MS, LARGE_BYTES, partitions
from streams.live.whole_topic import records, refusals
from streams.settings import KafkaSettings

SEND_MS: Final = 120_000
"""How long the broker may take to accept a record."""
SIZE_MAX: Final = LARGE_BYTES + 4096
PARCEL_RECORDS: Final = 1_000
PARCEL_BYTES: Final = 32 << 20
"""Records, and bytes of them, that wait for the broker at a time."""


class LetterId(NamedTuple):
    """Where a letter lies in the topic of dead letters: its name for as long as it is kept."""

    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}/{self.offset}"


class Place(NamedTuple):
    """Where the record lay that became a letter."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]@{self.offset}"


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter, with the record that it was."""

    id: LetterId
    time_ms: int
    """When it was written, by the clock of observe."""
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
    """The original ones."""
    said: DeadLetter

    @property
    def place(self) -> Place:
        """Of the record that it was."""
        return Place(self.said.topic, self.said.partition, self.said.offset)

    @property
    def reason(self) -> str:
        """What is wrong, without the place within the record, so that letters of a kind have the same."""
        where, separator, reason = self.said.message.partition(": ")
        return reason if separator else where

    @property
    def size_bytes(self) -> int:
        """Of the value."""
        return len(self.value or b"")


@dataclass(frozen=True, slots=True)
class Choice:
    """Which letters are meant; without any of it, all."""

    reason: str = ""
    """Text within the error's name, place and reason, whatever its case."""
    since_ms: int = 0

    def takes(self, letter: Letter) -> bool:
        """Whether ``letter`` is one of them."""
        text = f"{letter.said.exception} {letter.said.message}".lower()
        return letter.time_ms >= self.since_ms and self.reason.lower() in text


class Planned(NamedTuple):
    """A letter that is to be sent again."""

    time_ms: int
    id: LetterId
    place: Place


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run sends again, and what it leaves out."""

    chosen: tuple[Planned, ...]
    """The oldest first, but for those of one source partition, which are in its order."""
    reasons: Counter[str]
    """How many of them there are by reason."""
    same_record: int
    """Letters left out since another one tells of the same record."""
    foreign: Counter[str]
    """Letters left out since their topic is none that may be sent to, by topic."""


@dataclass(slots=True)
class Sent:
    """What became of a plan."""

    sent: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    """Letters that the broker refused, by error."""

    def note(self, outcome: object) -> None:
        """Count one letter by what its sending came to; raises what says nothing of the letter."""
        if isinstance(outcome, KafkaError) and not outcome.retriable:
            self.refused[type(outcome).__name__] += 1
        elif isinstance(outcome, BaseException):
            raise outcome
        else:
            self.sent += 1


class Bin:
    """The topic of dead letters of one installation."""

    def __init__(self, settings: KafkaSettings) -> None:
        """On the broker that ``settings`` name."""
        self._settings = settings
        self.topic = settings.prefix + topic.DEAD_LETTERS.name

    def letters(self, since_ms: int = 0) -> Iterator[Letter]:
        """Every letter there is at the first step, partition by partition in order.

        With ``since_ms`` each partition is read from the first that is no older; older ones may lie behind it. What
        somebody else wrote into the topic and is no dead letter is left out.

        Raises:
            TransportError: the broker cannot be reached or refuses, or there is no such topic.
        """
        options = {"since_ms": since_ms, "max_partition_fetch_bytes": SIZE_MAX}
        for record in records(self._settings, self.topic, self._partitions(), **options):
            letter = read(record)
            if letter is not None:
                yield letter

    def named(self, names: Sequence[LetterId]) -> Iterator[Letter]:
        """The letters of those names, in that order, without those that are no more; only what lies near is read.

        Raises:
            TransportError: see `letters`.
        """
        count = self._partitions()
        with refusals(self._settings), closing(_Shelf(self._settings, self.topic, count)) as shelf:
            for name in names:
                record = shelf.take(name) if name.partition < count else None
                letter = None if record is None else read(record)
                if letter is not None:
                    yield letter

    def _partitions(self) -> int:
        return partitions(self._settings, [self.topic])[self.topic]

    def send(self, plan: Plan, told: Callable[[], None] = lambda: None) -> Sent:
        """Send the letters of ``plan`` to the topics that they came from; ``told`` is called for each.

        Key, value and headers are the original's, and so is the partition, as nobody but the shipper knows by what it
        was chosen. The timestamp is the letter's, so that an event is as old by it as it was when it came.

        Raises:
            TransportError: the broker cannot be reached; some may have been sent.
        """
        names = sorted({one.place.topic for one in plan.chosen})
        counts = partitions(self._settings, names) if names else {}
        with refusals(self._settings):
            return asyncio.run(self._send(plan, counts, told))

    async def _send(self, plan: Plan, counts: Mapping[str, int], told: Callable[[], None]) -> Sent:
        done = Sent()
        # kafka-python refuses headers without a value, which a record may have.
        producer = AIOKafkaProducer(
            **for_aiokafka(self._settings),
            enable_idempotence=True,
            max_request_size=SIZE_MAX,
            request_timeout_ms=SEND_MS,
        )
        async with producer:
            for letters in parcels(self.named([one.id for one in plan.chosen])):
                futures = [await producer.send(**_again(letter, counts)) for letter in letters]
                for outcome in await asyncio.gather(*futures, return_exceptions=True):
                    told()
                    done.note(outcome)
        return done


class _Shelf:
    """Records by name. What was read ahead is kept, one fetch a partition at most."""

    def __init__(self, settings: KafkaSettings, topic: str, partitions: int) -> None:
        self._settings = settings
        self._consumer = KafkaConsumer(
            **for_kafka_python(settings), enable_auto_commit=False, max_partition_fetch_bytes=SIZE_MAX
        )
        self._numbers = [TopicPartition(topic, number) for number in range(partitions)]
        self._consumer.assign(self._numbers)
        self._consumer.pause(*self._numbers)
        self._first = self._consumer.beginning_offsets(self._numbers)
        self._end = self._consumer.end_offsets(self._numbers)
        self._ahead: dict[TopicPartition, deque[Any]] = {number: deque() for number in self._numbers}

    def close(self) -> None:
        """Let go of the connection."""
        self._consumer.close()

    def take(self, name: LetterId) -> "Record | None":
        """The record of that name; None when there is none, or none any more."""
        number = self._numbers[name.partition]
        ahead = self._ahead[number]
        if not self._first[number] <= name.offset < self._end[number]:
            return None
        if not ahead or not ahead[0].offset <= name.offset <= ahead[-1].offset:
            self._go(number, name.offset)
        while ahead and ahead[0].offset < name.offset:
            ahead.popleft()
        found: Record | None = ahead.popleft() if ahead and ahead[0].offset == name.offset else None
        return found

    def _go(self, number: TopicPartition, offset: int) -> None:
        """Read on from ``offset``; records that are not there, as on a compacted topic, are passed over."""
        ahead = self._ahead[number]
        ahead.clear()
        self._consumer.seek(number, offset)
        self._consumer.resume(number)
        try:
            while not ahead and self._consumer.position(number) < self._end[number]:
                polled = self._consumer.poll(timeout_ms=ANSWER_MS)
                if not polled:
                    where = f"kafka {self._settings.bootstrap}"
                    raise TransportError(f"{where}: no answer within {ANSWER_MS / 1000:g} s")
                ahead.extend(polled.get(number, ()))
        finally:
            self._consumer.pause(number)


def parcels(letters: Iterable[Letter], most_bytes: int = PARCEL_BYTES) -> Iterator[list[Letter]]:
    """The same letters, as many together as the broker is sent at a time; one that is larger comes alone."""
    parcel: list[Letter] = []
    size_bytes = 0
    for letter in letters:
        if parcel and (size_bytes + letter.size_bytes > most_bytes or len(parcel) == PARCEL_RECORDS):
            yield parcel
            parcel, size_bytes = [], 0
        parcel.append(letter)
        size_bytes += letter.size_bytes
    if parcel:
        yield parcel


def plan(letters: Iterator[Letter], choice: Choice, allowed: Collection[str], limit: int | None = None) -> Plan:
    """Settle what to send: the oldest ``limit`` of the letters that ``choice`` takes, to ``allowed`` topics only.

    Whoever may write dead letters could else have anything sent to any topic, blocks among them.
    """
    found: dict[Place, tuple[Planned, str]] = {}
    same_record, foreign = 0, Counter[str]()
    for letter in filter(choice.takes, letters):
        if letter.place.topic not in allowed:
            foreign[letter.place.topic] += 1
        elif letter.place in found:
            same_record += 1
        else:
            found[letter.place] = Planned(letter.time_ms, letter.id, letter.place), letter.reason
    chosen = in_order(sorted(one for one, _ in found.values())[:limit])
    return Plan(tuple(chosen), Counter(found[one.place][1] for one in chosen), same_record, foreign)


def in_order(letters: Iterable[Planned]) -> list[Planned]:
    """The oldest first, and those of one source partition by offset, though a later letter may tell of an earlier one.

    A letter counts as no older than any that lay before it in its source partition.
    """
    timed: list[tuple[int, Place, Planned]] = []
    by_place = sorted(letters, key=lambda one: one.place)
    for _, same in groupby(by_place, key=lambda one: one.place[:2]):
        source = list(same)
        times_ms = accumulate((one.time_ms for one in source), max)
        timed += [(time_ms, one.place, one) for time_ms, one in zip(times_ms, source, strict=True)]
    return [one for _, _, one in sorted(timed)]


class Record(Protocol):
    """What is read of a consumed record."""

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


def read(record: Record) -> Letter | None:
    """The letter that a record of the topic is; None for one that is none."""
    headers = list(record.headers)
    try:
        said = read_headers(headers)
    except RecordError:
        return None
    name = LetterId(record.partition, record.offset)
    return Letter(name, record.timestamp, record.key, record.value, original_headers(headers), said)


def _again(letter: Letter, counts: Mapping[str, int]) -> dict[str, object]:
    """What a producer is told; by key where the topic has been made anew with fewer partitions."""
    name, partition, _ = letter.place
    return {
        "topic": name,
        "key": b"" if letter.key is None and letter.value is None else letter.key,
        "value": letter.value,
        "headers": letter.headers,
        "partition": partition if partition < counts[name] else None,
        "timestamp_ms": letter.time_ms,
    }
