"""The span of an incident whose members are looked for."""

from typing import Final

import msgspec
import pytest

from schemas.alert import ALERT_CODEC, AlertStatus
from schemas.block import BLOCK_CODEC, Action, BlockMode
from streams.offline.evidence import Span, span_of
from tests.contract.golden_file import lines

ALERT: Final = msgspec.structs.replace(
    ALERT_CODEC.decode(lines("alert.v1")[0]),
    status=AlertStatus.OPEN,
    first_seen="2026-11-24T09:00:00.000Z",
    event_time="2026-11-24T11:00:00.000Z",
)
BLOCK: Final = BLOCK_CODEC.decode(lines("block.v1")[0])


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
            BLOCK, action=Action(action), mode=BlockMode(mode), event_time=f"2026-11-24T{time}:00.000Z"
        )
        for time, action, mode in said
    ]
    assert span_of([ALERT], blocks) == Span(ALERT.first_seen, f"2026-11-24T{ends}:00:00.000Z", blocked)
