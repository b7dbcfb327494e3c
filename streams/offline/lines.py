"""A file as lines, thousands at a time."""

import io
from typing import Final

from streams.offline.unpacking import DAMAGED

BLOCK: Final = 1 << 20
LINE_MAX: Final = 1 << 26
"""A longer line comes in pieces, which are no events, lest it takes all memory."""


class Lines:
    """What stands between the ends of lines; a CR before an end belongs to the end."""

    def __init__(self, file: io.BufferedReader) -> None:
        """Read ``file`` from where it is."""
        self._file: Final = file
        self._read: list[bytes] = []
        """Lines that wait for somebody to take them."""
        self._begun = b""
        """The line whose end has not been read yet."""
        self.ended = False
        """Nothing more can be read."""
        self.damage: Exception | None = None
        """Why not, where that is not the end of the file."""

    def take(self, count: int) -> list[bytes]:
        """The next lines, ``count`` of them or, at the end, fewer."""
        while len(self._read) < count and not self.ended:
            self._more()
        taken, self._read = self._read[:count], self._read[count:]
        return taken

    def _more(self) -> None:
        blocks, size = [self._begun], 0
        while size < BLOCK and not self.ended:
            blocks.append(self._block())
            size += len(blocks[-1])
        whole = b"".join(blocks)
        lines = whole.split(b"\n")
        self._begun = lines.pop()
        if self.ended and self.damage is None and self._begun:
            # The last line of a file needs no end; one that is cut off by damage is none.
            lines.append(self._begun)
        if len(whole) > LINE_MAX:
            lines = [piece for line in lines for piece in _pieces(line)]
            *pieces, self._begun = _pieces(self._begun)
            lines += [] if self.ended else pieces
        self._read += [line.rstrip(b"\r") for line in lines] if b"\r" in whole else lines

    def _block(self) -> bytes:
        """What the file has at once: of what comes before a damage nothing is lost. Empty at the end."""
        try:
            block = self._file.read1(BLOCK)
        except DAMAGED as error:
            self.damage, block = error, b""
        self.ended = not block
        return block

    @property
    def done(self) -> bool:
        """All lines have been taken."""
        return self.ended and not self._read


def _pieces(line: bytes) -> list[bytes]:
    return [line[at : at + LINE_MAX] for at in range(0, len(line), LINE_MAX)] or [line]
