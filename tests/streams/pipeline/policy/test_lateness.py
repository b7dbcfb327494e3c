"""Which decisions are sent: on both sides of each limit, and never fewer than blocks that are too late."""

from typing import Final

import msgspec
import pytest

from schemas.actor import Actor
from schemas.alert import ALERT_CODEC
from schemas.block import BLOCK_CODEC, Block, BlockStatus
from schemas.event_time import format_time, parse_time_us
from streams.pipeline.policy.decide import Lift
from streams.pipeline.policy.lateness import timely
from tests.contract.golden_file import lines

US: Final = 1_000_000
EVENT_US: Final = parse_time_us("2026-11-24T09:00:00.000Z")
BLOCK: Final = msgspec.structs.replace(
    BLOCK_CODEC.decode(lines("block.v1")[0]),
    status=BlockStatus.ACTIVE,
    event_time=format_time(EVENT_US),
    until=format_time(EVENT_US + 3600 * US),
)
ALERT: Final = ALERT_CODEC.decode(lines("alert.v1")[0])


def sent(block: Block, age_s: float, limit_s: int = 900) -> bool:
    """Whether a block is sent so long after its event."""
    return bool(timely([block], EVENT_US + int(age_s * US), limit_s * US))


def test_age() -> None:
    """A block as old as the limit is sent, an older one is not."""
    assert sent(BLOCK, 900)
    assert not sent(BLOCK, 900.001)


def test_end() -> None:
    """A block that ends a moment later is sent, one that has ended is not, however generous the limit."""
    assert sent(BLOCK, 3599.999, limit_s=10**6)
    assert not sent(BLOCK, 3600, limit_s=10**6)


def test_an_operators_block_is_never_too_old() -> None:
    """Said again after days, as what hid it has ended; it has an end all the same."""
    order = msgspec.structs.replace(BLOCK, detectors=[])
    assert sent(order, 3599.999)
    assert not sent(order, 3600)


def test_no_limit() -> None:
    """0 withholds nothing."""
    assert sent(BLOCK, 10**6, limit_s=0)


@pytest.mark.parametrize("status", [status for status in BlockStatus if status is not BlockStatus.ACTIVE])
def test_ends_of_blocks_are_sent(status: BlockStatus) -> None:
    """Whatever ends a block is sent, however late."""
    assert sent(msgspec.structs.replace(BLOCK, status=status), 10**6)


def test_order_and_others() -> None:
    """Alerts and tombstones are always sent; what is sent keeps its order."""
    lift = Lift(Actor("ip", "203.0.113.7"), EVENT_US)
    assert timely([ALERT, BLOCK, lift, ALERT], EVENT_US + 10**6 * US, US) == [ALERT, lift, ALERT]


def test_before_1970() -> None:
    """A limit that reaches back behind the first time there is takes every age."""
    assert timely([BLOCK], EVENT_US, 10**15 * US) == [BLOCK]
