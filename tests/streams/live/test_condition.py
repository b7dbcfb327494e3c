"""When a worker is degraded, and what it tells of it."""

import asyncio
import logging
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Final, cast

import pytest

from schemas import topic
from schemas.audit import AUDIT_CODEC, Audit, AuditKind, DegradedReason
from streams.live.auditing import Auditing, worker_name
from streams.live.condition import CALM_LOOKS, Condition, Signals
from streams.live.sending import Outgoing, Sender
from streams.live.tally import Tally
from streams.pipeline.assess.outcome import Outcome

LAG: Final = {DegradedReason.LAGGING: "far behind"}
FLOOD: Final = {DegradedReason.DEAD_LETTER_FLOOD: "one held"}
US: Final = 1_000_000


def condition() -> Condition:
    """Of a worker that has just begun."""
    return Condition("worker:here:1", "sha256:00")


def kinds(one: Condition, *looks: dict[DegradedReason, str]) -> list[AuditKind | None]:
    """What each look told."""
    entries = [one.look(causes, at) for at, causes in enumerate(looks)]
    return [None if entry is None else entry.kind for entry in entries]


def test_told_once() -> None:
    """What is wrong is told at once, and not again while it stays so."""
    one = condition()
    assert kinds(one, {}, LAG, LAG, LAG) == [None, AuditKind.DEGRADED, None, None]
    assert one.reasons


def test_recovers_after_calm() -> None:
    """It has recovered when the reason has not been seen for so many looks, and not one earlier."""
    one = condition()
    assert kinds(one, LAG, *[{}] * (CALM_LOOKS - 1)) == [AuditKind.DEGRADED] + [None] * (CALM_LOOKS - 1)
    assert one.reasons
    assert kinds(one, {}) == [AuditKind.RECOVERED]
    assert not one.reasons


def test_coming_and_going_is_one_state() -> None:
    """A reason that comes again before that begins the wait anew."""
    one = condition()
    assert kinds(one, LAG, *[{}] * (CALM_LOOKS - 1), LAG, *[{}] * (CALM_LOOKS - 1)).count(None) == 2 * CALM_LOOKS - 1


def test_another_reason_is_told() -> None:
    """More reasons, and fewer, are entries of their own, each with all that holds."""
    one = condition()
    first, second = one.look(LAG, 0), one.look(FLOOD | LAG, 1)
    assert first is not None
    assert second is not None
    assert [cause.reason for cause in second.causes] == [DegradedReason.LAGGING, DegradedReason.DEAD_LETTER_FLOOD]
    assert first.id != second.id
    for at in range(CALM_LOOKS):
        last = one.look(FLOOD, 2 + at)
    assert last is not None
    assert (last.kind, [cause.detail for cause in last.causes]) == (AuditKind.DEGRADED, ["one held"])


@pytest.mark.parametrize(
    ("signals", "reason"),
    [
        (Signals(lag_us=60 * US + 1), DegradedReason.LAGGING),
        (Signals(blocks_withheld=1), DegradedReason.BLOCKS_WITHHELD),
        (Signals(older_model=1), DegradedReason.OLDER_MODEL),
        (Signals(held=1), DegradedReason.DEAD_LETTER_FLOOD),
        (Signals(rebuilding=1), DegradedReason.REBUILDING),
    ],
)
def test_causes(signals: Signals, reason: DegradedReason) -> None:
    """Each signal is one reason."""
    assert list(signals.causes(60)) == [reason]


def test_no_cause() -> None:
    """A lag within the limit, any lag without one, and nothing at all."""
    assert Signals(lag_us=60 * US).causes(60) == Signals(lag_us=10**12).causes(0) == Signals().causes(60) == {}


def test_every_reason_is_looked_for() -> None:
    """None is only declared."""
    assert set(Signals(10**12, 1, 1, 1, 1).causes(60)) == set(DegradedReason)


def test_tally_notices() -> None:
    """The worst lag since the last look, older models and withheld blocks; what was noticed is noticed once."""
    tally = Tally()
    tally.reached(5 * US, 95 * US, impatient=False)
    tally.reached(90 * US, 95 * US, impatient=True)
    tally.reached(None, 95 * US, impatient=False)
    tally.decided(Outcome(), withheld=3)
    assert tally.noticed() == Signals(lag_us=90 * US, blocks_withheld=3, older_model=1)
    assert tally.noticed() == Signals()
    assert tally.caution["blocks_withheld"] == 3


def test_auditing(caplog: pytest.LogCaptureFixture) -> None:
    """A look that changes the condition is one record in the audit, keyed by the worker, and one line in the log."""
    sent: list[Outgoing] = []

    async def send(records: Sequence[Outgoing]) -> None:
        sent.extend(records)

    tally = Tally()
    auditing = Auditing(cast(Sender, SimpleNamespace(send=send)), condition(), tally, 60, lambda: 7 * US)
    held = [2, *[0] * CALM_LOOKS]
    auditing.held = lambda: held.pop(0)
    with caplog.at_level(logging.WARNING):
        for _ in range(1 + CALM_LOOKS):
            asyncio.run(auditing.look())
    entries: list[Audit] = [AUDIT_CODEC.decode(record.value or b"") for record in sent]
    assert [entry.kind for entry in entries] == [AuditKind.DEGRADED, AuditKind.RECOVERED]
    assert {(record.topic, record.key) for record in sent} == {(topic.AUDIT.name, b"worker:here:1")}
    assert caplog.messages == ["degraded: dead_letter_flood, source partitions held: 2", "no longer degraded"]
    assert not auditing._condition.reasons


def test_worker_name() -> None:
    """Two processes of a machine have two names."""
    kind, _, process = worker_name().split(":")
    assert (kind, process.isdecimal()) == ("worker", True)
