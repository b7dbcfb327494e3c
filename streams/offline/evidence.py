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

from schemas.alert import Alert, AlertStatus
from schemas.block import Action, Block, BlockMode
from schemas.errors import UsageError
from schemas.event_time import parse_time_us
from schemas.exposure import Exposure
from streams.config import revision
from streams.offline.affected import Affected, Statement
from streams.settings import Settings

SUMS: Final = "SHA256SUMS"
PACKAGES: Final = ("weir", "msgspec", "numba", "numpy", "xxhash")


class Span(msgspec.Struct):
    """Between which times the members are looked for."""

    begins: str
    """First sighting of the incident."""
    ends: str
    """Its first enforced block, challenges and throttles left out; without one its last finding."""
    blocked: bool


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
    # Whoever passes a challenge is shown more: only a block ends what there is to tell.
    enforced = [block.event_time for block in blocks if _denies(block)]
    last = max(alert.event_time for alert in alerts if alert.status is not AlertStatus.CLOSED or len(alerts) == 1)
    ends = min(enforced) if enforced else last
    return Span(min(alert.first_seen for alert in alerts), ends, bool(enforced))


def span_us(span: Span) -> tuple[int, int]:
    """Its two ends in us; records have milliseconds, so the end is that of its own."""
    return parse_time_us(span.begins), parse_time_us(span.ends) + 999


def write(out: Path, alerts: Sequence[Alert], blocks: Sequence[Block], found: Affected, settings: Settings) -> None:
    """Write the evidence into ``out``, which must be empty or not there yet.

    Raises:
        UsageError: it cannot be written there.
    """
    encoder = msgspec.json.Encoder(order="deterministic")
    files = {
        "alerts.ndjson": encoder.encode_lines(alerts),
        "blocks.ndjson": encoder.encode_lines(blocks),
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
