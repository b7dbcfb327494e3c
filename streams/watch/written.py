"""Decisions in a file, one a line, each once however often it is decided again."""

import os
from collections import deque
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final, Generic, TypeVar

import msgspec

from schemas.alert import Alert
from schemas.block import Block
from schemas.codec import DECODE_ERRORS, JsonCodec
from schemas.errors import RecordError, UsageError

R = TypeVar("R", Alert, Block)

RECENT: Final = 100_000
"""Ids remembered from before the start: more than come between two checkpoints."""


class _Named(msgspec.Struct):
    id: str


_NAMED: Final = msgspec.json.Decoder(_Named)


class Written(Generic[R]):
    """One file of decisions."""

    def __init__(self, path: Path, codec: JsonCodec[R]) -> None:
        """Go on behind what stands there; a last line that a crash has cut is removed.

        Raises:
            UsageError: the file cannot be written.
        """
        self._codec: Final[JsonCodec[R]] = codec
        self._path = path
        try:
            self._file = path.open("a+b")
            remove_half_line(self._file.fileno())
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror or error}") from error
        self._known = dict.fromkeys(deque(self._ids(), maxlen=RECENT))

    def _ids(self) -> Iterator[str]:
        with self._path.open("rb") as file:
            for line in file:
                try:
                    yield _NAMED.decode(line).id
                except DECODE_ERRORS:
                    continue

    def records(self) -> Iterator[R]:
        """All that stands in the file; lines that are no records are left out."""
        with self._path.open("rb") as file:
            for line in file:
                try:
                    yield self._codec.decode(line)
                except RecordError:
                    continue

    def add(self, record: R, *, again: bool = False) -> bool:
        """Append a decision; False when it stands there already and is not to be said ``again``."""
        if record.id in self._known and not again:
            return False
        self._known[record.id] = None
        self._file.write(self._codec.encode(record) + b"\n")
        return True

    def flush(self) -> None:
        """Let others see what was appended."""
        self._file.flush()

    def sync(self) -> None:
        """Have it outlast a loss of power."""
        self._file.flush()
        os.fsync(self._file.fileno())
        # In one go: to look for the first one again and again passes over all that have gone before it.
        for one in list(islice(self._known, max(len(self._known) - RECENT, 0))):
            del self._known[one]

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def remove_half_line(file: int) -> None:
    """Cut a file behind its last whole line; raises `OSError`."""
    size = at = os.fstat(file).st_size
    while at:
        start = max(at - 65_536, 0)
        end = os.pread(file, at - start, start).rfind(b"\n")
        if end >= 0:
            at = start + end + 1
            break
        at = start
    if at < size:
        os.ftruncate(file, at)
