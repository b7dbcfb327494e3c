"""A simulated day with `weir simulate` and `weir replay`, on which brakes are made to trip."""

import json
from pathlib import Path
from typing import Any, Final

import pytest

from streams.cli.main import run
from tests.low import no_floors

DAY: Final = ("simulate", "--preset", "small", "--seed", "501")
FAR_TOO_LOW: Final = "[detectors.profile_rate]\nblock_ratio = 1.0\n[detectors.profile_rate.account]\nday = 3\n"


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Requests of a small day."""
    folder = tmp_path_factory.mktemp("day")
    assert run([*DAY, "--out", str(folder)]) == 0
    return folder / "events.ndjson"


def replayed(day: Path, out: Path, policy: str, more: str = "") -> dict[str, Any]:
    """The report of a replay in which everything is enforced."""
    file = out / "weir.toml"
    out.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{more}[policy]\n{policy}")
    assert run(["replay", str(day), "--out", str(out), "--mode", "enforce", "--config", str(file)]) == 0
    report: dict[str, Any] = json.loads((out / "report.json").read_text())
    return report


def enforced(report: dict[str, Any]) -> int:
    """Records that are enforced."""
    return sum(count for kind, count in report["blocks"].items() if kind.endswith(" enforce"))


def test_defaults_trip_nothing(day: Path, tmp_path: Path) -> None:
    """A day with every kind of scraper is blocked as fast as it has to be."""
    report = replayed(day, tmp_path, "")
    assert report["brakes"] == []
    assert enforced(report) > 5


def test_too_many_a_minute(day: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """With a limit of one a minute a mistake trips it; what comes meanwhile is shown, and the report tells of it."""
    with no_floors():
        report = replayed(day, tmp_path, "blocks_per_minute_max = 1\n", FAR_TOO_LOW)
        free = replayed(day, tmp_path / "free", "", FAR_TOO_LOW)
    assert "blocks_per_minute, partition 0, holds: more than 1 new blocks within a minute" in report["brakes"][0]
    assert any("has let go: not tripped for 900 s" in line for line in report["brakes"])
    assert any(kind.endswith(" shadow") for kind in report["blocks"])
    assert 0 < enforced(report) < enforced(free)
    assert "brakes" in capfd.readouterr().out


def test_too_many_people(day: Path, tmp_path: Path) -> None:
    """Under limits that hit everybody, as a mistake may set them, the brake holds before a twentieth is blocked."""
    with no_floors():
        report = replayed(day, tmp_path, "block_s = 86400\nblocks_per_minute_max = 1000\n", FAR_TOO_LOW)
    assert "blocked_share, partition 0, holds: " in report["brakes"][0]
    assert report["blocks"]["account block shadow"] > 5 * report["blocks"]["account block enforce"]


def test_the_same_again(day: Path, tmp_path: Path) -> None:
    """The same day under the same configuration trips at the same events and says the same."""
    with no_floors():
        first, second = (replayed(day, tmp_path / name, "blocks_per_minute_max = 1\n", FAR_TOO_LOW) for name in "ab")
    assert first["brakes"] == second["brakes"] != []
    assert (tmp_path / "a" / "blocks.ndjson").read_bytes() == (tmp_path / "b" / "blocks.ndjson").read_bytes()
