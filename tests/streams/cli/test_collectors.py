"""``weir collectors`` on request logs, as its user calls it."""

import json
from pathlib import Path

import pytest

from streams.cli.main import run
from streams.offline.collecting import DAY_US
from tests.requests import views

DAY_S = 1_793_577_600
"""2026-11-02, midnight UTC."""
CONFIG = """
[[collectors]]
actor = "account:crm"
profiles_per_day = 30
owner = "sales"
reason = "contract"
expires = 2027-06-30
"""


def time_of(event: bytes) -> int:
    """Event time."""
    read: int = json.loads(event)["@timestamp"]
    return read


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A configuration with a collector, and logs of three days before the 5th."""
    (tmp_path / "weir.toml").write_text(CONFIG)
    for day in range(-1, 4):
        at_s = DAY_S + day * DAY_US / 1_000_000
        values = views(at_s, 20 + 10 * day, 60.0, account="crm") + views(at_s, 2, 86_399.0, account="other")
        values.sort(key=time_of)
        (tmp_path / f"{day + 2}.log").write_bytes(b"\n".join(values))
    return tmp_path


def report(place: Path, *arguments: str) -> int:
    """Ask for November."""
    return run(["collectors", "report", "--month", "2026-11", "--config", str(place / "weir.toml"), *arguments])


def test_nobody_is_authorised(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of nobody nothing was counted, and the report does not say that all was."""
    (tmp_path / "weir.toml").write_text("")
    (tmp_path / "1.log").write_bytes(b"\n".join(views(DAY_S, 20, 60.0)))
    assert report(tmp_path, str(tmp_path / "1.log")) == 0
    out = capsys.readouterr().out
    assert "No collectors are configured, and none was counted." in out
    assert "counted whole" not in out


def test_logs_of_some_days(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each day as the logs have it; one between whose log was not given is not taken for a quiet one; status 1."""
    logs = [str(place / f"{number}.log") for number in (1, 2, 3, 5)]
    assert report(place, *logs, "--json") == 1
    found = json.loads(capsys.readouterr().out)
    crm = found["collectors"][0]
    days = {line["day"]: line["counted"] for line in crm["days"] if line["counted"]}
    assert [days[f"2026-11-0{day}"]["profiles"] for day in (1, 2, 3, 5)] == [10, 20, 30, 50]
    assert days["2026-11-02"]["missing"] == []
    assert days["2026-11-04"]["missing"] == ["nobody at all asked for anything: is a log missing?"]
    assert crm["days_above"] == ["2026-11-05"]
    assert "no decisions: name what weir watch or weir replay wrote with --in" in found["sources"]


def test_decisions_of_a_replay(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --in the report has them, in Markdown."""
    log = str(place / "5.log")
    assert run(["replay", log, "--config", str(place / "weir.toml"), "--out", str(place / "found")]) == 0
    capsys.readouterr()
    assert report(place, log, "--in", str(place / "found")) == 1
    text = capsys.readouterr().out
    assert text.startswith("# Authorised collectors, 2026-11\n")
    assert "## account:crm\n" in text
    assert "alert open" in text


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["collectors", "report", "--month", "2026-13"], "is no month"),
        (["collectors", "report", "--month", "november"], "is no month"),
        (["collectors", "report", "--month", "2026-11", "--bootstrap", "x:1", "nowhere.log"], "one or the other"),
        (["collectors", "report", "--month", "2026-11", "nowhere.log"], "nowhere.log"),
        (["collectors", "count"], "has no [[collectors]]"),
    ],
)
def test_what_cannot_be_is_one_line(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 2."""
    assert run(arguments) == 2
    err = capsys.readouterr().err
    assert told in err
    assert err.count("\n") == 1
