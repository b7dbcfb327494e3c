"""The assess stage beside its agent: silence while it rebuilds, acknowledgements, waiting for models, assignments."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import cast

import faust
import numpy as np
import pytest
from faust.types import TP, EventT, StreamT
from msgspec import structs

from schemas.actor import Actor
from schemas.model import VERSION, ModelDelta
from streams.config import parse
from streams.live import assessing
from streams.live.assessing import Assessing
from streams.live.overriding import Overriding
from streams.live.owned import Owned, count_below
from streams.live.revising import Revising
from streams.live.sending import Outgoing
from streams.live.tally import Tally
from streams.live.topic_feed import TopicFeed
from streams.live.transport import PartitionState, register
from streams.pipeline.assess.assessor import Assessor
from streams.pipeline.assess.bounds import Turnover
from streams.pipeline.assess.outcome import Outcome
from streams.pipeline.batch import Batch
from streams.pipeline.model.models import Models
from streams.pipeline.observe.observer import idle_progress
from streams.pipeline.policy.decide import Decision, Lift
from streams.pipeline.sightings import Sightings
from streams.settings import CheckpointSettings, KafkaSettings, Settings

ACTIVITY = "weir.activity.v1"


@dataclass(slots=True)
class Scripted:
    """An assessor that decides once for each message, as long as its model is there."""

    settled: bool = True
    impatient: bool = False
    judged: int = 0
    epoch: int = 0
    accepted: list[int] = field(default_factory=list)
    deltas: list[ModelDelta] = field(default_factory=list)
    heeding: list[bool] = field(default_factory=list)
    overruled: list[Decision] = field(default_factory=list)
    release: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(late=0, duplicates=0))
    bounds: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(turnover=Turnover()))

    def accept(self, sightings: Sightings) -> None:
        """Remember which message it was; each counts as late."""
        self.accepted.append(sightings.lo)
        self.release.late += 1
        self.bounds.turnover.forgotten += 2

    def heed(self, heeding: bool) -> None:
        """Note it."""
        self.heeding.append(heeding)

    def overrule(self, now_us: int) -> list[Decision]:
        """What was to be taken back, once."""
        taken, self.overruled = self.overruled, []
        return taken

    def overdue(self, now_us: int) -> bool:
        """While anything is."""
        return bool(self.overruled)

    def caution(self) -> dict[str, int]:
        """Every message cuts a tier."""
        return {"sightings_tier_cut": len(self.accepted)}

    def advance(self, decided_us: Callable[[], int], *, impatient: bool) -> Outcome:
        """Decide on everything accepted since the last time."""
        self.impatient = impatient
        if not self.settled and not impatient:
            return Outcome(settled=False)
        new = self.accepted[self.judged :]
        self.judged += len(new)
        return Outcome([Lift(Actor("ip", str(n)), decided_us()) for n in new], self.deltas)


@dataclass(slots=True)
class Stage:
    """The stage with everything around it replaced."""

    app: faust.App
    models: Models
    assessing: Assessing = field(init=False)
    made: list[Scripted] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    acked: list[int] = field(default_factory=list)
    states: dict[TP, PartitionState] = field(default_factory=dict)
    slow: bool = False
    """The broker takes what is sent only at `arrive`."""
    travelling: list["asyncio.Future[object]"] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    caught_up: asyncio.Event = field(default_factory=asyncio.Event)

    def new_assessor(self, _: int) -> Assessor:
        """Another scripted one."""
        self.made.append(Scripted())
        return cast(Assessor, self.made[-1])

    async def begin(self, records: Sequence[Outgoing]) -> list["asyncio.Future[object]"]:
        """Note the keys; the broker has it at once, or when it is told to."""
        self.sent += [(record.key or b"").decode() for record in records]
        futures = [asyncio.get_running_loop().create_future() for _ in records]
        self.travelling += futures
        if not self.slow:
            self.arrive()
        return futures

    def arrive(self) -> None:
        """The broker has all that was sent."""
        for future in self.travelling:
            future.set_result(None)
        self.travelling = []

    async def ack(self, event: EventT[Batch]) -> None:
        """Note the batch by its end."""
        self.acked.append(cast(Batch, event.value).hi)

    def event(
        self, lo: int, hi: int, offsets: Sequence[int] | None = None, generation: int = 1, partition: int = 0
    ) -> EventT[Batch]:
        """A batch with a message for each offset."""
        numbers = range(lo, hi) if offsets is None else offsets
        values: list[bytes | None] = [idle_progress("http.requests", 0, n) for n in numbers]
        batch = Batch(ACTIVITY, partition, lo, hi, values, None if offsets is None else np.array(offsets, np.int64))
        message = SimpleNamespace(generation_id=generation, tp=TP(ACTIVITY, partition))
        return cast("EventT[Batch]", SimpleNamespace(value=batch, message=message))

    def take(self, lo: int, hi: int, *, generation: int = 1, offsets: Sequence[int] | None = None) -> None:
        """Have a batch judged, and wait until the broker has what comes of it."""
        asyncio.run(self.judge(self.event(lo, hi, offsets, generation)))

    async def judge(self, *events: EventT[Batch]) -> None:
        """Have batches judged at once."""
        await self.assessing._take(events)
        if not self.slow:
            await self.arrived()

    async def arrived(self) -> None:
        """Wait until all is done that waited for the broker."""
        for owned in self.assessing._owned.values():
            await owned.arrivals.wait()


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A stage without checkpoints that owns partition 0, of which somebody has dealt with 10 messages before."""
    return staged(monkeypatch, Settings(checkpoint=CheckpointSettings(0)))


