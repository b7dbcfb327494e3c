"""Overrides in a worker: what is read of their topic, and what is sent because of them."""

import asyncio
import logging

import pytest

from schemas.actor import Actor
from schemas.override import OVERRIDE_CODEC
from streams.live.overriding import Overriding, Said, read
from streams.pipeline.policy.decide import Lift
from streams.settings import KafkaSettings
from tests.streams.live.test_assessing import Stage, stage
from tests.streams.pipeline.policy.overriding import override, us

__all__ = ["stage"]

GOOD = override("allow", "ip:203.0.113.9")


def test_read() -> None:
    """A record is what its key names; without a value it takes that back."""
    assert read(b"ip:203.0.113.9", OVERRIDE_CODEC.encode(GOOD)) == Said("ip:203.0.113.9", GOOD)
    assert read(b"ip:203.0.113.9", None) == Said("ip:203.0.113.9", None)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"ip:203.0.113.9", b"{"),
        (b"ip:203.0.113.9", b""),
        (b"ip:203.0.113.9", b"null"),
        (b"ip:203.0.113.9", b"\xff"),
        (b"ip:203.0.113.8", OVERRIDE_CODEC.encode(GOOD)),
        (None, OVERRIDE_CODEC.encode(GOOD)),
        (b"\xff203.0.113.9", None),
        (b"ip:203.0.113.999", OVERRIDE_CODEC.encode(override("allow", "ip:203.0.113.999"))),
    ],
)
def test_what_is_none_is_passed_over(key: bytes | None, value: bytes | None, caplog: pytest.LogCaptureFixture) -> None:
    """One line in the log says what is wrong; whom it is about stands there at debug alone."""
    with caplog.at_level(logging.DEBUG):
        assert read(key, value) is None
    loud = [record for record in caplog.records if record.levelno > logging.DEBUG]
    assert len(loud) == 1
    assert "passed over" in loud[0].getMessage()
    assert "203.0.113" not in loud[0].getMessage()
    assert all("203.0.113" in record.getMessage() for record in caplog.records if record not in loud and key)


def test_take_in() -> None:
    """What has come is in force at once; each record is taken once."""
    one = Overriding(KafkaSettings(), 1)
    one.feed._found = [Said(GOOD.key, GOOD)]
    one.take_in()
    one.take_in()
    assert one.overrides.version == 1
    assert one.overrides.under(GOOD.key, us(-1e6)) == GOOD


def test_heeded_from_where_nothing_was_sent(stage: Stage) -> None:
    """Below the committed offset overrides are gone by as they stood when that was sent; above it as they stand."""
    stage.take(0, 6)
    stage.take(6, 14)
    assert stage.made[0].heeding == [False, False, True]


def test_said_behind_what_was_decided(stage: Stage) -> None:
    """What overrides take back is sent behind the decisions of the same step, and not before the state is rebuilt."""
    stage.take(0, 6)
    stage.made[0].overruled = [Lift(Actor("account", "42"), 0)]
    stage.take(6, 10)
    assert stage.sent == []
    stage.take(10, 12)
    assert stage.sent == ["ip:10", "ip:11", "account:42"]


def overrule(stage: Stage, times: int = 1) -> None:
    """Let an override come, and the stage look at it, so many times."""
    looked = asyncio.Event()
    waited = stage.assessing._overriding.wait

    async def wait() -> None:
        looked.set()
        await waited()

    async def all_times() -> None:
        stage.assessing._overriding.feed.changed = asyncio.Event()
        stage.assessing._overriding.wait = wait  # type: ignore[method-assign]  # to know when it has looked
        task = asyncio.create_task(stage.assessing._overrule())
        for _ in range(times):
            await looked.wait()
            looked.clear()
            stage.assessing._overriding.feed.changed.set()
        await looked.wait()
        task.cancel()

    asyncio.run(all_times())
    stage.assessing._overriding.wait = waited  # type: ignore[method-assign]  # as it was


def test_not_while_it_is_rebuilt(stage: Stage) -> None:
    """What was decided before is not known yet: there is nothing to take back."""
    stage.take(0, 6)
    stage.made[0].overruled = [Lift(Actor("account", "42"), 0)]
    overrule(stage)
    assert stage.sent == []


def test_without_a_sighting(stage: Stage) -> None:
    """An override is heeded though nothing is requested any more, once; a checkpoint is due then."""
    stage.take(0, 12)
    stage.made[0].overruled = [Lift(Actor("account", "43"), 0)]
    owned = next(iter(stage.assessing._owned.values()))
    moves = owned.moves
    overrule(stage, times=2)
    assert stage.sent == ["ip:10", "ip:11", "account:43"]
    assert owned.moves == moves + 1
