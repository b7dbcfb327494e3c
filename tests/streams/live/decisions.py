"""Decisions as a worker sends them."""

from typing import Final

from schemas.actor import Actor
from schemas.alert import Alert, AlertMode, AlertStatus, Members, Severity
from schemas.block import Action, Block, BlockMode, BlockStatus, Collateral
from schemas.event_time import format_time
from schemas.exposure import Exposure
from schemas.finding import Finding

ACTOR: Final = Actor("account", "u-4711-somebody")
MADE_US: Final = 1_764_000_000_000_000
"""Of the event that made them."""


def alert(status: AlertStatus = AlertStatus.OPEN) -> Alert:
    """On one account, because of two detectors."""
    made = format_time(MADE_US)
    return Alert(
        id="0" * 32,
        incident="1" * 32,
        status=status,
        mode=AlertMode.ENFORCE,
        severity=Severity.HIGH,
        confidence=0.9,
        actor=ACTOR,
        members=Members(0, []),
        event_time=made,
        decided_at=made,
        watermark=made,
        first_seen=made,
        complete=True,
        findings=[Finding(name, 0.9, "why", {}) for name in ("long_tail", "id_walk")],
        exposure=Exposure(231, True),
        controls=[],
        config="sha256:" + "0" * 16,
        model="2025-11-24T15",
    )


def block(status: BlockStatus = BlockStatus.ACTIVE) -> Block:
    """Of the same account."""
    made = format_time(MADE_US)
    return Block(
        id="2" * 32,
        incident="1" * 32,
        actor=ACTOR,
        action=Action.BLOCK,
        mode=BlockMode.ENFORCE,
        status=status,
        event_time=made,
        decided_at=made,
        until=format_time(MADE_US + 3_600_000_000),
        detectors=["id_walk", "long_tail"],
        reason="why",
        public_reason="too many profiles",
        exposure=Exposure(231, True),
        collateral=Collateral(1),
        config="sha256:" + "0" * 16,
        model="2025-11-24T15",
    )
