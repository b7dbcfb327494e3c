"""Blocks fed back: in a replay a blocked actor is denied from the very event that made the decision.

Live, enforcement happens elsewhere and shows in what is requested. Recorded requests know nothing of Weir's blocks,
so a replay cuts its rows behind the event of a block, puts the actors back to where they stood, judges what came
before the cut once more, and denies what the blocked actor asks for behind it. The cut depends on the decision alone,
not on batches.
"""

from collections.abc import Callable, Iterator
from typing import Final, TypeGuard

import numpy as np
from numpy.typing import NDArray

from schemas.block import Action, Block, BlockMode
from schemas.event_time import parse_time_us
from schemas.sighting import Flag
from streams.pipeline.actors.saved import restore, save
from streams.pipeline.assess.assessor import Assessor, Knowledge
from streams.pipeline.policy.decide import Decision
from streams.pipeline.rows import Rows

STEP_ROWS: Final = 4096
"""Rows judged between two cuts at most: what a cut costs to judge again."""

Seen = Callable[[Rows, bool], None]
"""Told of rows, some at a time, when they are judged (True) or denied (False); denied ones may come early."""


class Enforcement:
    """Takes the place of `assess.judge_rows` in a replay of one partition."""

    def __init__(self, seen: Seen, *, enforce: bool) -> None:
        """``enforce`` false judges the same way and denies nothing."""
        self._seen = seen
        self._enforce = enforce

    def __call__(
        self, assessor: Assessor, rows: Rows, known: Knowledge, decided_us: Callable[[], int]
    ) -> Iterator[Decision]:
        """Judge ``rows`` in order, denying what blocks deny."""
        start = 0
        while start < len(rows):
            end = rows.event_end(min(start + STEP_ROWS, len(rows)) - 1)
            yield from self._step(assessor, rows.pick(slice(start, end)), known, decided_us)
            start = end

    def _step(
        self, assessor: Assessor, rows: Rows, known: Knowledge, decided_us: Callable[[], int]
    ) -> Iterator[Decision]:
        while len(rows):
            rows = self._admit(assessor, rows)
            if not len(rows):
                return
            saved = save(assessor.actors, np.unique(rows.slot))
            evaluation = assessor.evaluate(rows, known.popularity)
            cut = len(rows)
            blocked: dict[int, int] = {}
            for candidate in evaluation.candidates.T:
                row = int(candidate[0])
                if row >= cut:
                    break
                for decision in assessor.decide(evaluation, candidate, known, decided_us()):
                    yield decision
                    if self._enforce and begins_block(decision):
                        blocked[int(rows.slot[row])] = parse_time_us(decision.until)
                        cut = min(cut, rows.event_end(row))
            if cut < len(rows):
                restore(assessor.actors, saved)
                evaluation = assessor.evaluate(rows.pick(slice(0, cut)), known.popularity)
            for slot, until_us in blocked.items():
                assessor.actors.columns["denied_until_us"][slot] = until_us
            assessor.learn(rows.pick(slice(0, cut)), evaluation)
            self._seen(rows.pick(slice(0, cut)), True)
            rows = rows.pick(slice(cut, None))

    def _admit(self, assessor: Assessor, rows: Rows) -> Rows:
        """Rows of events none of whose actors is blocked."""
        hit = rows.time_us < assessor.actors.columns["denied_until_us"][rows.slot]
        if not hit.any():
            return rows
        denied = np.logical_or.reduceat(hit, _event_starts(rows))[_event_numbers(rows)]
        self._seen(rows.pick(denied), False)
        return rows.pick(~denied)


def begins_block(decision: Decision) -> TypeGuard[Block]:
    """The decision denies requests."""
    return isinstance(decision, Block) and decision.mode is BlockMode.ENFORCE and decision.action is Action.BLOCK


def _new_event(rows: Rows) -> NDArray[np.bool_]:
    new = np.ones(len(rows), np.bool_)
    new[1:] = (rows.offset[1:] != rows.offset[:-1]) | (rows.source[1:] != rows.source[:-1])
    return new


def _event_starts(rows: Rows) -> NDArray[np.int64]:
    return np.flatnonzero(_new_event(rows))


def _event_numbers(rows: Rows) -> NDArray[np.int64]:
    return np.cumsum(_new_event(rows)) - 1


def principals(rows: Rows) -> Rows:
    """One row for each profile that a response disclosed: that of the principal."""
    return rows.pick((rows.flags & (Flag.PRINCIPAL | Flag.MISS)) == Flag.PRINCIPAL)
