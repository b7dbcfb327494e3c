"""Pauses and hours: who comes for a profile every few minutes, around the clock.

Seen: two habits of a principal, in one sum.
The pause since its last view, in bins. People come in visits, with seconds between profiles within one and hours
between two; whoever has a number of profiles to take in a day, and shall not look hasty, spreads them out: minutes.
The hours of the last 24 in which it asked for profiles, each time another hour begins. A person sleeps and has other
things to do; a program has no night.

Each adds the log-likelihood ratio of the scraper's habit against what calm principals do, learned (``gaps``,
``hours``) and mixed with the other side, the least favourable honest person; the sum is floored at zero and decays by
half in 3.5 days. Half of the scrapers are taken to keep people's hours, so that sleeping clears nobody of the pauses.
Some people do live like that (a recruiter at work, a phone that is looked at all day), so the sum counts up to
``cap`` in the sum over all detectors and speaks by itself of nobody.

Blind spots: whoever works in bursts like visits; the first day, before anything is learned; many accounts in turn.

Source: Wald 1945, Page 1954; bins and constants tried on simulated days.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Final, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.core.columns import US, Columns
from detectors.core.compiled import compiled
from detectors.core.contract import Detector, DetectorConfig, Evidence, Explanation, State
from detectors.core.evidence import SUM_COLUMNS, habit
from detectors.core.model import Model

GAPS_S: Final = (1, 3, 8, 20, 60, 120, 300, 900, 3600, 14_400)
"""Pauses at which the next bin begins."""
GAP_BINS: Final = len(GAPS_S) + 1
SPREAD_OUT: Final = slice(6, 9)
"""Bins of 2 min to 1 h."""
SPREAD_OUT_SHARE: Final = 0.8
"""Share of a scraper's pauses in them; the rest falls evenly into the others."""
DAY_HOURS: Final = 24
HOUR_US: Final = 3600 * US
NO_NIGHT: Final = 16
"""Hours of a day from which on there was no night."""
AWAKE_SHARE: Final = 0.5
"""Share of scrapers that know no night; the others keep people's hours."""
MIX: Final = 0.3
"""Share of the scraper's side mixed into the people's."""
PRIOR: Final = 1_000.0
"""Observations as a scraper's that are added to those learned: before any are learned, nothing speaks."""


class Config(DetectorConfig, frozen=True, kw_only=True):
    """``[detectors.pacing]``."""

    cap: Annotated[float, msgspec.Meta(ge=0.0)] = 5.0
    half_life_s: Annotated[int, msgspec.Meta(ge=3600)] = 302_400


@compiled
def _hours(s: int, hour: int, newest: NDArray[np.uint32], hours: NDArray[np.uint32]) -> int:
    """Note that an actor was active in an hour since 1970; returns the active ones of the 24 up to its newest.

    Bit k of ``hours`` stands for the k-th hour before the newest.
    """
    ahead = hour - np.int64(newest[s])
    if ahead >= DAY_HOURS:
        hours[s] = 1
    elif ahead >= 0:
        hours[s] = ((int(hours[s]) << ahead) | 1) & ((1 << DAY_HOURS) - 1)
    elif ahead > -DAY_HOURS:
        hours[s] |= np.uint32(1 << -ahead)
    if ahead > 0:
        newest[s] = hour
    active = 0
    for k in range(DAY_HOURS):
        active += (int(hours[s]) >> k) & 1
    return active


