"""Tables in a pipe, on a terminal, and where they do not fit."""

import re

import pytest
from rich.table import Table

from streams.cli.table import columns, table_console

KEY = "combination:asn_agent:64519@9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
REASON = "an office of a customer, which shares one address for all of its people " * 3


def printed(capsys: pytest.CaptureFixture[str], *, long_rows: bool = False) -> list[str]:
    """Lines of a table with one row."""
    table = Table(*columns("key", "until", "reason"), box=None)
    table.add_row(KEY, "2026-12-07T06:33:01.166Z", REASON)
    table_console(long_rows=long_rows).print(table)
    return capsys.readouterr().out.splitlines()


def test_in_a_pipe_a_row_is_a_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole, whatever COLUMNS says: `grep` and `awk` see what they look for."""
    monkeypatch.setenv("COLUMNS", "40")
    _, row = printed(capsys)
    assert row.strip().split(maxsplit=2) == [KEY, "2026-12-07T06:33:01.166Z", REASON.strip()]


def on_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard output is one of 60 characters, without colours."""
    for name, value in (("COLUMNS", "60"), ("NO_COLOR", "1"), ("TERM", "vt100")):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)


def test_a_narrow_terminal_folds(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """No row is wider than it, and nothing of a key is lost."""
    on_a_narrow_terminal(monkeypatch)
    lines = [re.sub("\x1b\\[[0-9;]*m", "", line) for line in printed(capsys)]
    assert not [line for line in lines if len(line) > 60]
    width = lines[0].index("until") - 2
    assert "".join(line[1:width].strip() for line in lines[1:]) == KEY


def test_long_rows_are_left_to_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key stays in one piece, for whoever copies it."""
    on_a_narrow_terminal(monkeypatch)
    _, row = printed(capsys, long_rows=True)
    assert row.split()[0] == KEY
