"""Configurations as they are published: what the record says, checked, and how one is made."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from schemas.config_revision import PUBLISHED_CODEC, PublishedConfig
from schemas.errors import ConfigError, InputError, RecordError
from schemas.event_time import format_time, parse_time_us
from schemas.identity import stable_id
from schemas.mode import Mode
from streams.config import parse, revision
from streams.pipeline.assess.timeline import Timeline
from streams.section import Changed
from streams.settings import Settings
from streams.toml import toml_of

KEYS_TOLD: Final = 20
"""Changed keys that are named in one line."""


@dataclass(frozen=True, slots=True)
class Publication:
    """One record that holds a configuration."""

    record: PublishedConfig
    settings: Settings
    """What it says; what is a process's own has its default."""
    from_us: int
    """Event time from which on it is in force."""


def publication_of(value: bytes) -> Publication:
    """The publication that a record's ``value`` is.

    Raises:
        RecordError: it is no such record.
        ConfigError: what it holds is no configuration of this version.
    """
    record = PUBLISHED_CODEC.decode(value)
    try:
        from_us = parse_time_us(record.in_force_from)
    except ValueError as error:
        raise RecordError("$.in_force_from", str(error)) from error
    return Publication(record, parse(record.text, f"published {record.key}"), from_us)


def published(settings: Settings, who: str, reason: str, now_us: int, from_us: int) -> PublishedConfig:
    """The record of ``settings`` as pushed at ``now_us`` by the wall clock, in force from ``from_us`` on."""
    digest, at = revision(settings), format_time(from_us)
    return PublishedConfig(
        id=stable_id("config", digest, at, who, now_us),
        revision=digest,
        text=toml_of(settings),
        in_force_from=at,
        pushed_at=format_time(now_us),
        who=who,
        reason=reason,
    )


def timeline_of(settings: Settings, known: Sequence[Publication], mode: Mode | None = None) -> Timeline:
    """What is in force when, for a process that begins with ``settings``; ``mode`` replaces that of every detector."""
    timeline = Timeline.of(settings, mode, known[-1].settings if known else None)
    for one in known:
        timeline.add(one.from_us, one.settings)
    return timeline


def read_publications(path: Path) -> list[Publication]:
    """The publications of a file, one record a line, in their order.

    Raises:
        InputError: it cannot be read, or a line is no publication.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise InputError(str(path), error.strerror or str(error)) from error
    found = []
    for number, line in enumerate(lines, 1):
        try:
            found += [publication_of(line)] if line.strip() else []
        except (RecordError, ConfigError) as error:
            raise InputError(f"{path}:{number}", str(error)) from error
    return found


def named(changes: Iterable[Changed]) -> str:
    """Keys in one line, each once, the rest as a number."""
    keys: Sequence[str] = list(dict.fromkeys(one.key for one in changes))
    more = f" and {len(keys) - KEYS_TOLD} more" if len(keys) > KEYS_TOLD else ""
    return ", ".join(keys[:KEYS_TOLD]) + more
