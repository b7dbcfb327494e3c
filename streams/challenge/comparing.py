"""Whom the live set and the challenger have blocked and alerted on, and in whom the two differ.

Both sides are known from before the comparison begins, as far as it still holds: whom one side had blocked before, and
the other blocks now, is no difference in whom. An actor is told of once either side has said something since then.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import msgspec

from schemas.alert import Alert, AlertMode, AlertStatus, Severity
from schemas.block import Action, Block, BlockMode, BlockStatus
from streams.offline.difference import BOTH, ONLY_FIRST, ONLY_SECOND, Compared, Difference, Outcome, compared

Kind = Literal["block", "alert"]
KINDS: Final[tuple[Kind, ...]] = ("block", "alert")
ALIKE: Final = "alike"
LIVE: Final = "live"
CHALLENGER: Final = "challenger"
BY: Final[Mapping[str, str]] = {ONLY_FIRST: LIVE, ONLY_SECOND: CHALLENGER, BOTH: BOTH}
ACTORS_MAX: Final = 200_000
"""Of each side and kind; some 200 MB for both sides of both. Whoever comes later is counted, not told of."""


class Row(msgspec.Struct):
    """One actor to whom the two do not say the same: a line of ``difference.ndjson``."""

    kind: Kind
    actor: str
    by: str
    """``live`` or ``challenger``, where only one says anything; ``both`` at another time, or with another action."""
    live: Outcome | None
    """For an alert the action is the severity, the highest."""
    challenger: Outcome | None


@dataclass(slots=True)
class Said:
    """What one side says to one actor."""

    outcome: Outcome
    last: str
    """Event time of what it said last."""
    until: str
    """When a block ends; of an alert empty, and once its incident has ended `last`."""
    seen_s: float
    """When it was first known here, by the monotonic clock."""


@dataclass(slots=True)
class Side:
    """One of the two."""

    by_kind: dict[Kind, dict[str, Said]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    revisions: dict[str, str] = field(default_factory=dict)
    """Under which it has spoken, with the event time of what it said last under each."""
    cut: int = 0
    """Words on actors too many."""

    def take(self, decision: Alert | Block, now_s: float) -> None:
        """Take a decision; what is in shadow is none, and a block by an operator is no set's."""
        if isinstance(decision, Alert):
            self._alert(decision, now_s)
        elif decision.mode is BlockMode.ENFORCE and decision.status is BlockStatus.ACTIVE and decision.detectors:
            rank = Action(decision.action).rank
            outcome = Outcome(
                decision.action.value,
                decision.event_time,
                decision.detectors,
                decision.reason,
                decision.exposure.profiles,
            )
            known = self._said("block", decision, outcome, now_s)
            if known is not None:
                known.until = max(known.until, decision.until)
                if rank > Action(known.outcome.action).rank:
                    known.outcome.action = decision.action.value

    def _alert(self, alert: Alert, now_s: float) -> None:
        if alert.mode is AlertMode.SHADOW:
            return
        alerts = self.by_kind["alert"]
        if alert.status is AlertStatus.CLOSED:
            if alert.actor.key in alerts:
                alerts[alert.actor.key].until = alert.event_time
            return
        names, reason = [one.detector for one in alert.findings], alert.findings[0].reason if alert.findings else ""
        outcome = Outcome(alert.severity.value, alert.event_time, names, reason, alert.exposure.profiles)
        known = self._said("alert", alert, outcome, now_s)
        if known is not None:
            known.until = ""
            if alert.severity.rank > Severity(known.outcome.action).rank:
                known.outcome.action = alert.severity.value

    def _said(self, kind: Kind, decision: Alert | Block, outcome: Outcome, now_s: float) -> Said | None:
        """What is known of the actor, with another word in it; None for one too many."""
        said, key = self.by_kind[kind], decision.actor.key
        self.revisions[decision.config] = max(self.revisions.get(decision.config, ""), decision.event_time)
        known = said.get(key)
        if known is None:
            if len(said) >= ACTORS_MAX:
                self.cut += 1
                return None
            known = said[key] = Said(outcome, decision.event_time, "", now_s)
        known.last = max(known.last, decision.event_time)
        return known

    def revisions_since(self, since: str) -> list[str]:
        """Revisions under which it has said something from ``since`` on."""
        return sorted(revision for revision, last in self.revisions.items() if last >= since)

    def forget(self, since: str) -> None:
        """Forget what had ended by ``since``."""
        for said in self.by_kind.values():
            for key in [key for key, one in said.items() if one.until and max(one.until, one.last) < since]:
                del said[key]


@dataclass(slots=True)
class Comparison:
    """The two sides."""

    live: Side = field(default_factory=Side)
    challenger: Side = field(default_factory=Side)
    since: str = ""
    """Event time from which on they are compared; empty before that is known."""

    def begin(self, since: str) -> None:
        """Compare from ``since`` on."""
        self.since = since
        self.live.forget(since)
        self.challenger.forget(since)

    def compared(self, kind: Kind, settled_s: float) -> tuple[Compared, int]:
        """In whom they differ, and of how many that is not known yet.

        Only one has spoken of those, and after ``settled_s`` by the monotonic clock: the other may be on its way.
        """
        sides = self.live.by_kind[kind], self.challenger.by_kind[kind]
        actors = {key for said in sides for key, one in said.items() if one.last >= self.since}
        first, second = ({key: said[key].outcome for key in actors & said.keys()} for said in sides)
        found = compared(first, second)
        certain = [one for one in found.differences if not self._fresh(kind, one, settled_s)]
        return Compared(found.same, certain), len(found.differences) - len(certain)

    def _fresh(self, kind: Kind, one: Difference, settled_s: float) -> bool:
        if one.by == BOTH:
            return False
        side = self.live if one.second is None else self.challenger
        return side.by_kind[kind][one.actor].seen_s > settled_s


def rows(kind: Kind, found: Compared) -> Iterator[Row]:
    """Each difference as the report has it."""
    for one in found.differences:
        yield Row(kind, one.actor, BY[one.by], one.first, one.second)


def counts(found: Compared) -> dict[str, int]:
    """Actors by who has said something: ``alike``, ``both`` otherwise, only ``live``, only ``challenger``."""
    numbers = dict.fromkeys((ALIKE, BOTH, LIVE, CHALLENGER), 0)
    numbers[ALIKE] = found.same
    for one in found.differences:
        numbers[BY[one.by]] += 1
    return numbers
