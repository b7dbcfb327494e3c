"""`make demo`, as a stranger runs it, only faster."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the demo to its end."""
    command = [sys.executable, "-m", "deploy.demo", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)


@pytest.mark.timeout(300)
def test_scrapers_are_found_and_nobody_is_hurt() -> None:
    """On the embedded broker: status 0, and a summary with the burst, the id walk and the fleet among the found."""
    done = demo("--quiet-s", "8", "--scrapers-s", "20")
    assert done.returncode == 0, done.stdout + done.stderr
    found = next(line for line in done.stdout.splitlines() if line.startswith("found: "))
    assert all(scraper in found for scraper in ("burst-1", "id_walk-1", "fleet-1"))
    assert "people hurt: 0" in done.stdout
    assert done.stderr == ""


def test_a_broker_that_is_not_there_is_said_in_one_line() -> None:
    """Status 2, and no traceback."""
    done = demo("--bootstrap", "127.0.0.1:1")
    assert done.returncode == 2
    assert "127.0.0.1:1" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
