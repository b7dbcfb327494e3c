"""An assignment that comes while the one before is being restored: Faust's own recovery, readers on a broker."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, cast

import faust
import pytest
from aiokafka import AIOKafkaConsumer
from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery
from faust.types import TP

from schemas import topic
from streams.live.checkpoint.reading import StateReader
from streams.live.owned import Owned
from streams.live.transport import Assigned, transport
from streams.live.transport.consumer import BatchConsumer
from streams.settings import CheckpointSettings, KafkaSettings, Settings
from tests.brokers import Broker
from tests.streams.live.test_assessing import Stage, staged

WAIT_S = 30.0


class Consumer(BatchConsumer):
    """A consumer whose group is made up: it has one partition of the sightings, of which nothing is committed."""

    def assignment(self) -> set[TP]:
        """The partition."""
        return {TP(topic.ACTIVITY.name, 0)}

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """As Faust tells it."""
        return dict.fromkeys(self.assignment(), -1)

    async def earliest_offsets(self, *partitions: TP) -> Mapping[TP, int]:
        """All is still there."""
        return dict.fromkeys(partitions, 0)


def assign(app: faust.App, generation: int) -> None:
    """What Faust does when the group has assigned partitions: the consumer's thread, then `Recovery.on_rebalance`."""
    app.consumer_generation_id = generation
    recovery = cast(TableManager, app.tables).recovery
    recovery._generation_id = generation
    recovery.signal_recovery_start.set()


async def recovered(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Generations whose partitions are restored by a recovery that a second assignment meets at its first reader."""
    restored: list[int] = []
    done, begin = asyncio.Event(), AIOKafkaConsumer.start

    async def start(consumer: AIOKafkaConsumer) -> None:
        if stage.app.consumer_generation_id == 1:
            assign(stage.app, 2)
        await begin(consumer)

    async def restore(_: StateReader, one: Assigned, generation: int) -> Owned:
        restored.append(generation)
        done.set()
        return Owned(stage.new_assessor(one.partition), generation, one.committed)

    monkeypatch.setattr(AIOKafkaConsumer, "start", start)
    monkeypatch.setattr(stage.assessing._restorer, "restore", restore)
    recovery = cast(TableManager, stage.app.tables).recovery
    assign(stage.app, 1)
    task = recovery.add_future(Recovery._restart_recovery.fun(recovery))
    waiting = asyncio.ensure_future(done.wait())
    await asyncio.wait([task, waiting], timeout=WAIT_S, return_when=asyncio.FIRST_COMPLETED)
    monkeypatch.setattr(transport, "stop_process", lambda *_: None)  # it is ended here
    for one in (task, waiting):
        one.cancel()
    await asyncio.wait([task, waiting])
    return restored


def test_recovery_goes_on_with_the_next_assignment(embedded_broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was overtaken is left at once, with nothing restored; that cancels nobody, and the next is restored."""
    said: list[BaseException] = []
    monkeypatch.setattr(transport, "stop_process", lambda error, _: said.append(error))
    settings = Settings(kafka=KafkaSettings(bootstrap=embedded_broker.bootstrap), checkpoint=CheckpointSettings(1))

    async def body() -> Sequence[int]:
        stage = staged(monkeypatch, settings)
        cast(Any, stage.app.consumer).__class__ = Consumer
        try:
            return await recovered(stage, monkeypatch)
        finally:
            cast(Any, stage.app.consumer)._thread.thread_loop.close()

    restored = asyncio.run(body())
    assert not said
    assert restored == [2]
