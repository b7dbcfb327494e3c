"""`weir tune`, as its user calls it."""

import json
from pathlib import Path

import pytest

from streams.cli.main import run
from streams.cli.tune import read_choices
from streams.config import parse, revision
from tests.interrupting import interrupt
from tests.low import no_floors

EVENT = '{"@timestamp": %d, "http.request.method": "GET", "url.path": "/people/%d", "user.id": "eve"}'
HOUR = "detectors.profile_rate.account.hour"


@pytest.fixture
def day(tmp_path: Path) -> Path:
    """One account and two hundred profiles in 40 minutes."""
    file = tmp_path / "events.ndjson"
    file.write_text("\n".join(EVENT % (1_790_000_000 + 12 * n, n) for n in range(200)))
    return file


@pytest.fixture
def alone(tmp_path: Path) -> list[str]:
    """Arguments that leave one detector on, so that a day is easily reckoned."""
    file = tmp_path / "alone.toml"
    file.write_text('[mode]\ndefault = "off"\n[detectors.profile_rate]\nmode = "enforce"\n')
    return ["--config", str(file)]


def test_a_row_a_value(day: Path, alone: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    """The configuration as it stands first, then the values in their order; nothing beside the table."""
    assert run(["tune", str(day), "--set", f"{HOUR}=80,400", *alone, "--jobs", "1"]) == 0
    shown = capfd.readouterr()
    first, second, *rows = [line.split() for line in shown.out.splitlines()]
    assert first[:2] == ["accounts", "addresses"]
    assert second[:5] == ["hour", "alerts", "incidents", "blocks", "blocked"]
    assert [row[0] for row in rows] == ["as", "80", "400"]
    assert [row[1] for row in rows[1:]] == ["2", "0"]
    assert shown.err == ""


def test_json_is_the_rows(day: Path, alone: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    """For another program; several --set are every combination of their values."""
    sets = ["--set", f"{HOUR}=80,100", "--set", "policy.block_s=60,600"]
    assert run(["tune", str(day), *sets, *alone, "--jobs", "1", "--json"]) == 0
    rows = json.loads(capfd.readouterr().out)
    assert [list(row["set"].values()) for row in rows] == [[], [80, 60], [80, 600], [100, 60], [100, 600]]
    assert rows[0]["accounts_blocked"] == 0
    assert rows[2]["accounts_blocked"] == 1
    assert rows[2]["requests_denied"] > rows[4]["requests_denied"] > 0


def test_a_chart_and_the_chosen_row(
    day: Path, alone: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The picture lies where it was asked for, and the row's configuration reads back with its revision."""
    chart, chosen = tmp_path / "rows.html", tmp_path / "chosen.toml"
    more = ["--chart", str(chart), "--write", "1", str(chosen), "--json", "--jobs", "1"]
    assert run(["tune", str(day), "--set", f"{HOUR}=80,400", *alone, *more]) == 0
    rows = json.loads(capfd.readouterr().out)
    assert "hour 80" in chart.read_text()
    settings = parse(chosen.read_text())
    assert (revision(settings), settings.mode.default) == (rows[1]["config"], "off")


@pytest.mark.parametrize("wrong", [["--chart", "rows.jpg"], ["--write", "3", "chosen.toml"]])
def test_what_cannot_be_made_is_refused_before_the_replays(
    day: Path, alone: list[str], wrong: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    """Nobody waits minutes for that."""
    assert run(["tune", str(day), "--set", f"{HOUR}=80,400", *alone, *wrong]) == 2
    assert wrong[1] in capfd.readouterr().err


def test_labels_add_people_and_scrapers(tmp_path: Path, alone: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    """With the labels of a small day, limits that are far too low hurt people and the row says how many."""
    assert run(["simulate", "--out", str(tmp_path), "--preset", "small", "--people", "60", "--quiet-days", "0.2"]) == 0
    capfd.readouterr()
    labels = ["--labels", str(tmp_path / "labels.json"), *alone, "--jobs", "1", "--json"]
    with no_floors():
        assert run(["tune", str(tmp_path / "events.ndjson"), "--set", f"{HOUR}=3", *labels]) == 0
    stands, strict = (row["labelled"] for row in json.loads(capfd.readouterr().out))
    assert stands["scrapers"] == strict["scrapers"] > 0
    assert stands["people_hurt"] < strict["people_hurt"]


def test_the_table_with_labels(day: Path, tmp_path: Path, alone: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    """It has columns of people instead of actors."""
    labels = tmp_path / "labels.json"
    head = '{"seed":1,"start":"","end":"","quiet_until":"","members":9,"popularity_exponent":1,"scrapers":[],'
    labels.write_text(head + '"people":[{"kind":"reader","accounts":["eve"]}]}')
    arguments = ["--set", f"{HOUR}=80", *alone, "--labels", str(labels), "--jobs", "1"]
    assert run(["tune", str(day), *arguments]) == 0
    first, second, _, row = capfd.readouterr().out.splitlines()
    assert "people" in first
    assert "hurt" in second
    assert row.split()[4:6] == ["1", "1"]
    assert "0 of 0" in row


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a.b=1,5,10", [1, 5, 10]),
        ("a.b=1.5", [1.5]),
        ("a.b=true,false", [True, False]),
        ("a.b=shadow,enforce", ["shadow", "enforce"]),
        ('a.b="a,b","c"', ["a,b", "c"]),
        ('a.b=[],["x", "y"]', [[], ["x", "y"]]),
        (" a.b = 1, two", [1, "two"]),
    ],
)
def test_values_are_toml(text: str, values: list[object]) -> None:
    """Numbers, strings, booleans, arrays; a word needs no quotes."""
    (found,) = read_choices([text]).values()
    assert found == values
    assert [type(one) for one in found] == [type(one) for one in values]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["{day}"], "--set"),
        (["{day}", "--set", "limit"], "--set limit: must be KEY=V,V"),
        (["{day}", "--set", "limit=3"], "--set limit=3: must be KEY=V,V"),
        (["{day}", "--set", "policy.block_s="], "--set policy.block_s: '' holds no values"),
        (["{day}", "--set", "policy.block_s=1,,2"], "--set policy.block_s: '' is no TOML value"),
        (["{day}", "--set", "policy.block_s=1]\nx=[2"], "holds no values"),
        (["{day}", "--set", "policy.block_s=1", "--set", "policy.block_s=2"], "--set policy.block_s: given twice"),
        (["{day}", "--set", "policy.block_s=0"], "--set: policy.block_s: Expected `int` >= 1"),
        (["{day}", "--set", "policy.nothing=1"], "--set: policy.nothing: Object contains unknown field `nothing`"),
        (["{day}", "--set", "detectors.none.limit=1"], "--set: detectors.none: there is no such detector"),
        (["{day}", "--set", "policy.block_s=" + ",".join(map(str, range(1, 202)))], "201 combinations"),
        (["{day}", "--set", "policy.block_s=1", "--labels", "{day}"], "these are no labels"),
        (["{day}", "--set", "policy.block_s=1", "--config", "none.toml"], "none.toml: No such file or directory"),
        (["{day}", "--set", "policy.block_s=1", "--jobs", "0"], "--jobs"),
        (["none.ndjson", "--set", "policy.block_s=1"], "none.ndjson: No such file or directory"),
        (["/dev/null", "--set", "policy.block_s=1"], "/dev/null: must be a file"),
    ],
)
def test_what_cannot_be_is_one_line_and_status_2(
    arguments: list[str], told: str, day: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The line names the key or the place; there is no traceback."""
    assert run(["tune", *(argument.replace("{day}", str(day)) for argument in arguments)]) == 2
    err = capfd.readouterr().err
    assert told in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("everybody", [True, False])
def test_an_interrupt_leaves_nothing_behind(tmp_path: Path, everybody: bool) -> None:
    """Status 130 without a word and without a process that goes on, whether or not a terminal interrupted them all."""
    file = tmp_path / "events.ndjson"
    with file.open("w") as out:
        out.writelines(EVENT % (1_790_000_000 + n, n) + "\n" for n in range(400_000))
    arguments = ["tune", str(file), "--set", f"{HOUR}=80,81,82", "--jobs", "2"]
    # Two replays, and multiprocessing's own.
    interrupt(*arguments, begun=3, everybody=everybody)
