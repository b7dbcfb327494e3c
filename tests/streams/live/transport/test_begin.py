"""Where partitions begin when the topic's owner says so, and how far they may be committed."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import cast

import faust
from faust.types import TP

from streams.live.transport import Assigned, Beginning, TopicOptions, batch_topic, let_commit, register
from streams.live.transport.consumer import BatchConsumer

ONE, TWO = TP("sightings", 0), TP("sightings", 1)
OTHER = TP("requests", 0)


class Consumer(BatchConsumer):
    """A consumer whose broker is made up: both partitions begin at 5, and 7 of the first are committed."""

    def assignment(self) -> set[TP]:
        """All three partitions."""
        return {ONE, TWO, OTHER}

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """As Faust tells it."""
        self._committed_offset.update({ONE: 7, TWO: None, OTHER: 9})
        return {ONE: 7, TWO: -1, OTHER: 9}

    async def earliest_offsets(self, *partitions: TP) -> Mapping[TP, int]:
        """What retention has left."""
        return dict.fromkeys(partitions, 5)

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        """Nothing to do."""


def test_asked_before_anything_flows() -> None:
    """The owner hears what is left and what is committed; who is not answered for begins as its options say.

    Commits wait for `let_commit`, on the partitions of this topic alone.
    """
    asked: list[Assigned] = []

    async def begin(assigned: Sequence[Assigned]) -> Mapping[int, Beginning]:
        asked.extend(assigned)
        return {0: Beginning(20, 18)}

    async def body() -> None:
        register()
        app = faust.App("begin", broker="batch://localhost:9092")
        batch_topic(app, "sightings", TopicOptions(rewind=True, begin=begin))
        batch_topic(app, "requests")
        app.consumer.__class__ = Consumer
        consumer = cast(Consumer, app.consumer)
        try:
            await app.on_rebalance_complete.send()
            assert asked == [Assigned(0, 5, 7), Assigned(1, 5, 0)]
            await consumer._begin([ONE, TWO, OTHER])
            assert [consumer.handed(tp) for tp in (ONE, TWO, OTHER)] == [20, 5, 9]
            for tp, lo in ((ONE, 20), (TWO, 5), (OTHER, 9)):
                consumer._ledgers[tp].deliver(lo, lo + 10)
                consumer._ledgers[tp].ack(lo + 10)
            assert [consumer._new_offset(tp) for tp in (ONE, TWO, OTHER)] == [18, None, 19]
            let_commit(app, ONE, 30)
            let_commit(app, TWO, 12)
            let_commit(app, TP("sightings", 9), 12)
            assert [consumer._new_offset(tp) for tp in (ONE, TWO)] == [30, 12]
        finally:
            consumer._thread.thread_loop.close()

    asyncio.run(body())
