"""Units for systemd, as systemd reads them."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from streams.cli.main import run

PLACE: Final = Path(__file__).resolve().parents[2] / "deploy" / "systemd"
ANALYZE: Final = shutil.which("systemd-analyze")
WEIR: Final = "/opt/weir/bin/weir"
UNITS: Final = {"weir-watch.service": "weir-watch.service", "weir-worker@.service": "weir-worker@9101.service"}
"""Files, each with the name under which one is started."""


def verified(directory: Path, unit: str) -> subprocess.CompletedProcess[str]:
    """What systemd says of a unit."""
    assert ANALYZE is not None
    command = [ANALYZE, "verify", "--man=no", "--recursive-errors=no", str(directory / unit)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("file", UNITS)
def test_systemd_takes_it(file: str, tmp_path: Path) -> None:
    """No key is unknown and no value wrong; an unknown one would be told, so that silence means something."""
    text = (PLACE / file).read_text(encoding="utf-8").replace(WEIR, sys.executable)
    (tmp_path / UNITS[file]).write_text(text, encoding="utf-8")
    right = verified(tmp_path, UNITS[file])
    assert (right.returncode, right.stderr) == (0, "")
    (tmp_path / UNITS[file]).write_text(text.replace("ProtectSystem=", "ProtectSistem="), encoding="utf-8")
    assert "ProtectSistem" in verified(tmp_path, UNITS[file]).stderr


@pytest.mark.parametrize("file", UNITS)
def test_the_command_has_these_options(file: str, capfd: pytest.CaptureFixture[str]) -> None:
    """What a unit starts is a command of Weir's with options that it has."""
    line = next(
        each for each in (PLACE / file).read_text(encoding="utf-8").splitlines() if each.startswith("ExecStart=")
    )
    program, command, *arguments = line.removeprefix("ExecStart=").split()
    assert program == WEIR
    assert run([command, "--help"]) in (0, None)
    told = capfd.readouterr().out
    assert [each for each in arguments if each.startswith("--") and each not in told] == []


@pytest.mark.parametrize("file", UNITS)
def test_code_can_be_compiled_and_kept(file: str) -> None:
    """The cache is where the unit may write, and nothing forbids to run what was compiled, or to see one's own maps."""
    lines = (PLACE / file).read_text(encoding="utf-8").splitlines()
    assert {"CacheDirectory=weir", "Environment=NUMBA_CACHE_DIR=/var/cache/weir", "User=weir"} <= set(lines)
    assert not any(line.startswith(("MemoryDenyWriteExecute=", "ProcSubset=")) for line in lines)
