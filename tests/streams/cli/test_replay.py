"""`weir replay`, as its user calls it."""

import json
from pathlib import Path

import pytest

from streams.cli.main import run

EVENT = '{"@timestamp": %d, "http.request.method": "GET", "url.path": "/people/%d", "user.id": "eve"}'


@pytest.fixture
def day(tmp_path: Path) -> Path:
    """One account and two hundred profiles in two minutes, with a line that is none."""
    file = tmp_path / "events.ndjson"
    lines = [EVENT % (1_790_000_000 + n / 2, n) for n in range(200)]
    file.write_text("\n".join([*lines, "{"]))
    return file


def test_it_writes_five_files_and_a_table(day: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Status 0, the files of the contract, and the same in words."""
    assert run(["replay", str(day), "--out", str(tmp_path / "out"), "--mode", "enforce"]) == 0
    assert {file.name for file in (tmp_path / "out").iterdir()} == {
        "alerts.ndjson",
        "blocks.ndjson",
        "incidents.ndjson",
        "model.json",
        "report.json",
    }
    shown = capfd.readouterr()
    assert "1 account block enforce" in shown.out
    assert "1 dead" in shown.out
    assert shown.err == ""


def test_json_is_the_report(day: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """For another program, on standard output alone."""
    assert run(["replay", str(day), "--out", str(tmp_path / "out"), "--mode", "enforce", "--json"]) == 0
    report = json.loads(capfd.readouterr().out)
    assert report["blocks"] == {"account block enforce": 1}
    assert report["requests_denied"] > 0


def test_no_enforce_denies_nothing(day: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The option of the contract."""
    assert run(["replay", str(day), "--out", str(tmp_path), "--mode", "enforce", "--no-enforce", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["requests_denied"] == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["none.ndjson", "--out", "out"], "none.ndjson: No such file or directory"),
        (["{day}", "--out", "out", "--labels", "none.json"], "none.json: No such file or directory"),
        (["{day}", "--out", "out", "--labels", "{day}"], "these are no labels"),
        (["{day}", "--out", "out", "--config", "none.toml"], "none.toml: No such file or directory"),
        (["{day}", "--out", "{day}/out"], "Not a directory"),
        (["{day}"], "--out"),
        (["{day}", "--out", "out", "--mode", "off"], "off"),
    ],
)
def test_what_cannot_be_is_one_line_and_status_2(
    arguments: list[str],
    told: str,
    day: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The line names the place; there is no traceback."""
    monkeypatch.chdir(tmp_path)
    assert run(["replay", *(argument.replace("{day}", str(day)) for argument in arguments)]) == 2
    err = capfd.readouterr().err
    assert told in err
    assert err.count("\n") == 1
