"""The delivering side, in the main loop: batches to agents, acknowledgements to commits."""

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import cast

from faust.agents import current_agent
from faust.exceptions import DecodeError
from faust.streams import current_event
from faust.transport.drivers.aiokafka import Consumer, Transport
from faust.types import TP, ConsumerMessage, EventT, Message
from faust.types.transports import TPorTopicSet
from faust.types.tuples import ack_lock

from streams.live.transport.failure import explained, stop_process
from streams.live.transport.fetch import Fetched
from streams.live.transport.ledger import AckLedger
from streams.live.transport.options import Assigned, Beginning, Declared
from streams.live.transport.thread import BatchConsumerThread
from streams.live.transport.topic import BatchTopic
from streams.pipeline.batch import Batch

log = logging.getLogger(__name__)


class BatchConsumer(Consumer):
    """Faust's consumer, for which a batch is one message that stands for the whole of its offset range.

    The message's offset is the last one of the range, so Faust's own checks (read before? committed before?) hold.
    """

    _thread: BatchConsumerThread

    def __init__(self, transport: Transport, *args: object, **kwargs: object) -> None:
        self.declared: Declared = transport.declared  # type: ignore[attr-defined]
        self._topics = self.declared.topics
        self._ledgers: dict[TP, AckLedger] = {}
        self._committed_at_start: dict[TP, int] = {}
        self._positions: dict[TP, int] = {}
        self._beginnings: dict[TP, Beginning] = {}
        self._starved = False
        self._seeks = 0
        self._sought = False
        super().__init__(transport, *args, **kwargs)

    def _new_consumer_thread(self) -> BatchConsumerThread:
        return BatchConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def _wait_next_records(self, timeout: float) -> tuple[Fetched | None, set[TP] | None]:  # noqa: ASYNC109
        # Faust's own sleeps for a second whenever no partition is active; ours waits in `take`, which can be woken.
        if not self.flow_active:
            await self.wait(self.can_resume_flow)  # type: ignore[arg-type]  # mode means any event
        active = None if self.app.client_only else self._get_active_partitions()
        fetched = await self._getmany(active, timeout)
        # None, lest Faust seeks now: a rebalance has begun, and the seek that ends it must be the only one.
        return (fetched if self.flow_active else None), active

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Fetched:  # noqa: ASYNC109
        if active_partitions is None:
            return cast(Fetched, await super()._getmany(active_partitions, timeout))
        room, seeks = self._room(), self._seeks
        wanted = {tp for tp in active_partitions if self._may_take(tp, room)}
        self._starved = len(wanted) < len(active_partitions)
        with explained("reading"):
            fetched = await self._thread.take(wanted, room, seeks, timeout)
        if seeks != self._seeks or not self._sought:
            return {tp: found for tp, found in fetched.items() if tp.topic not in self._topics}
        return fetched

    def _may_take(self, tp: TP, room: Mapping[str, int]) -> bool:
        # Once tables are recovered Faust lets records flow before it has gone to the committed offsets; they would come
        # twice. So nothing but changelogs flows until then.
        if not self._sought:
            return self._is_changelog_tp(tp)
        return tp.topic not in self._topics or room.get(tp.topic, 0) > 0

    def resume_partitions(self, tps: Iterable[TP]) -> None:
        """Go on with ``tps``, at once."""
        super().resume_partitions(tps)
        self._thread.wake()

    def on_buffer_drop(self, tp: TP) -> None:
        """Go on with ``tp`` of an ordinary topic, at once."""
        super().on_buffer_drop(tp)
        self._thread.wake()

    def _room(self) -> dict[str, int]:
        """How many batches each batch topic may hand over: what its fullest stream takes."""
        room: dict[str, int] = {}
        for channel in self.app.topics:
            if isinstance(channel, BatchTopic):
                for topic in channel.topics:
                    room[topic] = min(channel.room, room.get(topic, channel.room))
        return room

    def on_handed(self, event: EventT[object]) -> None:
        """A stream took ``event`` from its queue."""
        batch = event.value
        if isinstance(batch, Batch) and event.message.generation_id == self.app.consumer_generation_id:
            self._positions[event.message.tp] = batch.hi
        if self._starved:
            self._starved = False
            self._thread.wake()

    def _to_message(self, tp: TP, record: object) -> ConsumerMessage:
        if not isinstance(record, Batch):
            return super()._to_message(tp, record)
        tp = TP(record.topic, record.partition)
        self._ledgers[tp].deliver(record.lo, record.hi)
        return ConsumerMessage(
            topic=record.topic,
            partition=record.partition,
            offset=record.hi - 1,
            timestamp=_seconds(record),
            timestamp_type=0,
            headers=None,
            key=None,
            value=cast(bytes, record),  # what it is decides the schema
            checksum=None,
            serialized_key_size=0,
            serialized_value_size=record.nbytes,
            tp=tp,
            generation_id=self.app.consumer_generation_id,
        )

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        # Batches cover their holes themselves. For other topics Faust says [from, to] where the record at `to` has just
        # arrived: on a topic with transactions it would count as acknowledged before anyone has seen it.
        if tp.topic not in self._topics:
            await super()._add_gap(tp, offset_from, offset_to - 1)

    def ack(self, message: Message) -> bool:
        """Note that ``message`` is done with, unless it is of an assignment that is over."""
        if message.topic in self._topics and message.generation_id != self.app.consumer_generation_id:
            message.acked = True
            self._unacked_messages.discard(message)
            return False
        return super().ack(message)

    def _filter_tps_with_pending_acks(self, topics: TPorTopicSet | None = None) -> Iterator[TP]:
        # During a revocation Faust has forgotten its acknowledgements already, the ledgers have not.
        for tp in self._acked.keys() | self._ledgers.keys():
            if topics is None or tp in topics or tp.topic in topics:
                yield tp

    def _new_offset(self, tp: TP) -> int | None:
        if tp.topic not in self._topics:
            return super()._new_offset(tp)
        ledger = self._ledgers.get(tp)
        if ledger is None:
            return None
        self._note_acks(tp, ledger)
        return ledger.settle()

    def _note_acks(self, tp: TP, ledger: AckLedger) -> None:
        with ack_lock:
            for offset in self._acked[tp]:
                ledger.ack(offset + 1)
            self._acked[tp].clear()
            self._acked_index[tp].clear()

    def let_go(self, message: Message) -> None:
        """Wait for ``message`` no longer when partitions go."""
        self._unacked_messages.discard(message)

    async def force_commit(self, topics: TPorTopicSet | None = None, start_new_transaction: bool = True) -> bool:
        """Commit what is acknowledged, unless something failed: nobody knows what an acknowledgement is worth then."""
        if self.crashed or self.app.crashed:
            return False
        return bool(await super().force_commit(topics, start_new_transaction))

    async def on_task_error(self, exc: BaseException) -> None:
        """An agent's body raised: stop, where Faust would commit, acknowledge the batch and start the agent anew.

        What Faust itself cannot decode on an ordinary topic is no bug: it logs and skips it.
        """
        if isinstance(exc, DecodeError):
            return
        stop_process(exc, _in_hand())

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Commit before the acknowledgements of ``revoked`` are forgotten, and again when their agents are through."""
        while await self.maybe_wait_for_commit_to_finish():
            pass
        await self.commit()
        for tp in revoked & self._ledgers.keys():
            self._note_acks(tp, self._ledgers[tp])
        await super().on_partitions_revoked(revoked)
        self._sought = False
        for tp in revoked:
            self._ledgers.pop(tp, None)
            self._positions.pop(tp, None)
            self._committed_at_start.pop(tp, None)
        self._beginnings.clear()

    async def wait_empty(self) -> None:
        """Give the app its last call, wait for agents to acknowledge what they have in hand, commit."""
        for last_call in self.declared.last_calls:
            await last_call()
        late = {topic for topic, options in self._topics.items() if options.late_acks}
        for message in list(self._unacked_messages):
            if message.topic in late:
                self._unacked_messages.discard(message)
        await super().wait_empty()

    async def ask_beginnings(self) -> None:
        """Let each topic that wants to say where its partitions begin."""
        self._beginnings = {}
        asked = {name: options.begin for name, options in self._topics.items() if options.begin is not None}
        tps = sorted(tp for tp in self.assignment() if tp.topic in asked) if asked else []
        if not tps:
            return
        with explained("beginning"):
            # In `perform_seek` it would have to be done within the time of a request.
            committed = await self.seek_to_committed()
            first = await self.earliest_offsets(*tps)
        for name, begin in asked.items():
            own = [tp for tp in tps if tp.topic == name]
            if own:
                assigned = [Assigned(tp.partition, first[tp], max(committed.get(tp) or 0, 0)) for tp in own]
                found = await begin(assigned)
                self._beginnings.update({TP(name, partition): one for partition, one in found.items()})

    async def perform_seek(self) -> None:
        """Go to the committed offsets, on topics that rewind to the beginning, and let records flow."""
        self._sought = False
        self._seeks += 1
        await self._thread.begin_seek(self._seeks)
        with explained("beginning"):
            await super().perform_seek()
        batched = [tp for tp in self.assignment() if tp.topic in self._topics]
        if batched:
            await self._begin(batched)
        self._sought = True
        self._thread.wake()

    async def _begin(self, tps: Collection[TP]) -> None:
        first = await self.earliest_offsets(*tps)
        from_end = [tp for tp in tps if self._from_end(tp)]
        last = await self.highwaters(*from_end) if from_end else {}
        starts = {tp: self._start(tp, first[tp], last.get(tp)) for tp in tps}
        await self.seek_wait(starts)
        for tp, start in starts.items():
            committed = self._committed_offset[tp] or 0
            self._acked[tp].clear()
            self._acked_index[tp].clear()
            self._committed_at_start[tp] = committed
            self._positions[tp] = start
            self._ledgers[tp] = AckLedger(start, committed, self._ceiling(tp, committed))

    def _ceiling(self, tp: TP, committed: int) -> int | None:
        if self._topics[tp.topic].begin is None:
            return None
        beginning = self._beginnings.get(tp)
        return committed if beginning is None else max(committed, beginning.settled)

    def let_commit(self, tp: TP, offset: int) -> None:
        """Commit ``tp`` up to ``offset``, as far as it is acknowledged; nothing where the partition is gone."""
        ledger = self._ledgers.get(tp)
        if ledger is not None:
            ledger.let_commit(offset)

    def _from_end(self, tp: TP) -> bool:
        """Whether ``tp`` is to be read from its end, which takes a request to know."""
        latest = self.app.conf.consumer_auto_offset_reset == "latest"
        return latest and not self._committed_offset[tp] and not self._topics[tp.topic].rewind

    def _start(self, tp: TP, first: int, last: int | None) -> int:
        """Where to read ``tp`` from, whose first record is ``first``; from ``last`` if that is given."""
        if last is not None:
            return last
        beginning = self._beginnings.get(tp)
        if beginning is not None:
            return beginning.offset
        committed = self._committed_offset[tp] or 0
        if self._topics[tp.topic].rewind or not committed:
            return first
        if committed < first:
            log.error("%s/%d: records [%d, %d) were deleted before they were read", *tp, committed, first)
        return max(committed, first)

    def committed_at_start(self, tp: TP) -> int:
        """Offset that was committed when ``tp`` was assigned, 0 where none was."""
        return self._committed_at_start.get(tp, 0)

    def end(self, tp: TP) -> int | None:
        """Where the partition ended at the last fetch; None before the first."""
        return self._thread.end(tp)

    def handed(self, tp: TP) -> int | None:
        """Offset after the last batch of ``tp`` that an agent took; where reading begins before the first."""
        return self._positions.get(tp)


def _in_hand() -> str:
    """Which agent runs in this task, and with which batch."""
    agent, event = current_agent(), current_event()
    name = f"agent {agent.name}" if agent is not None else "an agent"
    batch = event.value if event is not None else None
    return f"{name} with {batch.topic}/{batch.partition} [{batch.lo}, {batch.hi})" if isinstance(batch, Batch) else name


def _seconds(batch: Batch) -> float:
    stamps = batch.timestamps_ms
    return float(stamps[-1]) / 1000.0 if stamps is not None and len(stamps) else 0.0
