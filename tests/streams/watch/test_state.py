"""Operators' commands on the state of a watch."""

import json
from pathlib import Path

import pytest

from schemas.block import BLOCK_CODEC, BlockMode, BlockStatus
from streams.cli.main import run
from tests.contract.golden_file import lines
from tests.days import HALF_DAY, values
from tests.streams.watch.test_watching import begin, standing, to_the_end

WORDS = ("--reason", "a test", "--owner", "tester")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log with half a day of people and half a day of scrapers."""
    path = tmp_path / "access.log"
    path.write_bytes(b"".join(value + b"\n" for value in values(HALF_DAY)))
    return path


def listed(capsys: pytest.CaptureFixture[str], state: Path) -> list[str]:
    """Keys of the overrides in force."""
    capsys.readouterr()
    assert run(["overrides", "--state", str(state), "--json"]) in (0, None)
    return [one["key"] for one in json.loads(capsys.readouterr().out)["overrides"]]


def test_a_command_takes_back_and_ends(log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What the watch has decided gives way; what is ended is forgotten; who did it stands in the file."""
    state = tmp_path / "state"
    watching = begin(state, log)
    to_the_end(watching)
    whom = min(standing(watching))
    watching.close()
    where = ("--state", str(state))
    assert run(["unblock", f"ip:{whom}", "--for", "90d", *WORDS, *where]) in (0, None)
    assert run(["block", "ip:198.51.100.7", "--for", "90d", *WORDS, *where]) in (0, None)
    assert sorted(listed(capsys, state)) == sorted([f"ip:{whom}", "ip:198.51.100.7"])
    watching = begin(state, log)
    to_the_end(watching)
    assert whom not in standing(watching)
    assert "198.51.100.7" in standing(watching)
    assert run(["overrides", "end", "ip:198.51.100.7", *WORDS, *where]) in (0, None)
    watching._heard_s -= 60
    to_the_end(watching)
    assert "198.51.100.7" not in standing(watching)
    watching.close()
    assert listed(capsys, state) == [f"ip:{whom}"]
    assert (state / "operators.ndjson").read_text().count("weir.audit.v1") == 3


def test_what_the_watch_said_after_the_operator_counts(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The operator's word of before must not hide it from the next command."""
    state = tmp_path / "state"
    watching = begin(state, log)
    to_the_end(watching)
    watching.keep()
    where = ("--state", str(state))
    assert run(["block", "ip:198.51.100.7", "--for", "90d", *WORDS, *where]) in (0, None)
    watching._heard_s -= 60
    to_the_end(watching)
    mine = [block for block in watching.blocks.records() if block.actor.value == "198.51.100.7"][-1]
    golden = BLOCK_CODEC.decode(lines("block.v1")[0])
    assert (mine.mode, mine.status, golden.actor != mine.actor) == (BlockMode.ENFORCE, BlockStatus.ACTIVE, True)
    watching.close()
    capsys.readouterr()
    assert run(["kill-switch", "on", *WORDS, *where, "--json"]) in (0, None)
    assert "198.51.100.7" in capsys.readouterr().out


@pytest.mark.parametrize("more", [("--state", "no/such/directory"), ("--state", ".", "--bootstrap", "localhost:1")])
def test_no_state_is_refused(more: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is written."""
    monkeypatch.chdir(tmp_path)
    assert run(["unblock", "ip:203.0.113.7", "--for", "1h", *WORDS, *more]) == 2
    assert list(tmp_path.iterdir()) == []
