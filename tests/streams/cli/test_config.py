"""`weir config`, as its user calls it."""

import json
from pathlib import Path

import pytest

from streams.cli.main import run


def write(tmp_path: Path, text: str) -> str:
    """A configuration file."""
    file = tmp_path / "weir.toml"
    file.write_text(text)
    return str(file)


def test_check_names_the_revision(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A right file is said to be right, with the digest that its decisions will carry."""
    file = write(tmp_path, "[policy]\nblock_s = 60\n")
    assert run(["config", "check", "--config", file]) == 0
    assert capfd.readouterr().out.startswith(f"{file}: right, revision sha256:")


def test_check_names_file_line_and_reason(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A wrong one is refused with status 2."""
    file = write(tmp_path, "[policy]\n\nblok_s = 60\n")
    assert run(["config", "check", "--config", file]) == 2
    err = capfd.readouterr().err
    assert err.startswith(f"weir: {file}:3: policy")
    assert "blok_s" in err


def test_show_has_every_key_with_the_value_in_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The file's value, the environment's above it, and the default of all others."""
    monkeypatch.setenv("WEIR_POLICY__COOLDOWN_S", "7")
    file = write(tmp_path, "[policy]\nblock_s = 60\ncooldown_s = 5\n")
    assert run(["config", "show", "--config", file, "--json"]) == 0
    policy = json.loads(capfd.readouterr().out)["policy"]
    assert (policy["block_s"], policy["cooldown_s"], policy["incident_close_s"]) == (60, 7, 14_400)
    assert run(["config", "show", "--config", file]) == 0
    lines = [line.split() for line in capfd.readouterr().out.splitlines()]
    assert ["policy.block_s", "60"] in lines
    assert ["detectors.profile_rate.account.minute", "45"] in lines
    assert ["surfaces[0].kind", '"view"'] in lines
