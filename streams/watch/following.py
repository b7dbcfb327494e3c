"""Follows one log as it grows, through rotation and truncation, without losing a line that can still be had.

Where the reading stands is the place behind the last line taken, and the bytes before it: a file that has other bytes
there is another one, or was cut and has grown again. Of the two ways in which logs are rotated::

    renamed     access.log ─▶ access.log.1      the old file is read until it was quiet for LINGER_S, then the new one
    cut         access.log, emptied             what was written between the last look and the cut is gone
"""

import logging
import os
from pathlib import Path
from typing import Final

import msgspec

from streams.watch.lines import Lines

CHUNK_BYTES: Final = 1 << 20
MARK_BYTES: Final = 64
LINGER_S: Final = 2.0
"""A server goes on writing into a renamed file until it is told of it."""
LOOK_AGAIN_S: Final = 1.0
"""How often a file that is at its end is looked up by its name."""

log = logging.getLogger(__name__)


class Place(msgspec.Struct):
    """Where the reading of one log stands."""

    path: str
    number: int
    """Of its source partition: the same as long as the state lasts."""
    line: int = 0
    """Lines read so far, over all files that had the name: the offset of the next one."""
    inode: int = 0
    """0 before the first file, and between two."""
    device: int = 0
    at: int = 0
    """Bytes of the file that are read: the beginning of a line."""
    mark: bytes = b""
    """The last bytes before."""


class Followed:
    """One log."""

    def __init__(self, place: Place, line_max_bytes: int) -> None:
        """Go on at ``place``, which moves with the reading; a longer line is cut, so that memory stays bounded."""
        self.place = place
        self._line_max_bytes = line_max_bytes
        self._lines = Lines(line_max_bytes)
        self._file: int | None = None
        self._quiet_since_s: float | None = None
        self._looked_s = -LOOK_AGAIN_S
        self._complaint = ""

        self.at_end = False
        """There is nothing more now, and no newer file either."""
        self.caught_up = False
        """It has been read to its end once: what came since was read as it came."""

    ended = False
    """A log has no end, unlike a pipe."""

    def read(self, lines_max: int, now_s: float) -> list[bytes]:
        """The next whole lines, without their ends; none while there is nothing new.

        ``now_s`` is any clock that only goes forwards.
        """
        if self._file is None and not (self._is_due(now_s) and self._begin()):
            return []
        self._begin_again_if_cut()
        while len(self._lines.whole) < lines_max and self._fill():
            self._quiet_since_s, self.at_end = None, False
        self.caught_up = self.caught_up or (len(self._lines.whole) < lines_max and self._has_name() is not False)
        if not self._lines.whole and self._is_due(now_s):
            self._look_for_next(now_s)
        return self._take(lines_max)

    def _take(self, lines_max: int) -> list[bytes]:
        taken, end = self._lines.take(lines_max)
        if taken:
            self.place.at = end
            self.place.line += len(taken)
            if self._file is not None:
                length = min(MARK_BYTES, end)
                self.place.mark = os.pread(self._file, length, end - length)
        return taken

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _is_due(self, now_s: float) -> bool:
        if now_s - self._looked_s < LOOK_AGAIN_S:
            return False
        self._looked_s = now_s
        return True

    def _begin(self) -> bool:
        """Open the file in which the reading stands, or the one that has the name now."""
        path = Path(self.place.path)
        if not self.place.inode or not path.exists():
            renamed = self._renamed(path) if self.place.inode else None
            return self._open(path, 0) if renamed is None else self._open(renamed, self.place.at)
        if self._goes_on_in(path):
            return self._open(path, self.place.at)
        renamed = self._renamed(path)
        if renamed is not None:
            return self._open(renamed, self.place.at)
        log.warning("%s is not the file that was read before, and that one is gone: lines may be missing", path)
        return self._open(path, 0)

    def _goes_on_in(self, path: Path) -> bool:
        """The file is the one that was read, as far as that can be told."""
        place = self.place
        try:
            # To open a pipe that lies beside the log would wait for whoever writes into it.
            if path.stat().st_ino != place.inode:
                return False
            with path.open("rb") as file:
                stat = os.fstat(file.fileno())
                if (stat.st_ino, stat.st_dev) != (place.inode, place.device) or stat.st_size < place.at:
                    return False
                return os.pread(file.fileno(), len(place.mark), place.at - len(place.mark)) == place.mark
        except OSError:
            return False

    def _renamed(self, path: Path) -> Path | None:
        """The file that was read, under the name that rotation has given it."""
        try:
            beside = sorted(each for each in path.parent.iterdir() if each.name.startswith(path.name) and each != path)
        except OSError:
            return None
        return next((each for each in beside if self._goes_on_in(each)), None)

    def _open(self, path: Path, at: int) -> bool:
        try:
            self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            self.at_end = self.caught_up = True
            if reason != self._complaint:
                log.warning("%s: %s; it is tried again", path, reason)
            self._complaint = reason
            return False
        self._complaint = ""
        stat = os.fstat(self._file)
        self.place.inode, self.place.device = stat.st_ino, stat.st_dev
        self._from(at)
        return True

    def _from(self, at: int) -> None:
        self.place.at, self._lines, self._quiet_since_s = at, Lines(self._line_max_bytes, at), None
        if at == 0:
            self.place.mark = b""

    def _begin_again_if_cut(self) -> None:
        """Even where the file has grown beyond the place since."""
        assert self._file is not None
        mark, at = self.place.mark, self.place.at
        if os.fstat(self._file).st_size < at or os.pread(self._file, len(mark), at - len(mark)) != mark:
            log.info("%s was cut: it is read from its beginning", self.place.path)
            self._from(0)

    def _fill(self) -> bool:
        """Read on; False at the end of the file."""
        assert self._file is not None
        chunk = os.pread(self._file, CHUNK_BYTES, self._lines.at)
        self._lines.take_in(chunk)
        return bool(chunk)

    def _has_name(self) -> bool | None:
        """The file that is read has the name now; None where none has."""
        try:
            stat = Path(self.place.path).stat()
        except OSError:
            return None
        return (stat.st_ino, stat.st_dev) == (self.place.inode, self.place.device)

    def _look_for_next(self, now_s: float) -> None:
        """Go on with the file that has the name now, once the one before was quiet for a while."""
        has_name = self._has_name()
        if has_name is None:
            self.at_end = True
        elif has_name:
            self._quiet_since_s, self.at_end = None, True
        elif self._quiet_since_s is None:
            self._quiet_since_s = now_s
        elif now_s - self._quiet_since_s >= LINGER_S:
            self._lines.finish()
            self.close()
            log.info("%s was renamed and is read to its end: it goes on in the next file of that name", self.place.path)
            self.place.inode, self.at_end = 0, False
            self._looked_s = now_s - LOOK_AGAIN_S
