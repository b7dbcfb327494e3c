"""A file as lines."""

import io
from typing import Final

import pytest

from streams.offline import lines
from streams.offline.lines import Lines

TEXT: Final = b"one\r\ntwo\n\n \nthree\r\r\nfo\rur\nlast"
WANTED: Final = [b"one", b"two", b"", b" ", b"three", b"fo\rur", b"last"]


class Breaking(io.RawIOBase):
    """Gives so many bytes at a time, and at the end an error where there is one."""

    def __init__(self, text: bytes, at_once: int, error: Exception | None = None) -> None:
        self._text, self._at_once, self._error = text, at_once, error

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]  # the buffers that are passed here
        """The next bytes."""
        size = min(len(buffer), self._at_once, len(self._text))
        if not size and self._error is not None:
            raise self._error
        buffer[:size], self._text = self._text[:size], self._text[size:]
        return size


def lines_of(text: bytes, at_once: int = 1 << 20, error: Exception | None = None) -> Lines:
    """Lines of a file that gives ``at_once`` bytes at a time."""
    return Lines(io.BufferedReader(Breaking(text, at_once, error)))


def all_of(taken: Lines, count: int = 3) -> list[bytes]:
    """Every line, ``count`` at a time."""
    found: list[bytes] = []
    while not taken.done:
        found += taken.take(count)
    return found


@pytest.mark.parametrize("count", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("block", [1, 2, 5, 1 << 20])
def test_whatever_is_read_and_taken_at_a_time(count: int, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same lines, without their ends; a CR is of the end alone, and the last line needs none."""
    monkeypatch.setattr(lines, "BLOCK", block)
    assert all_of(lines_of(TEXT, block), count) == WANTED
    assert all_of(lines_of(TEXT + b"\n", block), count) == WANTED


def test_nothing_is_no_line() -> None:
    """An empty file has been read once it was asked."""
    empty = lines_of(b"")
    assert (empty.take(5), empty.done, empty.damage) == ([], True, None)


@pytest.mark.parametrize("at_once", [1, 4, 100])
def test_what_stands_before_a_damage_is_kept(at_once: int) -> None:
    """Whole lines, and the error; the line that it cuts off is none."""
    damaged = lines_of(b"one\ntwo\nthr", at_once, EOFError("ends early"))
    assert all_of(damaged, 1) == [b"one", b"two"]
    assert str(damaged.damage) == "ends early"


@pytest.mark.parametrize("block", [1, 7, 1 << 20])
def test_a_long_line_comes_in_pieces(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the same lengths however it was read; its neighbours are whole."""
    monkeypatch.setattr(lines, "BLOCK", block)
    monkeypatch.setattr(lines, "LINE_MAX", 10)
    text = b"a\n" + b"x" * 25 + b"\n" + b"y" * 10 + b"\nb\n" + b"z" * 21
    wanted = [b"a", b"x" * 10, b"x" * 10, b"x" * 5, b"y" * 10, b"b", b"z" * 10, b"z" * 10, b"z"]
    assert all_of(lines_of(text, block)) == wanted
