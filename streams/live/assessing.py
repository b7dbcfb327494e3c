"""The assess and decide stages on Kafka: sightings in, alerts, blocks and model deltas out.

The state of a partition is a fold over its activity log. It is kept in checkpoints, and only what a checkpoint holds is
committed. A worker that takes a partition over goes on at the last one; where none serves it reads the log from its
beginning. Either way it is silent below the committed offset: what was decided there has been sent. From there on every
decision is sent; one that was sent just before a crash is sent again with the same id.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Final, cast

from faust import Stream
from faust.types import TP, AppT, EventT, Message, StreamT

from schemas import topic
from schemas.model import MODEL_CODEC, ModelDelta
from streams.clock import Clock
from streams.live.auditing import brake_entry
from streams.live.checkpoint.reading import StateReader
from streams.live.decision_log import tell
from streams.live.figures import Figures, figures
from streams.live.modelling import Modelling
from streams.live.overriding import Overriding
from streams.live.owned import Owned, Restorer, parted
from streams.live.revising import Revising
from streams.live.sending import Outgoing, Sender
from streams.live.tally import Tally, counted
from streams.live.topic_feed import TopicFeed
from streams.live.transport import (
    Assigned,
    Beginning,
    TopicOptions,
    batch_topic,
    let_commit,
    on_last_call,
    partition_states,
    stop_process,
)
from streams.live.turns import Turns
from streams.outputs.cloudevents import audit_record, record_of
from streams.pipeline.assess.assessor import Assessor
from streams.pipeline.assess.outcome import Outcome
from streams.pipeline.batch import Batch
from streams.pipeline.checkpoint.snapshot import encode, take
from streams.pipeline.model.models import Models
from streams.pipeline.policy.decide import Decision
from streams.pipeline.policy.lateness import timely
from streams.pipeline.sightings import decode
from streams.settings import Settings

STAGE: Final = "assess"
RETRY_S: Final = 1.0
LOOK_S: Final = 0.25
"""How often is looked whose checkpoint is due."""
LAST_SHARE: Final = 0.5
"""Of the session time-out, for the last checkpoints before partitions go: the group waits meanwhile."""

log = logging.getLogger(__name__)


class Assessing:
    """The agent and the partitions it owns."""

    def __init__(
        self,
        app: AppT,
        new_assessor: Callable[[int], Assessor],
        feed: TopicFeed[ModelDelta],
        models: Models,
        clock: Clock,
        tally: Tally,
        settings: Settings,
        overriding: Overriding,
        revising: Revising,
    ) -> None:
        """Make the state of a partition with ``new_assessor``, which goes by ``overriding`` and ``revising``."""
        kafka = settings.kafka
        self._app, self._new_assessor, self._feed, self._models = app, new_assessor, feed, models
        self._clock, self._tally, self._overriding = clock, tally, overriding
        self._revising = revising
        self._sender = Sender(app, kafka.prefix)
        self._owned: dict[int, Owned] = {}
        self._turns = Turns()
        self._busy = asyncio.Lock()
        # Kernels run without the interpreter's lock: beside them the loop reads, observes and sends.
        self._judging = ThreadPoolExecutor(1, thread_name_prefix=STAGE)
        self._modelling = Modelling(models, feed, settings.model.epoch_s, self._judging)
        self._stream: StreamT[Batch] | None = None
        self._patience_s = kafka.model_wait_ms / 1000
        self._kafka, self._interval_s = kafka, settings.checkpoint.interval_s
        self._writing = asyncio.Lock()
        self._encoding = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        options = TopicOptions(rewind=True, late_acks=True, begin=self.begin if self._interval_s else None)
        self._name = kafka.prefix + topic.ACTIVITY.name
        self._restorer = Restorer(new_assessor, self._sender, settings, models.partitions, self._judging)
        self.topic = batch_topic(app, self._name, options)
        on_last_call(app, self.last_call)
        app.agent(self.topic, name=f"weir-{STAGE}")(self.run)

    async def run(self, stream: StreamT[Batch]) -> None:
        """Have batch after batch judged; a bug stops the process before the acknowledgement."""
        try:
            if self._stream is None:
                await self._app.add_runtime_dependency(self._overriding.feed)
                await self._app.add_runtime_dependency(self._revising.feed)
                await self._app.add_runtime_dependency(self._feed)
                # The feed is what stops first: nothing is judged any more when the producer stops.
                self._feed.add_future(self._take_turns())
                self._feed.add_future(self._retry())
                self._feed.add_future(self._overrule())
                if self._interval_s:
                    self._feed.add_future(self._keep())
            self._stream = stream
            await self._feed.caught_up.wait()
            await self._overriding.feed.caught_up.wait()
            await self._revising.feed.caught_up.wait()
            async for event in cast("Stream[Batch]", stream).noack().events():
                await self._turns.put(event)
        except Exception as error:  # noqa: BLE001 - Faust would acknowledge the batch and go on
            stop_process(error, STAGE)

    async def _take_turns(self) -> None:
        """Judge what waits, partition after partition; what was decided travels meanwhile."""
        try:
            while True:
                events = await self._turns.take()
                async with self._busy:
                    await self._take(events)
                self._turns.took(cast(Batch, events[0].value).partition)
        except Exception as error:  # noqa: BLE001 - the task would end in silence
            stop_process(error, STAGE)

    async def _retry(self) -> None:
        """Judge what has waited for a model, when one comes in and when patience ends."""
        try:
            while True:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._feed.changed.wait(), RETRY_S)
                self._feed.changed.clear()
                # Patience begins when all is read that was there: until then every model seems to be late.
                if not self._feed.caught_up.is_set():
                    for owned in self._owned.values():
                        owned.due_since = None if owned.due_since is None else time.monotonic()
                    continue
                async with self._busy:
                    for owned in [owned for owned in self._owned.values() if owned.due_since is not None]:
                        if self._may_move(owned):
                            await self._advance(owned, (), silent=owned.upto <= owned.silent_below)
                            self._acknowledge(owned)
        except Exception as error:  # noqa: BLE001 - the task would end in silence
            stop_process(error, STAGE)

    async def _overrule(self) -> None:
        """Take back what overrides are against, and let them be heeded, without waiting for a sighting."""
        try:
            await self._overriding.feed.caught_up.wait()
            while True:
                await self._overriding.wait()
                async with self._busy:
                    self._overriding.take_in()
                    for owned in list(self._owned.values()):
                        if self._may_move(owned) and owned.is_rebuilt and owned.assessor.overdue(self._clock()):
                            await self._advance(owned, (), silent=False)
                            self._acknowledge(owned)
        except Exception as error:  # noqa: BLE001 - overrides would have no effect any more
            stop_process(error, f"{STAGE}, overrides")

    def _may_move(self, owned: Owned) -> bool:
        return self._is_current(owned.generation) and not owned.closed and not owned.torn

    @property
    def rebuilding(self) -> int:
        """Partitions whose state is still behind what was decided before."""
        return sum(owned.upto < owned.silent_below for owned in self._owned.values())

    @property
    def model_end_us(self) -> int | None:
        """See `Modelling.end_us`."""
        return self._modelling.end_us

    def first_waiting(self, partition: int) -> int | None:
        """Where what waits to be judged of a partition begins; None where nothing waits."""
        return self._turns.first(partition, self._app.consumer_generation_id)

    def behind(self) -> str:
        """What has not been read yet that it must know, in words; empty when all has."""
        if not self._overriding.feed.caught_up.is_set():
            return "the overrides have not been read yet"
        if not self._revising.feed.caught_up.is_set():
            return "the published configurations have not been read yet"
        return "" if self._feed.caught_up.is_set() else "the model has not been read yet"

    async def figures(self) -> Figures:
        """What the partitions hold, taken in the thread that judges, while nothing comes in."""
        async with self._busy:
            asked = list(self._owned.items()), self._overriding.overrides, self._clock()
            return await asyncio.get_running_loop().run_in_executor(self._judging, figures, *asked)

    def _is_current(self, generation: int | None) -> bool:
        return generation == self._app.consumer_generation_id

    async def _take(self, events: Sequence[EventT[Batch]]) -> None:
        """Judge batches of one partition that follow each other, at once."""
        events = [event for event in events if self._is_current(event.message.generation_id)]
        owned = self._own(cast(Batch, events[0].value), events[0].message) if events else None
        if owned is None or owned.torn:
            return
        if owned.closed:
            # No commit goes beyond the last checkpoint, if there are any: it is the next owner's.
            if self._interval_s:
                await self._acknowledge_all(events)
            return
        await owned.arrivals.room()
        owned.waiting += events
        batches = [cast(Batch, event.value) for event in events]
        before, after = parted(batches, owned.silent_below)
        for batch in batches:
            cast("list[bytes | None]", batch.values).clear()  # what waits for a model or the broker takes no room
        if before:
            await self._advance(owned, before, silent=True)
            if not self._is_current(owned.generation):
                return
        if after or not before:
            await self._advance(owned, after, silent=batches[-1].hi <= owned.silent_below)
        owned.upto = batches[-1].hi
        self._acknowledge(owned)

    def _judge(
        self, owned: Owned, values: Sequence[bytes | None], learned: Sequence[ModelDelta], silent: bool
    ) -> Outcome:
        """What the one thread does that touches assessors and models."""
        for delta in learned:
            self._models.add(delta)
        assessor, before = owned.assessor, counted(owned.assessor)
        for value in values:
            assessor.accept(decode(value or b""))
        impatient = owned.due_since is not None and time.monotonic() - owned.due_since > self._patience_s
        assessor.heed(not silent)
        outcome = assessor.advance(self._clock, impatient=impatient)
        if owned.is_rebuilt:
            outcome.overruled = assessor.overrule(self._clock())
        if assessor.judged > before.judged and owned.upto >= owned.silent_below:
            self._tally.reached(outcome.reached_us, self._clock(), impatient=impatient)
        all_there = bool(self._interval_s) and not self.rebuilding
        self._modelling.keep([one.assessor.epoch for one in self._owned.values()], all_there=all_there)
        self._tally.advanced(before, counted(assessor))
        return outcome

    def _own(self, batch: Batch, message: Message) -> Owned | None:
        """The state that ``batch`` belongs to; None when its partition was given away meanwhile."""
        owned, generation = self._owned.get(batch.partition), message.generation_id
        state = partition_states(self._app).get(message.tp)
        if not self._is_current(generation) or state is None or state.position is None:
            return None
        if owned is not None and owned.generation == generation:
            return owned
        log.info("partition %d: reading from %d, silent below %d", batch.partition, batch.lo, state.committed)
        kept = {number: one for number, one in self._owned.items() if one.generation == generation}
        owned = Owned(self._new_assessor(batch.partition), generation, state.committed)
        self._owned = {**kept, batch.partition: owned}
        return owned

    async def begin(self, assigned: Sequence[Assigned]) -> Mapping[int, Beginning]:
        """Restore the state of partitions that have just been assigned; says where reading of them begins."""
        generation, now = self._app.consumer_generation_id, time.monotonic()
        own: dict[int, Owned] = {}
        self._owned, beginnings = {}, {}
        try:
            name, partitions = self._kafka.prefix + topic.STATE.name, [one.partition for one in assigned]
            async with StateReader(self._kafka, name, partitions) as reader:
                for number, one in enumerate(assigned, 1):
                    if not self._is_current(generation):
                        break
                    owned = await self._restorer.restore(reader, one, generation)
                    if not self._is_current(generation):
                        break
                    # One after the other, lest all partitions are copied and written in the same second.
                    owned.checkpoint_due_s = now + self._interval_s * number / len(assigned)
                    own[one.partition] = owned
                    self._tally.begun(owned.begun)
                    beginnings[one.partition] = Beginning(owned.upto, owned.settled)
            if self._is_current(generation):
                self._owned = own
        except Exception as error:  # noqa: BLE001 - Faust would start anew without state
            stop_process(error, f"{STAGE}, restoring")
        return beginnings

    async def _keep(self) -> None:
        """Write checkpoints when they are due."""
        try:
            while True:
                await asyncio.sleep(LOOK_S)
                for partition, owned in list(self._owned.items()):
                    if time.monotonic() >= owned.checkpoint_due_s and not owned.closed:
                        await self._checkpoint(partition, owned)
                        owned.checkpoint_due_s = max(owned.checkpoint_due_s + self._interval_s, time.monotonic())
        except Exception as error:  # noqa: BLE001 - nothing would be committed any more
            stop_process(error, f"{STAGE}, checkpoint")

    async def _checkpoint(self, partition: int, owned: Owned) -> None:
        """Keep the state of one partition as it is now, unless it is kept already."""
        series, loop = owned.series, asyncio.get_running_loop()
        async with self._writing:
            async with self._busy:
                mark = owned.mark
                began_s = time.monotonic()
                if mark == owned.kept:
                    owned.kept_s = began_s
                if series is None or owned.torn or mark == owned.kept or not self._is_current(owned.generation):
                    return
                before_bytes = series.written_bytes
                # What is taken counts as kept: if it does not get there, the next one must hold everything.
                everything, series.whole_next = series.whole_next, True
                snapshot = await loop.run_in_executor(
                    self._judging, partial(take, owned.assessor, everything=everything)
                )
            if not await owned.arrivals.wait():
                return  # it holds what the broker does not: whoever goes on from it would never say that
            manifest = await series.write(mark[0], snapshot.names, encode(snapshot), self._encoding)
            owned.kept, owned.kept_s = mark, began_s
            self._tally.kept(series.written_bytes - before_bytes, time.monotonic() - began_s)
            log.debug("partition %d: checkpoint %d at offset %d", partition, manifest.sequence, manifest.upto)
            if self._is_current(owned.generation):
                let_commit(self._app, TP(self._name, partition), manifest.settled)

    async def last_call(self) -> None:
        """Before partitions go: judge nothing more and keep what there is, so that the next owner goes on at once."""
        owned = {partition: one for partition, one in self._owned.items() if self._is_current(one.generation)}
        for one in owned.values():
            one.closed = True
        try:
            async with asyncio.timeout(LAST_SHARE * self._kafka.session_timeout_ms / 1000):
                for partition, one in owned.items():
                    await self._checkpoint(partition, one)
                    await one.arrivals.wait()
        except TimeoutError:
            late = [number for number, one in owned.items() if one.mark != one.kept]
            log.warning(
                "partitions %s: no time for a last checkpoint; what came after the one before is judged again", late
            )
        except Exception as error:  # noqa: BLE001 - Faust would go on to commit
            stop_process(error, f"{STAGE}, last checkpoint")

    async def _advance(self, owned: Owned, values: Sequence[bytes | None], *, silent: bool) -> None:
        loop, judged = asyncio.get_running_loop(), owned.assessor.judged
        owned.torn, began_s = True, time.monotonic()
        self._overriding.take_in()
        self._revising.take_in()
        outcome = await loop.run_in_executor(self._judging, self._judge, owned, values, self._feed.take(), silent)
        if values:
            self._tally.worked(STAGE, time.monotonic() - began_s)
        owned.moves += bool(values or outcome.decisions or outcome.deltas or owned.assessor.judged > judged)
        owned.moves += bool(outcome.overruled)
        await self._send(owned, outcome, silent=silent)
        owned.due_since = None if outcome.settled else owned.due_since or time.monotonic()
        owned.torn = False
        if not outcome.settled and await self._modelling.recall(owned.assessor):
            for one in self._owned.values():  # nobody could be judged meanwhile: patience begins now
                one.due_since = None if one.due_since is None else time.monotonic()

    def _acknowledge(self, owned: Owned) -> None:
        """What has been judged, once all that came of it has arrived; not while some of it waits for its model."""
        if owned.due_since is None:
            owned.settled = owned.upto
            events, owned.waiting = owned.waiting, []
            owned.arrivals.add((), partial(self._acknowledge_all, events))

    async def _acknowledge_all(self, events: Sequence[EventT[Batch]]) -> None:
        if self._stream is not None:
            for event in events:
                await self._stream.ack(event)

    async def _send(self, owned: Owned, outcome: Outcome, *, silent: bool) -> None:
        """Hand over to the producer what came of an advance."""
        deltas = [delta for delta in outcome.deltas if not self._models.has(delta.epoch, delta.partition)]
        records = [Outgoing(topic.MODEL.name, one.key.encode(), MODEL_CODEC.encode(one), partition=0) for one in deltas]
        decisions: list[Decision] = []
        decided_us = self._clock()
        if not silent:
            decisions = timely(outcome.decisions, decided_us, self._revising.newest.policy.block_age_max_s * 1_000_000)
            self._revising.switched(outcome.switches)
            self._tally.decided(outcome, withheld=len(outcome.decisions) - len(decisions))
            records += [Outgoing(*audit_record(brake_entry(one, decided_us))) for one in outcome.brakes]
        decisions += outcome.overruled
        records += [Outgoing(*record_of(decision, decided_us)) for decision in decisions]
        if records:
            owned.arrivals.add(await self._sender.begin(records), partial(self._sent, decisions))

    async def _sent(self, decisions: Sequence[Decision]) -> None:
        self._tally.sent(decisions, self._clock())
        tell(decisions)
