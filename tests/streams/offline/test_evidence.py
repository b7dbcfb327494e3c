"""The span of an incident whose members are looked for."""

from typing import Final

import msgspec
import pytest

from schemas.alert import ALERT_CODEC, Alert, AlertStatus
from schemas.block import BLOCK_CODEC, Action, Block, BlockMode, BlockStatus
from streams.offline.evidence import Pause, Span, span_of, spans_us
from tests.contract.golden_file import lines

ALERT: Final = msgspec.structs.replace(
    ALERT_CODEC.decode(lines("alert.v1")[0]),
    status=AlertStatus.OPEN,
    first_seen="2026-11-24T09:00:00.000Z",
    event_time="2026-11-24T11:00:00.000Z",
)
BLOCK: Final = BLOCK_CODEC.decode(lines("block.v1")[0])


def at(time: str) -> str:
    """A time of that day."""
    return f"2026-11-24T{time}:00.000Z"


def blocked(begins: str, until: str, *, revoked: str | None = None) -> Block:
    """An enforced block, or the record that takes it back."""
    return msgspec.structs.replace(
        BLOCK,
        action=Action.BLOCK,
        mode=BlockMode.ENFORCE,
        status=BlockStatus.ACTIVE if revoked is None else BlockStatus.REVOKED,
        event_time=at(begins),
        decided_at=at(revoked or begins),
        until=at(until),
    )


def told(time: str, status: AlertStatus = AlertStatus.UPDATED) -> Alert:
    """What people were told later."""
    return msgspec.structs.replace(ALERT, event_time=at(time), status=status)


@pytest.mark.parametrize(
    ("alerts", "blocks", "ends", "pauses"),
    [
        ([], [blocked("10:00", "12:00")], "10:00", []),
        ([told("12:30")], [blocked("10:00", "12:00")], "12:30", [("10:00", "12:00")]),
        ([told("12:30")], [blocked("10:00", "12:00"), blocked("12:30", "16:30")], "12:30", [("10:00", "12:00")]),
        ([], [blocked("10:00", "10:30"), blocked("10:20", "12:00")], "10:00", []),
        (
            [told("13:00"), told("20:00", AlertStatus.CLOSED)],
            [blocked("10:00", "10:30"), blocked("12:00", "12:30"), blocked("13:00", "14:00")],
            "20:00",
            [("10:00", "10:30"), ("12:00", "12:30"), ("13:00", "14:00")],
        ),
        ([told("12:30")], [blocked("10:00", "18:00"), blocked("10:00", "18:00", revoked="11:30")], "12:30",
         [("10:00", "11:30")]),
        ([told("20:00", AlertStatus.CLOSED)], [], "11:00", []),
    ],
)  # fmt: skip
def test_a_block_that_ended_is_a_pause(
    alerts: list[Alert], blocks: list[Block], ends: str, pauses: list[tuple[str, str]]
) -> None:
    """Whoever was shown after it, until the next block, or until the incident's last alert, is affected as well."""
    span = span_of([ALERT, *alerts], blocks)
    assert span == Span(ALERT.first_seen, at(ends), bool(blocks), [Pause(at(one), at(other)) for one, other in pauses])
    parts = spans_us(span)
    assert len(parts) == len(pauses) + 1
    assert [edge for part in parts for edge in part] == sorted(edge for part in parts for edge in part)


@pytest.mark.parametrize(
    ("said", "ends", "blocked"),
    [
        ([("09:10", "challenge", "enforce"), ("09:20", "throttle", "enforce")], "11", False),
        ([("09:10", "challenge", "enforce"), ("10:00", "block", "enforce"), ("10:30", "block", "enforce")], "10", True),
        ([("09:10", "block", "shadow")], "11", False),
        ([], "11", False),
    ],
)
def test_only_a_block_ends_the_span(said: list[tuple[str, str, str]], ends: str, blocked: bool) -> None:
    """Who passes a challenge is shown more: those members are affected, too."""
    blocks = [
        msgspec.structs.replace(
            BLOCK,
            action=Action(action),
            mode=BlockMode(mode),
            status=BlockStatus.ACTIVE,
            event_time=at(time),
            until=at("23:00"),
        )
        for time, action, mode in said
    ]
    assert span_of([ALERT], blocks) == Span(ALERT.first_seen, f"2026-11-24T{ends}:00:00.000Z", blocked)
