"""Stopping the process at a bug, before anything is acknowledged."""

import logging
import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NoReturn, Protocol

from schemas.errors import OperatorError, StopError

STATUS: Final = 70
"""Exit status of a worker that a bug has stopped (`EX_SOFTWARE` of sysexits.h)."""


class Explain(Protocol):
    """Says what an error means where somebody outside can put it right; None for all others."""

    def __call__(self, error: BaseException, *, ends: bool) -> OperatorError | None:
        """``ends``: the process ends in any case; else only if there is an explanation."""


log = logging.getLogger(__name__)
_explanations: list[Explain] = []


def explain_with(explain: Explain) -> None:
    """Ask ``explain`` first when this process stops; it may take a while, nothing is sent or committed meanwhile."""
    _explanations[:] = [explain]


def stop_process(error: BaseException, where: str) -> NoReturn:
    """End this process at once with status 70, after a bug's traceback and one line that says what failed ``where``.

    What somebody outside can put right, by `explain_with`, ends it with one line and the status of that error instead.
    Nothing is committed, closed or left tidily: Faust's own way out would acknowledge the batch that failed. The group
    notices after its session timeout, and whoever takes over reads the batch again.
    """
    known = explanation(error, ends=True)
    status = STATUS if known is None else known.exit_status
    if known is None and not isinstance(error, StopError):
        log.error("%s failed", where, exc_info=error)
    said = describe(error) if known is None else known
    log.critical("%s: %s; stopped before the acknowledgement, status %d", where, said, status)
    logging.shutdown()
    os._exit(status)


@contextmanager
def explained(where: str) -> Iterator[None]:
    """End the process where what is raised can be explained; all else goes on, as Faust deals with it."""
    try:
        yield
    except Exception as error:
        if explanation(error, ends=False) is not None:
            stop_process(error, where)
        raise


def explanation(error: BaseException, *, ends: bool) -> OperatorError | None:
    """What ``error`` means, where that is known."""
    if isinstance(error, OperatorError):
        return error
    return next((said for explain in _explanations if (said := explain(error, ends=ends)) is not None), None)


def describe(error: BaseException) -> str:
    """Type, message and innermost place of ``error`` in one line."""
    message = " ".join("".join(traceback.format_exception_only(error)).split())
    frames = traceback.extract_tb(error.__traceback__)
    return f"{message} (at {frames[-1].filename}:{frames[-1].lineno})" if frames else message
