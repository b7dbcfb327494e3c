"""Stopping the process at a bug, before anything is acknowledged."""

import logging
import os
import traceback
from typing import Final, NoReturn

from schemas.errors import StopError

STATUS: Final = 70
"""Exit status of a worker that a bug has stopped (`EX_SOFTWARE` of sysexits.h)."""

log = logging.getLogger(__name__)


def stop_process(error: BaseException, where: str) -> NoReturn:
    """End this process at once with status 70, after a bug's traceback and one line that says what failed ``where``.

    Nothing is committed, closed or left tidily: Faust's own way out would acknowledge the batch that failed. The group
    notices after its session timeout, and whoever takes over reads the batch again.
    """
    if not isinstance(error, StopError):
        log.error("%s failed", where, exc_info=error)
    log.critical("%s: %s; stopped before the acknowledgement, status %d", where, describe(error), STATUS)
    logging.shutdown()
    os._exit(STATUS)


def describe(error: BaseException) -> str:
    """Type, message and innermost place of ``error`` in one line."""
    message = " ".join("".join(traceback.format_exception_only(error)).split())
    frames = traceback.extract_tb(error.__traceback__)
    return f"{message} (at {frames[-1].filename}:{frames[-1].lineno})" if frames else message
