"""The dead letters on a broker: reading them, choosing some, sending them again.

What is chosen is settled before anything is sent, so a letter that fails again, and so comes back as a new one, is not
sent twice by one run. Of letters that tell of the same record, as a crash before a commit leaves them, one is sent.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from schemas import topic
from schemas.dead_letter import DeadLetter, original_headers, read_headers
from schemas.errors import RecordError
from streams.live.connection import for_aiokafka
from streams.live.topics import LARGE_BYTES, partitions
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
    """What a run sends again, oldest first, and what it leaves out."""

    chosen: tuple[Planned, ...]
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

    def letters(self, only: Collection[LetterId] | None = None) -> Iterator[Letter]:
        """Every letter there is at the first step, partition by partition in order; or those of ``only``.

        What somebody else wrote into the topic and is no dead letter is left out.

        Raises:
            TransportError: the broker cannot be reached or refuses, or there is no such topic.
        """
        wanted = None if only is None else frozenset(only)
        for record in self._records():
            name = LetterId(record.partition, record.offset)
            if wanted is None or name in wanted:
                letter = read(record)
                if letter is not None:
                    yield letter

    def _records(self) -> Iterator["Record"]:
        count = partitions(self._settings, [self.topic])[self.topic]
        yield from records(self._settings, self.topic, count, max_partition_fetch_bytes=SIZE_MAX)

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
            for letters in parcels(self.letters([one.id for one in plan.chosen])):
                futures = [await producer.send(**_again(letter, counts)) for letter in letters]
                for outcome in await asyncio.gather(*futures, return_exceptions=True):
                    told()
                    done.note(outcome)
        return done


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
    chosen = sorted(found.values())[:limit]
    return Plan(tuple(one for one, _ in chosen), Counter(reason for _, reason in chosen), same_record, foreign)


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
