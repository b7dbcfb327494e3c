"""What was cut, refused or forgotten, in a replay's report."""

from io import StringIO
from pathlib import Path

from rich.console import Console

from streams import config
from streams.offline.replay import replay
from streams.offline.report import show
from tests.requests import START_S, request_of, views


def test_caution_is_reported(tmp_path: Path) -> None:
    """Each reason has its count, in the report and in its table."""
    values = [
        request_of(START_S, "a", account="eve", weir__account__created_at=START_S + 1),
        *views(START_S + 1, 600, 1.0, account="eve", ip=None),
        request_of(
            START_S, "", account="bob", url__path="/search/people", weir__targets=[f"p{n}" for n in range(65_540)]
        ),
    ]
    file = tmp_path / "events.ndjson"
    file.write_bytes(b"\n".join(values))
    report = replay([file], config.parse("")).report
    assert report.caution["created_ahead"] == 1
    assert (report.caution["targets_cut"], report.caution["responses_cut"]) == (5, 1)
    assert report.caution["overflowed"] == 1
    assert report.caution["late"] == report.late
    out = StringIO()
    show(report, Console(file=out, width=200))
    assert "5 targets cut, 1 responses cut, 1 created ahead" in out.getvalue()
