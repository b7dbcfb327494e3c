"""Has loops compiled in a process of its own, and loads them in this one.

Whoever has run the compiler keeps some 50 MB of it for good. So where a loop is in no file yet, another process
compiles all of them, writes the files and ends; this one never compiles. Should files be impossible, it does.
"""

import logging
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from streams.pipeline.warm_up import warm_up
from streams.settings import Settings
from streams.watch.given_back import give_back
from streams.watch.packed import NotCompiledError, load_packed, only_loaded

WarmUp = Callable[[Settings], None]

COMPILING_MAX_S: Final = 600.0
"""It takes a minute, and ten on a machine that has hardly any time for it; what takes longer has come to a stop."""

log = logging.getLogger(__name__)


def load(settings: Settings, warm: WarmUp = warm_up, longest_s: float = COMPILING_MAX_S) -> None:
    """Have what ``warm`` runs loaded without what the compiler would need; compiled apart before, where it is not.

    ``warm`` is a function of a module: another process looks it up by its name, and is killed after ``longest_s``.
    """
    load_packed()
    give_back()  # what importing the compiler took
    missing = _missing(settings, warm)
    if missing is None:
        return
    log.info("compiling, which takes a minute, once: %s is in no file yet", missing)
    try:
        told = _compile_apart(settings, warm, longest_s)
    except OSError as error:  # no more processes, or no memory for one
        told = f"failed: {error.strerror or error}"
    except RuntimeError as error:  # no more threads
        told = f"failed: {error}"
    missing = _missing(settings, warm)
    if missing is not None:
        log.warning(
            "compiling apart %s, and %s is in no file: this process compiles, and keeps more memory", told, missing
        )
        warm(settings)


def _missing(settings: Settings, warm: WarmUp) -> str | None:
    """Load; the name of the first loop that is in no file, None where all are."""
    try:
        with only_loaded():
            warm(settings)
    except NotCompiledError as error:
        return str(error)
    return None


def _compile_apart(settings: Settings, warm: WarmUp, longest_s: float) -> str:
    """How the process that compiles has ended."""
    # Not by multiprocessing, which leaves a process of 12 MB behind; nor with what lies in the working directory.
    command = [sys.executable, "-P", "-m", __name__]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process, _killed_after(longest_s, process) as killed:
        try:
            assert process.stdin is not None
            # Left open: that it is closed tells the other that this one is gone.
            with suppress(BrokenPipeError):
                process.stdin.write(pickle.dumps((settings, warm)))
                process.stdin.flush()
            process.wait()
        finally:
            process.terminate()
    return f"was killed after {longest_s:g} s" if killed.is_set() else f"ended with status {process.returncode}"


@contextmanager
def _killed_after(longest_s: float, process: subprocess.Popen[bytes]) -> Iterator[threading.Event]:
    """Kill ``process`` should the block last longer, whatever it waits for; set once that was done."""
    killed = threading.Event()

    def kill() -> None:
        killed.set()
        process.kill()

    timer = threading.Timer(longest_s, kill)
    timer.start()
    try:
        yield killed
    finally:
        timer.cancel()


def _compile() -> None:
    # A terminal interrupts both, and this one is ended by the other.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    settings, warm = pickle.load(sys.stdin.buffer)  # noqa: S301 - of the process that began this one
    threading.Thread(target=_end_with_parent, daemon=True).start()
    load_packed()
    warm(settings)


def _end_with_parent() -> None:
    os.read(sys.stdin.fileno(), 1)  # nothing more is sent: it ends
    os._exit(1)


if __name__ == "__main__":
    _compile()
