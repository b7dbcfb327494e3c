"""What `test_compiling` has compiled in place of everything: one small loop, or nothing."""

import os
import resource
import sys
import threading
import time

import numpy as np

from streams.pipeline.checkpoint.snapshot import bucket_of
from streams.settings import Settings


def is_apart() -> bool:
    """Whether this is the process that compiles."""
    return sys.argv[0].endswith("compiling.py")


def one_loop(_: Settings) -> None:
    """Call a loop."""
    assert bucket_of(np.arange(3, dtype=np.uint64), 4).size == 3


def not_apart(settings: Settings) -> None:
    """Fail where it is compiled apart."""
    if is_apart():
        os._exit(3)
    one_loop(settings)


def hanging(settings: Settings) -> None:
    """Come to no end where it is compiled apart."""
    if is_apart():
        time.sleep(600)
    one_loop(settings)


def no_room(settings: Settings) -> None:
    """Have nothing kept, apart or not."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    one_loop(settings)


def for_ever(settings: Settings) -> None:
    """Say who compiles apart, and come to no end there."""
    if is_apart():
        os.write(1, f"{os.getpid()}\n".encode())
        time.sleep(600)
    one_loop(settings)


def no_process(settings: Settings) -> None:
    """Let no other process begin."""
    sys.executable = "/nowhere"
    one_loop(settings)


def no_thread(settings: Settings) -> None:
    """Let no thread begin."""

    def refused(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    setattr(threading.Thread, "start", refused)  # noqa: B010 - of a process that ends with this
    one_loop(settings)
