"""Keys of enforcers in their file."""

import stat
from pathlib import Path

import pytest

from schemas.errors import ConfigError, UsageError
from streams.serve import keys
from tests.streams.pipeline.enforce.saying import T0_US


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """No file yet."""
    return tmp_path / "bouncers.json"


def added(path: Path, name: str) -> str:
    """A key of that name."""
    return keys.add(path, name, ("Ip",), ("ban",), T0_US)


def test_only_the_digest_is_kept(path: Path) -> None:
    """The file opens no door: it has neither key nor anything to make it from, and others cannot read it."""
    key = added(path, "edge")
    assert key.startswith("weir_")
    assert len(key) == 48
    assert key[5:] not in path.read_text()
    assert keys.digest(key) in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_whose(path: Path) -> None:
    """Each key is its bouncer's; others are nobody's."""
    first, second = added(path, "edge-1"), added(path, "edge-2")
    assert first != second
    found = keys.Keys(path)
    found.look()
    for key, name in ((first, "edge-1"), (second, "edge-2")):
        bouncer = found.whose(key)
        assert bouncer is not None
        assert bouncer.name == name
    assert [found.whose(key) for key in ("", "weir_", first[:-1], first + "x", keys.digest(first), "k" * 201)] == [
        None
    ] * 6


def test_changes_are_seen(path: Path) -> None:
    """The next look has what was added and has not what was removed."""
    first = added(path, "edge-1")
    found = keys.Keys(path)
    found.look()
    second = added(path, "edge-2")
    keys.remove(path, "edge-1")
    found.look()
    assert found.whose(first) is None
    assert found.whose(second) is not None


@pytest.mark.parametrize(
    "text",
    [
        b"{",
        b"[]",
        b'{"bouncers": [{"name": "x"}]}',
        b'{"more": 1}',
        b'{"bouncers": [{"name": "\xed\xa0\x80"}]}',
        b'{"bouncers": ' + b"[" * 100_000,
        b"\xef\xbb\xbf{}",
    ],
)
def test_a_file_that_is_none(path: Path, text: bytes) -> None:
    """At the start an error that names the file; later the last good one stays in force, and the reason is told."""
    path.write_bytes(text)
    with pytest.raises(ConfigError, match=r"serve\.keys_file: .*bouncers\.json"):
        keys.Keys(path).look()
    with pytest.raises(ConfigError):
        added(path, "edge")
    path.unlink()
    key = added(path, "edge")
    found = keys.Keys(path)
    found.look()
    path.write_bytes(text)
    found.look()
    assert found.whose(key) is not None
    assert "bouncers.json" in found.problem
    path.unlink()
    found.look()
    assert found.whose(key) is not None


def test_no_file(path: Path) -> None:
    """The line says what makes one."""
    with pytest.raises(ConfigError, match="weir bouncers add"):
        keys.Keys(path).look()


@pytest.mark.parametrize("name", ["", "a b", "-x", "x" * 65, "a/b", "\xe9"])
def test_names(path: Path, name: str) -> None:
    """Letters, digits, dots, dashes; at most 64."""
    with pytest.raises(UsageError, match="no name"):
        added(path, name)
    assert not path.exists()
    added(path, "x" * 64)


def test_a_name_twice(path: Path) -> None:
    """Refused: the first key would still open."""
    added(path, "edge")
    with pytest.raises(UsageError, match="already"):
        added(path, "edge")


def test_removing_nobody(path: Path) -> None:
    """Is a mistake, not a success."""
    added(path, "edge")
    with pytest.raises(UsageError, match="no bouncer other"):
        keys.remove(path, "other")


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    """One line with the place."""
    with pytest.raises(ConfigError, match="No such file"):
        added(tmp_path / "nowhere" / "bouncers.json", "edge")


def test_refusals_are_told_seldom(caplog: pytest.LogCaptureFixture) -> None:
    """The first at once, a flood of them as one line a minute with their number, and no address above debug."""
    refused = keys.Refused("questions without a right key")
    for now_s in [100 + n / 1000 for n in range(50_000)] + [160.0]:
        refused.note("192.0.2.1", now_s)
    with caplog.at_level("DEBUG", logger="streams.serve.keys"):
        refused.note("192.0.2.1", 161.0)
    told = [record for record in caplog.records if record.levelname == "WARNING"]
    assert [record.getMessage().split()[1] for record in told] == ["1", "50000"]
    assert not any("192.0.2.1" in record.getMessage() for record in told)
    assert "192.0.2.1" in caplog.text
