"""What a comparison has found, as files and as a line for the log.

Each file is written beside and put in place whole, so that whoever reads it meets all of it.
"""

import os
from errno import EACCES
from pathlib import Path
from typing import Final

import msgspec

from schemas.errors import RecordError, UsageError
from schemas.event_time import parse_time_us
from streams.challenge.comparing import KINDS, Comparison, Row, counts, rows

SUMMARY: Final = "summary.json"
DIFFERENCE: Final = "difference.ndjson"
PRIVATE: Final = 0o600


class Summary(msgspec.Struct, kw_only=True):
    """How many, between whom and when."""

    challenger: str
    """Revision of the challenger."""
    live: list[str]
    """Revisions under which live workers have spoken since ``since``; more than one where others came into force."""
    since: str
    """Event time from which on decisions are compared; 1970 where the activity log was empty then."""
    until: str
    """Event time before which the challenger has judged everything."""
    history_cut: bool
    """The comparison should have begun earlier, and the activity log no longer holds that."""
    block: dict[str, int]
    """Actors blocked: ``alike``, ``both`` at another time or otherwise, only ``live``, only ``challenger``."""
    alert: dict[str, int]
    """Likewise actors alerted on."""
    open: int
    """Actors of whom only one has spoken, a moment ago: not told of yet."""
    brakes: int
    """How often a brake of the challenger's has tripped or let go since this process compares."""
    unreadable: int
    """Records of blocks and alerts that could not be read."""
    cut: int
    """Decisions on actors beyond the most that are kept."""


def found(comparison: Comparison, summary: Summary, settled_s: float) -> list[Row]:
    """The differences; fills the counts of ``summary``."""
    told: list[Row] = []
    for kind in KINDS:
        result, fresh = comparison.compared(kind, settled_s)
        told += rows(kind, result)
        setattr(summary, kind, counts(result))
        summary.open += fresh
    summary.live = comparison.live.revisions_since(comparison.since)
    summary.cut = comparison.live.cut + comparison.challenger.cut
    return told


def write(out: Path, told: list[Row], summary: Summary) -> None:
    """Both files into ``out``, which nobody else may read: they name actors.

    Raises:
        UsageError: they cannot be written there.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        _put(out / DIFFERENCE, msgspec.json.Encoder().encode_lines(told))
        # The last, as it is what says that there is a report.
        _put(out / SUMMARY, msgspec.json.format(msgspec.json.encode(summary)) + b"\n")
    except OSError as error:
        raise UsageError(f"{out}: {error.strerror or error}") from error


def _put(path: Path, content: bytes) -> None:
    beside = path.with_name(f"{path.name}.new")
    beside.unlink(missing_ok=True)
    with open(beside, "xb", opener=lambda name, flags: os.open(name, flags, PRIVATE)) as file:
        file.write(content)
    beside.replace(path)


def begun_before(out: Path, challenger: str) -> int | None:
    """Since when, in microseconds of event time, a report in ``out`` on the same challenger compares; None without.

    The directory is made, so that one that cannot be is known before hours of reading.

    Raises:
        UsageError: nothing can be written there, or there is a file of this name that is no report.
    """
    path = out / SUMMARY
    try:
        out.mkdir(parents=True, exist_ok=True)
        if not os.access(out, os.W_OK):
            raise PermissionError(EACCES, os.strerror(EACCES))
        before = msgspec.json.decode(path.read_bytes(), type=Summary)
        return parse_time_us(before.since) if before.challenger == challenger else None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"{out}: {error.strerror or error}") from error
    except (msgspec.MsgspecError, ValueError, RecordError) as error:
        raise UsageError(f"{path}: no report of a challenger: {error}") from error


def line(summary: Summary) -> str:
    """What is told in the log: numbers, and nobody."""
    parts = [
        f"{kind}s: {numbers['alike']} actors alike, {numbers['both']} otherwise, {numbers['live']} only live, "
        f"{numbers['challenger']} only challenger"
        for kind, numbers in ((kind, getattr(summary, kind)) for kind in KINDS)
    ]
    return f"from {summary.since} up to {summary.until}: {'; '.join(parts)}"
