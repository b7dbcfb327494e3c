"""`weir topics`, as a person and as a script calls it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.cli.main import run
from tests.brokers import Broker, running_embedded


@pytest.fixture
def own_broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Broker]:
    """A broker for one test: the names of the topics are fixed."""
    monkeypatch.setenv("COLUMNS", "120")
    with running_embedded() as broker:
        yield broker


@pytest.fixture
def small(tmp_path: Path) -> str:
    """A configuration with four partitions."""
    file = tmp_path / "weir.toml"
    file.write_text("[kafka]\npartitions = 4\n")
    return str(file)


def test_check_create_check(own_broker: Broker, capfd: pytest.CaptureFixture[str]) -> None:
    """Missing topics are listed with status 1, made with 0, and then all is well; the second making says so."""
    at = ["--bootstrap", own_broker.bootstrap]
    assert run(["topics", "check", *at]) == 1
    assert "weir.blocks.v1" in capfd.readouterr().out
    assert run(["topics", "create", *at]) == 0
    assert "weir.blocks.v1: made\n" in capfd.readouterr().out
    assert run(["topics", "check", *at]) == 0
    assert capfd.readouterr().out == "all 10 topics are as they should be\n"
    assert run(["topics", "create", *at]) == 0
    assert capfd.readouterr().out == "nothing to make: all 10 topics exist\n"


def test_json_is_for_scripts(own_broker: Broker, small: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Topics of the small configuration differ from the default one in one number, which both commands tell as JSON."""
    at = ["--bootstrap", own_broker.bootstrap, "--json"]
    assert run(["topics", "create", *at, "--config", small]) == 0
    first = json.loads(capfd.readouterr().out)
    assert (len(first["made"]), first["differences"]) == (10, [])
    assert run(["topics", "check", *at]) == 1
    names = ("weir.activity.v1", "weir.state.v1")
    few = [{"topic": name, "what": "partitions", "found": "4", "needed": "48"} for name in names]
    assert json.loads(capfd.readouterr().out) == {"differences": few}
    assert run(["topics", "create", *at]) == 0
    assert json.loads(capfd.readouterr().out) == {"made": [], "differences": few}


def test_a_difference_is_a_row(own_broker: Broker, small: str, capfd: pytest.CaptureFixture[str]) -> None:
    """What was found and what is needed, in words."""
    at = ["--bootstrap", own_broker.bootstrap]
    run(["topics", "create", *at, "--config", small])
    capfd.readouterr()
    assert run(["topics", "check", *at]) == 1
    row = next(line for line in capfd.readouterr().out.splitlines() if "weir.activity.v1" in line)
    assert [cell.strip() for cell in row.strip("│ ").split("│")] == [
        "weir.activity.v1",
        "partitions",
        "4",
        "at least 48",
    ]


def test_the_broker_may_come_from_the_configuration(
    own_broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without `--bootstrap` it is `kafka.bootstrap`, of the file or of the environment."""
    file = tmp_path / "weir.toml"
    file.write_text(f'[kafka]\nbootstrap = "{own_broker.bootstrap}"\n')
    assert run(["topics", "create", "--config", str(file)]) == 0
    monkeypatch.setenv("WEIR_KAFKA__BOOTSTRAP", own_broker.bootstrap)
    assert run(["topics", "check"]) == 0


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (None, "weir: {file}: No such file or directory\n"),
        (b"[kafka]\n\xff = 1\n", "weir: {file}: byte 8 is not UTF-8\n"),
    ],
)
def test_a_configuration_that_cannot_be_read(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], content: bytes | None, line: str
) -> None:
    """Status 2 and one line with the file."""
    file = tmp_path / "weir.toml"
    if content is not None:
        file.write_bytes(content)
    assert run(["topics", "check", "--config", str(file)]) == 2
    assert capfd.readouterr().err == line.format(file=file)
