"""`weir bouncers` and what `weir serve` refuses before it begins."""

import json
from pathlib import Path

import pytest

from streams.cli.main import run
from streams.serve import keys


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of keys of this test."""
    path = tmp_path / "bouncers.json"
    monkeypatch.setenv("WEIR_SERVE__KEYS_FILE", str(path))
    return path


def test_add_list_remove(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A key is printed once, alone on its line; the list has scopes and types, and no key."""
    assert run(["bouncers", "add", "edge"]) == 0
    key = capsys.readouterr().out.strip()
    assert run(["bouncers", "add", "login", "--scopes", "USERNAME,Session", "--types", "throttle,ban", "--json"]) == 2
    assert "there is no scope USERNAME, Session" in capsys.readouterr().err
    assert run(["bouncers", "add", "login", "--scopes", "username,RANGE", "--types", "throttle", "--json"]) == 0
    assert json.loads(capsys.readouterr().out).keys() == {"name", "key"}
    assert run(["bouncers", "list", "--json"]) == 0
    printed = capsys.readouterr().out
    rows = [(row["name"], row["scopes"], row["types"]) for row in json.loads(printed)["bouncers"]]
    assert rows == [("edge", ["Ip", "Range"], ["ban", "captcha"]), ("login", ["username", "Range"], ["throttle"])]
    assert key not in printed
    assert keys.digest(key) not in printed
    assert run(["bouncers", "remove", "edge"]) == 0
    assert run(["bouncers", "list"]) == 0
    assert "edge" not in capsys.readouterr().out.partition("removed")[2]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["list"], "weir bouncers add"),
        (["add", "a b"], "no name"),
        (["add", "edge", "--types", "nuke"], "there is no type nuke; there are ban, captcha, throttle"),
        (["add", "edge", "--scopes", ","], "there is no scope given"),
        (["remove", "edge"], "there is no bouncer edge"),
    ],
)
def test_mistakes(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 2 and one line."""
    assert run(["bouncers", *arguments]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, "serve.keys_file"),
        ({"WEIR_SERVE__LISTEN": "nowhere"}, "WEIR_SERVE__LISTEN"),
        ({"WEIR_SERVE__KEY_FILE": "k.pem"}, "certificate_file"),
        ({"WEIR_SERVE__CERTIFICATE_FILE": "none.pem"}, "serve.certificate_file: none.pem: No such file"),
    ],
)
def test_what_serve_refuses(
    file: Path,
    variables: dict[str, str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No keys, no address, no certificate: status 2 and one line, before anything listens."""
    if variables:
        keys.add(file, "edge", ("Ip",), ("ban",), 0)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert run(["serve"]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.startswith("weir: ")
