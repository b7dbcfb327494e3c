import errno
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from schemas.alert import ALERT_CODEC
from schemas.errors import CheckpointError, UsageError
from schemas.model import VERSION, ModelDelta
from streams.watch import keeping
from streams.watch.following import Place
from streams.watch.keeping import MANIFEST, Kept
from streams.watch.written import Written
from tests.contract.golden_file import lines

DAY_S = 86_400


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[[], Kept]]:
    """Opens the directory; the one before is let go of."""
    held: list[Kept] = []

    def again() -> Kept:
        for each in held:
            each.close()
        held.append(Kept(tmp_path))
        return held[-1]

    yield again
    for each in held:
        each.close()


def delta(epoch: int) -> ModelDelta:
    """An empty one."""
    return ModelDelta(VERSION, epoch, 0, 0, 1, b"", b"", b"", epoch_s=DAY_S)


def test_one_process_at_a_time(tmp_path: Path) -> None:
    """Two that write the same state would spoil it; the second says so and does nothing."""
    first = Kept(tmp_path)
    with pytest.raises(UsageError, match="another weir watch keeps its state there"):
        Kept(tmp_path)
    first.close()
    Kept(tmp_path).close()


def test_a_checkpoint_comes_back_whole(opened: Callable[[], Kept], tmp_path: Path) -> None:
    """Parts of earlier checkpoints that still hold, and the new ones."""
    kept = opened()
    assert kept.manifest() is None
    places = [Place("/logs/a", 0, line=7, inode=3, at=90, mark=b"x\xff")]
    kept.keep(1, {"a": b"1", "b/c": b"2"}.items(), ["a", "b/c"], places)
    kept.keep(2, {"a": b"3"}.items(), ["a", "b/c"], places)
    again = opened()
    manifest = again.manifest()
    assert manifest is not None
    assert again.parts(manifest) == {"a": b"3", "b/c": b"2"}
    assert manifest.places == places
    assert sorted(each.name for each in (tmp_path / "parts").iterdir()) == ["a.2", "b-c.1"]


def test_half_a_checkpoint_changes_nothing(opened: Callable[[], Kept], monkeypatch: pytest.MonkeyPatch) -> None:
    """Who dies before the manifest is replaced finds the one before."""
    kept = opened()
    kept.keep(1, {"a": b"1"}.items(), ["a"], [])
    with monkeypatch.context() as patched:
        patched.setattr("streams.watch.keeping.MANIFEST", "no/such/directory")
        with pytest.raises(FileNotFoundError):
            kept.keep(2, {"a": b"2"}.items(), ["a"], [])
    again = opened()
    manifest = again.manifest()
    assert manifest is not None
    assert (manifest.sequence, again.parts(manifest)) == (1, {"a": b"1"})


