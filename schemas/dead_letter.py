"""Dead letter: input that never can be processed. Key, value and headers are the original's; more headers say why.

The names are those of Kafka Streams (KIP-1034), so that tools for its dead letter queues read them. Values are UTF-8.
"""

from collections.abc import Iterable
from typing import Final, TypeVar

import msgspec

from schemas.errors import RecordError
from schemas.field import Count

Headers = list[tuple[str, bytes]]
Value = TypeVar("Value", bound=bytes | None)

TOPIC: Final = "__streams.errors.topic"
PARTITION: Final = "__streams.errors.partition"
OFFSET: Final = "__streams.errors.offset"
EXCEPTION: Final = "__streams.errors.exception"
MESSAGE: Final = "__streams.errors.message"
STAGE: Final = "weir.error.stage"

_MESSAGE_CHARS_MAX: Final = 1_000


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """Where a dead letter came from and why it is one; each field stands in the header of the same meaning."""

    topic: str = msgspec.field(name=TOPIC)
    partition: Count = msgspec.field(name=PARTITION)
    offset: Count = msgspec.field(name=OFFSET)
    exception: str = msgspec.field(name=EXCEPTION)
    """Name of the error's class."""
    message: str = msgspec.field(name=MESSAGE)
    """Place within the record, then the reason."""
    stage: str = msgspec.field(name=STAGE)
    """Who refused it: ``observe``, say."""

    def headers(self) -> Headers:
        """To be appended to the original ones."""
        return [(name, str(text).encode(errors="replace")) for name, text in msgspec.to_builtins(self).items()]


def headers_for(error: Exception, topic: str, partition: int, offset: int, stage: str) -> Headers:
    """Headers that say why the record at ``topic[partition]@offset`` is a dead letter; append them to its own."""
    return DeadLetter(
        topic=topic,
        partition=partition,
        offset=offset,
        exception=type(error).__name__,
        message=str(error)[:_MESSAGE_CHARS_MAX],
        stage=stage,
    ).headers()


def read_headers(headers: Iterable[tuple[str, bytes | None]]) -> DeadLetter:
    """What the headers of a dead letter say; of a name given twice, as after a second death, the last one counts.

    Raises:
        RecordError: they are not those of a dead letter.
    """
    texts = {name: value.decode(errors="replace") for name, value in headers if value is not None}
    try:
        return msgspec.convert(texts, DeadLetter, strict=False)
    except msgspec.ValidationError as error:
        raise RecordError("headers", str(error)) from error


def original_headers(headers: Iterable[tuple[str, Value]]) -> list[tuple[str, Value]]:
    """The headers without those that `headers_for` has added: what to send the record again with."""
    added = {item.encode_name for item in msgspec.structs.fields(DeadLetter)}
    return [(name, value) for name, value in headers if name not in added]
