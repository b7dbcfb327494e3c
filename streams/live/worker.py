"""Runs a worker process until it is told to stop."""

import gc
import logging
from collections.abc import Collection
from pathlib import Path
from tempfile import TemporaryDirectory

from faust import Worker

from schemas.errors import BUG_EXIT_STATUS
from streams.live.app import build
from streams.live.connection import warn_if_open
from streams.pipeline.warm_up import warm_up
from streams.settings import Settings

log = logging.getLogger(__name__)


def run(settings: Settings, stages: Collection[str], log_level: str) -> None:
    """Run the stream processors; ends the process: with 0 after SIGTERM or SIGINT, with 70 when Faust itself fails.

    Raises:
        TransportError: the broker cannot be reached, or a topic is missing.
    """
    warn_if_open(settings.kafka)
    app = build(settings, stages)
    warm_up(settings)
    # What is loaded by now stays: the collector need not look at it again, and batches make no cycles.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    with TemporaryDirectory(prefix="weir-") as directory:
        # Faust makes a directory for tables, of which there are none, in the working directory.
        app.conf.datadir = Path(directory)
        try:
            Worker(app, loglevel=log_level, redirect_stdouts=False).execute_from_commandline()
        except SystemExit as end:
            if end.code:
                log.critical("the worker failed, see above; status %d", BUG_EXIT_STATUS)
                raise SystemExit(BUG_EXIT_STATUS) from end
            raise
