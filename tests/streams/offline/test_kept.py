"""What was observed once and is judged under several settings."""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from schemas.errors import InputError
from schemas.mode import Mode
from streams.config import parse
from streams.offline import kept as module
from streams.offline import reading
from streams.offline.kept import kept, observed_by, pieces_of
from streams.offline.observing import observe_all, observer_of
from streams.offline.reading import open_all
from streams.offline.replay import replay
from streams.offline.simulate import PRESETS, simulate
from streams.offline.simulate import write as write_day
from streams.offline.tune import Case, Task, tune
from streams.pipeline.observe.observer import Observer
from streams.settings import Settings

DEFAULT = parse("")
BOT = """[[bots]]
name = "b"
ranges = ["192.0.2.0/24"]
listed = 2026-11-20
owner = "o"
reason = "r"
expires = 2027-01-31
"""


class Disk(NamedTuple):
    """As `shutil.disk_usage` tells of one."""

    total: int
    used: int
    free: int


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The requests of a small day."""
    out = tmp_path_factory.mktemp("day")
    write_day(simulate(PRESETS["small"]), out)
    return out / "events.ndjson"


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many pieces of a small day."""
    monkeypatch.setattr(reading, "BATCH_RECORDS", 500)


@pytest.mark.usefixtures("batches")
def test_what_is_kept_is_what_was_observed(day: Path, tmp_path: Path) -> None:
    """Piece for piece, as often as it is read, with how far the reading was."""
    bad = tmp_path / "bad.ndjson"
    bad.write_bytes(b"no event\n{}\n" + day.read_bytes()[:100_000])
    told: list[tuple[int, int]] = []
    with kept([day, bad], DEFAULT, lambda *at: told.append(at)) as place:
        assert place is not None
        first, again = list(pieces_of(place)), list(pieces_of(place))
    assert first == again == list(observe_all(open_all([day, bad]), observer_of(DEFAULT), 0))
    assert len(first) > 5
    assert told == [(piece.bytes_read, day.stat().st_size + bad.stat().st_size) for piece in first]


@pytest.mark.usefixtures("batches")
def test_nothing_lies_about(day: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no name even while it is used, so it is gone however its process ends."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with kept([day], DEFAULT) as place:
        assert not list(tmp_path.iterdir())
        assert place is not None
        assert place.exists()
    assert not place.exists()


def test_a_replay_of_it_is_one_of_the_files(day: Path) -> None:
    """Under settings that say otherwise of everything but observe, too."""
    settings = parse('[mode]\ndefault = "enforce"\n[detectors.profile_rate.account]\nhour = 100\n')
    assert observed_by(settings) == observed_by(DEFAULT)
    with kept([day], DEFAULT) as place:
        one, two = replay([day], settings, kept=place), replay([day], settings)
    assert one.blocks
    assert (one.alerts, one.blocks, one.incidents) == (two.alerts, two.blocks, two.incidents)
    assert one.learned == two.learned
    one.report.wall_s = two.report.wall_s = one.report.events_per_s = two.report.events_per_s = 0
    assert one.report == two.report


@pytest.mark.parametrize(
    "text",
    [
        '[input]\nformat = "clf"\n',
        '[[surfaces]]\nkind = "view"\npath = "/u/{profile}"\n',
        BOT,
        '[[groups]]\nname = "g"\nof = ["net", "agent"]\n',
        '[enrich]\nasn_file = "/nowhere.mmdb"\n',
    ],
)
def test_what_observe_goes_by_is_told_apart(text: str) -> None:
    """Each of the sections that it is made of."""
    assert observed_by(parse(text)) != observed_by(DEFAULT)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """As where nothing is kept."""
    with pytest.raises(InputError, match="No such file"), kept([tmp_path / "none"], DEFAULT):
        pass


class TestRoom:
    """Where there is too little, nothing is kept, and every row observes for itself."""

    @pytest.mark.usefixtures("batches")
    def test_a_disk_is_not_filled(self, day: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Half of what is free is taken, not a byte more."""
        with kept([day], DEFAULT) as place:
            assert place is not None
            size = place.stat().st_size
        for free, fits in ((2 * size, True), (2 * size - 2, False)):
            monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: Disk(2 * free, free, free))
            with kept([day], DEFAULT) as place:
                assert (place is not None) == fits

    def test_no_place_for_temporary_files(self, day: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """As where everything is read-only."""

        def refuse() -> None:
            raise FileNotFoundError(2, "No usable temporary directory found")

        monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
        with kept([day], DEFAULT) as place:
            assert place is None

    @pytest.mark.usefixtures("batches")
    def test_a_disk_is_full(self, day: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Others may have filled it meanwhile."""
        with Path("/dev/full").open("wb", buffering=0) as full:
            monkeypatch.setattr(tempfile, "TemporaryFile", lambda: full)
            with kept([day], DEFAULT) as place:
                assert place is None

    def test_the_rows_are_the_same(self, day: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """And those of cases that observe differently."""
        changes: Sequence[dict[str, object]] = ({}, {"policy.block_s": 600}, {"input.format": "clf"})
        cases = [Case(one, parse("", changes=one)) for one in changes]
        rows = tune(Task((day,), Mode.ENFORCE), cases)
        monkeypatch.setattr(module, "ROOM", 0)
        assert tune(Task((day,), Mode.ENFORCE), cases) == rows
        assert rows[0].blocks > 0
        assert rows[2].blocks == 0


def test_observed_once(day: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four cases of which three observe alike: those share a pass, and the other one observes for itself."""
    passes: list[Settings] = []

    def told(settings: Settings) -> Observer:
        passes.append(settings)
        return observer_of(settings)

    monkeypatch.setattr(module, "observer_of", told)
    changes: Sequence[dict[str, object]] = ({}, {"policy.block_s": 1}, {"policy.block_s": 2}, {"input.format": "clf"})
    tune(Task((day,)), [Case(one, parse("", changes=one)) for one in changes])
    assert [settings.input.format for settings in passes] == ["auto"]
