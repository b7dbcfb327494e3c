"""What operators have said, in a file that they and a watch share."""

import errno
import os
from pathlib import Path

import pytest

from schemas.errors import UsageError
from streams.watch.operators import FILE, Operators, said

ONE, TWO = said("t", b"one", b"1"), said("t", b"two", None)


def test_a_word_behind_half_a_line_is_heard(tmp_path: Path) -> None:
    """What a crash has left of a record is cut, and the next one is whole."""
    operators, reader = Operators(tmp_path), Operators(tmp_path)
    operators.append([ONE])
    assert list(reader.read()) == [ONE]
    with (tmp_path / FILE).open("ab") as file:
        file.write(b'{"topic": "half')
    assert list(reader.read()) == []
    operators.append([TWO])
    assert list(reader.read()) == [TWO]
    assert reader.at == (tmp_path / FILE).stat().st_size


def test_all_or_nothing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full half way leaves the file as it was, and the operator is told."""
    operators = Operators(tmp_path)
    operators.append([ONE])
    before, write = (tmp_path / FILE).read_bytes(), os.write
    left = [10, 0]

    def full(file: int, text: bytes) -> int:
        room = left.pop(0)
        if not room:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, text[:room])

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(UsageError, match="No space left on device"):
            operators.append([TWO])
    assert (tmp_path / FILE).read_bytes() == before
    operators.append([TWO])
    assert list(Operators(tmp_path).read()) == [ONE, TWO]


@pytest.mark.parametrize(
    "line", [b"{}", b'{"topic":"t","key":"k","value":"a"}', b'{"topic":"t","key":"\xff"}', b"\x00"]
)
def test_a_spoilt_line_is_left_out(tmp_path: Path, line: bytes) -> None:
    """Whatever somebody has made of it by hand: a watch must not end of it, at every start anew."""
    (tmp_path / FILE).write_bytes(line + b"\n")
    Operators(tmp_path).append([ONE])
    assert list(Operators(tmp_path).read()) == [ONE]
