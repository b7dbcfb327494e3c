"""The overrides that a worker goes by, as they stand on their topic."""

import asyncio
import logging
from contextlib import suppress
from typing import Final, NamedTuple

from schemas import topic
from schemas.errors import RecordError
from schemas.override import Override, decode_override
from streams.live.topic_feed import TopicFeed
from streams.pipeline.policy.overrides import Overrides
from streams.settings import KafkaSettings

LOOK_S: Final = 1.0
"""How often is looked whether a partition has still to heed what came before it was taken over."""

log = logging.getLogger(__name__)


class Said(NamedTuple):
    """One record: what is decided under a key, None where that is taken back."""

    key: str
    override: Override | None


class Overriding:
    """Reads the topic; what is wrong on it is passed over, as a typing error must not stop a worker."""

    def __init__(self, settings: KafkaSettings, partitions: int) -> None:
        """Read all ``partitions`` of the topic."""
        self.overrides = Overrides(at_once=True)
        self.feed: TopicFeed[Said] = TopicFeed(settings, settings.prefix + topic.OVERRIDES.name, partitions, read)

    def take_in(self) -> None:
        """Let what has come be in force; not while anything is judged."""
        for said in self.feed.take():
            self.overrides.take(said.key, said.override)

    async def wait(self) -> None:
        """Wait until something has come, or a second has passed."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.feed.changed.wait(), LOOK_S)
        self.feed.changed.clear()


def read(key: bytes | None, value: bytes | None) -> Said | None:
    """What a record says; None where it says nothing that could be heeded, which is logged without whom it names."""
    try:
        name, override = (key or b"").decode(), decode_override(value)
        Overrides().take(name, override)
    except (RecordError, UnicodeDecodeError) as error:
        log.warning("%s: a record is no override and is passed over: %s", topic.OVERRIDES.name, error)
        log.debug("its key: %r", key)
        return None
    return Said(name, override)
