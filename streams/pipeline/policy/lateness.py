"""Which decisions come too late to be sent.

A block says what is to be done now. One that is decided long after its event, since Weir lagged or caught up, stops a
scraper that may be gone and hits whoever has the address by then. Alerts are for people, who see in `event_time`,
`decided_at` and `watermark` how late they are: they are always sent, and so is whatever ends a block. An operator's
block, which names no detector, is as old as the operator's word and holds until its end.
"""

from collections.abc import Sequence

from schemas.block import Block, BlockStatus
from schemas.event_time import format_time
from streams.pipeline.policy.decide import Decision


def timely(decisions: Sequence[Decision], now_us: int, age_max_us: int) -> list[Decision]:
    """What is to be sent, in order; ``age_max_us`` 0 withholds nothing.

    State and ids know nothing of it: the block counts as decided, and its incident goes on.
    """
    if not age_max_us:
        return list(decisions)
    # Times in records are text and sort as the times do.
    now, oldest = format_time(now_us), format_time(max(now_us - age_max_us, 0))
    return [decision for decision in decisions if not _is_late(decision, now, oldest)]


def _is_late(decision: Decision, now: str, oldest: str) -> bool:
    return (
        isinstance(decision, Block)
        and decision.status is BlockStatus.ACTIVE
        and (decision.until <= now or (bool(decision.detectors) and decision.event_time < oldest))
    )
