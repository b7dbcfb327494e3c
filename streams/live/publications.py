"""The topic of published configurations: what stands on it, and adding to it."""

import asyncio
import logging
from collections.abc import Sequence

from schemas import topic
from schemas.audit import Audit, AuditKind, Change, ChangeOf
from schemas.config_revision import PublishedConfig
from schemas.errors import ConfigError, RecordError
from schemas.event_time import format_time
from schemas.identity import stable_id
from streams.live.operating import send
from streams.live.topics import partitions
from streams.live.whole_topic import records, refusals
from streams.outputs.cloudevents import audit_record, config_record
from streams.publication import Publication, publication_of
from streams.settings import KafkaSettings

log = logging.getLogger(__name__)


def read(_: bytes | None, value: bytes | None) -> Publication | str | None:
    """What a record of the topic says: a publication, or why it is none; nothing of a tombstone."""
    if value is None:
        return None
    try:
        return publication_of(value)
    except (RecordError, ConfigError) as error:
        return str(error)


def standing(kafka: KafkaSettings) -> list[Publication]:
    """All publications in the order in which they came; what is none is logged and passed over.

    Raises:
        TransportError: the broker cannot be reached or refuses, or there is no such topic.
    """
    name = kafka.prefix + topic.CONFIG.name
    found: list[Publication] = []
    for record in records(kafka, name, partitions(kafka, [name])[name]):
        said = read(record.key, record.value)
        if isinstance(said, str):
            log.warning("%s: a record is passed over: %s", name, said)
        elif said is not None:
            found.append(said)
    return found


def push(kafka: KafkaSettings, published: PublishedConfig, entry: Audit) -> None:
    """Write a publication, and then the entry on it in the audit.

    Raises:
        TransportError: the broker cannot be reached or refuses; ask again, as the same twice does no harm.
    """
    with refusals(kafka):
        asyncio.run(send(kafka, [config_record(published), audit_record(entry)]))


def config_entry(who: str, change: Sequence[str], config: str, now_us: int) -> Audit:
    """An entry in the audit on a configuration; ``change`` is subject, before, after and reason."""
    subject, before, after, reason = change
    return Audit(
        id=stable_id("config", who, subject, before, after, reason, now_us),
        kind=AuditKind.CHANGED,
        time=format_time(now_us),
        who=who,
        causes=[],
        config=config,
        change=Change(ChangeOf.CONFIG, subject, before, after, reason),
    )
