"""What waits for the broker: order, failures, giving up."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NoReturn

import pytest

from streams.live import arrivals
from streams.live.arrivals import AHEAD_MAX, Arrivals

Futures = list["asyncio.Future[object]"]


class Scene:
    """Sendings by name, each with one record."""

    def __init__(self) -> None:
        self.arrivals = Arrivals()
        self.done: list[str] = []
        self.sent: dict[str, asyncio.Future[object]] = {}

    def send(self, name: str) -> None:
        """Put a record on its way."""
        self.sent[name] = asyncio.get_running_loop().create_future()
        self.arrivals.add([self.sent[name]], self._then(name))

    def _then(self, name: str) -> Callable[[], Awaitable[None]]:
        async def note() -> None:
            self.done.append(name)

        return note


async def settle() -> None:
    """Let everything run that can."""
    for _ in range(10):
        await asyncio.sleep(0)


def play(scene: Callable[[Scene], Awaitable[None]]) -> None:
    """Run a scene."""

    async def go() -> None:
        await scene(Scene())

    asyncio.run(go())


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Where the process would have ended."""
    where: list[str] = []

    def stop(_: BaseException, at: str) -> NoReturn:
        where.append(at)
        raise asyncio.CancelledError

    monkeypatch.setattr(arrivals, "stop_process", stop)
    return where


def test_in_order() -> None:
    """What arrives first is done after what was sent before it."""

    async def scene(one: Scene) -> None:
        one.send("a")
        one.send("b")
        one.sent["b"].set_result(None)
        await settle()
        assert one.done == []
        one.sent["a"].set_result(None)
        await settle()
        assert (one.done, len(one.arrivals)) == (["a", "b"], 0)

    play(scene)


def test_nothing_sent_waits_for_what_was() -> None:
    """An acknowledgement of what made no record waits for the records before it, and comes at once without any."""

    async def scene(one: Scene) -> None:
        one.arrivals.add((), one._then("alone"))
        await settle()
        one.send("a")
        one.arrivals.add((), one._then("behind"))
        await settle()
        assert one.done == ["alone"]
        one.sent["a"].set_result(None)
        assert await one.arrivals.wait()
        assert one.done == ["alone", "a", "behind"]

    play(scene)


def test_wait_is_for_what_is_on_its_way_by_now() -> None:
    """What is sent while somebody waits does not make him wait longer; with nothing on its way nobody waits."""

    async def scene(one: Scene) -> None:
        assert await one.arrivals.wait()
        one.send("a")
        waiting = asyncio.create_task(one.arrivals.wait())
        await settle()
        one.send("b")
        one.sent["a"].set_result(None)
        assert await waiting
        assert (one.done, len(one.arrivals)) == (["a"], 1)

    play(scene)


def test_refused(stopped: list[str]) -> None:
    """A record that the broker refuses ends the process, and nothing behind it is done."""

    async def scene(one: Scene) -> None:
        one.send("a")
        one.send("b")
        waiting = asyncio.create_task(one.arrivals.wait())
        await settle()
        one.sent["b"].set_result(None)
        one.sent["a"].set_exception(OSError("refused"))
        assert not await waiting
        assert (one.done, stopped) == ([], ["sending"])

    play(scene)


def test_never_arrives(stopped: list[str]) -> None:
    """What a stopping producer gave up is no failure, but nothing is done behind it, whatever is sent later."""

    async def scene(one: Scene) -> None:
        one.send("a")
        await settle()
        one.sent["a"].cancel()
        assert not await one.arrivals.wait()
        one.send("b")
        one.sent["b"].set_result(None)
        assert not await one.arrivals.wait()
        await settle()
        assert (one.done, stopped) == ([], [])

    play(scene)


def test_giving_up_leaves_it_on_its_way() -> None:
    """Whoever waits no longer, as at the end of a last call, calls nothing back."""

    async def scene(one: Scene) -> None:
        one.send("a")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(one.arrivals.wait(), 0.01)
        one.sent["a"].set_result(None)
        await settle()
        assert one.done == ["a"]

    play(scene)


@pytest.mark.parametrize(("ahead", "waits"), [(AHEAD_MAX, False), (AHEAD_MAX + 1, True)])
def test_room(ahead: int, waits: bool) -> None:
    """A sender that is too far ahead of the broker waits for it."""

    async def scene(one: Scene) -> None:
        for number in range(ahead):
            one.send(f"{number}")
        task = asyncio.create_task(one.arrivals.room())
        await settle()
        assert task.done() is not waits
        for future in one.sent.values():
            future.set_result(None)
        await task
        assert len(one.done) == (ahead if waits else 0)

    play(scene)
