"""Reading and observing in a second process, so that a replay has two cores: here is judged what came before.

A message of sightings is bytes already, as live it goes over a topic; here it goes through a pipe. Few of them wait, so
neither process runs far ahead of the other.
"""

import os
import stat
import threading
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from queue import Queue
from typing import Final

from streams.offline import reading
from streams.offline.observing import Piece, observe_all, observer_of
from streams.offline.processes import begin, failure_of, may_begin, received
from streams.offline.reading import open_all
from streams.pipeline.warm_up import warm_up
from streams.settings import Settings

WORTH_BYTES: Final = 64 << 20
"""Smaller inputs are read before a second process has begun."""
_ITS_OWN: Final = (("dev",), ("proc",))
"""Where names mean what they mean to one process."""
WAITING: Final = 3
"""Pieces that wait to be sent, beside the one that is."""


@dataclass(frozen=True, slots=True)
class Task:
    """What to observe, and how."""

    paths: tuple[Path, ...]
    records: int
    """Of a batch at most."""
    settings: Settings
    show_bad: int


def worth_apart(paths: Sequence[Path]) -> bool:
    """Whether a second process makes a replay faster: there is a core for it, and much to read.

    A pipe can be opened once, so only regular files will do, and ``/dev/fd/5`` is another file in another process; one
    that is not there is for the replay to tell.
    """
    if any(path.absolute().parts[1:2] in _ITS_OWN for path in paths):
        return False
    try:
        about = [path.stat() for path in paths]
    except OSError:
        return False
    regular = all(stat.S_ISREG(one.st_mode) for one in about)
    return (
        may_begin()
        and regular
        and len(os.sched_getaffinity(0)) > 1
        and sum(one.st_size for one in about) >= WORTH_BYTES
    )


def observed_apart(paths: Sequence[Path], settings: Settings, show_bad: int) -> Generator[Piece]:
    """As `observe_all` gives them of files, from another process; it ends with the generator.

    Raises:
        InputError: a file cannot be read.
        UsageError: the process was killed.
    """
    receiver, process = begin(_work, Task(tuple(paths), reading.BATCH_RECORDS, settings, show_bad))
    try:
        # What runs on the hot path takes a while to load: here while the other process does the same.
        warm_up(settings)
        with receiver:
            while isinstance(found := received(receiver), Piece):
                yield found
    finally:
        process.terminate()
        process.join()


def _work(task: Task, sender: Connection) -> None:
    """Observe in a thread and send from this one: who has asked may be gone, and then all of this ends at once."""
    waiting = Queue[object](WAITING)
    threading.Thread(target=_observe, args=(task, waiting), daemon=True).start()
    try:
        while isinstance(found := waiting.get(), Piece):
            sender.send(found)
        sender.send(found)
    except BrokenPipeError:
        return


def _observe(task: Task, waiting: Queue[object]) -> None:
    last: object = None
    try:
        observer = observer_of(task.settings)
        for piece in observe_all(open_all(task.paths, task.records), observer, task.show_bad):
            waiting.put(piece)
    except Exception as error:  # noqa: BLE001 - a bug is told where the command ends, with its trace
        last = failure_of(error)
    waiting.put(last)
