"""The transport's own rules: no effect of an import, nothing shared between apps, mistakes refused."""

import asyncio
import subprocess
import sys
from types import SimpleNamespace
from typing import cast

import faust
import pytest
from aiokafka.consumer import fetcher
from faust.exceptions import ImproperlyConfigured
from faust.transport.drivers import TRANSPORTS
from faust.types import AppT, EventT
from mode import Service

from streams.live.transport import FetchOptions, TopicOptions, batch_topic, configure, on_last_call, register, transport
from streams.live.transport.consumer import BatchConsumer
from streams.live.transport.topic import WAITING_BYTES, BatchQueue
from streams.live.transport.transport import BatchTransport, PartitionState, transport_of
from streams.pipeline.batch import Batch


@pytest.fixture
def app() -> faust.App:
    """An app that reads in batches, not started."""
    register()
    return faust.App("one", broker="batch://localhost:9092")


def test_import_has_no_effect() -> None:
    """Only `register` makes the scheme known."""
    program = "import streams.live.transport as t; from faust.transport.drivers import TRANSPORTS as T\n"
    program += "before = 'batch' in T.aliases; t.register(); t.register(); print(before, 'batch' in T.aliases)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


def test_aiokafka_is_untouched() -> None:
    """No class of aiokafka or Faust is replaced in its module."""
    register()
    assert fetcher.PartitionRecords.__module__ == fetcher.Fetcher.__module__ == "aiokafka.consumer.fetcher"
    assert TRANSPORTS.by_name("kafka").__module__ == "faust.transport.drivers.aiokafka"


def test_scheme_gives_transport(app: faust.App) -> None:
    """A URL of scheme ``batch`` gives the batch transport."""
    assert isinstance(transport_of(app), BatchTransport)


def test_apps_share_nothing(app: faust.App) -> None:
    """What one app declares, another in the same process does not see."""
    other = faust.App("two", broker="batch://localhost:9092")
    batch_topic(app, "requests", TopicOptions(keys=True))
    configure(app, FetchOptions(wait_ms=1))
    assert transport_of(other).declared.topics == {}
    assert transport_of(other).declared.fetch == FetchOptions()
    batch_topic(other, "requests")
    assert transport_of(app).declared.topics == {"requests": TopicOptions(keys=True)}


@pytest.mark.parametrize(
    ("nbytes", "room"),
    [([], 4), ([1, 1, 1], 1), ([1, 1, 1, 1], 0), ([WAITING_BYTES - 1], 3), ([WAITING_BYTES - 1, 1], 0)],
)
def test_room(app: faust.App, nbytes: list[int], room: int) -> None:
    """Batches wait until they are so many, or so large together; what an agent takes makes room again."""

    async def scene() -> None:
        requests = batch_topic(app, "requests", maxsize=4)
        requests._queue = queue = BatchQueue(4, app.flow_control, lambda _: None)
        for size in nbytes:
            batch = Batch("requests", 0, 0, 1, [b""], nbytes=size)
            queue.put_nowait(cast("EventT[object]", SimpleNamespace(value=batch)))
        assert requests.room == room
        for _ in nbytes:
            queue.get_nowait()
        assert requests.room == 4

    asyncio.run(scene())


def test_other_options_refused(app: faust.App) -> None:
    """One topic arrives in one way only."""
    batch_topic(app, "requests")
    batch_topic(app, "requests")
    with pytest.raises(ImproperlyConfigured, match="topic requests is declared with"):
        batch_topic(app, "requests", TopicOptions(rewind=True))


def test_other_scheme_refused() -> None:
    """A batch topic of an app that would get single records is refused where it is declared."""
    app = faust.App("three", broker="kafka://localhost:9092")
    with pytest.raises(ImproperlyConfigured, match="batches need a broker URL batch://"):
        batch_topic(app, "requests")


def test_last_calls_belong_to_app(app: faust.App) -> None:
    """A last call is kept for its app."""

    async def callback() -> None: ...

    on_last_call(app, callback)
    assert transport_of(app).declared.last_calls == [callback]


@pytest.mark.parametrize(
    ("position", "end", "idle"), [(5, 5, True), (6, 5, True), (4, 5, False), (None, 5, False), (5, None, False)]
)
def test_idle(position: int | None, end: int | None, idle: bool) -> None:
    """Idle is only who has taken all there was, and knows it."""
    assert PartitionState(0, position, end).idle is idle


@pytest.mark.parametrize("stopping", [False, True])
def test_a_worker_whose_recovery_ends_does_not_stay(stopping: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its member of the group would hold partitions that nobody reads; at a stop it ends as it should."""
    said: list[str] = []
    monkeypatch.setattr(transport, "stop_process", lambda error, where: said.append(f"{where}: {error}"))
    app, watched = (
        cast(AppT, SimpleNamespace(should_stop=False)),
        cast(BatchTransport, SimpleNamespace(recovering=None)),
    )

    async def recovery() -> None:
        for _ in range(3):
            transport._watch(watched, app)
        await asyncio.Event().wait()

    async def run() -> None:
        task = asyncio.create_task(Service()._execute_task(recovery()))
        await asyncio.sleep(0)
        assert not said
        cast(SimpleNamespace, app).should_stop = stopping
        task.cancel()
        await asyncio.wait([task])
        await asyncio.sleep(0)

    asyncio.run(run())
    assert len(said) == (0 if stopping else 1)


@pytest.mark.parametrize("stopping", [False, True])
def test_cancelled_unasked(app: faust.App, stopping: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is awaited at an assignment may be cancelled by somebody else: it is told where. At a stop nothing is."""
    said, watched = list[str](), list[bool]()
    monkeypatch.setattr(transport, "stop_process", lambda error, where: said.append(f"{where}: {error!r}"))
    monkeypatch.setattr(transport, "_recovery_ended", lambda _: None)

    async def begin(_: object) -> None:
        awaited: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if not stopping:
            awaited.cancel()
        await awaited

    async def run() -> None:
        task = asyncio.create_task(Service()._execute_task(app.on_rebalance_complete.send()))
        await asyncio.sleep(0)
        watched.append(transport_of(app).recovering is task)
        if stopping:
            task.cancel()
        await asyncio.wait([task])

    monkeypatch.setattr(BatchConsumer, "ask_beginnings", begin)
    monkeypatch.setattr(type(app), "consumer", BatchConsumer.__new__(BatchConsumer))
    batch_topic(app, "requests")  # one that does not begin anywhere in particular is watched likewise
    asyncio.run(run())
    assert watched == [True]
    assert said == ([] if stopping else ["beginning: CancelledError()"])
