"""The fetching side, in the consumer's thread: batch topics come as batches, all others as they always did."""

# ruff: noqa: SLF001  (pins.py lists the private names and checks that they are there)

import asyncio
import time
from collections.abc import Collection, Coroutine, Mapping
from typing import Final, cast

from aiokafka.consumer.consumer import AIOKafkaConsumer
from aiokafka.consumer.fetcher import Fetcher, FetchResult, PartitionRecords
from aiokafka.consumer.subscription_state import Assignment
from aiokafka.errors import KafkaError
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.structs import ConsumerRecord, TopicPartition

from streams.live.transport.aligning import Aligning, Committed
from streams.live.transport.options import FetchOptions, TopicOptions
from streams.live.transport.records import BatchRecords
from streams.pipeline.batch import Batch

Fetched = dict[TopicPartition, list[Batch] | list[ConsumerRecord]]


class BatchFetcher(Fetcher):  # type: ignore[misc]  # aiokafka has no types
    """aiokafka's fetcher, whose buffered results of batch topics are taken a batch at a time."""

    def __init__(self, consumer: AIOKafkaConsumer, topics: Mapping[str, TopicOptions], options: FetchOptions) -> None:
        """``topics`` may grow while the fetcher runs. Starts tasks in the running loop."""
        self._topics = topics
        self._options = options
        self._awake = False
        self._seeks = 0
        self.aligning: Final = Aligning(topics)
        super().__init__(
            consumer._client,
            consumer._subscription,
            fetch_min_bytes=min(options.min_bytes, options.partition_bytes),
            fetch_max_bytes=options.response_bytes,
            fetch_max_wait_ms=options.wait_ms,
            max_partition_fetch_bytes=options.partition_bytes,
            check_crcs=consumer._check_crcs,
            fetcher_timeout=consumer._consumer_timeout,
            retry_backoff_ms=consumer._retry_backoff_ms,
            auto_offset_reset=consumer._auto_offset_reset,
            isolation_level=options.isolation,
            client_rack=consumer._client_rack,
        )

        def ask(partitions: list[TopicPartition]) -> Coroutine[None, None, Committed]:
            return cast(Coroutine[None, None, Committed], consumer._coordinator.fetch_committed_offsets(partitions))

        self.looking: Final = asyncio.create_task(self.aligning.run(self._foreign, ask, self.wake))

    async def close(self) -> None:
        """Fetch nothing more."""
        self.looking.cancel()
        await asyncio.wait([self.looking])
        await super().close()

    def _foreign(self) -> Collection[TopicPartition]:
        """Partitions of aligned topics that other members of the group own; none while that is not settled."""
        subscription = self._subscriptions.subscription
        assignment = None if subscription is None else subscription.assignment
        if assignment is None or self._subscriptions.reassignment_in_progress:
            return ()
        topics = {tp.topic for tp in assignment.tps if self.aligning.is_aligned(tp)}
        known = ((topic, self._client.cluster.partitions_for_topic(topic) or ()) for topic in topics)
        every = {TopicPartition(topic, number) for topic, numbers in known for number in numbers}
        return every.difference(assignment.tps)

    async def _proc_fetch_request(self, assignment: Assignment, node_id: int, request: FetchRequest) -> bool:
        woken: bool = await super()._proc_fetch_request(assignment, node_id, request)
        for topic, partitions in request.topics:
            options = self._topics.get(topic)
            for partition, *_ in partitions:
                tp = TopicPartition(topic, partition)
                self._keep_place(tp)
                if options is not None:
                    self._convert(tp, options)
        return woken

    def _keep_place(self, tp: TopicPartition) -> None:
        # That a place is out of its range may be an old leader's word, after the new one has given records from that
        # place on. Nobody else leaves records of a place that is to be looked for: a seek drops them.
        result = self._records.get(tp)
        if type(result) is FetchResult and result.has_more():
            state = result._assignment.state_value(tp)
            if state.awaiting_reset:
                state.seek(result._partition_records.next_fetch_offset)

    def _set_error(self, tp: TopicPartition, error: KafkaError) -> None:
        # What an old leader has against it, after the new one has given records: there the routine that fetches would
        # end, of which nobody would hear.
        if tp not in self._records:
            super()._set_error(tp, error)

    def _convert(self, tp: TopicPartition, options: TopicOptions) -> None:
        # Nobody has seen a new result yet: aiokafka stores it without awaiting anything before its return to us. It may
        # be the result of another request, though, of which a part was taken: where a partition has got another leader,
        # the request to the one before may end, or fail, after that to the new one.
        result = self._records.get(tp)
        if type(result) is FetchResult and type(result._partition_records) is PartitionRecords and result.has_more():
            result._partition_records = BatchRecords(result._partition_records, options)

    async def take(
        self, partitions: Collection[TopicPartition], room: Mapping[str, int], seeks: int, timeout_s: float
    ) -> Fetched:
        """What is there of ``partitions``, waiting up to ``timeout_s`` for something, or until `wake`.

        ``room`` is how many batches each batch topic may still hand over. Batches are collected until they reach the
        limits of one batch together, so what lies between fetcher and agents is bounded in bytes. ``seeks`` is how many
        seeks the caller knows of: nothing is taken any more once there was another.

        Raises:
            KafkaError: what the broker answered, or a damaged record.
        """
        deadline = time.monotonic() + timeout_s
        fetched: Fetched = {}
        while self._seeks == seeks and not self._closed and not self._subscriptions.reassignment_in_progress:
            fetched = await self._buffered(partitions, room)
            self._raise_ended()
            left = deadline - time.monotonic()
            if fetched or self._awake or left <= 0:
                break
            await self._wait_for_data(left)
        self._awake = False
        return fetched

    def _raise_ended(self) -> None:
        """Nothing is fetched any more once the routine that does it has ended: aiokafka tells nobody."""
        if self._fetch_task.done() and not self._fetch_task.cancelled():
            error = self._fetch_task.exception()
            if error is not None:
                raise error

    def begin_seek(self, seeks: int) -> None:
        """Let no `take` that was called before the seek numbered ``seeks`` take anything that is read after it."""
        self._seeks = seeks
        self.aligning.clear()
        self.wake()

    def wake(self) -> None:
        """End a wait in `take`, the running one or the next: there may be room again."""
        self._awake = True
        for waiter in self._fetch_waiters:
            self._notify(waiter)

    async def _wait_for_data(self, timeout_s: float) -> None:
        waiter = self._create_fetch_waiter()
        done, _ = await asyncio.wait([waiter], timeout=timeout_s)
        if not done:
            waiter.cancel()
            return
        waiter.result()

    async def _buffered(self, partitions: Collection[TopicPartition], room: Mapping[str, int]) -> Fetched:
        fetched: Fetched = dict(self._take_batches(partitions, room))
        ordinary = {tp for tp in partitions if tp.topic not in self._topics}
        if ordinary:  # an empty set would mean all
            fetched.update(await self.fetched_records(ordinary, timeout=0))
        return fetched

    def _take_batches(
        self, partitions: Collection[TopicPartition], room: Mapping[str, int]
    ) -> dict[TopicPartition, list[Batch]]:
        taken: dict[TopicPartition, list[Batch]] = {}
        left = dict(room)
        records_left, bytes_left = self._options.batch_records, self._options.batch_bytes
        behind = self._behind(partitions)
        for tp in list(self._records):
            if tp not in partitions or left.get(tp.topic, 0) <= 0 or not self.aligning.may_take(tp, behind):
                continue
            batch = self._take(tp)
            if batch is None:
                continue
            self.aligning.took(tp, batch)
            taken[tp] = [batch]
            left[tp.topic] -= 1
            records_left -= len(batch)
            bytes_left -= batch.nbytes
            if records_left <= 0 or bytes_left <= 0:
                break
        return taken

    def _behind(self, partitions: Collection[TopicPartition]) -> list[TopicPartition]:
        """Partitions of aligned topics that have more to read, here or on the broker."""
        aligned = filter(self.aligning.is_aligned, partitions)
        return [tp for tp in aligned if tp in self._records or self._has_more(tp)]

    def _has_more(self, tp: TopicPartition) -> bool:
        subscription = self._subscriptions.subscription
        assignment = None if subscription is None else subscription.assignment
        state = None if assignment is None else assignment.state_value(tp)
        if state is None or not state.has_valid_position or state.highwater is None:
            return state is not None
        end: int = state.highwater if state.lso is None else state.lso
        return bool(state.position < end)

    def _take(self, tp: TopicPartition) -> Batch | None:
        result = self._records[tp]
        if type(result) is not FetchResult:
            self._drop(tp)
            result.check_raise()
        if not result.has_more() or not result.check_assignment(tp):
            self._drop(tp)
            return None
        records = result._partition_records
        batch: Batch = records.take(self._options.batch_records, self._options.batch_bytes)
        result._update_position()
        if records.exhausted:
            self._drop(tp)
        else:
            # The others have their turn before the rest of this one.
            self._records.move_to_end(tp)
        return batch if batch.hi > batch.lo else None

    def _drop(self, tp: TopicPartition) -> None:
        """Forget what is buffered of ``tp`` and let more be fetched."""
        del self._records[tp]
        self._notify(self._wait_consume_future)
