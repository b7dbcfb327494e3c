"""What the model may learn from a batch: first contacts, what detectors count, and how high evidence rises in a day.

Taste and rates are learned from calm principals alone, and from one principal no more than a quota a day, so that
nobody teaches the model that scraping is ordinary. What makes whoever does it look odd at once would so be learned of
nobody, and be taken for unheard of: a detector names such rows, few of each principal, and these count. A day's peak of
a principal's evidence is counted where it stands and moved as it rises; beyond the limit of an alert it is not
followed, lest scrapers stretch the tail that the limit is fitted to.

Who adds to a group that was found goes into the next model as suspect: members lie in other partitions than
their group.
"""

from collections.abc import Sequence
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from detectors.core.compiled import compiled
from detectors.core.model import PEAK_STEP, PEAKS, certainly
from schemas.actor import Scope
from streams.pipeline.actors.table import Table
from streams.pipeline.assess.view import Own
from streams.pipeline.model.learner import Learner
from streams.pipeline.model.models import PEAKS_OF, PRINCIPALS
from streams.pipeline.policy.case import Case
from streams.pipeline.policy.finding import Judged
from streams.pipeline.policy.fused import ADDRESSES, EVERYBODY, population
from streams.pipeline.rows import Rows

N = TypeVar("N", bound=np.generic)

LESSONS_A_DAY: Final = 200
"""Sightings of one principal that detectors learn from on one day."""
CALM_SHARE: Final = 0.6
"""Share of what an alert needs from which a principal teaches nothing."""
SUSPECTS: Final = "suspects"
"""Name under which a detector says, in its numbers, that a sighting's member is suspect should the group be found."""
TEACHES: Final = "teaches"
"""Likewise, that a lesson counts even of a principal that is not calm."""
_DAY_US: Final = 86_400_000_000


@compiled
def _within_quota(
    principal: NDArray[np.int32],
    wanted: NDArray[np.bool_],
    time_us: NDArray[np.int64],
    lesson_day: NDArray[np.uint16],
    lessons: NDArray[np.uint16],
    most: int,
) -> tuple[NDArray[np.bool_], int]:
    """Rows that may teach, and how many principals were met for the first time on their day."""
    out = np.zeros(principal.size, np.bool_)
    new = 0
    for i in range(principal.size):
        p = principal[i]
        if p < 0:
            continue
        day = time_us[i] // _DAY_US
        if day > lesson_day[p]:
            lesson_day[p], lessons[p] = day, 0
            new += 1
        if wanted[i] and lessons[p] < most:
            lessons[p] += 1
            out[i] = True
    return out, new


def teach(learner: Learner, rows: Rows, case: Case, principals: Table, tiers: Sequence[str], *, learned: bool) -> None:
    """Take what one batch teaches; ``principals`` keep count of what each has taught today.

    ``learned``: the batch was judged by a model that knows people.
    """
    popularity, teaches = case.columns.popularity, case.aggregates.teaches
    calm = np.ones(len(rows), np.bool_)
    for one in case.judged:
        calm[one.rows((~(one.said.level < one.detector.learns_below)).nonzero()[0])] = False
    learner.learn(rows.profile[teaches], popularity[teaches], calm[teaches])
    _teach_detectors(learner, case, principals)
    _teach_suspects(learner, rows, case)
    # By the empty model hardly anything is evidence: peaks of such days would make the limits too low.
    if learned:
        _teach_peaks(learner, case, tiers)


def _teach_detectors(learner: Learner, case: Case, principals: Table) -> None:
    own, kept = case.fused.own, principals.columns
    calm = case.fused.fused.total[:, 0] < CALM_SHARE * case.fused.alert
    for one in case.judged:
        calm &= _of_own(one, one.said.level, own) < 1.0
    offered, lessons = np.zeros(own.rows.size, np.bool_), []
    for one in case.judged:
        named = one.said.numbers.get(TEACHES)
        counts = calm if named is None else calm | (_of_own(one, named, own) > 0)
        for table, places in one.said.lessons.items():
            lessons.append((one.detector, table, np.where(counts, _of_own(one, places, own), -1)))
            offered |= lessons[-1][2] >= 0
    taken, new = _within_quota(
        own.columns.principal_slot, offered, own.columns.time_us, kept["lesson_day"], kept["lessons"], LESSONS_A_DAY
    )
    learner.count(PRINCIPALS, 1, np.zeros(new, np.int64))
    for detector, table, places in lessons:
        learner.count(f"{detector.name}.{table}", detector.lessons[table], places[taken])


def _of_own(one: Judged, values: NDArray[N], own: Own) -> NDArray[N]:
    return values if one.own else values[own.rows]


def _teach_suspects(learner: Learner, rows: Rows, case: Case) -> None:
    for one in case.judged:
        if SUSPECTS in one.said.numbers:
            how = np.where(one.said.level >= 1.0, one.said.numbers[SUSPECTS], 0.0)
            for least, mark in ((1.0, np.positive), (2.0, certainly)):
                learner.suspect(mark(rows.principal[one.rows(np.flatnonzero(how >= least))]))


def _teach_peaks(learner: Learner, case: Case, tiers: Sequence[str]) -> None:
    fused, columns = case.fused.fused, case.fused.own.columns
    rose = np.flatnonzero(fused.peak >= 0)
    if not rose.size:
        return
    most = (case.fused.alert[rose] / PEAK_STEP).astype(np.int64)
    now, before = np.minimum(fused.peak[rose], most), np.minimum(fused.peak_before[rose], most)
    moved = now > before
    rose, now, before = rose[moved], now[moved], before[moved]
    account = columns.scope[rose] == Scope.ACCOUNT.value
    groups = {ADDRESSES: ~account, EVERYBODY: np.ones(rose.size, np.bool_)}
    for tier in np.unique(columns.tier[rose[account]]).tolist():
        groups[population(Scope.ACCOUNT, tiers[tier])] = account & (columns.tier[rose] == tier)
    for name, which in groups.items():
        learner.count(f"{PEAKS_OF}{name}", PEAKS, now[which])
        learner.count(f"{PEAKS_OF}{name}", PEAKS, before[which], -1)
