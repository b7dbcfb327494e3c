"""Processes of their own for parts of a command: how they begin, and how what stops them comes back.

They are spawned, not forked: what is forked has the locks of threads that it does not have, as that of a progress bar,
and the files that this process holds open.
"""

import multiprocessing
import signal
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Final

from schemas.errors import InputError, UsageError

CONTEXT: Final[SpawnContext] = multiprocessing.get_context("spawn")


def may_begin() -> bool:
    """Whether this process may begin others: one that was begun here may not, nor may a thread beside the first."""
    return not multiprocessing.current_process().daemon and threading.current_thread() is threading.main_thread()


def begin(work: Callable[..., None], *arguments: object) -> tuple[Connection, SpawnProcess]:
    """A process that does ``work`` with these arguments and the end of a pipe to send to; and the other end."""
    receiver, sender = CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(target=work, args=(*arguments, sender), daemon=True)
    # A terminal interrupts every process of a command. What is ignored stays so in a process that is begun meanwhile,
    # which this one ends.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process.start()
    finally:
        signal.signal(signal.SIGINT, before)
    sender.close()
    return receiver, process


def received(receiver: Connection) -> object:
    """What the process sends next.

    Raises:
        InputError: it could not read a file.
        RuntimeError: it has a bug, whose trace comes along.
        UsageError: it was killed.
    """
    try:
        found: object = receiver.recv()
    except (EOFError, OSError) as error:
        # The latter where it ends within a message.
        raise UsageError("a replay's process was killed, perhaps for want of memory; try --jobs 1") from error
    if isinstance(found, _Unread):
        raise InputError(found.place, found.reason)
    if isinstance(found, _Failed):
        failure = RuntimeError("a replay failed in a process of its own")
        failure.add_note(found.trace)
        raise failure
    return found


def failure_of(error: Exception) -> object:
    """What to send in place of a result: `received` raises it again."""
    if isinstance(error, InputError):
        return _Unread(error.place, error.reason)
    return _Failed("".join(traceback.format_exception(error)))


@dataclass(frozen=True, slots=True)
class _Unread:
    """An `InputError` on its way from another process."""

    place: str
    reason: str


@dataclass(frozen=True, slots=True)
class _Failed:
    """A bug on its way from another process."""

    trace: str
