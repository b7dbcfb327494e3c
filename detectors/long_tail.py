"""Rarity of first contacts: who looks at what hardly anybody looks at, evenly, again and again.

Seen: the popularity of each profile that an actor meets for the first time. People mostly look at profiles that
others look at too; whoever takes the member base as it comes meets the long tail in the share it has of the members.
Each first contact by a view adds the log-likelihood ratio of "picked uniformly" against "picked as honest people do";
the sum is floored at zero and decays by half in 3.5 days (`core/evidence.py`).

The honest side is mixed with the other one (`mix`), the least favourable honest person, so that one contact has
bounded weight. Search results do not count, the platform picked them. Judged is the principal: the account, else the
address; what many share together is `cohort`'s.

The evidence has a bound: 3 to 6 in a hundred people permanently look as rare in taste as a scraper does, and recruiters
live from it, so it is ground for an alert and never, alone, for a block, and worth at most `cap` beside other evidence.

Blind spots: the first day of a deployment, when nothing has been learned; one account that stays below about 75
profiles a day, among people with a lasting taste for the unknown; whoever takes popular profiles only.

Source: Ro, Han, Im 2018; Page 1954; Wald 1945; constants tried on simulated days of 10,000 people.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Final, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.core.columns import US, Columns
from detectors.core.compiled import compiled
from detectors.core.contract import Detector, DetectorConfig, Evidence, Explanation, Nats, State
from detectors.core.evidence import SUM_COLUMNS, add_up
from detectors.core.floor import PersonNats
from detectors.core.model import PEAK_STEP, PEAKS, Model
from detectors.core.rarity import Share, ratios
from schemas.sighting import Flag

DAY_US: Final = 86_400 * US


class Config(DetectorConfig, frozen=True, kw_only=True):
    """``[detectors.long_tail]``."""

    limit: PersonNats = 19.3
    """Evidence in natural logarithms that an alert on a person needs: 1 in 10,000 honest simulated account-days; below
    12 it would be more than one in some two hundred."""
    budget: Annotated[float, msgspec.Meta(ge=0.0)] = 0.0
    """Honest principals a day that may be alerted on by this alone: once days enough are known, the limit follows from
    them; 0 leaves it at ``limit``."""
    cap: Nats = 7.0
    searching_tiers: tuple[str, ...] = ()
    """Account tiers whose work it is to look for the unknown (recruiters): not judged."""
    mix: Share = 0.5
    """Share of the scraper's side mixed into the honest one; more is more cautious, and a tenth the least."""
    half_life_s: Annotated[int, msgspec.Meta(ge=3600)] = 302_400


@compiled
def _tell_peaks(
    slot: NDArray[np.int32],
    time_us: NDArray[np.int64],
    counts: NDArray[np.bool_],
    total: NDArray[np.float64],
    day: NDArray[np.uint16],
    peak: NDArray[np.uint16],
) -> NDArray[np.int64]:
    """Place of the highest sum of a principal's last day, told at its first contact on a later one; -1 elsewhere."""
    told = np.full(slot.size, -1, np.int64)
    for i in range(slot.size):
        if not counts[i]:
            continue
        s, today = slot[i], time_us[i] // DAY_US
        if today > day[s]:
            told[i] = np.int64(peak[s]) - 1
            day[s], peak[s] = today, 0
        place = min(np.int64(total[i] / PEAK_STEP), np.int64(PEAKS - 1))
        peak[s] = max(np.int64(peak[s]), place + 1)
    return told


class LongTail(Detector[Config]):
    """See the module."""

    Config = Config
    reading: ClassVar[bool] = True
    principals_only: ClassVar[bool] = True
    principal_state: ClassVar[Mapping[str, str]] = {
        **SUM_COLUMNS,
        "day": "u2",
        "peak": "u2",
    }
    lessons: ClassVar[Mapping[str, int]] = {"peaks": PEAKS}
    learns_below: ClassVar[float] = 0.2
    control: ClassVar[str] = "R4"
    blind_spots: ClassVar[tuple[str, ...]] = (
        "the first day of a deployment, before a model is learned",
        "one account below about 75 profiles a day",
        "whoever takes popular profiles only",
    )

    def judge(self, columns: Columns, state: State, model: Model) -> Evidence:
        """Level: the floored sum as a share of the limit; nats: the sum."""
        llr = ratios(model.popularity, self.config.mix)[columns.popularity]
        counts = columns.own & columns.viewed_first() & ~self._searching(columns)
        total, since, contacts = add_up(columns, counts, llr, self.config.half_life_s, state)
        told = _tell_peaks(
            columns.principal_slot,
            columns.time_us,
            counts,
            total,
            cast("NDArray[np.uint16]", state["day"]),
            cast("NDArray[np.uint16]", state["peak"]),
        )
        limit = self.reckon(self._limit, model)
        never = np.zeros(len(columns), np.bool_)
        numbers = {"sum": total, "llr": llr, "limit": np.full(len(columns), limit)}
        lessons = {"peaks": told}
        return Evidence(total / limit, since, contacts, never, numbers, nats=total, moved=counts, lessons=lessons)

    def _limit(self, model: Model) -> float:
        """Evidence that an alert needs: by the budget where enough is known, never below 7."""
        found = model.fit(model.counts(f"{self.name}.peaks", PEAKS), self.config.budget)
        return self.config.limit if found is None else max(found, 7.0)

    def _searching(self, columns: Columns) -> NDArray[np.bool_]:
        tiers = [index for index, tier in enumerate(columns.tiers) if tier in self.config.searching_tiers]
        found: NDArray[np.bool_] = np.isin(columns.tier, tiers) & ((columns.flags & Flag.LOGGED_IN.value) != 0)
        return found

    def explain(self, columns: Columns, evidence: Evidence, row: int) -> Explanation:
        """Name the sum, its limit and the contacts behind it."""
        total, limit = float(evidence.numbers["sum"][row]), float(evidence.numbers["limit"][row])
        contacts = int(evidence.profiles[row])
        return Explanation(
            reason=f"{contacts} first contacts fall where uniform picks fall, not where people look: "
            f"evidence {total:.1f} of {limit:.1f}",
            public_reason="unusual selection of profiles",
            evidence={
                "log_likelihood_ratio": round(total, 3),
                "limit": round(limit, 3),
                "contacts": contacts,
                "last_ratio": round(float(evidence.numbers["llr"][row]), 4),
            },
        )
