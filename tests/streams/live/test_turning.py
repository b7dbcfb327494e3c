"""The assess stage beside its agent: batches that waited together, decisions that travel while others are judged."""

import asyncio

import pytest
from faust.types import TP

from streams.live import arrivals
from streams.live.transport import PartitionState
from streams.live.transport.transport import transport_of
from streams.settings import CheckpointSettings, Settings
from tests.streams.live.test_assessing import ACTIVITY, Stage, staged


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A stage without checkpoints that owns partition 0, of which somebody has dealt with 10 messages before."""
    return staged(monkeypatch, Settings(checkpoint=CheckpointSettings(0)))


def test_batches_at_once(stage: Stage) -> None:
    """Batches that waited together are judged as if one after the other: silent below the line, all acknowledged."""
    asyncio.run(stage.judge(stage.event(0, 4), stage.event(4, 12), stage.event(12, 13)))
    assert stage.made[0].accepted == list(range(13))
    assert (stage.sent, stage.acked) == (["ip:10", "ip:11", "ip:12"], [4, 12, 13])


def test_what_is_judged_takes_no_room(stage: Stage) -> None:
    """Batches that are judged and wait for a slow broker, or for a model, are kept for their offsets alone."""
    stage.slow = True
    events = [stage.event(0, 11), stage.event(11, 14)]
    asyncio.run(stage.judge(*events))
    assert stage.made[0].accepted == list(range(14))
    assert [len(event.value) for event in events] == [0, 0]


def test_where_what_waits_begins(stage: Stage) -> None:
    """Of the assignment that is current: what an earlier one left is nobody's."""

    async def scene() -> None:
        await stage.assessing._turns.put(stage.event(3, 5))
        assert (stage.assessing.first_waiting(0), stage.assessing.first_waiting(1)) == (3, None)
        stage.app.consumer_generation_id = 2
        assert stage.assessing.first_waiting(0) is None

    asyncio.run(scene())


def test_last_call_without_checkpoints(stage: Stage) -> None:
    """What is judged is acknowledged before partitions go, so that nothing is said twice; the rest is left."""
    stage.slow = True

    async def scene() -> None:
        await stage.judge(stage.event(0, 12))
        calling = asyncio.create_task(stage.assessing.last_call())
        await settle()
        assert (calling.done(), stage.acked) == (False, [])
        stage.arrive()
        await calling
        await stage.judge(stage.event(12, 13))
        assert (stage.made[0].accepted, stage.acked) == (list(range(12)), [12])
        assert transport_of(stage.app).declared.last_calls == [stage.assessing.last_call]

    asyncio.run(scene())


async def settle() -> None:
    """Let everything run that can."""
    for _ in range(10):
        await asyncio.sleep(0)


def test_decisions_travel_meanwhile(stage: Stage) -> None:
    """Another partition is judged while decisions are on their way; each is acknowledged when its own have arrived."""
    stage.slow = True
    stage.states[TP(ACTIVITY, 1)] = PartitionState(0, 0, 20)

    async def scene() -> None:
        await stage.judge(stage.event(0, 12))
        first, stage.travelling = stage.travelling, []
        await stage.judge(stage.event(0, 1, partition=1))
        await stage.judge(stage.event(12, 13))
        await settle()
        assert stage.sent == ["ip:10", "ip:11", "ip:0", "ip:12"]
        assert stage.acked == []
        stage.arrive()
        await settle()
        assert stage.acked == [1], "of partition 0 something older is still on its way"
        stage.travelling = first
        stage.arrive()
        await settle()
        assert stage.acked == [1, 12, 13]

    asyncio.run(scene())


def test_refused_after_the_next_went_on(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A decision that the broker refuses ends the process though others were judged since: nothing is acknowledged."""
    stopped: list[str] = []
    monkeypatch.setattr(arrivals, "stop_process", lambda _, where: stopped.append(where))
    stage.slow = True

    async def scene() -> None:
        await stage.judge(stage.event(0, 12))
        (_, refused), stage.travelling = stage.travelling, []
        await stage.judge(stage.event(12, 14))
        stage.arrive()
        refused.set_exception(OSError("refused"))
        await settle()
        assert (stopped, stage.acked) == (["sending"], [])

    asyncio.run(scene())


def test_rebalanced_while_batches_waited(stage: Stage) -> None:
    """What waited for its turn when its partition went is the next owner's; what came since is judged."""
    stage.take(0, 11)
    stage.app.consumer_generation_id = 2
    stage.states[TP(ACTIVITY, 0)] = PartitionState(11, 0, 20)
    asyncio.run(stage.judge(stage.event(11, 12), stage.event(12, 13)))
    assert (len(stage.made), stage.sent, stage.acked) == (1, ["ip:10"], [11])
    asyncio.run(stage.judge(stage.event(11, 12), stage.event(0, 13, generation=2)))
    assert stage.made[1].accepted == list(range(13))
    assert (stage.sent, stage.acked) == (["ip:10", "ip:11", "ip:12"], [11, 13])


def test_turn_after_turn(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The task beside the agent judges what the agent has put there, as long as it runs."""

    async def scene() -> None:
        task = asyncio.create_task(stage.assessing._take_turns())
        acknowledged = asyncio.Event()
        monkeypatch.setattr(stage.assessing._stream, "ack", lambda event: note(event.value.hi, acknowledged))
        for lo in (0, 12):
            await stage.assessing._turns.put(stage.event(lo, lo + 12))
            await acknowledged.wait()
            acknowledged.clear()
        task.cancel()

    async def note(hi: int, acknowledged: asyncio.Event) -> None:
        stage.acked.append(hi)
        acknowledged.set()

    asyncio.run(asyncio.wait_for(scene(), 10))
    assert (stage.made[0].accepted, stage.acked) == (list(range(24)), [12, 24])
