"""Records on their way to the broker."""

import asyncio
from types import SimpleNamespace
from typing import cast

import pytest
from faust.types import AppT

from streams.live import sending
from streams.live.sending import Outgoing, Sender


class Producer:
    """Takes records and lets a test say what became of them."""

    def __init__(self) -> None:
        self.taken: list[tuple[object, ...]] = []
        self.futures: list[asyncio.Future[object]] = []

    async def send(self, *record: object) -> asyncio.Future[object]:
        """Hand back a future that nothing has happened to."""
        self.taken.append(record)
        self.futures.append(asyncio.get_running_loop().create_future())
        return self.futures[-1]


@pytest.fixture
def producer() -> Producer:
    """A producer that has sent nothing."""
    return Producer()


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    """Errors that would have ended the process."""
    errors: list[BaseException] = []
    monkeypatch.setattr(sending, "stop_process", lambda error, where: errors.append(error))
    return errors


def sender(producer: Producer) -> Sender:
    """A sender of an installation with the prefix "a."."""
    return Sender(cast(AppT, SimpleNamespace(producer=producer)), "a.")


RECORDS = (Outgoing("t", b"k", b"v", [("h", b"1")], 3), Outgoing("t", None, None))


def test_in_order(producer: Producer, stopped: list[BaseException]) -> None:
    """Records go out in order, with the prefix before the topic; sending ends when the broker has all of them."""

    async def go() -> None:
        running = asyncio.create_task(sender(producer).send(RECORDS))
        await asyncio.sleep(0.01)
        producer.futures[1].set_result(None)
        await asyncio.sleep(0.01)
        assert not running.done()
        producer.futures[0].set_result(None)
        await running

    asyncio.run(go())
    assert producer.taken == [("a.t", b"k", b"v", 3, None, [("h", b"1")]), ("a.t", None, None, None, None, [])]
    assert stopped == []


def test_refused_stops_at_once(producer: Producer, stopped: list[BaseException]) -> None:
    """A record that the broker refuses ends the process in the next step of the loop, whoever waits for it or not."""

    async def go() -> None:
        await sender(producer).begin(RECORDS)
        producer.futures[0].set_exception(OSError("refused"))
        await asyncio.sleep(0)
        assert [str(error) for error in stopped] == ["refused"]

    asyncio.run(go())


def test_cancelled_is_no_failure(producer: Producer, stopped: list[BaseException]) -> None:
    """What a stopping producer gives up is no bug."""

    async def go() -> None:
        await sender(producer).begin(RECORDS)
        producer.futures[0].cancel()
        await asyncio.sleep(0)

    asyncio.run(go())
    assert stopped == []
