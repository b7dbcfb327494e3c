"""A command that is interrupted as from a terminal."""

import os
import signal
import subprocess
import sys
import time
from typing import Final

import psutil

INTERRUPTIBLE: Final = (
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); "
    "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
)
"""Runs what follows as from a terminal: in the background a shell has interrupts ignored, by children too."""


def interrupt(*arguments: str, begun: int, everybody: bool) -> None:
    """Interrupt ``weir`` once it has ``begun`` so many processes, which a terminal interrupts too: ``everybody``.

    Raises:
        AssertionError: its status is not 130, it says a word, or a process goes on.
    """
    command = [sys.executable, "-c", INTERRUPTIBLE, "-m", "streams.cli", *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True) as process:
        while len(children := psutil.Process(process.pid).children()) < begun:
            time.sleep(0.05)
        time.sleep(0.5)
        (os.killpg if everybody else os.kill)(process.pid, signal.SIGINT)
        out_text, err_text = process.communicate(timeout=60)
    assert (process.returncode, out_text, err_text.strip()) == (130, b"", b"")
    until = time.monotonic() + 20
    while any(goes_on(child) for child in children):
        assert time.monotonic() < until
        time.sleep(0.05)


def goes_on(process: psutil.Process) -> bool:
    """Whether it still does anything."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
