"""What several commands share."""

import pytest

from streams.cli.main import run


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
