"""The evidence of one incident as a directory that a second run makes again byte for byte.

::

alerts.ndjson      what people were told, in order
blocks.ndjson      what enforcement was told
members.ndjson     whose profiles were shown, with first and last time
requests.log       the requests that showed them, as they stand in the log
statement.json     span, completeness, versions
config.json        the effective configuration, every key
SHA256SUMS         of all of these; `sha256sum -c SHA256SUMS` checks them
"""

import hashlib
import importlib.metadata
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from schemas.alert import ALERTS_FILE, Alert, AlertStatus
from schemas.block import BLOCKS_FILE, Action, Block, BlockMode, BlockStatus
from schemas.errors import UsageError
from schemas.event_time import parse_time_us
from schemas.exposure import Exposure
from streams.config import revision
from streams.offline.affected import Affected, Statement
from streams.settings import Settings

SUMS: Final = "SHA256SUMS"
PACKAGES: Final = ("weir", "msgspec", "numba", "numpy", "xxhash")


class Pause(msgspec.Struct):
    """A time in which an enforced block stood, challenges and throttles left out."""

    begins: str
    ends: str
    """Where it ended by itself, or was taken back."""


class Span(msgspec.Struct):
    """Between which times the members are looked for."""

    begins: str
    """First sighting of the incident."""
    ends: str
    """Where its last enforced block began; if that ended within the incident, the incident's last alert; without a
    block its last finding."""
    blocked: bool
    pauses: list[Pause] = []
    """Left out within it: the actor was blocked, and may have been shown more afterwards."""


class Summary(msgspec.Struct):
    """What `statement.json` holds."""

    incident: str
    actor: str
    span: Span
    completeness: Statement
    exposure: Exposure
    """As Weir counted it at the end of the span."""
    decided_under: list[str]
    """Config revisions of the decisions."""
    read_under: str
    """Config revision under which the log was read again."""
    versions: dict[str, str]


def span_of(alerts: Sequence[Alert], blocks: Sequence[Block]) -> Span:
    """The span of an incident, of which there is at least one alert."""
    pauses = _pauses(blocks)
    last = max(alert.event_time for alert in alerts if alert.status is not AlertStatus.CLOSED or len(alerts) == 1)
    begins = min(alert.first_seen for alert in alerts)
    if not pauses:
        return Span(begins, last, blocked=False)
    told = max(alert.event_time for alert in alerts)
    ends = told if told > pauses[-1].ends else pauses.pop().begins
    return Span(begins, ends, True, pauses)


def _pauses(blocks: Sequence[Block]) -> list[Pause]:
    """When the actor was blocked, in order and apart from each other. Whoever passes a challenge is shown more."""
    found: list[Pause] = []
    for block in sorted(filter(_denies, blocks), key=lambda block: (block.event_time, block.decided_at)):
        if block.status is not BlockStatus.ACTIVE:
            if found:
                found[-1].ends = min(found[-1].ends, max(found[-1].begins, block.decided_at))
        elif found and block.event_time <= found[-1].ends:
            found[-1].ends = max(found[-1].ends, block.until)
        else:
            found.append(Pause(block.event_time, block.until))
    return found


def spans_us(span: Span) -> list[tuple[int, int]]:
    """Its parts between the pauses, in us, both ends included; records have ms, so an end is that of its own."""
    begins = [span.begins, *(pause.ends for pause in span.pauses)]
    ends = [*(pause.begins for pause in span.pauses), span.ends]
    return [(parse_time_us(one), parse_time_us(other) + 999) for one, other in zip(begins, ends, strict=True)]


def write(out: Path, alerts: Sequence[Alert], blocks: Sequence[Block], found: Affected, settings: Settings) -> None:
    """Write the evidence into ``out``, which must be empty or not there yet.

    Raises:
        UsageError: it cannot be written there.
    """
    encoder = msgspec.json.Encoder(order="deterministic")
    files = {
        ALERTS_FILE: encoder.encode_lines(alerts),
        BLOCKS_FILE: encoder.encode_lines(blocks),
        "members.ndjson": encoder.encode_lines(found.members),
        "requests.log": b"".join(line + b"\n" for line in found.requests),
        "statement.json": _pretty(encoder.encode(_summary(alerts, blocks, found, settings))),
        "config.json": _pretty(msgspec.json.encode(settings, order="sorted")),
    }
    sums = [f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(files.items())]
    try:
        out.mkdir(parents=True, exist_ok=True)
        if any(out.iterdir()):
            raise UsageError(f"{out} is not empty: evidence is not mixed with anything else")
        for name, content in files.items():
            (out / name).write_bytes(content)
        (out / SUMS).write_text("".join(sums))
    except OSError as error:
        raise UsageError(f"{out}: {error.strerror or error}") from error


def _summary(alerts: Sequence[Alert], blocks: Sequence[Block], found: Affected, settings: Settings) -> Summary:
    span = span_of(alerts, blocks)
    before = [block.exposure for block in blocks if _denies(block) and block.event_time == span.ends]
    return Summary(
        incident=alerts[0].incident,
        actor=alerts[0].actor.key,
        span=span,
        completeness=found.statement,
        exposure=before[0] if before else alerts[-1].exposure,
        decided_under=sorted({alert.config for alert in alerts} | {block.config for block in blocks}),
        read_under=revision(settings),
        versions={name: importlib.metadata.version(name) for name in PACKAGES},
    )


def _denies(block: Block) -> bool:
    return block.mode is BlockMode.ENFORCE and block.action is Action.BLOCK


def _pretty(text: bytes) -> bytes:
    return msgspec.json.format(text, indent=2) + b"\n"
