"""The transport itself: what a broker URL ``batch://host:port`` stands for."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, cast

from faust.exceptions import ImproperlyConfigured
from faust.transport.drivers import TRANSPORTS
from faust.transport.drivers.aiokafka import Transport
from faust.types import TP, AppT, EventT
from mode import Service
from mode.types import BaseSignalT
from yarl import URL

from schemas.errors import StopError
from streams.live.transport.consumer import BatchConsumer
from streams.live.transport.failure import stop_process
from streams.live.transport.options import Declared, FetchOptions, TopicOptions
from streams.live.transport.pins import check_pins
from streams.live.transport.topic import BatchSchema, BatchTopic

SCHEME = "batch"
RUNNER = Service._execute_task.__name__  # noqa: SLF001 - pins.py looks whether it is there
"""What runs the tasks of a service, and takes their being cancelled in its stride."""


def register() -> None:
    """Make broker URLs of scheme ``batch`` known to Faust in this process. Calling it again changes nothing."""
    TRANSPORTS.aliases[SCHEME] = f"{BatchTransport.__module__}:{BatchTransport.__qualname__}"


class BatchTransport(Transport):
    """Faust's aiokafka transport with batches. All its state belongs to one app."""

    Consumer = BatchConsumer
    driver_version = f"{Transport.driver_version} in batches"

    def __init__(self, url: list[URL], app: AppT, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """See Faust.

        Raises:
            PinError: Faust or aiokafka are not those this was written for.
        """
        check_pins()
        super().__init__(url, app, loop)
        self.declared = Declared()
        self.recovering: asyncio.Task[Any] | None = None
        """Faust's task of recovery, once it has run."""


@dataclass(frozen=True, slots=True)
class PartitionState:
    """How far one assigned partition of a batch topic is."""

    committed: int
    """Committed when it was assigned; 0 where nothing was."""
    position: int | None
    """Offset after the last batch an agent took, or where reading begins; None until that is known."""
    end: int | None
    """Where the partition ended at the last fetch; None before the first."""

    @property
    def idle(self) -> bool:
        """Whether agents have taken all there was."""
        return self.position is not None and self.end is not None and self.position >= self.end


def transport_of(app: AppT) -> BatchTransport:
    """The app's transport.

    Raises:
        ImproperlyConfigured: its broker URL is not of scheme ``batch``.
    """
    transport = app.transport
    if not isinstance(transport, BatchTransport):
        raise ImproperlyConfigured(f"batches need a broker URL {SCHEME}://…, not {transport.url}")
    return transport


def configure(app: AppT, options: FetchOptions) -> None:
    """Choose how ``app`` reads, before it starts."""
    transport_of(app).declared.fetch = options


def batch_topic(app: AppT, name: str, options: TopicOptions | None = None, *, maxsize: int = 64) -> BatchTopic:
    """Have the records of topic ``name`` delivered in batches: the value of each event is a `Batch`.

    ``maxsize`` is how many batches may wait for the agents, all partitions together, if they are small.

    Raises:
        ImproperlyConfigured: the app's broker URL is not of scheme ``batch``, or the topic has other options already.
    """
    options = options or TopicOptions()
    # For each topic, were it only to watch Faust's recovery: connected twice it is called once.
    app.on_rebalance_complete.connect(_ask_beginnings)
    declared = transport_of(app).declared.topics.setdefault(name, options)
    if declared != options:
        raise ImproperlyConfigured(f"topic {name} is declared with {declared} and with {options}")
    return BatchTopic(app, topics=[name], schema=BatchSchema(), maxsize=maxsize)


async def _ask_beginnings(app: AppT, /, *_: object, signal: BaseSignalT[Any], **__: object) -> None:  # noqa: ARG001
    _watch(transport_of(app), app)
    try:
        await cast(BatchConsumer, app.consumer).ask_beginnings()
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and not task.cancelling():
            stop_process(error, "beginning")  # nobody has asked for it: here it is still known where it came from
        raise


def _watch(transport: BatchTransport, app: AppT) -> None:
    """End the process if Faust's task of recovery, which runs here, ends while the app goes on.

    Faust only notes that a task of its own was cancelled. No assignment would be restored or read from then on, and
    the worker would stay a member of the group that does nothing.
    """
    task = asyncio.current_task()
    if task is not None and task is not transport.recovering and _runs(task) == RUNNER:
        transport.recovering = task
        task.add_done_callback(lambda _: _recovery_ended(app))


def _runs(task: asyncio.Task[Any]) -> str:
    return getattr(task.get_coro(), "__name__", "")


def _recovery_ended(app: AppT) -> None:
    if not app.should_stop:
        stop_process(
            StopError("Faust's task of recovery was cancelled, so nothing would be read any more"), "rebalance"
        )


def let_commit(app: AppT, tp: TP, offset: int) -> None:
    """Let ``tp``, of a topic with `TopicOptions.begin`, be committed up to ``offset`` once that is acknowledged.

    Call it from the main loop. Nothing happens where the partition has gone meanwhile.
    """
    cast(BatchConsumer, app.consumer).let_commit(tp, offset)


def on_last_call(app: AppT, callback: Callable[[], Awaitable[None]]) -> None:
    """Await ``callback`` whenever partitions are about to go, at a rebalance and at a stop, before the last commit.

    Nothing new is handed to agents by then, but one may still have a batch in work. If it raises, nothing is committed.
    """
    transport_of(app).declared.last_calls.append(callback)


def let_go(app: AppT, event: EventT[Any]) -> None:
    """Have no rebalance and no stop wait for ``event``: until it is acknowledged its batch may be read again."""
    cast(BatchConsumer, app.consumer).let_go(event.message)


def partition_states(app: AppT) -> dict[TP, PartitionState]:
    """State of each assigned partition of the app's batch topics, by the last fetch. Call it from the main loop."""
    topics = transport_of(app).declared.topics
    consumer = cast(BatchConsumer, app.consumer)
    return {
        tp: PartitionState(consumer.committed_at_start(tp), consumer.handed(tp), consumer.end(tp))
        for tp in consumer.assignment()
        if tp.topic in topics
    }