@compiled
def _habits(
    slot: NDArray[np.int32],
    time_us: NDArray[np.int64],
    asked: NDArray[np.bool_],
    viewed: NDArray[np.bool_],
    last_us: NDArray[np.int64],
    newest: NDArray[np.uint32],
    hours: NDArray[np.uint32],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Pause before each view in µs, -1 for none; active hours; whether another hour began with the row."""
    gap_us = np.full(slot.size, -1, np.int64)
    active = np.zeros(slot.size, np.int64)
    began = np.zeros(slot.size, np.bool_)
    for i in range(slot.size):
        s = slot[i]
        if asked[i]:
            hour = time_us[i] // HOUR_US
            began[i] = hour > np.int64(newest[s])
            active[i] = _hours(s, hour, newest, hours)
        if viewed[i]:
            if last_us[s] > 0:
                gap_us[i] = max(time_us[i] - last_us[s], 0)
            last_us[s] = max(last_us[s], time_us[i])
    return gap_us, active, began


def _people(counts: NDArray[np.float64], scraper: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distribution of what was learned, the prior added."""
    learned = counts + PRIOR * scraper
    share: NDArray[np.float64] = learned / learned.sum()
    return share


def gap_ratios(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log-likelihood ratios of pauses by bin: [11], at most ln(1 / mix).

    Args:
        counts: Pauses learned of calm principals: [11].
    """
    scraper = np.full(GAP_BINS, (1 - SPREAD_OUT_SHARE) / (GAP_BINS - 3))
    scraper[SPREAD_OUT] = SPREAD_OUT_SHARE / 3
    ratio: NDArray[np.float64] = np.log(scraper / ((1 - MIX) * _people(counts, scraper) + MIX * scraper))
    return ratio


def hour_ratios(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log-likelihood ratios by number of active hours: [25], at most ln(1 / mix); 0 where nobody was ever found.

    Args:
        counts: Hours begun by calm principals by the active ones then: [25].
    """
    awake = np.zeros(DAY_HOURS + 1)
    awake[NO_NIGHT:] = 1 / (DAY_HOURS + 1 - NO_NIGHT)
    people = _people(counts, awake)
    scraper = AWAKE_SHARE * awake + (1 - AWAKE_SHARE) * people
    honest = (1 - MIX) * people + MIX * scraper
    ratio: NDArray[np.float64] = np.log(np.divide(scraper, honest, out=np.ones_like(honest), where=honest > 0))
    return ratio


class Pacing(Detector[Config]):
    """See the module."""

    Config = Config
    principals_only: ClassVar[bool] = True
    principal_state: ClassVar[Mapping[str, str]] = {
        **SUM_COLUMNS,
        "last_us": "i8",
        "newest_hour": "u4",
        "hours": "u4",
    }
    lessons: ClassVar[Mapping[str, int]] = {"gaps": GAP_BINS, "hours": DAY_HOURS + 1}
    control: ClassVar[str] = "R4"
    blind_spots: ClassVar[tuple[str, ...]] = (
        "whoever works in bursts like visits",
        "the first day of a deployment, before a model is learned",
        "many accounts that take turns",
    )

    def judge(self, columns: Columns, state: State, model: Model) -> Evidence:
        """Level zero; the sum of what pauses and hours say goes into the sum over all detectors."""
        gap_us, active, began = _habits(
            columns.principal_slot,
            columns.time_us,
            columns.asked,
            columns.viewed(),
            cast("NDArray[np.int64]", state["last_us"]),
            cast("NDArray[np.uint32]", state["newest_hour"]),
            cast("NDArray[np.uint32]", state["hours"]),
        )
        paused = gap_us >= 0
        place = np.searchsorted(np.array(GAPS_S) * US, gap_us, side="right")
        llr = np.where(paused, gap_ratios(model.counts(f"{self.name}.gaps", GAP_BINS))[place], 0.0)
        llr += np.where(began, hour_ratios(model.counts(f"{self.name}.hours", DAY_HOURS + 1))[active], 0.0)
        numbers = {"gap_s": np.maximum(gap_us, 0) / US, "hours": active.astype(np.float64)}
        lessons = {"gaps": np.where(paused, place, -1), "hours": np.where(began, active, -1)}
        return habit(columns, paused | began, llr, self.config.half_life_s, state, numbers, lessons)

    def explain(self, columns: Columns, evidence: Evidence, row: int) -> Explanation:
        """Name the sum, what it counts up to, the last pause and the hours."""
        nats, llr, gap_s = (float(evidence.numbers[name][row]) for name in ("nats", "llr", "gap_s"))
        hours = int(evidence.numbers["hours"][row])
        return Explanation(
            reason=f"profiles in {hours} hours of the last {DAY_HOURS}, the last {gap_s:.0f} s after the one before: "
            f"evidence {nats:.1f}, counted up to {self.config.cap:.1f}",
            public_reason="profiles opened at pauses and hours that are unusual",
            evidence={
                "log_likelihood_ratio": round(nats, 3),
                "cap": self.config.cap,
                "hours": hours,
                "last_gap_s": round(gap_s, 3),
                "last_ratio": round(llr, 4),
            },
        )
