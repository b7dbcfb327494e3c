"""`weir replay`, as its user calls it."""

import gzip
import json
from pathlib import Path

import pytest
import zstandard

from schemas.config_revision import PUBLISHED_CODEC
from schemas.event_time import parse_time_us
from streams.cli import replay as cli
from streams.cli.main import run
from streams.config import parse, revision
from streams.offline.replay import Replay, replay
from streams.publication import published

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


def test_nothing_to_read(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """An empty log is told as that, not as a span between two times that are none."""
    (tmp_path / "empty.log").touch()
    assert run(["replay", str(tmp_path / "empty.log"), "--out", str(tmp_path / "out")]) == 0
    told = dict(line.strip().split("  ", 1) for line in capfd.readouterr().out.splitlines()[:2])
    assert {name: text.strip() for name, text in told.items()} == {"events": "0", "event time": "none"}


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


def test_bad_lines_are_counted_and_shown(day: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """With file, line, place and reason, and nothing that a terminal would obey; the others are judged."""
    day.write_bytes(day.read_bytes() + b"\n\x1b[31mred\xff\n" + b"{}\n" * 9)
    assert run(["replay", str(day), "--out", str(tmp_path / "out"), "--mode", "enforce", "--show-bad", "2"]) == 0
    shown = capfd.readouterr()
    assert "11 dead" in shown.out
    assert "1 account block enforce" in shown.out
    first, second = shown.err.splitlines()
    assert first.startswith(f"{day}:201: byte 1: ")
    assert second == f"{day}:202: byte 0: JSON is malformed: invalid character: \\x1b[31mred\\xff"


def test_logs_of_servers_are_read_as_they_are(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Rotated and compressed ones too, several in the order of their events; a gzip that ends early is said to."""
    line = '203.0.113.9 - - [23/Nov/2026:13:%02d:%02d +0000] "GET /people/%d HTTP/1.1" 200 12 "-" "probe"\n'
    lines = [(line % (n // 60, n % 60, n)).encode() for n in range(900)]
    (tmp_path / "access.log").write_bytes(b"".join(lines[600:]))
    (tmp_path / "access.log.1").write_bytes(zstandard.compress(b"".join(lines[300:600])))
    (tmp_path / "access.log.2.gz").write_bytes(gzip.compress(b"".join(lines[:300]))[:-9])
    files = [str(file) for file in sorted(tmp_path.glob("access.log*"))]
    assert run(["replay", *files, "--out", str(tmp_path / "out"), "--json"]) == 0
    shown = capfd.readouterr()
    report = json.loads(shown.out)
    assert report["formats"] == {"clf": report["outcomes"]["disclosed"]}
    assert 890 <= report["outcomes"]["disclosed"] <= 900
    assert (report["caution"]["files_cut"], report["late"]) == (1, 0)
    assert "access.log.2.gz:" in shown.err


def test_a_format_that_is_named_is_the_only_one(day: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """What is another is dead."""
    assert run(["replay", str(day), "--out", str(tmp_path / "out"), "--format", "nginx", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["outcomes"]["dead"] == 201


def test_published_configurations(day: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Each comes into force at its point: what is decided behind it names it, and what stands before does not."""
    point_us, configs = 1_790_000_050_000_000, tmp_path / "configs.ndjson"
    strict = parse("[mode]\ndefault = 'enforce'\n[policy]\nblock_s = 70\n")
    configs.write_bytes(PUBLISHED_CODEC.encode(published(strict, "operator:me", "", 0, point_us)))
    out = tmp_path / "out"
    assert run(["replay", str(day), "--out", str(out), "--configs", str(configs), "--json"]) == 0
    found = [json.loads(line) for line in (out / "alerts.ndjson").read_text().splitlines()]
    by_time = {(parse_time_us(one["event_time"]) >= point_us, one["config"]) for one in found}
    assert by_time == {(False, revision(parse(""))), (True, revision(strict))}
    capfd.readouterr()
    configs.write_text("{")
    assert run(["replay", str(day), "--out", str(out), "--configs", str(configs)]) == 2
    assert f"{configs}:1: " in capfd.readouterr().err


@pytest.mark.parametrize(("jobs", "apart"), [([], None), (["--jobs", "1"], False), (["--jobs", "2"], None)])
def test_how_many_processes(
    day: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: list[str], apart: bool | None
) -> None:
    """With one job there is no second process; else the inputs say whether it is worth its start."""
    asked: list[object] = []

    def asking(*_: object, apart: bool | None, **__: object) -> Replay:
        asked.append(apart)
        return replay([day], parse(""))

    monkeypatch.setattr(cli, "run", asking)
    assert run(["replay", str(day), "--out", str(tmp_path / "out"), *jobs]) == 0
    assert asked == [apart]
