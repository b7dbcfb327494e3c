"""A replay whose second process reads and observes."""

import os
import subprocess
from pathlib import Path
from typing import Final, cast

import msgspec
import psutil
import pytest

from schemas.errors import InputError, UsageError
from schemas.mode import Mode
from streams.config import parse
from streams.offline import apart, reading
from streams.offline.apart import observed_apart, worth_apart
from streams.offline.observing import Piece
from streams.offline.replay import Replay, replay, write
from streams.offline.simulate import PRESETS, simulate
from streams.offline.simulate import write as write_day
from streams.offline.truth import Truth, read_labels
from streams.settings import Settings
from tests.interrupting import goes_on, interrupt

EVENT: Final = (
    b'{"@timestamp":%d,"http.request.method":"GET","url.path":"/people/%d","client.address":"198.51.100.7",'
    b'"http.response.status_code":200,"user.id":"u%d","weir.account.tier":"%s"}\n'
)
DEFAULT: Final = parse("")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small labelled day, with a few lines in it that are none, in two files of which one ends early."""
    out = tmp_path_factory.mktemp("small")
    write_day(simulate(PRESETS["small"]), out)
    lines = (out / "events.ndjson").read_bytes().splitlines(keepends=True)
    (out / "a.ndjson").write_bytes(b"no event\n" + b"".join(lines[::2]) + b"{}\n")
    compressed = subprocess.run(["gzip", "-c"], input=b"".join(lines[1::2]), capture_output=True, check=True).stdout
    (out / "b.ndjson.gz").write_bytes(compressed[:-200])
    return out


def everything(done: Replay, out: Path) -> dict[str, bytes]:
    """All that a replay writes, by file, but for how long it took; and what it says."""
    done.report.wall_s = done.report.events_per_s = 0
    write(done, out)
    told = {"told": msgspec.json.encode([done.bad, done.cut])}
    return told | {file.name: file.read_bytes() for file in out.iterdir()}


@pytest.mark.parametrize("records", [500, 16_384])
def test_it_shows_in_nothing(small: Path, tmp_path: Path, records: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the batches: the same bytes as with one process, blocks enforced, labels, bad lines and all."""
    monkeypatch.setattr(reading, "BATCH_RECORDS", records)
    files = [small / "a.ndjson", small / "b.ndjson.gz"]
    one, two = (
        everything(
            replay(
                files,
                DEFAULT,
                mode=Mode.ENFORCE,
                truth=Truth(read_labels(small / "labels.json")),
                show_bad=5,
                apart=how,
            ),
            tmp_path / str(how),
        )
        for how in (False, True)
    )
    assert one == two
    assert one["blocks.ndjson"].count(b"\n") > 3
    assert len(msgspec.json.decode(one["told"])[0]) == 2
    assert len(msgspec.json.decode(one["told"])[1]) == 1


def test_a_bug_there_is_told_here(small: Path) -> None:
    """With its trace, and without a process that goes on."""
    with pytest.raises(RuntimeError, match="in a process of its own") as caught:
        list(observed_apart([small / "a.ndjson"], DEFAULT, cast("int", "no number")))
    assert "TypeError" in caught.value.__notes__[0]
    assert not mine()


def test_a_file_that_goes_away_is_named(tmp_path: Path) -> None:
    """As where one process does everything."""
    with pytest.raises(InputError, match=r"gone\.ndjson: No such file"):
        list(observed_apart([tmp_path / "gone.ndjson"], DEFAULT, 0))


def test_it_is_killed(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for want of memory: an error of use, no report of half of the input."""
    monkeypatch.setattr(reading, "BATCH_RECORDS", 10)
    pieces = observed_apart([small / "a.ndjson"], DEFAULT, 0)
    assert isinstance(next(pieces), Piece)
    [other] = mine()
    other.kill()
    with pytest.raises(UsageError, match="was killed"):
        list(pieces)


def test_it_ends_when_nobody_reads_on(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much it still has to send."""
    monkeypatch.setattr(reading, "BATCH_RECORDS", 10)
    pieces = observed_apart([small / "a.ndjson"], DEFAULT, 0)
    next(pieces)
    assert mine()
    pieces.close()
    assert not mine()


def mine() -> list[psutil.Process]:
    """Processes of this one that observe."""
    children = psutil.Process().children()
    return [child for child in children if goes_on(child) and "spawn_main" in " ".join(child.cmdline())]


class TestWorth:
    """When a second process is worth its start."""

    def test_for_large_files(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """By the size of all of them together, where there are two cores."""
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
        monkeypatch.setattr(apart, "WORTH_BYTES", 20)
        for name in ("a", "b"):
            (tmp_path / name).write_bytes(b"x" * 10)
        assert worth_apart([tmp_path / "a", tmp_path / "b"])
        assert not worth_apart([tmp_path / "a"])
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
        assert not worth_apart([tmp_path / "a", tmp_path / "b"])

    def test_not_for_a_pipe_or_nothing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """What can be opened once must not be opened here to look."""
        monkeypatch.setattr(apart, "WORTH_BYTES", 0)
        os.mkfifo(tmp_path / "pipe")
        assert not worth_apart([tmp_path / "pipe"])
        assert not worth_apart([tmp_path / "none"])

    def test_not_for_a_descriptor(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Its number is another file in another process, or none: the replay would be of nothing."""
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
        monkeypatch.setattr(apart, "WORTH_BYTES", 0)
        (tmp_path / "a").write_bytes(b"x")
        with (tmp_path / "a").open() as file:
            for name in (f"/dev/fd/{file.fileno()}", f"/proc/self/fd/{file.fileno()}"):
                assert Path(name).is_file()
                assert not worth_apart([tmp_path / "a", Path(name)])
        assert worth_apart([tmp_path / "a"])


@pytest.mark.parametrize("everybody", [True, False])
def test_an_interrupt_leaves_nothing_behind(tmp_path: Path, everybody: bool) -> None:
    """Status 130 without a word and without a process that goes on, whether or not a terminal interrupted them all."""
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("a second core is what it takes")
    file = tmp_path / "events.ndjson"
    tier = b"x" * 300
    with file.open("wb") as out:
        out.writelines(EVENT % (1_790_000_000 + n, n, n % 99, tier) for n in range(150_000))
    assert file.stat().st_size > apart.WORTH_BYTES
    interrupt("replay", str(file), "--out", str(tmp_path), begun=1, everybody=everybody)


def test_settings_and_records_of_a_batch_are_those_of_the_caller(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process knows of them what it is given."""
    monkeypatch.setattr(reading, "BATCH_RECORDS", 1_000)
    settings: Settings = parse('[input]\nformat = "clf"\n')
    first = next(pieces := observed_apart([small / "a.ndjson"], settings, 3))
    pieces.close()
    assert (first.counts.records, first.counts.dead, len(first.bad)) == (1_000, 1_000, 3)
