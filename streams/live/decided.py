"""All alerts and blocks on a broker, for commands that tell of them; what is neither is counted and passed over."""

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple, TypeVar

from schemas import topic
from schemas.alert import ALERT_CODEC, Alert
from schemas.block import BLOCK_CODEC, Block
from schemas.errors import RecordError
from schemas.topic import Topic
from streams.live.access import name_of
from streams.live.topics import partitions
from streams.live.whole_topic import records
from streams.settings import KafkaSettings, Settings

SHOWN: Final = 3
"""Unreadable records whose places are named."""

R = TypeVar("R")


class Decisions(NamedTuple):
    """What stands on both topics."""

    alerts: list[Alert]
    blocks: list[Block]
    remark: str
    """How many records are neither, with the first places and reasons; empty when none is."""


def decisions(settings: Settings, kafka: KafkaSettings, since_ms: int = 0) -> Decisions:
    """All alerts and blocks that were written at ``since_ms`` or later.

    Raises:
        TransportError: the broker cannot be reached or refuses, or there is no such topic.
    """
    reader = Readable(settings, kafka, since_ms)
    alerts = list(reader.read(topic.ALERTS, ALERT_CODEC.decode))
    blocks = list(reader.read(topic.BLOCKS, BLOCK_CODEC.decode))
    return Decisions(alerts, blocks, reader.remark)


class Readable:
    """Topics, record by record; counts what cannot be read."""

    def __init__(self, settings: Settings, kafka: KafkaSettings, since_ms: int = 0) -> None:
        """Records of ``since_ms`` or later."""
        self._settings, self._kafka, self._since_ms = settings, kafka, since_ms
        self._unreadable = 0
        self._shown: list[str] = []

    def read(self, one: Topic, decode: Callable[[bytes], R]) -> Iterator[R]:
        """Values as ``decode`` reads them, tombstones left out; raises as `decisions`."""
        name = name_of(one, self._settings)
        for record in records(self._kafka, name, partitions(self._kafka, [name])[name], self._since_ms):
            if record.value is None:
                continue
            try:
                yield decode(record.value)
            except RecordError as error:
                self._unreadable += 1
                self._shown.append(f"{name}[{record.partition}]:{record.offset}: {error}")
                del self._shown[SHOWN:]

    @property
    def remark(self) -> str:
        """See `Decisions`; of all that was read so far."""
        if not self._unreadable:
            return ""
        many = "record is" if self._unreadable == 1 else "records are"
        more = "; and others" if self._unreadable > len(self._shown) else ""
        return f"{self._unreadable:,} {many} left out, unreadable: {'; '.join(self._shown)}{more}"
