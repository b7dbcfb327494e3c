"""What evidence is enough for: nothing, a challenge, a block; in which mode, and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from schemas.block import BlockMode
from schemas.mode import Mode
from streams.pipeline.policy.case import Case
from streams.pipeline.policy.finding import Judged

SUM_PUBLIC_REASON: Final = "unusual use of profiles"


@dataclass(frozen=True, slots=True)
class Measure:
    """An answer to evidence, before anybody asks whom it would hurt."""

    mode: BlockMode
    blocks: bool
    """Enough for a block; else for a challenge."""
    reasons: Mapping[str, str]
    """By detector."""
    public_reasons: frozenset[str]


def measure_of(case: Case, speaking: Sequence[Judged], row: int, challenge_at_alert: bool) -> Measure | None:
    """The answer to what speaks at ``row``; None where it is enough for an alert and no more."""
    strong = [one for one in speaking if one.blocks(row)]
    together = case.fused.blocks(row)
    found = []
    if strong or together is not None:
        found.append(_measure(case, strong, together, row, blocks=True))
    milder = [one for one in speaking if one.detector.challenges]
    together = case.fused.mode(row)
    if challenge_at_alert and (milder or together is not None):
        found.append(_measure(case, milder, together, row, blocks=False))
    # What is enforced goes before what would be, and a block before a challenge.
    return max(found, key=lambda one: (one.mode is BlockMode.ENFORCE, one.blocks), default=None)


def _measure(case: Case, speaking: Sequence[Judged], together: Mode | None, row: int, *, blocks: bool) -> Measure:
    enforced = [one for one in speaking if one.mode is Mode.ENFORCE]
    enforce = bool(enforced) or together is Mode.ENFORCE
    chosen = enforced if enforce else speaking
    why = {one.detector.name: one.explain(case.columns, row) for one in chosen}
    reasons = {name: one.reason for name, one in why.items()}
    public = {one.public_reason for one in why.values()}
    if together is not None and (together is Mode.ENFORCE or not enforce):
        whole = case.fused.reason(row)
        reasons |= {name: whole for name in case.fused.parts(row) if name not in reasons}
        public |= set() if public else {SUM_PUBLIC_REASON}
    mode = BlockMode.ENFORCE if enforce else BlockMode.SHADOW
    return Measure(mode, blocks, reasons, frozenset(public))
