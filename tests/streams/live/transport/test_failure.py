"""Stopping the process: status, one line, nothing swallowed."""

import subprocess
import sys

from streams.live.transport.failure import STATUS, describe

PROGRAM = """
import logging, sys
from streams.live.transport.failure import stop_process
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
        "CRITICAL agent observe: KeyError: 'profile' (at <string>:6); stopped before the acknowledgement, status 70"
    )
    assert done.stderr.splitlines()[-1] == critical


def test_description_is_one_line() -> None:
    """A message of several lines becomes one; an error that was never raised has no place."""
    assert describe(ValueError("one\n  two")) == "ValueError: one two"
