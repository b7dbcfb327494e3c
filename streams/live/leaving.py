"""Stops consumers of aiokafka, so that nobody is cancelled by it.

aiokafka cancels its own requests and then awaits them. One that waits to be tried again, as a connection broke a moment
ago, or that has not begun, passes that on: whoever stops the consumer is cancelled, though nobody asked for it, and the
connections stay open. In Faust's task of recovery that would be the end of every assignment to come.
"""

# ruff: noqa: SLF001  (the pins of the worker's transport check the names)

import asyncio
from typing import Final

from aiokafka import AIOKafkaConsumer

CLOSE_S: Final = 5.0
"""How long requests may take to end that were cancelled."""


async def leave(consumer: AIOKafkaConsumer) -> None:
    """Stop ``consumer``, all of it even where its coordinator fails.

    Raises:
        Exception: what stopping raises.
        CancelledError: somebody has cancelled the caller.
    """
    task = asyncio.current_task()
    before = 0 if task is None else task.cancelling()
    try:
        await consumer.stop()
    except asyncio.CancelledError:
        await _finish(consumer)
    except Exception:
        await _finish(consumer)
        raise
    # A group of tasks that has failed leaves its own count behind; aiokafka may keep a request to cancel to itself.
    if task is not None and task.cancelling() > before:
        raise asyncio.CancelledError


async def _finish(consumer: AIOKafkaConsumer) -> None:
    """What `AIOKafkaConsumer.stop` has not come to."""
    fetcher = consumer._fetcher
    if fetcher is not None:
        tasks = [fetcher._fetch_task, *fetcher._pending_tasks]
        if (looking := getattr(fetcher, "looking", None)) is not None:  # a task that `BatchFetcher` has besides
            tasks.append(looking)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=CLOSE_S)
    await consumer._client.close()
