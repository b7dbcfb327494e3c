"""The README names what there is."""

import re
from pathlib import Path

import pytest

from detectors.core.discovery import classes
from schemas.topic import CATALOGUE
from streams.cli.main import COMMANDS

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("topic", [topic.name for topic in CATALOGUE])
def test_every_topic_is_named(topic: str) -> None:
    """With what it holds."""
    assert f"`{topic}`" in README


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_named(command: str) -> None:
    """As it is called."""
    assert f"weir {command}" in README


@pytest.mark.parametrize("detector", classes())
def test_every_detector_has_its_row(detector: str) -> None:
    """In the table, with its blind spots in its own words or shorter."""
    row = next(line for line in README.splitlines() if line.startswith(f"| `{detector}` |"))
    assert row.count("|") == 5
    assert all(cell.strip() for cell in row.strip("|").split("|"))


def test_controls_are_those_that_detectors_declare() -> None:
    """In the row of each detector, and in the table of controls."""
    served = {line.split("|")[1].strip(): line for line in README.splitlines() if re.match(r"\| R\d \|", line)}
    for name, kind in classes().items():
        row = next(line for line in README.splitlines() if line.startswith(f"| `{name}` |"))
        assert row.split("|")[4].strip() == kind.control
        assert [control for control, line in served.items() if f"`{name}`" in line] == [kind.control]


def test_every_room_of_the_picture_is_a_folder() -> None:
    """Rooms are named as their folders are."""
    root = Path(__file__).resolve().parents[1]
    rows = [line.split("|") for line in README.splitlines() if line.startswith("| ") and line.rstrip().endswith("/` |")]
    assert len(rows) >= 8
    for _, names, _, folders, _ in rows:
        for name, folder in zip(names.split(","), folders.replace("`", "").split(","), strict=True):
            parent = Path(folders.replace("`", "").split(",")[0].strip()).parent
            place = Path(folder.strip())
            assert place.name == name.strip()
            assert (root / place).is_dir() or (root / parent / place).is_dir()
