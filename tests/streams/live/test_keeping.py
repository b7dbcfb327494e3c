"""Checkpoints of the assess stage beside its agent: what is sent before what, what may be committed, the last call."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import cast

import msgspec
import pytest
from faust.types import TP

from schemas import topic
from schemas.errors import StopError, TransportError
from streams.live import assessing, topics
from streams.live.checkpoint.manifest import MANIFEST_CODEC, Lineage, Manifest, Owner
from streams.live.checkpoint.reading import Found
from streams.live.checkpoint.writing import Series
from streams.live.owned import Owned
from streams.live.sending import Outgoing, Sender
from streams.settings import CheckpointSettings, KafkaSettings, Settings
from tests.streams.live.test_assessing import ACTIVITY, Stage, staged

SESSION_MS = 400


@dataclass
class Kept:
    """A stage with checkpoints whose blobs are made up."""

    stage: Stage
    everything: list[bool] = field(default_factory=list)
    """Of each `take`."""
    allowed: list[tuple[TP, int]] = field(default_factory=list)
    """What was let be committed."""
    state: list[Outgoing] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    """Topics in the order of sending."""
    hangs: bool = False
    holds: bool = False
    """The broker takes decisions only at `let_through`."""
    held: list["asyncio.Future[object]"] = field(default_factory=list)

    async def begin(self, records: Sequence[Outgoing]) -> list["asyncio.Future[object]"]:
        """The broker has it at once, or never."""
        futures: list[asyncio.Future[object]] = []
        for record in records:
            self.log.append(record.topic)
            if record.topic == topic.STATE.name:
                self.state.append(record)
            future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
            if self.holds and record.topic != topic.STATE.name:
                self.held.append(future)
            elif not self.hangs:
                future.set_result(SimpleNamespace(offset=len(self.state)))
            futures.append(future)
        return futures

    async def send(self, records: Sequence[Outgoing]) -> None:
        """Send and wait."""
        await asyncio.gather(*await self.begin(records))

    @property
    def owned(self) -> Owned:
        """Partition 0."""
        return self.stage.assessing._owned[0]

    def own(self) -> None:
        """Have partition 0 assigned: as a restore leaves it."""
        series = Series(cast(Sender, self), 0, 1, Owner(1, 1))
        self.stage.assessing._owned[0] = Owned(self.stage.new_assessor(0), 1, 10, series=series)

    def keep(self) -> None:
        """A checkpoint is due."""
        asyncio.run(self.stage.assessing._checkpoint(0, self.owned))

    def let_through(self) -> None:
        """The broker has the decisions that it held."""
        for future in self.held:
            future.set_result(SimpleNamespace(offset=0))
        self.held = []

    @property
    def manifests(self) -> list[Manifest]:
        """Those that were written."""
        return [MANIFEST_CODEC.decode(one.value or b"") for one in self.state if (one.key or b"").endswith(b"manifest")]


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Kept:
    """A stage that owns partition 0."""
    settings = Settings(checkpoint=CheckpointSettings(1), kafka=KafkaSettings(session_timeout_ms=SESSION_MS))
    made = Kept(staged(monkeypatch, settings))

    def take(_: object, *, everything: bool) -> SimpleNamespace:
        made.everything.append(everything)
        return SimpleNamespace(names=("rest",))

    def encode(_: object) -> Iterator[tuple[str, bytes]]:
        yield "rest", b"state"

    monkeypatch.setattr(assessing, "take", take)
    monkeypatch.setattr(assessing, "encode", encode)
    monkeypatch.setattr(assessing, "let_commit", lambda _, tp, offset: made.allowed.append((tp, offset)))
    monkeypatch.setattr(made.stage.assessing, "_sender", made)
    made.own()
    return made


def test_decisions_come_before_the_manifest(kept: Kept) -> None:
    """All that was decided below the point is with the broker before the checkpoint; only then may it be committed."""
    kept.stage.take(0, 14)
    assert kept.allowed == []
    kept.keep()
    assert kept.log == [topic.BLOCKS.name] * 4 + [topic.STATE.name] * 2
    assert [(one.upto, one.settled) for one in kept.manifests] == [(14, 14)]
    assert kept.allowed == [(TP(ACTIVITY, 0), 14)]


def test_a_torn_state_is_never_kept(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """Judged, and cancelled before the decisions were with the broker: whoever comes next must judge it again."""
    kept.stage.take(0, 12)
    kept.keep()

    async def cancelled(_: Sequence[Outgoing]) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr(kept, "begin", cancelled)
        with pytest.raises(asyncio.CancelledError):
            kept.stage.take(12, 14)
    kept.keep()
    kept.stage.take(14, 15)
    kept.keep()
    assert [one.upto for one in kept.manifests] == [12]
    assert kept.allowed == [(TP(ACTIVITY, 0), 12)]


@pytest.mark.parametrize(("partitions", "refused"), [(1, False), (2, True)])
def test_other_partitions_are_refused(kept: Kept, partitions: int, refused: bool) -> None:
    """Actors of another number of partitions lie elsewhere: rather none goes on than each without its past."""
    kept.stage.take(0, 12)
    kept.keep()
    (manifest,) = kept.manifests
    found = Found(manifests=[msgspec.structs.replace(manifest, partitions=partitions)])
    with pytest.raises(StopError, match="has 1 partitions and had 2") if refused else nullcontext():
        kept.stage.assessing._restorer._require_same_partitions(found)


OLD, NEW = Lineage("a1", "r1"), Lineage("a2", "r2")


@pytest.mark.parametrize(
    ("before", "now", "refused"),
    [
        (OLD, OLD, ""),
        (OLD, Lineage("a2", "r1"), "weir.activity.v1"),
        (OLD, Lineage("a1", "r2"), "http.requests"),
        (OLD, NEW, "weir.activity.v1"),
        (Lineage(), NEW, ""),
        (OLD, Lineage(), ""),
        (OLD, Lineage("", "r2"), "http.requests"),
    ],
)
def test_other_topics_are_refused(kept: Kept, before: Lineage, now: Lineage, refused: str) -> None:
    """Offsets of a topic that was made anew mean other records; where the broker did not tell, nobody knows."""
    kept.stage.take(0, 12)
    kept.keep()
    (manifest,) = kept.manifests
    found = Found(manifests=[msgspec.structs.replace(manifest, lineage=before)])
    told = pytest.raises(StopError, match=f"topic {refused} was deleted and made anew") if refused else nullcontext()
    with told:
        continued = kept.stage.assessing._restorer._continued(found, now)
        assert continued == (now if all(now) else before), "what was known is not forgotten"


def test_the_first_checkpoint_has_no_past(kept: Kept) -> None:
    """Where nothing is kept yet, any topics will do."""
    assert kept.stage.assessing._restorer._continued(Found(), NEW) == NEW


def test_a_broker_that_does_not_answer_forgets_nothing(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then nothing is refused, and the next assignment looks again; within one assignment it is asked once."""
    asked: list[object] = []

    def ids(_: object, names: Sequence[str]) -> tuple[str, ...]:
        asked.append(names)
        if len(asked) == 1:
            raise TransportError("no answer")
        return OLD

    monkeypatch.setattr(topics, "ids", ids)
    look = kept.stage.assessing._restorer._current_lineage
    assert [asyncio.run(look(generation)) for generation in (1, 1, 2, 2)] == [Lineage(), Lineage(), OLD, OLD]
    assert asked == [(ACTIVITY, "http.requests")] * 2


