"""Runs a worker process until it is told to stop."""

import gc
import logging
import sys
from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NoReturn

from faust import App, Worker

from schemas.errors import BUG_EXIT_STATUS
from streams.config_file import Loaded
from streams.live.app import build
from streams.live.connection import warn_if_open
from streams.live.listening import Listening
from streams.live.lockout import end_when_locked_out
from streams.live.refused import refused
from streams.live.reloading import at_hangup
from streams.live.transport import explain_with
from streams.log import configure
from streams.monitor import Monitor, opened
from streams.pipeline.warm_up import warm_up
from streams.settings import Settings

SWITCH_S: Final = 0.001
"""After so long a thread that wants to go on is let.

The loop and the consumer's thread wait often, for a moment, beside one that judges without a pause: by Python's own
5 ms each of these moments would last as long.
"""

log = logging.getLogger(__name__)


def run(settings: Settings, stages: Collection[str], log_level: str, loaded: Loaded | None = None) -> None:
    """Run the stream processors; ends the process: with 0 after SIGTERM or SIGINT, with 70 when Faust itself fails.

    ``loaded`` is the file that the settings come from: it is read again when it changes, and at SIGHUP.

    Raises:
        ConfigError: `metrics.listen` has no port.
        TransportError: the broker cannot be reached, a topic is missing, or the address for metrics is taken.
    """
    configure(log_level, settings.log.format)
    # Before all else: what is wrong with the address should be said at once.
    with opened(settings.metrics.listen) as at:
        warn_if_open(settings.kafka)
        explain_with(partial(refused, settings=settings, stages=stages))
        end_when_locked_out(settings.kafka)
        app, measuring, reloading = build(settings, stages, loaded=loaded)
        at_hangup(reloading)
        services = [] if at is None else [Listening(Monitor(measuring.metrics, measuring, reloading.reload), at)]
        warm_up(settings)
        sys.setswitchinterval(SWITCH_S)
        # What is loaded by now stays: the collector need not look at it again, and batches make no cycles.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)
        with TemporaryDirectory(prefix="weir-") as directory:
            # Faust makes a directory for tables, of which there are none, in the working directory.
            app.conf.datadir = Path(directory)
            execute(app, services)


def execute(app: App, services: Sequence[Listening]) -> NoReturn:
    """Run ``app`` beside ``services`` until a signal; ends the process."""
    worker = Worker(app, *services, redirect_stdouts=False, override_logging=False)
    worker.spinner = None  # it would draw between the lines of the log
    try:
        worker.execute_from_commandline()
    except SystemExit as end:
        if end.code:
            log.critical("the worker failed, see above; status %d", BUG_EXIT_STATUS)
            raise SystemExit(BUG_EXIT_STATUS) from end
        raise
