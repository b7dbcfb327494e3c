"""The JSON Schema of the configuration: as published, and true to what is accepted."""

import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from detectors.core.discovery import classes
from streams.cli.main import run
from streams.config_schema import config_schema

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
VALIDATOR = jsonschema.Draft202012Validator(config_schema())


def plain(value: Any) -> Any:
    """TOML as JSON would have it: dates as texts."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return value.isoformat() if hasattr(value, "isoformat") else value


def test_the_file_is_what_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    """``weir config schema > deploy/weir.schema.json`` makes it anew."""
    assert run(["config", "schema"]) == 0
    assert capfd.readouterr().out == (DEPLOY / "weir.schema.json").read_text(encoding="utf-8")


def test_it_is_a_schema() -> None:
    """Of the dialect that it names."""
    jsonschema.Draft202012Validator.check_schema(config_schema())


@pytest.mark.parametrize("name", ["weir.toml", "demo.toml", "evaluate.toml"])
def test_files_are_valid(name: str) -> None:
    """Every configuration in deploy."""
    VALIDATOR.validate(plain(tomllib.loads((DEPLOY / name).read_text(encoding="utf-8"))))


@pytest.mark.parametrize(
    "text",
    [
        "[policy]\nblok_s = 7\n",
        "[policy]\nblock_s = 0\n",
        "[policy]\nblock_s = 'x'\n",
        "[detectors.none]\n",
        "[detectors.canary]\nlimit = 1\n",
        "[mode]\ndefault = 'loud'\n",
        "[[allow]]\nactor = 'account:7'\n",
    ],
)
def test_what_is_wrong_is_found(text: str) -> None:
    """An unknown key or detector, a value of the wrong type or out of range, an entry without an owner."""
    assert not VALIDATOR.is_valid(plain(tomllib.loads(text)))


def test_keys_are_described() -> None:
    """With the words below each key, those that all detectors share among them; nothing may be null."""
    schema = config_schema()
    assert set(schema["properties"]["detectors"]["properties"]) == set(classes())
    tail = schema["$defs"]["detectors.long_tail.Config"]["properties"]
    assert tail["block_ratio"]["description"] == "A block needs this many times the level that an alert needs."
    assert tail["searching_tiers"]["description"].startswith("Account tiers whose work")
    assert schema["$defs"]["PolicySettings"]["properties"]["block_s"]["description"].startswith(
        "How long a first block"
    )
    assert "null" not in json.dumps(schema)
    assert "Infinity" not in json.dumps(schema)
