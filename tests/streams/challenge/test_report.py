"""The files of a comparison, and the line in the log."""

import json
from pathlib import Path

import pytest

from schemas.errors import UsageError
from schemas.event_time import parse_time_us
from streams.challenge import report
from streams.challenge.comparing import Comparison
from tests.streams.challenge.test_comparing import SETTLED_S, SINCE, SINCE_US, alert, block


def summary() -> report.Summary:
    """One to be filled."""
    return report.Summary(
        challenger="sha256:c",
        live=[],
        since=SINCE,
        until=SINCE,
        history_cut=False,
        block={},
        alert={},
        open=0,
        brakes=0,
        unreadable=0,
        cut=0,
    )


def written(out: Path) -> report.Summary:
    """A report on four actors into ``out``."""
    comparison, made = Comparison(), summary()
    comparison.begin(SINCE)
    comparison.challenger.take(block("somebody"), 0)
    comparison.live.take(alert("another"), 0)
    comparison.live.take(block("new"), SETTLED_S + 1)
    for side in (comparison.live, comparison.challenger):
        side.take(block("same"), 0)
    report.write(out, report.found(comparison, made, SETTLED_S), made)
    return made


def test_files(tmp_path: Path) -> None:
    """A line for each difference, the counts beside it; nobody else may read either, whatever was there before."""
    out = tmp_path / "new" / "place"
    for _ in range(2):
        written(out)
    lines = [json.loads(line) for line in (out / report.DIFFERENCE).read_bytes().splitlines()]
    told = [(line["kind"], line["actor"], line["by"]) for line in lines]
    assert told == [("block", "account:somebody", "challenger"), ("alert", "account:another", "live")]
    counted = json.loads((out / report.SUMMARY).read_bytes())
    assert counted["block"] == {"alike": 1, "both": 0, "live": 0, "challenger": 1}
    assert (counted["open"], counted["live"]) == (1, [block().config])
    assert {path.name: path.stat().st_mode & 0o777 for path in out.iterdir()} == {
        report.DIFFERENCE: 0o600,
        report.SUMMARY: 0o600,
    }


def test_the_line_names_nobody(tmp_path: Path) -> None:
    """Numbers of both kinds."""
    text = report.line(written(tmp_path))
    assert "blocks: 1 actors alike, 0 otherwise, 0 only live, 1 only challenger; alerts: 0 actors alike" in text
    assert "account" not in text


def test_a_report_on_the_same_challenger_goes_on(tmp_path: Path) -> None:
    """A restart compares from the same time on; another challenger begins anew, and so does an empty directory."""
    assert report.begun_before(tmp_path, "sha256:c") is None
    written(tmp_path)
    assert report.begun_before(tmp_path, "sha256:c") == SINCE_US == parse_time_us(SINCE)
    assert report.begun_before(tmp_path, "sha256:d") is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"challenger": "sha256:c"}', b"\xff"])
def test_a_file_that_is_no_report_is_not_overwritten(tmp_path: Path, content: bytes) -> None:
    """It is refused at the start, with its name."""
    (tmp_path / report.SUMMARY).write_bytes(content)
    with pytest.raises(UsageError, match="no report of a challenger"):
        report.begun_before(tmp_path, "sha256:c")


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    """One line says which, at the start and at each report."""
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="file/out: Not a directory"):
        report.begun_before(tmp_path / "file" / "out", "sha256:c")
    with pytest.raises(UsageError, match="file/out: Not a directory"):
        written(tmp_path / "file" / "out")
