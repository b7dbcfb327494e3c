"""Bytes as they come, into whole lines of bounded length."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Lines:
    """Lines that are whole, and the beginning of the next one."""

    line_max_bytes: int
    """Of a longer line only so many bytes, and one more that tells, are kept."""
    at: int = 0
    """Bytes taken in so far."""
    whole: list[bytes] = field(default_factory=list)
    """Without their ends."""
    ends: list[int] = field(default_factory=list)
    """Of each the place behind its end, in bytes taken in."""
    _rest: bytes = b""

    def take_in(self, chunk: bytes) -> None:
        """Bytes that follow those before."""
        first, *others = chunk.split(b"\n")
        self._lengthen(first)
        if not others:
            self.at += len(chunk)
            return
        *between, last = others
        end = self.at + len(first) + 1
        for line in between:
            self._end(end)
            self._rest = line[: self.line_max_bytes + 1]
            end += len(line) + 1
        self._end(end)
        self._rest = last[: self.line_max_bytes + 1]
        self.at += len(chunk)

    def _lengthen(self, more: bytes) -> None:
        self._rest += more[: max(self.line_max_bytes + 1 - len(self._rest), 0)]

    def _end(self, end: int) -> None:
        self.whole.append(self._rest.removesuffix(b"\r"))
        self.ends.append(end)

    def finish(self) -> None:
        """There is nothing more: what has no end yet is a line, too."""
        if self._rest:
            self._end(self.at)
            self._rest = b""

    def take(self, most: int) -> tuple[list[bytes], int]:
        """At most so many whole lines, and the place behind the last of them; 0 where there is none."""
        taken, end = self.whole[:most], self.ends[min(most, len(self.ends)) - 1] if self.ends else 0
        self.whole, self.ends = self.whole[most:], self.ends[most:]
        return taken, end
