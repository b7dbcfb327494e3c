"""Recorded requests as batches: NDJSON files, each a source partition, read side by side in event-time order."""

import gzip
import io
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, cast

import numpy as np

from schemas.errors import InputError
from streams.pipeline.batch import Batch

TOPIC: Final = "replay"
BATCH_RECORDS: Final = 10_000
_BUFFER: Final = 1 << 20


@dataclass(slots=True)
class Recording:
    """One file, read line by line; the line's number, from 0, is its offset."""

    path: Path
    partition: int
    size: int
    """Bytes on disk."""
    lines: BinaryIO
    raw: BinaryIO
    """What lies under `lines`: its position tells how far the reading has come, compressed or not."""
    offset: int = 0
    watermark_us: int = -1
    done: bool = False

    def read(self) -> Batch:
        """The next lines; empty lines are left out, but counted by the offset."""
        lo = self.offset
        lines: list[bytes] = []
        at: list[int] = []
        while len(lines) < BATCH_RECORDS:
            line = self._line()
            if not line:
                self.done = True
                break
            if line.strip():
                lines.append(line.rstrip(b"\r\n"))
                at.append(self.offset)
            self.offset += 1
        return _batch(self.partition, lo, self.offset, lines, at)

    def _line(self) -> bytes:
        try:
            return self.lines.readline()
        except (OSError, EOFError) as error:
            raise InputError(f"{self.path}:{self.offset + 1}", f"cannot be read further: {error}") from error

    def close(self) -> None:
        """Let go of the file."""
        self.lines.close()
        self.raw.close()

    @property
    def position(self) -> tuple[str, int, int]:
        """Topic, partition and next offset."""
        return TOPIC, self.partition, self.offset

    @property
    def bytes_read(self) -> int:
        """How much of `size` has been read."""
        return self.size if self.done else self.raw.tell()


def _batch(partition: int, lo: int, hi: int, lines: list[bytes], at: list[int]) -> Batch:
    dense = at == [] or at[-1] == lo + len(at) - 1
    offsets = None if dense else np.array(at, np.int64)
    return Batch(TOPIC, partition, lo, hi, lines, offsets)


def open_all(paths: Sequence[Path]) -> list[Recording]:
    """Open recordings for `read_all`; a name ending in ``.gz`` is unpacked.

    Raises:
        InputError: one cannot be read.
    """
    return [_open(path, partition) for partition, path in enumerate(paths)]


def _open(path: Path, partition: int) -> Recording:
    try:
        raw = path.open("rb")
        size = path.stat().st_size
    except OSError as error:
        raise InputError(str(path), error.strerror or str(error)) from error
    lines = gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw
    return Recording(path, partition, size, io.BufferedReader(cast("io.RawIOBase", lines), _BUFFER), raw)


def read_all(recordings: Sequence[Recording]) -> Iterator[tuple[Recording, Batch]]:
    """Batches of all recordings; the one that is farthest behind in event time is read next.

    Whoever consumes a batch sets the recording's ``watermark_us`` before asking for the next one.
    """
    with ExitStack() as opened:
        for recording in recordings:
            opened.callback(recording.close)
        while waiting := [recording for recording in recordings if not recording.done]:
            behind = min(waiting, key=lambda recording: recording.watermark_us)
            yield behind, behind.read()
