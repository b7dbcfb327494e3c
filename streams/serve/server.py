"""The process of `weir serve`: reads the topic, listens, and ends in good order."""

import asyncio
import logging
import resource
import signal
import socket
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Final

from schemas import topic
from streams import config
from streams.clock import Clock, wall_clock_us
from streams.live import access, topics
from streams.live.connection import local, warn_if_open
from streams.monitor import Monitor, opened
from streams.serve.api import Api
from streams.serve.feed import Feed
from streams.serve.keys import Keys
from streams.serve.listener import Listener, address, tls
from streams.serve.measuring import Measuring
from streams.settings import Settings

ROLE: Final = "enforcer"
OPEN: Final = 16_384
"""Files, of which each connection is one: the usual 1,024 are fewer than the enforcers may be. Not all that the system
allows: any stranger may connect, and holds 6 KB then."""
OPEN_TLS: Final = 4_096
"""Likewise with TLS, where he holds 0.3 MB."""

log = logging.getLogger(__name__)


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        ConfigError: a file of keys or of the certificate is not what it should be.
        TransportError: the broker cannot be reached or refuses, the topic is missing, or the address is taken.
    """
    keys = Keys(Path(settings.serve.keys_file))
    keys.look()
    context = tls(settings.serve)
    raise_limit(OPEN if context is None else OPEN_TLS)
    with opened(settings.metrics.listen) as shown:
        warn_if_open(settings.kafka)
        access.require(settings, [ROLE])
        name = access.name_of(topic.BLOCKS, settings)
        partitions = topics.partitions(settings.kafka, [name])[name]
        asyncio.run(serve(settings, keys, partitions, context, wall_clock_us, shown))


def raise_limit(wanted: int) -> None:
    """Let this process open ``wanted`` files, or as many as the system allows; where it may open more it still may."""
    soft, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    with suppress(ValueError, OSError):
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (wanted if most == resource.RLIM_INFINITY else min(wanted, most), most)
        )


async def serve(
    settings: Settings,
    keys: Keys,
    partitions: int,
    context: ssl.SSLContext | None,
    clock: Clock,
    shown: socket.socket | None = None,
) -> None:
    """Read and answer until a signal comes, or reading fails; metrics at ``shown``, a socket that is bound.

    Raises:
        TransportError: see `run`.
    """
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    feed = Feed(settings.kafka, partitions, settings.serve.stale_max_s, clock)
    host, port = address(settings.serve)
    api = Api(feed, keys, clock)
    measuring = Measuring(feed, api.enforcers, config.revision(settings))
    application = api.application()
    application.middlewares.insert(0, measuring.middleware())
    listener = Listener(application)
    monitor = Listener(Monitor(measuring.metrics, measuring).application())
    reading, waiting = asyncio.create_task(feed.run()), asyncio.create_task(stopped.wait())
    try:
        at = await listener.begin(host, port, context)
        if shown is not None:
            log.info("metrics and health at %s", await monitor.begin_at(shown))
        log.info("listening at %s; %d partitions of blocks to read", at, partitions)
        if context is None and not local(settings.serve.listen):
            log.warning(
                "keys and decisions can be read on the way to %s (serve.certificate_file)", settings.serve.listen
            )
        await asyncio.wait([reading, waiting], return_when=asyncio.FIRST_COMPLETED)
    finally:
        await listener.end()
        await monitor.end()
        waiting.cancel()
        if not reading.done():
            reading.cancel()
    await asyncio.wait([reading])
    if not reading.cancelled():
        reading.result()
