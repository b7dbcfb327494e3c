"""The configuration file of a process, and what is wrong with it."""

from pathlib import Path

import pytest

from schemas.errors import ConfigError
from streams.config import DOTS_MAX, parse
from streams.config_file import BYTES_MAX, ConfigFile


@pytest.fixture
def file(tmp_path: Path) -> ConfigFile:
    """A file that is not there yet."""
    return ConfigFile(tmp_path / "weir.toml", {"policy.cooldown_s": 7})


def test_environment_and_changes_stand_above(file: ConfigFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file, above it the environment, above that the changes."""
    monkeypatch.setenv("WEIR_POLICY__COOLDOWN_S", "6")
    monkeypatch.setenv("WEIR_POLICY__BLOCK_MAX_S", "61")
    file.path.write_text("[policy]\nblock_s = 60\nblock_max_s = 70\ncooldown_s = 5\n")
    loaded = file.load()
    policy = loaded.settings.policy
    assert (policy.block_s, policy.block_max_s, policy.cooldown_s) == (60, 61, 7)
    assert loaded.digest == file.digest()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"\xff\xfe[\x00p\x00", "byte 0 is not UTF-8"),
        (b"[policy]\nblock_s = 6\x00\n", "2"),
        (b"[policy]\nblock_s = ", "2: "),
        (b"x" * (BYTES_MAX + 1), f"longer than {BYTES_MAX} bytes"),
        (b"a = " + b"[" * 100_000, "nested too deeply"),
        (b"\na" + b".a" * 100_000 + b" = 1\n", "2: nested too deeply"),
        (b"[a" + b".a" * (DOTS_MAX + 1) + b"]\n", "1: nested too deeply"),
        (b"x = {a" + b".a" * (DOTS_MAX + 1) + b" = 1}\n", "1: nested too deeply"),
    ],
)
def test_wrong_content(file: ConfigFile, content: bytes, why: str) -> None:
    """Each is refused in one line, in no time and without memory."""
    file.path.write_bytes(content)
    with pytest.raises(ConfigError, match=f"^{file.path}:? ?{why}|^{file.path}:{why}"):
        file.settings()


def test_dots_in_texts_and_comments_are_none_of_keys() -> None:
    """A rule drawn in a comment and many ranges in one line are taken."""
    ranges = ", ".join(f"'192.0.{n}.0/24'" for n in range(60))
    entry = "name = 'b'\nlisted = 2026-11-20\nowner = 'o'\nreason = 'r'\nexpires = 2027-01-31\n"
    settings = parse(f"# {'.' * 200}\n[[bots]]\n{entry}ranges = [{ranges}]  # {'.' * 200}\n")
    assert len(settings.bots[0].ranges) == 60


def test_not_there(file: ConfigFile, tmp_path: Path) -> None:
    """Missing, or a directory: said with its name, and without a digest."""
    for path in (file.path, tmp_path):
        one = ConfigFile(path)
        assert one.digest() is None
        with pytest.raises(ConfigError, match=f"^{path}: "):
            one.content()


def test_a_name_that_is_none() -> None:
    """A zero byte in a path is the system's mistake to refuse, not a bug."""
    with pytest.raises(ConfigError):
        ConfigFile(Path("a\0b")).content()
