"""What can be chosen about reading in batches."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple


@dataclass(frozen=True, slots=True)
class FetchOptions:
    """How one worker reads; the same for all its topics."""

    batch_records: int = 10_000
    """No batch holds more records."""
    batch_bytes: int = 8_000_000
    """No batch holds more bytes of keys and values, unless a single record does."""
    wait_ms: int = 30
    """How long the broker holds an answer back while it has less than `min_bytes`; Faust alone would say 1,500."""
    min_bytes: int = 1_000_000
    """An answer comes before `wait_ms` is over once it has so much, or a partition's most: fewer and larger batches."""
    partition_bytes: int = 2_000_000
    """Asked for per partition and fetch. A larger record still arrives, alone."""
    response_bytes: int = 50_000_000
    """Asked for per broker and fetch."""
    isolation: Literal["read_committed", "read_uncommitted"] = "read_committed"
    """Whether records of open and aborted transactions stay unseen."""


class Assigned(NamedTuple):
    """One partition that has just been assigned, before anything of it is read."""

    partition: int
    first: int
    """Offset of the oldest record that the topic still has."""
    committed: int
    """0 where nothing was."""


class Beginning(NamedTuple):
    """Where reading of a partition begins, and how far it may be committed before anybody says more."""

    offset: int
    settled: int
    """All below is done with: what `let_commit` says later takes its place."""


Begin = Callable[[Sequence[Assigned]], Awaitable[Mapping[int, Beginning]]]
"""Says by number where some of a topic's assigned partitions begin; the others begin as its options say.

It may take as long as the poll interval allows: the group is kept alive meanwhile, and nothing is read.
"""


@dataclass(frozen=True, slots=True)
class TopicOptions:
    """How the records of one batch topic arrive."""

    keys: bool = False
    headers: bool = False
    timestamps: bool = False
    rewind: bool = False
    """Read from the beginning at each assignment; commits go on from where they were."""
    late_acks: bool = False
    """A rebalance does not wait for what agents have not acknowledged: it will be read again."""
    aligned: bool = False
    """No partition is read far ahead of the slowest, by the records' own times, which `timestamps` must ask for."""
    begin: Begin | None = None
    """Asked at each assignment where to begin; commits then stay below what `let_commit` allows."""


@dataclass(slots=True)
class Declared:
    """What one app has declared about its batches."""

    topics: dict[str, TopicOptions] = field(default_factory=dict)
    fetch: FetchOptions = FetchOptions()
    last_calls: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
