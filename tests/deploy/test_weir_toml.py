"""`deploy/weir.toml` documents every key, and says nothing that is not so."""

import re
import tomllib
from pathlib import Path

import msgspec
import pytest

from streams.config import parse, revision

FILE = Path(__file__).resolve().parents[2] / "deploy" / "weir.toml"
TEXT = FILE.read_text(encoding="utf-8")
COMMENTED = {"mode", "tiers", "collectors", "bots", "allow", "groups", "receivers"}
"""Keys whose default is that they are absent or empty: the file shows them in a comment."""


def leaves(value: object, path: str = "") -> set[str]:
    """Dotted names of all keys that hold no table."""
    if isinstance(value, dict) and value:
        return {leaf for name, inner in value.items() for leaf in leaves(inner, f"{path}.{name}" if path else name)}
    return {path}


def test_the_file_means_the_defaults() -> None:
    """Reading it gives exactly the settings that hold without a file."""
    assert parse(TEXT, str(FILE)) == parse("")
    assert revision(parse(TEXT, str(FILE))) == revision(parse(""))


def test_every_key_stands_in_the_file() -> None:
    """No key of the settings is missing: those without a default value are shown in a comment."""
    known = leaves(msgspec.to_builtins(parse("")))
    written = leaves(tomllib.loads(TEXT))
    missing = {key for key in known - written if key.rsplit(".", 1)[-1] not in COMMENTED}
    assert not missing
    for key in COMMENTED:
        assert re.search(rf"^# ?(\[\[(\w+\.)?{key}\]\]|{key} =)|^\[.*\.{key}\]", TEXT, re.MULTILINE), key


def test_what_is_commented_out_is_right_too() -> None:
    """The examples of collectors, of robots, of groups, of the allowlist and of receivers can be taken as they are."""
    example = "\n".join(line.removeprefix("# ") for line in TEXT.splitlines() if re.match(r"# (\[\[|[a-z_]+ = )", line))
    example = example[example.index("[[collectors]]") :]
    settings = parse(example)
    assert [entry.actor for entry in settings.collectors] == ["account:crm-sync"]
    assert [bot.ranges for bot in settings.bots] == [("192.0.2.0/24", "2001:db8:77::/48")]
    assert [(group.name, group.of) for group in settings.groups] == [("agent_net", ("agent", "net"))]
    assert [entry.actor for entry in settings.allow] == ["net:192.0.2.0/24"]
    assert [(one.name, one.kind) for one in settings.notify.receivers] == [("sre", "alertmanager"), ("chat", "webhook")]


@pytest.mark.parametrize("name", ["demo.toml"])
def test_the_demo_configuration_is_right(name: str) -> None:
    """What the demo adds is accepted."""
    parse((FILE.parent / name).read_text(encoding="utf-8"), name)