def test_nothing_new_is_not_kept_again(kept: Kept) -> None:
    """A partition without messages is not written; with one it is, and then only what has changed."""
    kept.stage.take(0, 14)
    kept.keep()
    kept.keep()
    assert kept.everything == [True]
    kept.stage.take(14, 15)
    kept.keep()
    assert kept.everything == [True, False]
    assert [(one.sequence, one.upto) for one in kept.manifests] == [(1, 14), (2, 15)]


def test_a_given_up_checkpoint_is_made_good(kept: Kept) -> None:
    """What was taken for a checkpoint that did not come about is in the next one, which holds everything."""
    kept.stage.take(0, 14)
    kept.keep()
    kept.stage.take(14, 15)
    kept.hangs = True
    with pytest.raises(TimeoutError):
        asyncio.run(asyncio.wait_for(kept.stage.assessing._checkpoint(0, kept.owned), 0.1))
    kept.hangs = False
    kept.keep()
    assert kept.everything == [True, False, True]
    assert kept.allowed[-1] == (TP(ACTIVITY, 0), 15)


def test_what_waits_for_its_model_is_kept_and_not_committed(kept: Kept) -> None:
    """A checkpoint may hold rows that wait, and says from which offset on: up to there it may be committed."""
    kept.stage.take(0, 12)
    cast("SimpleNamespace", kept.owned.assessor).settled = False
    kept.stage.take(12, 20)
    kept.keep()
    assert [(one.upto, one.settled) for one in kept.manifests] == [(20, 12)]
    assert kept.allowed == [(TP(ACTIVITY, 0), 12)]


def on_the_way(kept: Kept) -> None:
    """From now on decisions are slow to arrive."""
    kept.holds = kept.stage.slow = True


