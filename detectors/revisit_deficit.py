"""Nothing seen twice: who opens profile after profile and never one again.

Seen: whether a view shows somebody new to the principal or somebody met before, among people with as many views behind
them. People do return, to friends, colleagues and whoever they just read about, the more so the longer they are here;
a scraper that has a profile has no use for it any more. Each view adds the log-likelihood ratio of "new in 97 of 100"
against what calm principals do, by views so far; the sum is floored at zero and decays by half in 3.5 days.

The people's side is learned (``visits``) and mixed with the other one, the least favourable honest person. Some
people never return, so it counts up to ``cap`` in the sum over all detectors and speaks by itself of nobody.

Blind spots: whoever opens known profiles again on purpose, which costs a scraper one request in five; the first day,
before anything is learned; principals whose earlier contacts were forgotten.

Source: Wald 1945, Page 1954; bins and constants tried on simulated days. It hardly pays: leave it out with ``cap = 0``.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Final, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.core.columns import Columns
from detectors.core.compiled import compiled
from detectors.core.contract import Detector, DetectorConfig, Evidence, Explanation, State
from detectors.core.evidence import SUM_COLUMNS, habit
from detectors.core.model import Model

VIEWS: Final = (3, 6, 11, 21, 41)
"""Views so far, from 1 on, at which the next bin begins."""
BINS: Final = len(VIEWS) + 1
NEW: Final = 0.97
"""Share of a scraper's views that show somebody new."""
MIX: Final = 0.3
"""Share of the scraper's side mixed into the people's."""
PRIOR: Final = 500.0
"""Views as a scraper's that are added to those learned in each bin: before any are learned, nothing speaks."""


class Config(DetectorConfig, frozen=True, kw_only=True):
    """``[detectors.revisit_deficit]``."""

    cap: Annotated[float, msgspec.Meta(ge=0.0)] = 3.0
    """One person in twenty never returns."""
    half_life_s: Annotated[int, msgspec.Meta(ge=3600)] = 302_400


@compiled
def _views_before(slot: NDArray[np.int32], counts: NDArray[np.bool_], seen: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Views so far, up to the begin of the last bin; -1 where a row does not count."""
    before = np.full(slot.size, -1, np.int64)
    for i in range(slot.size):
        if counts[i]:
            before[i] = seen[slot[i]]
            seen[slot[i]] = min(before[i] + 1, VIEWS[-1])
    return before


def ratios(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log-likelihood ratios by place in ``visits``, bin by bin new before again: [12], at most ln(1 / mix).

    Args:
        counts: Views learned of calm principals: [12].
    """
    scraper = np.array([NEW, 1 - NEW])
    learned = counts.reshape(BINS, 2) + PRIOR * scraper
    people = learned / learned.sum(axis=1, keepdims=True)
    ratio: NDArray[np.float64] = np.log(scraper / ((1 - MIX) * people + MIX * scraper)).ravel()
    return ratio


class RevisitDeficit(Detector[Config]):
    """See the module."""

    Config = Config
    reading: ClassVar[bool] = True
    principals_only: ClassVar[bool] = True
    principal_state: ClassVar[Mapping[str, str]] = {
        **SUM_COLUMNS,
        "views": "u1",
    }
    lessons: ClassVar[Mapping[str, int]] = {"visits": 2 * BINS}
    control: ClassVar[str] = "R4"
    blind_spots: ClassVar[tuple[str, ...]] = (
        "whoever opens known profiles again on purpose",
        "the first day of a deployment, before a model is learned",
        "people who never return look the same",
    )

    def judge(self, columns: Columns, state: State, model: Model) -> Evidence:
        """Level zero; the sum of what new and known profiles say goes into the sum over all detectors."""
        before = _views_before(columns.principal_slot, columns.viewed(), cast("NDArray[np.uint8]", state["views"]))
        counts = before > 0
        place = 2 * np.searchsorted(VIEWS, before, side="right") + ~columns.first
        llr = np.where(counts, ratios(model.counts(f"{self.name}.visits", 2 * BINS))[place], 0.0)
        numbers, lessons = {"views": np.maximum(before, 0).astype(np.float64)}, {"visits": np.where(counts, place, -1)}
        return habit(columns, counts, llr, self.config.half_life_s, state, numbers, lessons)

    def explain(self, columns: Columns, evidence: Evidence, row: int) -> Explanation:
        """Name the sum, what it counts up to, and what the last view added."""
        nats, llr = float(evidence.numbers["nats"][row]), float(evidence.numbers["llr"][row])
        views = int(evidence.numbers["views"][row])
        return Explanation(
            reason=f"hardly any profile opened twice after {views} views or more: evidence {nats:.1f}, "
            f"counted up to {self.config.cap:.1f}",
            public_reason="hardly any profile opened a second time",
            evidence={
                "log_likelihood_ratio": round(nats, 3),
                "cap": self.config.cap,
                "views_before": views,
                "last_ratio": round(llr, 4),
            },
        )
