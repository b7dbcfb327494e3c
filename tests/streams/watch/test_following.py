import logging
import os
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.watch.following import LINGER_S, LOOK_AGAIN_S, Followed, Place


class Log:
    """A log that a server writes, and the reading of it, with a clock of their own."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "access.log"
        self.now_s = 0.0
        self.written: list[bytes] = []
        self.read: list[bytes] = []
        self.rotations = 0
        self.followed = Followed(Place(str(self.path), 0), 1_000)

    def append(self, lines: int) -> None:
        """Whole lines."""
        for _ in range(lines):
            line = b"line %d" % len(self.written)
            self.written.append(line)
            self.append_bytes(line + b"\n")

    def append_bytes(self, text: bytes) -> None:
        """Anything."""
        with self.path.open("ab") as file:
            file.write(text)

    def rename(self) -> None:
        """Rotation as logrotate does it: names move on, and a new file has the first."""
        self.rotations += 1
        for number in range(self.rotations, 0, -1):
            old = self.path if number == 1 else self.path.with_name(f"access.log.{number - 1}")
            if old.exists():
                old.rename(self.path.with_name(f"access.log.{number}"))
        self.path.touch()

    def look(self, times: int = 1, most: int = 1_000) -> list[bytes]:
        """Read so often, two seconds between."""
        found: list[bytes] = []
        for _ in range(times):
            self.now_s += LINGER_S
            found += self.followed.read(most, self.now_s)
        self.read += found
        return found

    def restart(self) -> None:
        """Another process goes on where the place says."""
        kept = msgspec.json.encode(self.followed.place)
        self.followed.close()
        self.followed = Followed(msgspec.json.decode(kept, type=Place), 1_000)


@pytest.fixture
def made(tmp_path: Path) -> Log:
    """A log with three lines."""
    log = Log(tmp_path)
    log.append(3)
    return log


def test_lines_come_once_as_they_are_written(made: Log) -> None:
    """What is there first, then what is appended; half a line waits for its end."""
    assert made.look() == [b"line 0", b"line 1", b"line 2"]
    made.append_bytes(b"half ")
    assert made.look(2) == []
    made.append_bytes(b"a line\n")
    assert made.look() == [b"half a line"]
    assert made.followed.place.line == 4


def test_a_renamed_file_is_read_to_its_end(made: Log, caplog: pytest.LogCaptureFixture) -> None:
    """A server goes on writing into it until it is told of the new one. Said once, and that nothing is missing."""
    made.look()
    made.path.rename(made.path.with_name("access.log.1"))
    made.path.write_bytes(b"new\n")
    with made.path.with_name("access.log.1").open("ab") as file:
        file.write(b"late\n")
    with caplog.at_level(logging.INFO):
        assert made.look() == [b"late"]
        assert made.look(4) == [b"new"]
    [said] = caplog.messages
    assert said.startswith(f"{made.path} was renamed")


def test_a_last_line_without_an_end_is_a_line_once_the_file_is_left(made: Log) -> None:
    """Nobody will end it any more."""
    made.append_bytes(b"cut short")
    made.look()
    made.rename()
    assert made.look(4) == [b"cut short"]


@pytest.mark.parametrize("grown", [1, 50])
def test_a_cut_file_is_read_from_its_beginning(made: Log, grown: int, caplog: pytest.LogCaptureFixture) -> None:
    """Even where it has grown beyond the place by the next look; said once."""
    made.look()
    made.path.write_bytes(b"again\n" * grown)
    with caplog.at_level(logging.INFO):
        assert made.look() == [b"again"] * grown
        assert made.look() == []
    assert caplog.messages == [f"{made.path} was cut: it is read from its beginning"]


def test_a_file_that_is_not_there_is_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is said once."""
    log = Log(tmp_path)
    with caplog.at_level(logging.WARNING):
        assert log.look(5) == []
    assert [record.message for record in caplog.records] == [
        f"{log.path}: No such file or directory; it is tried again"
    ]
    log.append(2)
    assert log.look() == [b"line 0", b"line 1"]


def test_a_file_without_permission_is_waited_for(made: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing ends, nothing is lost."""

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", refuse)
        assert made.look(3) == []
    assert made.look() == [b"line 0", b"line 1", b"line 2"]


def test_a_restart_goes_on_in_a_file_that_was_renamed_meanwhile(made: Log, caplog: pytest.LogCaptureFixture) -> None:
    """What was written before the rotation is read before the new file; no lines are said to be missing."""
    made.look()
    made.append(2)
    made.rename()
    made.append(2)
    made.restart()
    assert made.look(4) == [b"line 3", b"line 4", b"line 5", b"line 6"]
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_restart_says_when_lines_may_be_missing(made: Log, caplog: pytest.LogCaptureFixture) -> None:
    """The file that was read is gone, and another one has its name."""
    made.look()
    made.restart()
    made.path.unlink()
    made.path.write_bytes(b"another beginning, and longer than it was before\n")
    with caplog.at_level(logging.WARNING):
        assert made.look() == [b"another beginning, and longer than it was before"]
    assert "lines may be missing" in caplog.text


def test_a_pipe_beside_the_log_is_never_opened(made: Log) -> None:
    """Whoever opens one waits for its writer, and the others would wait with it."""
    made.append(2)
    made.look()
    os.mkfifo(made.path.with_name("access.log.0"))
    made.rename()
    made.append(1)
    made.restart()
    made.look(5)
    assert made.read == made.written


def test_no_look_at_the_name_more_often_than_needed(made: Log, caplog: pytest.LogCaptureFixture) -> None:
    """A log at its end costs a look at its size, no more."""
    made.look()
    made.rename()
    caplog.set_level(logging.INFO)
    for _ in range(5):
        made.now_s += LOOK_AGAIN_S / 10
        assert made.followed.read(10, made.now_s) == []
    assert caplog.messages == []


STEPS = st.lists(
    st.tuples(st.sampled_from(["append", "rename", "cut", "restart", "look", "few"]), st.integers(0, 5)), max_size=40
)


@given(steps=STEPS)
@settings(max_examples=150)
def test_every_line_once_in_order(tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]) -> None:
    """Whatever is renamed, cut once it was read, restarted and read in whatever portions."""
    log = Log(tmp_path_factory.mktemp("log"))
    for step, count in steps:
        match step:
            case "append":
                log.append(count)
            case "rename" if log.path.exists():
                log.look(8)  # one rotation at a time
                log.rename()
            case "cut" if log.path.exists():
                log.look(8)
                log.path.write_bytes(b"")
            case "restart":
                log.restart()
            case "look":
                log.look(count)
            case "few":
                log.look(1, 1)
    log.look(8)
    assert log.read == log.written
    assert log.followed.place.line == len(log.written)
    log.followed.close()
