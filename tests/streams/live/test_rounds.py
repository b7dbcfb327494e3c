"""Rounds of telling beside a producer that a test answers for."""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from schemas import topic
from streams.live import rounds
from streams.live.rounds import ROUND_S, Rounds
from streams.live.sending import Outgoing, Sender
from streams.pipeline.sightings import decode

TOPIC = "http.requests"


class Slow(Sender):
    """Hands records over at once and lets a test say when the broker has them."""

    def __init__(self) -> None:
        self.taken: list[tuple[float, Outgoing]] = []
        self.futures: list[asyncio.Future[object]] = []

    async def begin(self, records: Any) -> list[asyncio.Future[object]]:
        """Note records and when they came."""
        now, made = asyncio.get_running_loop().time(), []
        for record in records:
            self.taken.append((now, record))
            made.append(asyncio.get_running_loop().create_future())
        self.futures += made
        return made


class Stage:
    """What observe is to its rounds."""

    def __init__(self) -> None:
        self.app = SimpleNamespace(consumer_generation_id=1, should_stop=False)
        self.sender, self.acknowledged = Slow(), list[object]()
        self.rounds = Rounds(cast(Any, self.app), self.sender, 2)
        self.rounds.acknowledge = self._acknowledge
        self.rounds.renew()

    async def _acknowledge(self, event: object) -> None:
        self.acknowledged.append(event)

    def batch(self, lo: int, hi: int) -> None:
        """A batch without sightings, which is with the broker at once."""
        self.rounds.telling.since(TOPIC, 0, lo)
        self.rounds.telling.take(TOPIC, 0, lo, hi, -1, [])
        serial = self.rounds.telling.await_all(TOPIC, 0, cast(Any, hi))
        assert self.rounds.telling.sent(serial) == []
        self.rounds.soon()

    def told(self) -> list[tuple[int | None, int, int]]:
        """Destination and range of each message so far."""
        found = []
        for _, record in self.sender.taken:
            sightings = decode(record.value or b"")
            assert record.topic == topic.ACTIVITY.name
            found.append((record.partition, sightings.lo, sightings.hi))
        return found


def play(scene: Callable[[Stage], Awaitable[None]]) -> None:
    """Run a scene in a loop of its own."""

    async def go() -> None:
        await scene(Stage())

    asyncio.run(go())


def test_first_at_once_then_gathered() -> None:
    """After a pause a batch is told at once; what comes within `ROUND_S` of that goes together, when it is over."""

    async def scene(stage: Stage) -> None:
        stage.batch(10, 20)
        await asyncio.sleep(ROUND_S / 10)
        assert stage.told() == [(0, 10, 20), (1, 10, 20)]
        stage.batch(20, 30)
        stage.batch(30, 40)
        await asyncio.sleep(ROUND_S * 1.5)
        assert stage.told()[2:] == [(0, 20, 40), (1, 20, 40)]
        times = [at for at, _ in stage.sender.taken]
        assert times[2] - times[1] >= ROUND_S * 0.95

    play(scene)


def test_acknowledged_when_sent() -> None:
    """A batch is acknowledged when the broker has the last message of the round, not before."""

    async def scene(stage: Stage) -> None:
        stage.batch(10, 20)
        await asyncio.sleep(ROUND_S / 10)
        stage.sender.futures[0].set_result(None)
        await asyncio.sleep(ROUND_S / 10)
        assert stage.acknowledged == []
        stage.sender.futures[1].set_result(None)
        await asyncio.sleep(ROUND_S / 10)
        assert stage.acknowledged == [20]

    play(scene)


def test_waits_for_its_turn() -> None:
    """No round is made while somebody else hands messages over: they would overtake them."""

    async def scene(stage: Stage) -> None:
        async with stage.rounds.turn:
            stage.batch(10, 20)
            await asyncio.sleep(ROUND_S / 10)
            assert stage.told() == []
            stage.batch(20, 30)
        await asyncio.sleep(ROUND_S / 10)
        assert stage.told() == [(0, 10, 30), (1, 10, 30)]

    play(scene)


def test_assignment_over() -> None:
    """What was not told when an assignment ended is forgotten: the next one reads it again."""

    async def scene(stage: Stage) -> None:
        stage.batch(10, 20)
        stage.app.consumer_generation_id = 2
        stage.rounds.renew()
        await asyncio.sleep(ROUND_S / 10)
        assert stage.told() == []
        stage.batch(10, 15)
        await asyncio.sleep(ROUND_S * 1.5)
        assert stage.told() == [(0, 10, 15), (1, 10, 15)]

    play(scene)


def test_failure_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    """A round that cannot be sent stops the process, unless it is ending anyway."""
    stopped: list[str] = []
    monkeypatch.setattr(rounds, "stop_process", lambda error, where: stopped.append(f"{where}: {error}"))

    async def scene(stage: Stage) -> None:
        for should_stop in (True, False):
            stage.app.should_stop = should_stop
            stage.batch(10, 20)
            await asyncio.sleep(ROUND_S * 1.5)
            stage.sender.futures[-1].set_exception(OSError("refused"))
            await asyncio.sleep(ROUND_S / 10)
            assert stopped == ([] if should_stop else ["observe, telling: refused"])
            stage.app.consumer_generation_id += 1
            stage.rounds.renew()

    play(scene)
