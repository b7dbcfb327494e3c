"""What several commands share."""

import pytest

from streams.cli.main import run
from streams.cli.option import printable


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["watch", "access.log", "--listen", "foo"], "--listen ADDRESS:PORT: Expected `str` matching regex"),
        (["watch", "access.log", "--listen", "127.0.0.1:99999"], "--listen ADDRESS:PORT: a port is at most 65535"),
        (["watch", "access.log", "--format", "word"], "--format: Invalid enum value"),
        (["serve", "--listen", "foo"], "--listen ADDRESS:PORT: Expected `str` matching regex"),
    ],
)
def test_a_mistake_in_an_option_names_the_option(
    arguments: list[str], told: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Not the key that it stands for, nor an option of another command."""
    assert run(arguments) == 2
    assert capfd.readouterr().err.startswith(f"weir: {told}")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Zoë 王", "Zoë 王"),
        ("\x1b[31mred\a", "\\x1b[31mred\\x07"),
        ("one\ntwo\r", "one\\ntwo\\r"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\udc80", "\\udc80"),
    ],
)
def test_what_a_terminal_would_obey_is_escaped(text: str, told: str) -> None:
    """Names of people stay readable; a stranger's colours, lines and directions of writing do not come through."""
    assert printable(text) == told
