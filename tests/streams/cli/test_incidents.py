import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest

from streams.cli.main import run
from streams.watch.keeping import MANIFEST
from tests.contract.golden_file import lines
from tests.days import HALF_DAY, values

CONFIG = """
[mode]
default = "enforce"
[model]
learning_s = 36000
[detectors.profile_rate.account]
minute = 30
ten_minutes = 100
hour = 200
"""


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a log, its configuration, and what a replay has written."""
    directory = tmp_path_factory.mktemp("replayed")
    (directory / "requests.ndjson").write_bytes(b"".join(value + b"\n" for value in values(HALF_DAY)))
    (directory / "weir.toml").write_text(CONFIG)
    log, config = directory / "requests.ndjson", directory / "weir.toml"
    assert not run(["replay", str(log), "--out", str(directory / "found"), "--config", str(config), "--no-enforce"])
    return directory


def asked(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Exit status and standard output."""
    capsys.readouterr()
    status = run(arguments)
    return status or 0, capsys.readouterr().out


def listed(capsys: pytest.CaptureFixture[str], replayed: Path) -> list[dict[str, object]]:
    """All incidents."""
    status, out = asked(capsys, "incidents", "--in", str(replayed / "found"), "--json", "--limit", "1000")
    assert status == 0
    found: list[dict[str, object]] = json.loads(out)["incidents"]
    return found


def test_the_latest_stand_at_the_top(capsys: pytest.CaptureFixture[str], replayed: Path) -> None:
    """Every incident of the replay once."""
    found = listed(capsys, replayed)
    times = [str(one["event_time"]) for one in found]
    assert times == sorted(times, reverse=True)
    recorded = (replayed / "found" / "incidents.ndjson").read_bytes().splitlines()
    assert {one["incident"] for one in found} == {json.loads(line)["id"] for line in recorded}
    status, out = asked(capsys, "incidents", "--in", str(replayed / "found"), "--limit", "1")
    assert status == 0
    assert [str(one["incident"])[:12] in out for one in found[:2]] == [True, False]


def test_one_is_told_with_numbers(capsys: pytest.CaptureFixture[str], replayed: Path) -> None:
    """Each finding with its reason and its evidence; so is the actor's by `weir explain`."""
    one = listed(capsys, replayed)[0]
    status, out = asked(capsys, "incidents", str(one["incident"])[:12], "--in", str(replayed / "found"))
    assert status == 0
    actor = one["actor"]
    assert isinstance(actor, dict)
    findings = one["findings"]
    assert isinstance(findings, list)
    for finding in findings:
        assert finding["reason"] in out
        assert all(str(value) in out for value in finding["evidence"].values())
    status, explained = asked(capsys, "explain", f"{actor['scope']}:{actor['value']}", "--in", str(replayed / "found"))
    assert status == 0
    assert out.strip() in explained


def test_an_override_against_the_actor_is_told(
    capsys: pytest.CaptureFixture[str], replayed: Path, tmp_path: Path
) -> None:
    """Who says why nothing is enforced, and until when, so that it is not taken for a fault; a replay has nobody."""
    one = listed(capsys, replayed)[0]
    actor = one["actor"]
    assert isinstance(actor, dict)
    key = f"{actor['scope']}:{actor['value']}"
    for file in (replayed / "found").glob("*.ndjson"):
        shutil.copy(file, tmp_path)
    asks = [("incidents", str(one["incident"])), ("explain", key)]
    (tmp_path / MANIFEST).touch()
    silent = [asked(capsys, *words, "--in", str(tmp_path)) for words in asks]
    assert silent == [asked(capsys, *words, "--in", str(replayed / "found")) for words in asks]
    assert not any("in force now" in out for _, out in silent)
    assert run(["unblock", key, "--state", str(tmp_path), "--for", "2h", "--reason", "known", "--owner", "root"]) == 0
    until = json.loads(asked(capsys, "overrides", "--state", str(tmp_path), "--json")[1])["overrides"][0]["until"]
    for words in asks:
        assert (
            f"in force now: unblock {key} by root, until {until}: known"
            in asked(capsys, *words, "--in", str(tmp_path))[1]
        )
        told = json.loads(asked(capsys, *words, "--in", str(tmp_path), "--json")[1])["incidents"]
        assert told[0]["override"]["owner"] == "root"


def test_what_strangers_have_sent_is_no_command(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """To a terminal it is escaped; a last line that is being written is left out."""
    alert = json.loads(lines("alert.v1")[0])
    alert["actor"] = {"scope": "account", "value": "\x1b]0;x\x07\u202e"}
    (tmp_path / "alerts.ndjson").write_text(json.dumps(alert) + '\n{"id": "ha')
    (tmp_path / "blocks.ndjson").write_text("")
    for arguments in (
        ("incidents",),
        ("incidents", alert["incident"]),
        ("explain", "account:" + alert["actor"]["value"]),
    ):
        status, out = asked(capsys, *arguments, "--in", str(tmp_path))
        assert (status, "\\x1b]0;x\\x07\\u202e" in out) == (0, True)
        assert all(letter.isprintable() or letter == "\n" for letter in out)


def test_of_nobody_there_is_nothing_to_tell(capsys: pytest.CaptureFixture[str], replayed: Path) -> None:
    """Exit status 1 for an actor without an incident, 2 for an id that is none, or not one alone."""
    assert asked(capsys, "explain", "account:nobody", "--in", str(replayed / "found"))[0] == 1
    for wrong in ("zz", ""):
        assert asked(capsys, "incidents", wrong, "--in", str(replayed / "found"))[0] == 2


def test_evidence_is_made_again_byte_for_byte(
    capsys: pytest.CaptureFixture[str], replayed: Path, tmp_path: Path
) -> None:
    """`sha256sum -c` checks it, its members are those of --affected, and it is mixed with nothing."""
    enforced = [one for one in listed(capsys, replayed) if one["mode"] == "enforce" and one["status"] != "closed"]
    common = ["--in", str(replayed / "found"), "--config", str(replayed / "weir.toml")]
    common += ["--requests", str(replayed / "requests.ndjson")]
    name = str(enforced[0]["incident"])
    for out in ("first", "second"):
        assert asked(capsys, "incidents", name, *common, "--evidence", str(tmp_path / out))[0] == 0
    files = sorted(each.name for each in (tmp_path / "first").iterdir())
    assert len(files) == 7
    for file in files:
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes()
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=tmp_path / "first", check=True)
    (tmp_path / "second" / "members.ndjson").write_bytes(b"")
    assert hashlib.sha256(b"").hexdigest() not in (tmp_path / "second" / "SHA256SUMS").read_text()
    _, members = asked(capsys, "incidents", name, *common, "--affected", "--json")
    bundled = (tmp_path / "first" / "members.ndjson").read_bytes().splitlines()
    assert json.loads(members)["members"] == list(map(json.loads, bundled)) != []
    assert asked(capsys, "incidents", name, *common, "--evidence", str(tmp_path / "first"))[0] == 2
    statement = msgspec.json.decode((tmp_path / "first" / "statement.json").read_bytes())
    assert statement["completeness"]["members"] == len(bundled)


@pytest.mark.parametrize(
    "arguments", [["incidents", "--affected"], ["incidents", "abc", "--affected"], ["incidents", "--evidence", "x"]]
)
def test_what_goes_not_together_is_refused(
    capsys: pytest.CaptureFixture[str], replayed: Path, arguments: list[str]
) -> None:
    """Before anything is read."""
    assert asked(capsys, *arguments, "--in", str(replayed / "found"))[0] == 2
