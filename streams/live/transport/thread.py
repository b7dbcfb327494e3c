"""The thread that owns the aiokafka consumer, and the calls into it from the main loop."""

# ruff: noqa: SLF001  (pins.py lists the private names and checks that they are there)

import logging
import time
from collections.abc import Collection, Mapping
from typing import cast

from aiokafka.consumer.consumer import AIOKafkaConsumer
from aiokafka.errors import CommitFailedError, ConsumerStoppedError, KafkaError
from aiokafka.structs import OffsetAndMetadata
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, ensure_aiokafka_TP
from faust.types import TP

from streams.live.leaving import leave
from streams.live.transport.failure import explained
from streams.live.transport.fetch import BatchFetcher, Fetched
from streams.live.transport.options import Declared

log = logging.getLogger(__name__)


class BatchConsumerThread(AIOKafkaConsumerThread):
    """The thread that owns the aiokafka consumer; its fetcher is ours."""

    @property
    def _declared(self) -> Declared:
        declared: Declared = self.transport.declared  # type: ignore[attr-defined]  # the transport is ours
        return declared

    async def on_start(self) -> None:
        """Start the consumer and, while it has no subscription yet, put our fetcher in the stock one's place."""
        await super().on_start()
        if not self.app.client_only:
            consumer = self._ensure_consumer()
            await consumer._fetcher.close()
            consumer._fetcher = BatchFetcher(consumer, self._declared.topics, self._declared.fetch)

    async def on_thread_stop(self) -> None:
        """As Faust's own, which its consumer may cancel: then a stop would wait in vain to hear that this has ended."""
        await super(AIOKafkaConsumerThread, self).on_thread_stop()
        if self._consumer is not None:
            await leave(self._consumer)

    async def take(self, partitions: Collection[TP], room: Mapping[str, int], seeks: int, timeout_s: float) -> Fetched:
        """What was fetched, see `BatchFetcher.take`. Called from the main loop."""
        return cast(Fetched, await self.call_thread(self._take, partitions, room, seeks, timeout_s))

    async def _take(self, partitions: Collection[TP], room: Mapping[str, int], seeks: int, timeout_s: float) -> Fetched:
        # The call has waited in a queue: a rebalance may have begun meanwhile, and would wait for us.
        if not self.consumer.flow_active:
            return {}
        consumer = self._ensure_consumer()
        if consumer._closed or consumer._fetcher._closed:
            raise ConsumerStoppedError
        _heed_coordinator(consumer)
        with consumer._subscription.fetch_context():
            return cast(Fetched, await consumer._fetcher.take(partitions, room, seeks, timeout_s))

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        # As Faust's own, which logs a traceback before anybody can say what the broker has against it.
        consumer, ours = self._ensure_consumer(), self.assignment() & offsets.keys()
        self.tp_last_committed_at.update(dict.fromkeys(ours, time.monotonic()))
        try:
            with explained("committing"):
                words = {tp: self._word(consumer, tp, offsets[tp]) for tp in ours}
                await consumer.commit(
                    {ensure_aiokafka_TP(tp): OffsetAndMetadata(offsets[tp], words[tp]) for tp in ours}
                )
        except Exception as error:  # noqa: BLE001 - a commit that fails must not be taken for one that was made
            if not (isinstance(error, CommitFailedError) and "already rebalanced" in str(error)):
                await self.crash(error)
            return False
        return True

    def _word(self, consumer: AIOKafkaConsumer, tp: TP, offset: int) -> str:
        fetcher = consumer._fetcher
        return fetcher.aligning.word(tp, offset, self.end(tp)) if isinstance(fetcher, BatchFetcher) else ""

    async def begin_seek(self, seeks: int) -> None:
        """See `BatchFetcher.begin_seek`. Called from the main loop."""
        await self.call_thread(self._begin_seek, seeks)

    async def _begin_seek(self, seeks: int) -> None:
        self._ensure_consumer()._fetcher.begin_seek(seeks)

    def wake(self) -> None:
        """End a wait in `take`. Called from the main loop."""
        consumer = self._consumer
        if consumer is not None and not consumer._closed and isinstance(consumer._fetcher, BatchFetcher):
            self.thread_loop.call_soon_threadsafe(consumer._fetcher.wake)

    def end(self, tp: TP) -> int | None:
        """Where the partition ended at the last fetch, for whoever reads committed records; None before the first."""
        subscription = self._ensure_consumer()._subscription.subscription
        assignment = subscription.assignment if subscription is not None else None
        state = assignment.state_value(tp) if assignment is not None else None
        if state is None:
            return None
        committed_only = self._declared.fetch.isolation == "read_committed"
        return cast("int | None", state.lso if committed_only and state.lso is not None else state.highwater)


def _heed_coordinator(consumer: AIOKafkaConsumer) -> None:
    """Raise what the group's coordinator has refused: it waits until somebody hears of that, and does nothing else."""
    try:
        consumer._coordinator.check_errors()
    except KafkaError as error:
        if not error.retriable:
            raise
        log.warning("group: %s", error)