def test_a_full_disk_is_not_kept_full(
    opened: Callable[[], Kept], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts of a checkpoint that could not be written whole are gone again, those of the one before are not."""
    kept, write = opened(), keeping._write
    kept.keep(1, {"a": b"1", "b": b"1"}.items(), ["a", "b"], [])

    def full(file: Path, value: bytes) -> None:
        if file.name == "b.2":
            raise OSError(errno.ENOSPC, "no space left")
        write(file, value)

    with monkeypatch.context() as patched:
        patched.setattr(keeping, "_write", full)
        with pytest.raises(OSError, match="no space"):
            kept.keep(2, {"a": b"2", "b": b"2"}.items(), ["a", "b"], [])
    assert sorted(each.name for each in (tmp_path / "parts").iterdir()) == ["a.1", "b.1"]
    assert kept.keep(3, {"a": b"3"}.items(), ["a", "b"], []) == 1
    manifest = kept.manifest()
    assert manifest is not None
    assert kept.parts(manifest) == {"a": b"3", "b": b"1"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"{", "truncated"),
        (b'{"version": 9}', "missing required"),
        (b"", "truncated"),
        (b'{"parts": {"a": "\xff"}}', "utf-8"),
        (b'{"other": ' + b"[" * 9999, "recursion"),
    ],
)
def test_a_damaged_manifest_is_refused(opened: Callable[[], Kept], tmp_path: Path, text: bytes, why: str) -> None:
    """It says where each log stands: to begin anew in silence would judge everything twice."""
    (tmp_path / MANIFEST).write_bytes(text)
    with pytest.raises(CheckpointError, match=why):
        opened().manifest()


def test_what_was_learned_comes_back_in_order(opened: Callable[[], Kept], tmp_path: Path) -> None:
    """The same epoch again replaces itself; what is older than 60 days, and half of one, is removed."""
    kept = opened()
    for epoch in (100, 99, 40, 39, 100):
        kept.learn(delta(epoch))
    (tmp_path / "model" / "101-0-0.part.new").write_bytes(b"half")
    assert [one.epoch for one in kept.deltas()] == [40, 99, 100]
    assert [one.epoch for one in kept.deltas()] == [40, 99, 100]
    assert len(list((tmp_path / "model").iterdir())) == 3


def test_what_another_version_learned_stays(opened: Callable[[], Kept]) -> None:
    """Epochs of an hour, of which version 2 says nothing, in the order of time among shorter ones."""
    kept = opened()
    for version, epoch, epoch_s in ((VERSION, 3_000_000, 600), (2, 500_000, 3_600), (VERSION, 2_999_999, 600)):
        kept.learn(msgspec.structs.replace(delta(epoch), version=version, epoch_s=epoch_s))
    assert [one.epoch for one in kept.deltas()] == [2_999_999, 3_000_000, 500_000]


def test_a_damaged_epoch_names_its_file(opened: Callable[[], Kept], tmp_path: Path) -> None:
    """The operator can look at it, and the next start has the others; likewise those of another version."""
    kept = opened()
    for epoch in (2, 4):
        kept.learn(delta(epoch))
    kept.learn(msgspec.structs.replace(delta(3), version=VERSION + 1))
    (tmp_path / "model" / "1-0-0.part").write_bytes(b"\xc1")
    with pytest.raises(CheckpointError, match=r"[13]-0-0\.part"):
        list(kept.deltas())
    assert [one.epoch for one in kept.deltas()] == [2, 4]
    assert sorted(each.name for each in (tmp_path / "model").glob("*.bad")) == ["1-0-0.bad", "3-0-0.bad"]


def test_few_ids_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The latest, however many decisions stand in the file of a watch that has run for months."""
    monkeypatch.setattr("streams.watch.written.RECENT", 3)
    alert = ALERT_CODEC.decode(lines("alert.v1")[0])
    each = [msgspec.structs.replace(alert, id=f"{n:02}") for n in range(10)]
    path = tmp_path / "alerts.ndjson"
    path.write_bytes(b"".join(ALERT_CODEC.encode(one) + b"\n" for one in each))
    written = Written(path, ALERT_CODEC)
    assert [written.add(one) for one in each[7:]] == [False] * 3
    assert len(written._known) == 3
    assert written.add(each[0])
    assert len(written._known) == 4
    written.sync()
    assert list(written._known) == ["08", "09", "00"]
    written.close()


def test_a_decision_is_written_once(tmp_path: Path) -> None:
    """Over a restart, too; half a line of a crash is removed, and a line that is none is left out."""
    alert = ALERT_CODEC.decode(lines("alert.v1")[0])
    path = tmp_path / "alerts.ndjson"
    path.write_bytes(b"{no record}\n")
    written = Written(path, ALERT_CODEC)
    assert (written.add(alert), written.add(alert)) == (True, False)
    written.sync()
    written.close()
    path.write_bytes(path.read_bytes() + b'{"id": "half')
    again = Written(path, ALERT_CODEC)
    assert list(again.records()) == [alert]
    assert not again.add(alert)
    again.close()
    assert path.read_bytes().endswith(b"}\n")
