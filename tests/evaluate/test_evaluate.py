"""The evaluation itself, on a tiny day: it must not rot between the rare times it is run whole."""

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from detectors.core.discovery import classes
from streams.offline.report import Report
from streams.offline.simulate import PRESETS
from tests.evaluate.__main__ import CONFIG, evaluate, main, read_options
from tests.evaluate.days import MADE, digest, ensure, plan_of
from tests.evaluate.summary import Summary
from tests.table import aligned, markdown

TINY = ("--preset", "small", "--people", "60", "--jobs", "1")


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the day of seed 1 has been evaluated."""
    folder = tmp_path_factory.mktemp("evaluate")
    assert main(["--seeds", "1", "--out", str(folder), *TINY]) == 0
    return folder


def test_what_is_written(out: Path) -> None:
    """The day, what a replay writes, and the summary for programs and for people."""
    assert {file.name for file in (out / "1").iterdir()} == {
        "alerts.ndjson",
        "blocks.ndjson",
        "events.ndjson",
        "incidents.ndjson",
        "labels.json",
        "made.txt",
        "model.json",
        "report.json",
    }
    summary = msgspec.json.decode((out / "summary.json").read_bytes(), type=Summary)
    report = msgspec.json.decode((out / "1" / "report.json").read_bytes(), type=Report)
    assert summary.seeds == [1]
    assert summary.events == [report.events]
    assert summary.config == report.config
    assert summary.days == PRESETS["small"].quiet_days + PRESETS["small"].scraper_days
    assert [row.id for row in summary.scrapers] == [scraper.id for scraper in report.scrapers]
    assert summary.peak_bytes[0] > 50_000_000
    text = (out / "summary.md").read_text()
    assert all(row.id in text for row in summary.scrapers)
    assert all(row.kind in text for row in summary.people)


def test_the_burst_was_found_by_detectors_that_are_named(out: Path) -> None:
    """Joined from incidents and labels."""
    summary = msgspec.json.decode((out / "summary.json").read_bytes(), type=Summary)
    burst = next(row for row in summary.scrapers if row.id == "burst-1")
    assert (burst.found, burst.blocked) == (1, 1)
    assert burst.leaked_before_alert[0] <= burst.leaked_before_block[0] < burst.profiles[0]
    assert burst.leaked_before_stop[0] <= burst.leaked_before_block[0]
    assert "profile_rate" in burst.detectors


def test_a_day_is_simulated_once(out: Path) -> None:
    """Until the plan is another one."""
    plan = plan_of("small", 1, 60, None)
    written = (out / "1" / "events.ndjson").stat().st_mtime_ns
    assert not ensure(plan, out / "1")
    assert (out / "1" / "events.ndjson").stat().st_mtime_ns == written
    assert (out / "1" / MADE).read_text() == digest(plan)
    assert digest(replace(plan, seed=2)) != digest(plan)


def test_a_day_of_another_plan_is_made_anew(tmp_path: Path) -> None:
    """Whatever lay there before."""
    (tmp_path / MADE).write_text("another")
    assert ensure(plan_of("small", 1, 40, None), tmp_path)
    assert (tmp_path / "events.ndjson").stat().st_size > 0


def test_ablation(out: Path) -> None:
    """Without the one detector that is on, nothing is found; the row says which one it was."""
    one, *others = sorted(classes(), key=lambda name: name != "profile_rate")
    without = [argument for name in others for argument in ("--without", name)]
    summary = evaluate(read_options(["--seeds", "1", "--out", str(out), *TINY, *without, "--ablation"]))
    assert summary.outcome.found > 0
    assert [(row.without, row.found, row.people_alerted) for row in summary.ablation] == [(one, 0, 0)]
    assert summary.ablation[0].leaked == sum(sum(row.profiles) for row in summary.scrapers)
    assert "Each detector off in turn" in (out / "summary.md").read_text()


def test_plan_of_other_sizes() -> None:
    """Everything shrinks likewise; without a number the preset holds."""
    assert plan_of("day", 7, None, None) == replace(PRESETS["day"], seed=7)
    plan = plan_of("day", 7, 2_000, 1.1)
    assert (plan.people, plan.anonymous, plan.members, plan.popularity_exponent) == (2_000, 800, 20_000, 1.1)
    assert plan_of("day", 7, 40, None).members == 1_000


def test_defaults() -> None:
    """Three seeds, all detectors, the configuration of deploy/."""
    options = read_options([])
    assert (options.seeds, options.without, options.ablation) == ((101, 102, 103), (), False)
    assert options.config == CONFIG
    assert CONFIG.is_file()


@pytest.mark.parametrize("arguments", [["--seeds", "x"], ["--without", "nothing"], ["--preset", "none"]])
def test_what_cannot_be(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Is refused with the option's name."""
    with pytest.raises(SystemExit) as ended:
        read_options(arguments)
    assert ended.value.code == 2
    assert arguments[0] in capsys.readouterr().err


def test_a_configuration_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line, status 2."""
    assert main(["--config", "none.toml", "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("weir: none.toml: ")


def test_tables() -> None:
    """The first column to the left, the others to the right, in text and in Markdown."""
    assert aligned(("a", "bb"), [("long", "1")]) == ["a     bb", "long   1"]
    assert markdown(("a", "bb"), [("long", "1")]) == ["| a    |  bb |", "| ---- | --: |", "| long |   1 |"]
    with pytest.raises(ValueError, match="different lengths"):
        aligned(("a", "b"), [("1",)])
