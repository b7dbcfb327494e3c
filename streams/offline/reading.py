"""Recorded requests as batches: files of lines, each a source partition, read side by side in event-time order.

A line is whatever `[input] format` takes: a request event as JSON, a line of an access log, an array of events. A
file of comma-separated values begins with a header. Files may be compressed; one that ends early, or is damaged from
somewhere on, is read up to there, and said to be.
"""

import io
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Protocol, TypeVar, cast

import numpy as np

from schemas.errors import InputError
from streams.inputs.table import Table, table_of
from streams.offline.lines import Lines
from streams.offline.unpacking import unpacked
from streams.pipeline.batch import Batch

TOPIC: Final = "replay"
BATCH_RECORDS: Final = 16_384
KAFKA: Final = "kafka:"
"""How an input begins that is a topic and no file."""
_BUFFER: Final = 1 << 20


class Source(Protocol):
    """A source partition of recorded requests: a file, or a stretch of a partition of a topic."""

    partition: int
    """Its number among all that are read together."""
    size: int
    """Of all there is to read, in bytes or about that."""
    watermark_us: int
    """Highest event time so far; set by whoever consumes its batches."""
    done: bool
    cut: str
    """Why it could not be read to its end; empty where it could."""

    def read(self) -> Batch:
        """The next records; the last time, which may be the first, with ``done``."""

    def place(self, offset: int) -> str:
        """Where a record is, for a person."""

    def close(self) -> None:
        """Let go of it."""

    @property
    def position(self) -> tuple[str, int, int]:
        """Topic, partition and next offset."""

    @property
    def bytes_read(self) -> int:
        """How much of `size` has been read."""


S = TypeVar("S", bound=Source)


@dataclass(slots=True)
class Recording:
    """One file, read line by line; the line's number, from 0, is its offset."""

    path: Path
    partition: int
    size: int
    """Bytes on disk."""
    lines: Lines
    raw: BinaryIO
    """What lies under `lines`: its position tells how far the reading has come, compressed or not."""
    records: int
    """Lines of a batch at most."""
    offset: int = 0
    watermark_us: int = -1
    done: bool = False
    table: Table | None = None
    """Where the first line is a header of columns."""
    cut: str = ""
    """Why it could not be read to its end; empty where it could."""

    def read(self) -> Batch:
        """The next lines; empty lines are left out, but counted by the offset."""
        lo, lines = self.offset, self.lines.take(self.records)
        self.offset += len(lines)
        self.done = self.lines.done
        if self.lines.damage is not None and self.done:
            self.cut = f"{self.place(self.offset)}: cannot be read further: {self.lines.damage}"
        if lo == 0 and lines:
            self.table = table_of(lines[0])
            lines[0] = b"" if self.table is not None else lines[0]
        offsets = None
        if not all(lines) or any(map(bytes.isspace, lines)):
            at = [number for number, line in enumerate(lines) if line.strip()]
            lines, offsets = [lines[number] for number in at], lo + np.array(at, np.int64)
        if self.table is not None:
            lines = [self.table.record(line) for line in lines]
        return Batch(TOPIC, self.partition, lo, self.offset, lines, offsets)

    def place(self, offset: int) -> str:
        """File and line, counted from 1."""
        return f"{self.path}:{offset + 1}"

    def close(self) -> None:
        """Let go of the file."""
        self.raw.close()

    @property
    def position(self) -> tuple[str, int, int]:
        """Topic, partition and next offset."""
        return TOPIC, self.partition, self.offset

    @property
    def bytes_read(self) -> int:
        """How much of `size` has been read; a pipe cannot tell."""
        return self.raw.tell() if self.raw.seekable() and not self.done else self.size


def open_all(paths: Sequence[Path], records: int = 0) -> list[Recording]:
    """Open recordings for `read_all`; gzip and zstd are unpacked, by their first bytes.

    ``records`` of a batch at most, or as many as usual.

    Raises:
        InputError: one cannot be read.
    """
    return [_open(path, partition, records or BATCH_RECORDS) for partition, path in enumerate(paths)]


def sources_of(inputs: Sequence[Path | Source]) -> list[Source]:
    """Files, opened as `open_all` does, among sources that are open already; their places are their numbers.

    Raises:
        InputError: a file cannot be read.
    """
    found: list[Source] = []
    for number, one in enumerate(inputs):
        source: Source = _open(one, number, BATCH_RECORDS) if isinstance(one, Path) else one
        source.partition = number
        found.append(source)
    return found


def _open(path: Path, partition: int, records: int) -> Recording:
    require_file(path)
    try:
        raw = path.open("rb")
        size = path.stat().st_size
    except OSError as error:
        raise InputError(str(path), error.strerror or str(error)) from error
    lines = Lines(io.BufferedReader(cast("io.RawIOBase", unpacked(raw)), _BUFFER))
    return Recording(path, partition, size, lines, raw, records)


def require_file(path: Path) -> None:
    """Refuse what is written like a topic, where files alone are read.

    Raises:
        InputError: it is one.
    """
    if path.parts[:1] == (KAFKA,):
        raise InputError(str(path), "only `weir replay` reads from Kafka; give a file here")


def read_all(recordings: Sequence[S]) -> Iterator[tuple[S, Batch]]:
    """Batches of all recordings; the one that is farthest behind in event time is read next.

    Whoever consumes a batch sets the recording's ``watermark_us`` before asking for the next one.
    """
    with ExitStack() as opened:
        for recording in recordings:
            opened.callback(recording.close)
        while waiting := [recording for recording in recordings if not recording.done]:
            behind = min(waiting, key=lambda recording: recording.watermark_us)
            yield behind, behind.read()
