"""`weir model show`: a model.json as a table and as JSON, and what is wrong in one line."""

import json
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from schemas.errors import TransportError
from streams.cli.main import run
from streams.config import detectors, parse
from streams.pipeline.model.models import Models
from streams.pipeline.model.summary import summarise
from streams.settings import KafkaSettings


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The model of somebody who has learned nothing."""
    settings = parse("", environment={})
    summary = summarise(Models(settings.model, 2), settings, detectors(settings, None))
    out = tmp_path / "model.json"
    out.write_bytes(msgspec.json.encode(summary))
    return out


def test_a_file_is_a_table(file: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """With who is blind."""
    assert run(["model", "show", str(file)]) == 0
    out = capfd.readouterr().out
    assert "0 of 2, not complete" in out
    assert "long_tail: the model is not ripe" in out


def test_json_is_the_file(file: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Nothing is lost."""
    assert run(["model", "show", str(file), "--json"]) == 0
    assert json.loads(capfd.readouterr().out) == json.loads(file.read_bytes())


def test_a_wrong_file_is_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Missing, something else, or no text."""
    other, binary = tmp_path / "other.json", tmp_path / "binary.json"
    other.write_text("[]")
    binary.write_bytes(b'{"\xff": 1}')
    for path in (other, binary, tmp_path / "missing.json"):
        assert run(["model", "show", str(path)]) == 2
        assert capfd.readouterr().err.count("\n") == 1


def test_no_broker_is_one_line(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """What the connection says, with status 2; that it says so is tested with the topics."""

    def nobody(kafka: KafkaSettings, names: Sequence[str]) -> dict[str, int]:
        raise TransportError(f"kafka {kafka.bootstrap}: nobody there")

    monkeypatch.setattr("streams.cli.model.partitions", nobody)
    assert run(["model", "show", "--bootstrap", "127.0.0.1:1"]) == 2
    assert capfd.readouterr().err == "weir: kafka 127.0.0.1:1: nobody there\n"
