"""What can be chosen about reading in batches."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class FetchOptions:
    """How one worker reads; the same for all its topics."""

    batch_records: int = 10_000
    """No batch holds more records."""
    batch_bytes: int = 8_000_000
    """No batch holds more bytes of keys and values, unless a single record does."""
    wait_ms: int = 30
    """How long the broker holds an answer back while it has nothing; Faust alone would say 1,500."""
    partition_bytes: int = 2_000_000
    """Asked for per partition and fetch. A larger record still arrives, alone."""
    response_bytes: int = 50_000_000
    """Asked for per broker and fetch."""
    isolation: Literal["read_committed", "read_uncommitted"] = "read_committed"
    """Whether records of open and aborted transactions stay unseen."""


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


@dataclass(slots=True)
class Declared:
    """What one app has declared about its batches."""

    topics: dict[str, TopicOptions] = field(default_factory=dict)
    fetch: FetchOptions = FetchOptions()
    last_calls: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
