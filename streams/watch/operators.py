"""What operators have said of this watch: the records that the same commands write to Kafka, in a file of the state.

`weir block`, `unblock`, `allow`, `kill-switch`, `revoke` and `overrides` append to it with
``--state``; a watch reads on, and heeds at its start what was said while it did not run.
"""

import base64
import fcntl
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from schemas.codec import DECODE_ERRORS
from schemas.errors import UsageError
from streams.watch.written import remove_half_line

FILE: Final = "operators.ndjson"


class Said(msgspec.Struct, frozen=True):
    """One record."""

    topic: str
    key: str
    value: str | None
    """Base64, as a record may hold any bytes; None for a tombstone."""

    @property
    def content(self) -> bytes | None:
        """The record's value; raises `ValueError` where it is no base64."""
        return None if self.value is None else base64.b64decode(self.value)


def said(topic: str, key: bytes, value: bytes | None) -> Said:
    """A record as the file holds it."""
    return Said(topic, key.decode("utf-8", "replace"), None if value is None else base64.b64encode(value).decode())


class Operators:
    """The file of one state's directory."""

    def __init__(self, directory: Path) -> None:
        """Nothing has been read yet."""
        self._path = directory / FILE
        self.at = 0
        """Bytes read so far, the record that was yielded last among them."""
        self._decoder = msgspec.json.Decoder(Said)

    def read(self) -> Iterator[Said]:
        """What has been said since the last call, in order; lines that are no records are left out."""
        try:
            if self._path.stat().st_size <= self.at:
                return
            with self._path.open("rb") as file:
                file.seek(self.at)
                text = file.read()
        except FileNotFoundError:
            return
        for line in text[: text.rfind(b"\n") + 1].splitlines(keepends=True):
            self.at += len(line)
            try:
                one = self._decoder.decode(line)
                _ = one.content
            except (ValueError, *DECODE_ERRORS):
                continue
            yield one

    def append(self, records: Sequence[Said]) -> None:
        """Say more; all of it is there or nothing.

        Raises:
            UsageError: the directory is none, or cannot be written.
        """
        lines = b"".join(msgspec.json.encode(record) + b"\n" for record in records)
        try:
            with self._path.open("a+b", buffering=0) as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                # What a full disk or a crash has left of a line would spoil the one behind it.
                remove_half_line(file.fileno())
                _write(file.fileno(), lines)
        except OSError as error:
            raise UsageError(
                f"{self._path}: {error.strerror or error}; --state names a directory of weir watch"
            ) from error


def _write(file: int, lines: bytes) -> None:
    """Append all of it, or leave the file as it was."""
    before = os.fstat(file).st_size
    try:
        at = 0
        while at < len(lines):
            at += os.write(file, lines[at:])
        os.fsync(file)
    except OSError:
        os.ftruncate(file, before)
        raise