def staged(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Stage:
    """A stage under ``settings``."""
    register()
    app = faust.App("assessing", broker="batch://localhost:9092")
    app.consumer_generation_id = 1
    made = Stage(app, Models(Settings().model, 1))
    feed = cast("TopicFeed[ModelDelta]", SimpleNamespace(changed=made.changed, caught_up=made.caught_up, take=list))
    made.caught_up.set()
    overriding = Overriding(settings.kafka, 1)
    overriding.feed.caught_up.set()
    revising = Revising(structs.replace(settings, detectors=parse("").detectors), [], 1, lambda: 0)
    revising.feed.caught_up.set()
    one = Assessing(app, made.new_assessor, feed, made.models, lambda: 0, Tally(), settings, overriding, revising)
    made.assessing = one
    made.states[TP(ACTIVITY, 0)] = PartitionState(10, 0, 20)
    one._stream = cast("StreamT[Batch]", SimpleNamespace(ack=made.ack))

    def states(_: object) -> Mapping[TP, PartitionState]:
        return made.states

    monkeypatch.setattr(assessing, "partition_states", states)
    monkeypatch.setattr(one._sender, "begin", made.begin)
    return made


def test_silent_below_committed(stage: Stage) -> None:
    """What was decided below the committed offset is not sent again; from there on every decision is."""
    stage.take(0, 6)
    assert stage.sent == []
    stage.take(6, 14)
    assert stage.sent == ["ip:10", "ip:11", "ip:12", "ip:13"]
    assert stage.acked == [6, 14]
    assert stage.made[0].accepted == list(range(14))


def test_silent_with_holes(stage: Stage) -> None:
    """Where offsets have holes the same line is drawn, by each message's own offset."""
    stage.take(0, 20, offsets=[2, 9, 10, 15])
    assert stage.sent == ["ip:10", "ip:15"]


def test_empty_batch(stage: Stage) -> None:
    """A batch of nothing but holes is acknowledged too."""
    stage.take(0, 5, offsets=[])
    assert stage.acked == [5]


def test_deltas_are_never_silent(stage: Stage) -> None:
    """What was learned is sent even while rebuilding, unless it is known: a crash may have come between."""
    known, lost = (ModelDelta(VERSION, epoch, 0, 0, 1, b"", b"", b"", epoch_s=600) for epoch in (4, 5))
    stage.models.add(known)
    stage.take(0, 1)
    stage.made[0].deltas = [known, lost]
    stage.take(1, 2)
    assert stage.sent == [lost.key]


def test_unsettled_waits(stage: Stage) -> None:
    """While a model is due nothing is acknowledged; once it is there, everything that waited is, in order."""
    stage.take(0, 10)
    stage.made[0].settled = False
    stage.take(10, 12)
    stage.take(12, 14)
    assert (stage.acked, stage.sent) == ([10], [])
    stage.made[0].settled = True
    stage.take(14, 15)
    assert stage.acked == [10, 12, 14, 15]
    assert stage.sent == [f"ip:{n}" for n in range(10, 15)]
    assert not stage.made[0].impatient


def retry(stage: Stage) -> None:
    """Tell the stage that deltas have come in."""

    async def go() -> None:
        stage.changed.set()
        task = asyncio.create_task(stage.assessing._retry())
        await asyncio.sleep(0.05)
        task.cancel()

    asyncio.run(go())


def test_model_comes_in(stage: Stage) -> None:
    """What waits is judged when its model comes, without another message; by then nobody has to be silent."""
    stage.take(0, 10)
    stage.made[0].settled = False
    stage.take(10, 12)
    stage.made[0].settled = True
    retry(stage)
    assert (stage.acked, stage.sent) == ([10, 12], ["ip:10", "ip:11"])


def test_model_is_not_read_yet(stage: Stage) -> None:
    """While the model topic is still being read nothing that waits is judged: every model would seem to be late."""
    stage.take(0, 10)
    stage.made[0].settled = False
    stage.take(10, 12)
    stage.made[0].settled = True
    stage.caught_up.clear()
    retry(stage)
    assert (stage.acked, stage.sent) == ([10], [])


def test_patience_begins_after_a_model_was_read_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody could be judged meanwhile, so nobody is judged by an older model for it."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    stage.take(0, 10)
    stage.made[0].settled = False
    stage.take(10, 11)

    async def recall(_: Assessor) -> bool:
        now[0] += 2 * KafkaSettings().model_wait_ms / 1000
        return now[0] < 100 + 3 * KafkaSettings().model_wait_ms / 1000

    monkeypatch.setattr(stage.assessing._modelling, "recall", recall)
    stage.take(11, 12)
    stage.take(12, 13)
    assert not stage.made[0].impatient
    assert stage.acked == [10]


def test_gone_while_a_model_was_read_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a batch holds beyond the committed offset is the next owner's by then."""
    stage.take(0, 8)
    stage.made[0].settled = False

    async def recall(_: Assessor) -> bool:
        stage.app.consumer_generation_id = 2
        stage.made[0].settled = True
        return True

    monkeypatch.setattr(stage.assessing._modelling, "recall", recall)
    stage.take(8, 12)
    assert (stage.acked, stage.sent) == ([8], [])


def test_model_comes_too_late(stage: Stage) -> None:
    """What waited when its partition went to somebody else is theirs to judge."""
    stage.take(0, 10)
    stage.made[0].settled = False
    stage.take(10, 12)
    stage.made[0].settled = True
    stage.app.consumer_generation_id = 2
    retry(stage)
    assert (stage.acked, stage.sent) == ([10], [])


def test_patience_ends(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """After `model_wait_ms` an older model serves, and not before."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    stage.take(0, 10)
    stage.made[0].settled = False
    stage.take(10, 11)
    now[0] += KafkaSettings().model_wait_ms / 1000
    stage.take(11, 12)
    assert stage.acked == [10]
    now[0] += 0.1
    stage.take(12, 13)
    assert stage.acked == [10, 11, 12, 13]


def test_new_assignment_begins_anew(stage: Stage) -> None:
    """After a rebalance the log comes from its beginning, into an empty state, with the offset committed by then."""
    stage.take(0, 15)
    stage.app.consumer_generation_id = 2
    stage.states[TP(ACTIVITY, 0)] = PartitionState(15, 0, 20)
    stage.sent.clear()
    stage.take(0, 17, generation=2)
    assert len(stage.made) == 2
    assert stage.sent == ["ip:15", "ip:16"]


def test_given_away_meanwhile(stage: Stage) -> None:
    """A batch that waited while its partition went to somebody else is left to them: not judged, not acknowledged."""
    stage.app.consumer_generation_id = 2
    stage.take(0, 5)
    stage.states.clear()
    stage.take(0, 5, generation=2)
    stage.states[TP(ACTIVITY, 0)] = PartitionState(0, None, None)
    stage.take(0, 5, generation=2)
    assert (stage.made, stage.sent, stage.acked) == ([], [], [])


def test_lost_partitions_are_forgotten(stage: Stage) -> None:
    """State of an assignment that is over goes when the next one's first batch comes."""
    stage.take(0, 5)
    stage.assessing._owned[7] = stage.assessing._owned[0]
    stage.app.consumer_generation_id = 2
    stage.take(0, 5, generation=2)
    assert set(stage.assessing._owned) == {0}


def test_tally(stage: Stage) -> None:
    """Late sightings and judged ones are counted as they come."""
    stage.take(0, 4)
    stage.take(4, 6)
    tally = stage.assessing._tally
    assert (tally.judged, tally.late, tally.duplicates) == (6, 6, 0)
    assert tally.turnover == Turnover(forgotten=12)
    assert tally.caution == {"sightings_tier_cut": 6}


@pytest.mark.parametrize(("offset", "count"), [(0, 0), (4, 0), (5, 0), (6, 1), (9, 4), (10, 5), (99, 5)])
def test_count_below(offset: int, count: int) -> None:
    """Records before an offset, with and without the offsets spelled out."""
    values = [b""] * 5
    assert count_below(Batch(ACTIVITY, 0, 5, 10, values), offset) == count
    assert count_below(Batch(ACTIVITY, 0, 0, 10, values, np.arange(5, 10, dtype=np.int64)), offset) == count


def test_a_message_that_is_none(stage: Stage) -> None:
    """A tombstone among sightings is an error, not an empty message."""
    with pytest.raises(Exception, match="a message of sightings is damaged"):
        stage.assessing._judge(Owned(cast(Assessor, Scripted()), 1, 0), [None], [], silent=False)


def test_models_of_long_ago_are_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those before the oldest partition's epoch, less a few; none while one rebuilds, or without checkpoints."""
    for interval_s, silent_below, expected in ((15, 0, [64]), (15, 99, []), (0, 0, [])):
        made = staged(monkeypatch, Settings(checkpoint=CheckpointSettings(interval_s)))
        asked: list[int] = []
        monkeypatch.setattr(made.models, "forget", asked.append)
        for number, epoch in ((0, 100), (1, 102)):
            made.assessing._owned[number] = Owned(cast(Assessor, Scripted(epoch=epoch)), 1, silent_below)
        made.assessing._judge(made.assessing._owned[1], [], [], silent=False)
        assert asked == expected
