"""`weir revoke`, as its user calls it."""

import pytest

from streams.cli.main import run


@pytest.mark.parametrize("text", ["abc", "sha256:", "sha256:9f86d081884c7d6", "9f86d081884c7d650", "9F86D081884C7D65"])
def test_what_is_no_revision_is_refused(text: str, capfd: pytest.CaptureFixture[str]) -> None:
    """A revision that no block can name would stand for days and take nothing back: nothing is asked of a broker."""
    assert run(["revoke", "--config", text, "--reason", "x", "--bootstrap", "127.0.0.1:1"]) == 2
    assert "is no revision (sha256: and 16 hexadecimal digits)" in capfd.readouterr().err
