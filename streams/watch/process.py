"""The process of `weir watch`: follows the logs, answers enforcers, and ends in good order."""

import asyncio
import logging
import os
import signal
import stat
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

from schemas.alert import Alert
from schemas.errors import StopError, UsageError
from streams.clock import Clock, wall_clock_us
from streams.serve.api import Api
from streams.serve.keys import Keys
from streams.serve.listener import Listener, address, tls
from streams.settings import Settings
from streams.watch.compiling import load
from streams.watch.following import Followed, Place
from streams.watch.given_back import give_back, one_heap
from streams.watch.keeping import Kept
from streams.watch.piped import STANDARD_INPUT, Piped
from streams.watch.watching import Seen, Source, Watching

LOOK_S: Final = 0.2
"""How often a log that had nothing new is looked at."""
TELL_S: Final = 60.0
NO_KEYS: Final = '{"bouncers": []}\n'

Show = Callable[[Alert], None]

log = logging.getLogger(__name__)


def run(
    settings: Settings,
    paths: Sequence[str],
    show: Show,
    samples: int,
    *,
    serving: bool = True,
    clock: Clock = wall_clock_us,
) -> Seen:
    """Watch until SIGTERM or SIGINT, or until all inputs are pipes that have ended.

    Raises:
        UsageError: a path or a file comes twice, or is a directory, or the state's directory cannot be used.
        ConfigError: a file of keys or of the certificate is not what it should be.
        TransportError: the address is taken, or not ours.
        CheckpointError: the state is another version's.
        StopError: the state's directory can be written no more.
    """
    kept = Kept(Path(settings.watch.state))
    sources = sources_of(paths, kept, settings.input.record_max_bytes)
    keys = _keys(Path(settings.serve.keys_file)) if serving else None
    one_heap()
    load(settings)
    watching = Watching(settings, kept, sources, clock, samples)
    give_back()
    try:
        asyncio.run(_watch(settings, watching, keys, show, clock))
    except OSError as error:
        # A full disk, say. What is not written is decided again by the next start.
        raise StopError(f"{error.filename or kept.directory}: {error.strerror or error}") from error
    return watching.seen


def sources_of(paths: Sequence[str], kept: Kept, line_max_bytes: int) -> list[Source]:
    """The logs to read, each from where the last checkpoint has it.

    Raises:
        UsageError: a path or a file comes twice, or is neither a file nor a pipe.
    """
    names = [path if path == STANDARD_INPUT else str(Path(path).absolute()) for path in paths]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"{twice} is named twice")
    _require_different(names)
    manifest = kept.manifest()
    known = {} if manifest is None else {place.path: place for place in manifest.places}
    free = 1 + max((place.number for place in known.values()), default=-1)
    sources: list[Source] = []
    for name in names:
        place = known.get(name)
        if place is None:
            place, free = Place(name, free), free + 1
        sources.append(_source(place, line_max_bytes))
    return sources


def _require_different(names: Sequence[str]) -> None:
    """A file under two names would be judged twice."""
    known: dict[tuple[int, int], str] = {}
    for name in names:
        try:
            found = Path(name).stat()
        except OSError:
            continue  # it is waited for
        other = known.setdefault((found.st_dev, found.st_ino), name)
        if other != name:
            raise UsageError(f"{other} and {name} are the same file")


def _source(place: Place, line_max_bytes: int) -> Source:
    if place.path == STANDARD_INPUT:
        return Piped(place, line_max_bytes, sys.stdin.fileno())
    try:
        mode = Path(place.path).stat().st_mode
    except OSError:
        return Followed(place, line_max_bytes)
    if stat.S_ISFIFO(mode):
        return Piped(place, line_max_bytes)
    if not stat.S_ISREG(mode):
        raise UsageError(f"{place.path} is neither a file nor a pipe")
    return Followed(place, line_max_bytes)


def _keys(path: Path) -> Keys:
    """Whoever begins has no enforcers yet: a file without keys, which `weir bouncers add` adds to."""
    if not path.exists():
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(NO_KEYS)
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror or error}") from error
    keys = Keys(path)
    keys.look()
    return keys


async def _watch(settings: Settings, watching: Watching, keys: Keys | None, show: Show, clock: Clock) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    listener = None if keys is None else Listener(Api(watching.deciding, keys, clock).application())
    try:
        if listener is not None:
            host, port = address(settings.serve)
            log.info("listening at %s", await listener.begin(host, port, tls(settings.serve)))
        with ThreadPoolExecutor(1, thread_name_prefix="watch") as thread:
            await _follow(
                watching, partial(asyncio.get_running_loop().run_in_executor, thread), show, stopped, settings
            )
            await asyncio.get_running_loop().run_in_executor(thread, watching.close)
    finally:
        if listener is not None:
            await listener.end()


async def _follow(
    watching: Watching,
    in_thread: Callable[[Callable[[], object]], "asyncio.Future[object]"],
    show: Show,
    stopped: asyncio.Event,
    settings: Settings,
) -> None:
    interval_s = settings.checkpoint.interval_s or TELL_S
    told_s = time.monotonic()
    kept_s = told_s - interval_s  # the first file is known from its first lines on, should it be renamed soon
    while not stopped.is_set():
        busy = await in_thread(watching.step)
        for alert in watching.deliver():
            show(alert)
        now_s = time.monotonic()
        if now_s - kept_s >= interval_s:
            await in_thread(partial(_keep, watching))
            kept_s = now_s
        if now_s - told_s >= TELL_S:
            told_s = now_s
            _tell(watching.seen)
        if not busy:
            if watching.ended:
                return
            try:
                async with asyncio.timeout(LOOK_S):
                    await stopped.wait()
            except TimeoutError:
                continue


def _keep(watching: Watching) -> None:
    try:
        watching.keep()
    except OSError as error:
        log.error("the state cannot be kept, and is tried again: %s", error.strerror or error)  # noqa: TRY400
    give_back()  # what a checkpoint takes, and code that was loaded for lines of a sort that had not come before


def _tell(seen: Seen) -> None:
    log.info(
        "%d lines, %d bad; %d responses that disclosed; %d alerts, %s",
        seen.lines,
        seen.bad,
        seen.disclosed,
        seen.alerts,
        seen.blocked,
    )
