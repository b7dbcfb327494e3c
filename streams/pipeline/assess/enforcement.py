"""Blocks fed back: in a replay a blocked actor is denied from the very event that made the decision.

Live, enforcement happens elsewhere and shows in what is requested. Recorded requests know nothing of Weir's blocks,
so a replay cuts its rows behind the event of a block, puts the actors back to where they stood, judges what came
before the cut once more, and denies what the blocked actor asks for behind it. The cut depends on the decision alone,
not on batches.
"""

from collections.abc import Callable, Generator, Iterator
from typing import Final, TypeGuard

import numpy as np
from numpy.typing import NDArray

from schemas.actor import Scope
from schemas.block import Action, Block, BlockMode, BlockStatus
from schemas.event_time import parse_time_us
from schemas.sighting import Flag, Kind
from streams.pipeline.actors.saved import restore, save
from streams.pipeline.assess.assessor import Assessor, judge_rows
from streams.pipeline.assess.outcome import Knowledge
from streams.pipeline.policy.case import Case
from streams.pipeline.policy.decide import Decision
from streams.pipeline.rows import Rows

STEP_ROWS: Final = 16_384
"""Rows judged between two cuts at most: what a cut costs to judge again."""
FIRST_ROWS: Final = 2_048
"""Right behind a cut, where the next one is near; twice as many at each step."""

_PRINCIPAL_OR_MISS: Final = int(Flag.PRINCIPAL | Flag.MISS)

DECIDED: Final = ("times_blocked", "block_ended_us")
"""Columns that decisions write: putting the actors back must not undo them."""

Seen = Callable[[Rows, bool], None]
"""Told of rows, some at a time, when they are judged (True) or denied (False)."""


class Enforcement:
    """Takes the place of `assess.judge_rows` in a replay of one partition."""

    def __init__(self, seen: Seen, *, enforce: bool) -> None:
        """``enforce`` false judges the same way and denies nothing."""
        self._seen = seen
        self._enforce = enforce
        self._step_rows = FIRST_ROWS

    def __call__(
        self, assessor: Assessor, rows: Rows, known: Knowledge, decided_us: Callable[[], int]
    ) -> Iterator[Decision]:
        """Judge ``rows`` in order, denying what blocks deny."""
        cuts, start = self._enforce and assessor.enforces, 0
        while start < len(rows):
            end = rows.event_end(min(start + min(self._step_rows, STEP_ROWS), len(rows)) - 1) if cuts else len(rows)
            self._step_rows = min(2 * self._step_rows, STEP_ROWS)
            start += yield from self._step(assessor, rows.pick(slice(start, end)), known, decided_us, cuts)

    def _step(
        self, assessor: Assessor, whole: Rows, known: Knowledge, decided_us: Callable[[], int], cuts: bool
    ) -> Generator[Decision, None, int]:
        """Judge up to the end of the event that a block begins with; returns how many of the rows that were."""
        denied = _denied(assessor, whole)
        if not (cuts or denied.any()):
            # Nothing can begin a block: no row is judged twice, so what was known of its actor need not be copied.
            yield from judge_rows(assessor, whole, known, decided_us)
            self._seen(whole, True)
            return len(whole)
        allowed = np.flatnonzero(~denied)
        rows = whole.pick(allowed)
        cut = len(rows)
        if cut:
            cut = yield from self._judge(assessor, rows, known, decided_us)
        used = len(whole) if cut == len(rows) else int(allowed[cut])
        refused = np.ones(used, np.bool_)
        refused[allowed[:cut]] = False
        for seen, was_allowed in ((whole.pick(slice(0, used)).pick(refused), False), (rows.pick(slice(0, cut)), True)):
            if len(seen):
                self._seen(seen, was_allowed)
        return used

    def _judge(
        self, assessor: Assessor, rows: Rows, known: Knowledge, decided_us: Callable[[], int]
    ) -> Generator[Decision, None, int]:
        saved = save(assessor.actors, rows)
        evaluation = assessor.evaluate(rows, known.model)
        cut = len(rows)
        blocked: dict[int, int] = {}
        for candidate in evaluation.candidates.T:
            row = int(candidate[0])
            if row >= cut:
                break
            for decision in assessor.decide(evaluation, candidate, known, decided_us()):
                yield decision
                if self._enforce and begins_block(decision):
                    blocked[_slot_of(evaluation.case, row, decision)] = parse_time_us(decision.until)
                    cut = min(cut, rows.event_end(row))
        columns = assessor.actors.columns
        decided = {name: [columns[name][slot] for slot in blocked] for name in DECIDED}
        if cut < len(rows):
            restore(assessor.actors, saved)
            self._step_rows = FIRST_ROWS
            evaluation = assessor.evaluate(rows.pick(slice(0, cut)), known.model)
        for name, values in decided.items():
            assessor.actors.columns[name][list(blocked)] = values
        assessor.actors.columns["denied_until_us"][list(blocked)] = list(blocked.values())
        assessor.learn(rows.pick(slice(0, cut)), evaluation)
        return cut


def _denied(assessor: Assessor, rows: Rows) -> NDArray[np.bool_]:
    """Rows of events one of whose actors is blocked, by Weir or by an operator."""
    hit: NDArray[np.bool_] = rows.time_us < assessor.actors.columns["denied_until_us"][rows.slot]
    for order in assessor.overruling.overrides.orders(int(rows.time_us[0])):
        if order.actor is not None and order.action is Action.BLOCK:
            since_us, until_us = parse_time_us(order.since), parse_time_us(order.until or order.since)
            within = (rows.time_us >= since_us) & (rows.time_us < until_us)
            hit |= within & np.isin(rows.slot, assessor.actors.find(order.actor))
    return hit if not hit.any() else np.logical_or.reduceat(hit, _event_starts(rows))[_event_numbers(rows)]


def begins_block(decision: Decision) -> TypeGuard[Block]:
    """The decision denies requests."""
    if not isinstance(decision, Block) or decision.status is not BlockStatus.ACTIVE:
        return False
    return decision.mode is BlockMode.ENFORCE and decision.action is Action.BLOCK


def _slot_of(case: Case, row: int, block: Block) -> int:
    """Slot of the actor that a decision at ``row`` blocks: the row's own, or the session behind it."""
    narrowed = block.actor.scope == Scope.SESSION.label and case.columns.scope[row] == Scope.ACCOUNT.value
    return int(case.sessions.slot[row] if narrowed else case.columns.slot[row])


def _new_event(rows: Rows) -> NDArray[np.bool_]:
    new = np.ones(len(rows), np.bool_)
    # A record may hold several events, which share its offset.
    columns = (rows.offset, rows.source, rows.time_us, rows.principal)
    new[1:] = np.logical_or.reduce([column[1:] != column[:-1] for column in columns])
    return new


def _event_starts(rows: Rows) -> NDArray[np.int64]:
    return np.flatnonzero(_new_event(rows))


def _event_numbers(rows: Rows) -> NDArray[np.int64]:
    return np.cumsum(_new_event(rows)) - 1


def principals(rows: Rows) -> Rows:
    """One row for each profile that a response disclosed: that of the principal."""
    own: NDArray[np.bool_] = (rows.flags & _PRINCIPAL_OR_MISS) == Flag.PRINCIPAL.value
    return rows.pick(own & (rows.kind < Kind.TOUCH.value))
