"""The example of a configuration of Alertmanager."""

import shutil
import subprocess
from pathlib import Path

import pytest

from schemas.override import EVERYTHING
from streams.outputs.alertmanager import BRAKE, INCIDENT, KILL_SWITCH

FILE = Path(__file__).resolve().parents[2] / "deploy" / "prometheus" / "alertmanager.example.yml"
AMTOOL = shutil.which("amtool")


def amtool(*arguments: str) -> str:
    """What it says; it must be content."""
    assert AMTOOL is not None
    done = subprocess.run([AMTOOL, *arguments], capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.skipif(AMTOOL is None, reason="needs amtool, of Debian's prometheus-alertmanager")
@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        ({"alertname": INCIDENT, "mode": "enforce", "severity": "high"}, "chat"),
        ({"alertname": INCIDENT, "mode": "enforce", "severity": "critical"}, "pager"),
        ({"alertname": INCIDENT, "mode": "shadow", "severity": "critical"}, "nobody"),
        ({"alertname": BRAKE, "severity": "critical", "subject": "blocks_per_minute"}, "pager"),
        ({"alertname": KILL_SWITCH, "severity": "high", "subject": EVERYTHING}, "chat"),
    ],
)
def test_routes(labels: dict[str, str], receiver: str) -> None:
    """It is right, and sends Weir's alerts where its comments say."""
    amtool("check-config", str(FILE))
    told = amtool("config", "routes", "test", f"--config.file={FILE}", *(f"{k}={v}" for k, v in labels.items()))
    assert told.strip() == receiver


def test_names() -> None:
    """The names in it are those that Weir sends."""
    text = FILE.read_text(encoding="utf-8")
    assert f"alertname = {KILL_SWITCH}'" in text
    assert f"alertname = {BRAKE}'" in text
    assert f'subject = "{EVERYTHING}"' in text
