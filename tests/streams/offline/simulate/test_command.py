import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from schemas.errors import UsageError
from streams.cli.simulate import simulate
from streams.offline.simulate.plan import PRESETS, SCRAPER_KINDS


def run(*arguments: str) -> str:
    """What the command prints when all is well."""
    result = CliRunner().invoke(simulate, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_writes_a_day(tmp_path: Path) -> None:
    """The command writes both files and says what is in them."""
    printed = run("--out", str(tmp_path / "new" / "day"), "--preset", "small")
    assert (tmp_path / "new" / "day" / "events.ndjson").stat().st_size > 1_000_000
    assert len(json.loads((tmp_path / "new" / "day" / "labels.json").read_bytes())["scrapers"]) == 5
    assert "fleet-1" in printed
    assert "recruiter" in printed
    assert "request events from 2026-11-24T00:00:00.000Z to 2026-11-26T00:00:00.000Z, seed 1" in printed


def test_json(tmp_path: Path) -> None:
    """With --json it prints one object that agrees with the files."""
    said = json.loads(run("--out", str(tmp_path), "--preset", "small", "--json"))
    assert said["requests"] == len(Path(said["events"]).read_bytes().splitlines())
    labels = json.loads(Path(said["labels"]).read_bytes())
    assert [row["id"] for row in said["scrapers"]] == [label["id"] for label in labels["scrapers"]]
    assert {row["kind"]: row["accounts"] for row in said["people"]} == {
        label["kind"]: len(label["accounts"]) for label in labels["people"]
    }


def test_options_reach_the_plan(tmp_path: Path) -> None:
    """Every option changes what is written."""
    arguments = "--preset small --seed 9 --people 60 --anonymous 0 --members 5000 --quiet-days 0.25 --scraper-days 0.25"
    more = "--popularity-exponent 1.1 --other-ratio 0 --no-route --scraper id_walk --start 2027-01-01T00:00:00Z"
    run("--out", str(tmp_path), *arguments.split(), *more.split())
    labels = json.loads((tmp_path / "labels.json").read_bytes())
    events = (tmp_path / "events.ndjson").read_text()
    assert (labels["seed"], labels["members"], labels["popularity_exponent"]) == (9, 5_000, 1.1)
    assert (labels["start"], labels["end"]) == ("2027-01-01T00:00:00.000Z", "2027-01-01T12:00:00.000Z")
    assert [label["kind"] for label in labels["scrapers"]] == ["id_walk"]
    assert sum(len(label["accounts"]) for label in labels["people"]) <= 60
    assert "http.route" not in events
    assert "/static/" not in events


@pytest.mark.parametrize("chosen", [["all"], ["fleet", "all"]])
def test_all_scrapers(tmp_path: Path, chosen: list[str]) -> None:
    """`--scraper all` has every kind, whatever else is named beside it."""
    options = [option for kind in chosen for option in ("--scraper", kind)]
    run("--out", str(tmp_path), "--preset", "small", "--people", "40", "--anonymous", "0", *options)
    labels = json.loads((tmp_path / "labels.json").read_bytes())
    assert tuple(dict.fromkeys(label["kind"] for label in labels["scrapers"])) == SCRAPER_KINDS
    assert len(labels["decoys"]) == 2


def test_help_names_all_there_is() -> None:
    """The help names every preset and every kind of scraper."""
    said = " ".join(run("--help").split())
    assert all(name in said for name in (*PRESETS, *SCRAPER_KINDS, "all"))


@pytest.mark.parametrize(
    ("arguments", "place"),
    [
        (["--people", "3"], "people: must be"),
        (["--scraper-days", "0", "--quiet-days", "0"], "quiet_days and scraper_days"),
    ],
)
def test_a_plan_that_cannot_be(tmp_path: Path, arguments: list[str], place: str) -> None:
    """A value out of range is the user's error, with the option and its range, and nothing is written."""
    with pytest.raises(UsageError, match=place) as error:
        run("--out", str(tmp_path / "day"), *arguments)
    assert error.value.exit_status == 2
    assert not (tmp_path / "day").exists()


@pytest.mark.parametrize(
    "arguments",
    [[], ["--out", "x", "--preset", "huge"], ["--out", "x", "--start", "noon"], ["--out", "x", "--scraper", "swarm"]],
)
def test_wrong_usage(arguments: list[str]) -> None:
    """What click can see is refused with exit status 2."""
    assert CliRunner().invoke(simulate, arguments).exit_code == 2


def test_unwritable_place(tmp_path: Path) -> None:
    """A place that cannot be written to is named in one line."""
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="file/day: Not a directory"):
        run("--out", str(tmp_path / "file" / "day"), "--preset", "small")


def test_help_has_examples() -> None:
    """The help shows whole command lines."""
    assert "weir simulate --out build/day --preset small --seed 7" in run("--help")
