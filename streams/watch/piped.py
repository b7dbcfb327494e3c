"""Reads a pipe: standard input, or a named one. What has been read of it cannot be had again."""

import os
from typing import Final

from streams.watch.following import CHUNK_BYTES, Place
from streams.watch.lines import Lines

STANDARD_INPUT: Final = "-"


class Piped:
    """One pipe, read as `Followed` is."""

    def __init__(self, place: Place, line_max_bytes: int, file: int | None = None) -> None:
        """Read ``file``, or open the pipe that ``place`` names; raises `OSError`."""
        self.place = place
        self.ended = False
        """Whoever wrote into it has gone."""
        self.at_end = False
        """There is nothing more now."""
        self.caught_up = False
        """There was nothing more once."""
        self._lines = Lines(line_max_bytes)
        named = file is None
        self._file = os.open(place.path, os.O_RDONLY | os.O_NONBLOCK) if file is None else file
        self._has_writers = not named
        os.set_blocking(self._file, False)

    def read(self, lines_max: int, now_s: float) -> list[bytes]:
        """The next whole lines; none while there is nothing new."""
        self.at_end = False
        while len(self._lines.whole) < lines_max and not self.at_end:
            self.at_end = not self._fill()
        self.caught_up = self.caught_up or self.at_end
        taken, _ = self._lines.take(lines_max)
        self.place.line += len(taken)
        return taken

    def _fill(self) -> bool:
        try:
            chunk = os.read(self._file, CHUNK_BYTES)
        except BlockingIOError:
            self._has_writers = True
            return False
        if not chunk:
            # A named pipe that nobody has opened for writing yet looks like one that all have left.
            self.ended = self._has_writers
            if self.ended:
                self._lines.finish()
            return False
        self._has_writers = True
        self._lines.take_in(chunk)
        return True

    def close(self) -> None:
        """Let go of it."""
        os.close(self._file)
