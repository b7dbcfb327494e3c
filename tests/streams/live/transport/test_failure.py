"""Stopping the process: status, one line, nothing swallowed."""

import subprocess
import sys

import pytest

from streams.live.transport.failure import STATUS, describe

PROGRAM = """
import logging, sys
from schemas.errors import TransportError
from streams.live.transport.failure import explain_with, explained, stop_process
logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(message)s")
try:
    {}["profile"]
except KeyError as error:
    try:
        stop_process(error, "agent observe")
    finally:
        print("tidied up")
"""


def test_status_and_line() -> None:
    """The process ends with status 70 at once; the log is flushed and its last line says everything."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == STATUS == 70
    assert done.stdout == ""
    assert "Traceback" in done.stderr
    critical = (
        "CRITICAL agent observe: KeyError: 'profile' (at <string>:7); stopped before the acknowledgement, status 70"
    )
    assert done.stderr.splitlines()[-1] == critical


EXPLAINED = (
    PROGRAM.partition("try:")[0]
    + """
explain_with(lambda error, ends: TransportError("somebody may not READ") if isinstance(error, {known}) else None)
try:
    with explained("reading"):
        {{}}["profile"]
finally:
    print("tidied up")
"""
)


@pytest.mark.parametrize(
    ("known", "status", "said", "tidied"),
    [
        ("KeyError", 2, "CRITICAL reading: somebody may not READ; stopped before the acknowledgement, status 2", ""),
        ("OSError", 1, "KeyError: 'profile'", "tidied up\n"),
    ],
)
def test_what_can_be_explained(known: str, status: int, said: str, tidied: str) -> None:
    """It ends the process at once with one line and the status of the explanation; all else goes on."""
    program = EXPLAINED.format(known=known)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == status
    assert done.stdout == tidied
    assert done.stderr.splitlines()[-1] == said
    assert ("Traceback" in done.stderr) == bool(tidied)


def test_description_is_one_line() -> None:
    """A message of several lines becomes one; an error that was never raised has no place."""
    assert describe(ValueError("one\n  two")) == "ValueError: one two"