def test_a_checkpoint_waits_for_what_is_on_its_way(kept: Kept) -> None:
    """The state is taken at once, and written when the broker has all that was decided up to there, not before.

    What is judged meanwhile is not in it.
    """
    on_the_way(kept)

    async def scene() -> None:
        await kept.stage.judge(kept.stage.event(0, 14))
        keeping = asyncio.create_task(kept.stage.assessing._checkpoint(0, kept.owned))
        await asyncio.sleep(0.05)
        assert kept.everything == [True]
        first, kept.held = kept.held, []
        await kept.stage.judge(kept.stage.event(14, 15))
        later, kept.held = kept.held, first
        assert (kept.state, kept.stage.acked, kept.allowed) == ([], [], [])
        kept.let_through()
        await keeping
        assert [(one.upto, one.settled) for one in kept.manifests] == [(14, 14)]
        assert (kept.stage.acked, kept.allowed) == ([14], [(TP(ACTIVITY, 0), 14)])
        kept.held = later
        kept.let_through()
        await kept.stage.arrived()
        assert kept.stage.acked == [14, 15]

    asyncio.run(scene())


def test_no_checkpoint_of_what_never_arrives(kept: Kept) -> None:
    """Decisions that a stopping producer gave up are in no state that somebody could go on from."""
    on_the_way(kept)

    async def scene() -> None:
        await kept.stage.judge(kept.stage.event(0, 14))
        keeping = asyncio.create_task(kept.stage.assessing._checkpoint(0, kept.owned))
        await asyncio.sleep(0.05)
        kept.held[1].cancel()
        await keeping
        assert (kept.state, kept.stage.acked, kept.allowed) == ([], [], [])

    asyncio.run(scene())


def test_last_call_waits_for_what_is_on_its_way(kept: Kept) -> None:
    """When it is over, all that was judged is kept and acknowledged: the commit that follows has all of it."""
    on_the_way(kept)

    async def scene() -> None:
        await kept.stage.judge(kept.stage.event(0, 14))
        calling = asyncio.create_task(kept.stage.assessing.last_call())
        await asyncio.sleep(0.05)
        assert (kept.state, kept.stage.acked) == ([], [])
        kept.let_through()
        await calling
        assert ([one.upto for one in kept.manifests], kept.stage.acked) == ([14], [14])

    asyncio.run(scene())


def test_last_call_does_not_wait_for_ever_for_decisions(kept: Kept, caplog: pytest.LogCaptureFixture) -> None:
    """Decisions that do not arrive hold no rebalance up: nothing is kept or acknowledged, and all is judged again."""
    on_the_way(kept)

    async def scene() -> None:
        await kept.stage.judge(kept.stage.event(0, 14))
        await kept.stage.assessing.last_call()
        assert (kept.state, kept.stage.acked, kept.allowed) == ([], [], [])
        assert not any(future.cancelled() for future in kept.held)

    asyncio.run(asyncio.wait_for(scene(), 10))
    assert "partitions [0]: no time for a last checkpoint" in caplog.text


def test_last_call(kept: Kept) -> None:
    """Before partitions go all is kept, and what an agent still has in hand is the next owner's: not judged."""
    kept.stage.take(0, 14)
    asyncio.run(kept.stage.assessing.last_call())
    assert [one.upto for one in kept.manifests] == [14]
    sent = len(kept.log)
    kept.stage.take(14, 16)
    assert kept.stage.acked == [14, 16], "Faust would wait for it"
    assert (len(kept.log), kept.allowed) == (sent, [(TP(ACTIVITY, 0), 14)])


def test_last_call_is_bounded(kept: Kept, caplog: pytest.LogCaptureFixture) -> None:
    """A broker that does not answer holds no rebalance up: half the session time-out later it is given up, loudly."""
    kept.stage.take(0, 14)
    kept.hangs = True
    asyncio.run(asyncio.wait_for(kept.stage.assessing.last_call(), SESSION_MS / 1000))
    assert "partitions [0]: no time for a last checkpoint" in caplog.text
    assert kept.allowed == []


def test_another_assignment_is_left_alone(kept: Kept) -> None:
    """After a rebalance nothing is written of the assignment before it."""
    kept.stage.take(0, 14)
    kept.stage.app.consumer_generation_id = 2
    kept.keep()
    asyncio.run(kept.stage.assessing.last_call())
    assert kept.state == []


def test_what_was_judged_without_a_message_is_kept(kept: Kept) -> None:
    """A model came in and rows that waited are judged: that is kept although no message has come."""
    kept.stage.take(0, 12)
    scripted = cast("SimpleNamespace", kept.owned.assessor)
    scripted.settled = False
    kept.stage.take(12, 20)
    kept.keep()
    scripted.settled = True
    asyncio.run(advance(kept))
    kept.keep()
    assert [(one.upto, one.settled) for one in kept.manifests] == [(20, 12), (20, 12)]
    kept.keep()
    assert len(kept.manifests) == 2


async def advance(kept: Kept) -> None:
    """Judge what waits, but not all of it."""
    await kept.stage.assessing._advance(kept.owned, (), silent=False)
    await kept.stage.arrived()
    kept.owned.due_since = 0.0
