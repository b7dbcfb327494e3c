"""Outlier among peers: a day that is unlike those of one's own tier at that time of the day.

Seen: what a principal's day looks like when it has met 8, 16, 32, ... 256 profiles for the first time: how few get so
far; in how many hours of the day; what share of the profiles hardly anybody looks at; what share of the views is new;
how short the gaps are (mean of their logarithms); how many searches come to a view. People do not stand out in several
of these at once; a program does, even one whose every number is possible.

Each feature is ranked among the days of peers (tier, quarter of the day, same number of contacts) that are known from
calm principals: p is the share that lies as far out, on the side where scrapers are. A rank is robust where a mean and
a deviation are not: a few odd peers cannot stretch the scale. Peers borrow from all tiers and hours, and these from
"nobody is unusual", so that few peers accuse nobody:

    p_all = (beyond + 20) / (known + 20)        p = (beyond + 100 * p_all) / (known + 100)
    nats  = the two largest -ln p together, each at most 4.75, - 5.5, at least 0

One feature alone is next to nothing, however far out. What chance gives is taken off: with 5.5, chance alone passes x
nats in fewer than exp(-x) of cases for x of 1 to 4, whether the six features are independent or correlate at one half
(drawn two million and 300,000 times).

A statement is made at 8, 16, 32, ... contacts of a day and stands, fading, until the next. To be odd is a trait, so it
is worth at most four nats and never speaks alone.

Blind spots: whoever stays below eight profiles a day; whoever does in every respect what the heaviest peers do; tiers
or hours with few people, where peers are borrowed.

Source: ranks instead of deviations after Hampel 1974; Bolton, Hand 2001, on peer groups.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.core.columns import US, Columns
from detectors.core.compiled import compiled
from detectors.core.contract import Detector, DetectorConfig, Evidence, Explanation, State
from detectors.core.model import Model
from detectors.core.peer import CLASSES, classes_of
from schemas.sighting import Kind

FEATURES: Final = ("hours", "rare", "new", "gaps", "searches")
BINS: Final = 16
FIRST: Final = 8
MILESTONES: Final = 6
QUARTERS: Final = 4
QUARTER_US: Final = 21_600 * US
HOUR_US: Final = 3_600 * US
DAY_US: Final = 86_400 * US
RARE: Final = 1
"""Highest bin of popularity that hardly anybody looks at."""
LONGEST_S: Final = 3_600.0
SHORTEST_S: Final = 0.1
LENGTH: Final = CLASSES * QUARTERS * MILESTONES * BINS
FEW: Final = 20.0
"""Days that "nobody is unusual" counts for among all peers."""
BORROWED: Final = 100.0
"""Days that all peers count for among those of the same tier and time."""
CHANCE: Final = 5.5
FARTHEST: Final = 4.75
"""Largest -ln p: what lies farther out than one day in 115 is not ranked any further, and two make four nats."""


class Config(DetectorConfig, frozen=True, kw_only=True):
    """``[detectors.peer_outlier]``."""

    cap: Annotated[float, msgspec.Meta(ge=0.0)] = 4.0


@compiled
def _share_bin(part: float, whole: float) -> int:
    return min(int(BINS * part / whole), BINS - 1)


@compiled
def _gap_bin(mean_log_s: float) -> int:
    """From an hour (0) to a tenth of a second (15), evenly in the logarithm."""
    width = np.log(LONGEST_S / SHORTEST_S) / BINS
    return min(max(int(np.floor((np.log(LONGEST_S) - mean_log_s) / width)), 0), BINS - 1)


@compiled
def _search_bin(searches: float, views: float) -> int:
    """None (0), then two bins an octave of the searches to a view, from a sixteenth (1) to eight (15)."""
    if searches == 0:
        return 0
    return min(max(int(np.floor(2 * np.log2(searches / views))) + 9, 1), BINS - 1)


@compiled
def _hours_bin(hours: int) -> int:
    """Distinct hours of the day less one; hours are bits."""
    count = 0
    for hour in range(24):
        count += (hours >> hour) & 1
    return min(count - 1, BINS - 1)


@compiled
def _milestone(contacts: int) -> int:
    """Which of 8, 16, ..., 256 it is, -1 for none."""
    for each in range(MILESTONES):
        if contacts == FIRST << each:
            return each
    return -1


@compiled
def _observe(
    slot: NDArray[np.int32],
    time_us: NDArray[np.int64],
    viewed: NDArray[np.bool_],
    contact: NDArray[np.bool_],
    searched: NDArray[np.bool_],
    rare: NDArray[np.bool_],
    seen_us: NDArray[np.int64],
    contact_us: NDArray[np.int64],
    counts: NDArray[np.uint32],
    hours: NDArray[np.uint32],
    log_gaps: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Follow each principal's day; ``counts`` are views, contacts, rare ones, searches: [slots, 4].

    Returns bins of the features at milestones, [n, 5]; and the milestone, -1 elsewhere.
    """
    n = slot.size
    bins, milestone = np.zeros((n, 5), np.int64), np.full(n, -1, np.int64)
    for i in range(n):
        s = slot[i]
        if s < 0 or not (viewed[i] or searched[i]):
            continue
        now = max(time_us[i], seen_us[s])
        if now // DAY_US != seen_us[s] // DAY_US:
            counts[s, :] = 0
            hours[s] = 0
            log_gaps[s] = 0.0
        seen_us[s] = now
        counts[s, 0] += viewed[i]
        counts[s, 3] += searched[i]
        if not contact[i]:
            continue
        if counts[s, 1] > 0:
            log_gaps[s] += np.log(max((now - contact_us[s]) / US, SHORTEST_S))
        contact_us[s] = now
        counts[s, 1] += 1
        counts[s, 2] += rare[i]
        hours[s] |= np.uint32(1) << np.uint32(now % DAY_US // HOUR_US)
        milestone[i] = _milestone(counts[s, 1])
        if milestone[i] >= 0:
            bins[i, 0] = _hours_bin(hours[s])
            bins[i, 1] = _share_bin(counts[s, 2], counts[s, 1])
            bins[i, 2] = _share_bin(counts[s, 1], counts[s, 0])
            bins[i, 3] = _gap_bin(log_gaps[s] / (counts[s, 1] - 1))
            bins[i, 4] = _search_bin(counts[s, 3], counts[s, 0])
    return bins, milestone


def _borrowed(beyond: NDArray[np.float64], known: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each class's p, borrowing from the sum over classes (axis 0), and that from p = 1."""
    general = (beyond.sum(axis=0) + FEW) / (known.sum(axis=0) + FEW)
    share: NDArray[np.float64] = (beyond + BORROWED * general) / (known + BORROWED)
    return share


def ranks(model: Model) -> NDArray[np.float64]:
    """Share of peers that lie as far out, by feature, tier and quarter, milestone and bin: [5, 32, 6, 16]."""
    found = []
    for name in FEATURES:
        table = model.counts(f"peer_outlier.{name}", LENGTH).reshape(-1, MILESTONES, BINS)
        beyond = np.cumsum(table[:, :, ::-1], axis=2)[:, :, ::-1]
        found.append(_borrowed(beyond, beyond[:, :, :1]))
    return np.stack(found)


def reached(model: Model) -> NDArray[np.float64]:
    """Share of the peers' days with eight contacts that get as far, by tier and milestone: [8, 6]."""
    table = model.counts(f"peer_outlier.{FEATURES[0]}", LENGTH).reshape(CLASSES, QUARTERS, MILESTONES, BINS)
    days = table.sum(axis=(1, 3))
    return np.minimum(_borrowed(days, days[:, :1]), 1.0)


class PeerOutlier(Detector[Config]):
    """See the module."""

    Config = Config
    reading: ClassVar[bool] = True
    principals_only: ClassVar[bool] = True
    principal_state: ClassVar[Mapping[str, str]] = {
        "seen_us": "i8",
        "contact_us": "i8",
        "counts": "(4,)u4",
        "hours": "u4",
        "log_gaps": "f8",
    }
    lessons: ClassVar[Mapping[str, int]] = dict.fromkeys(FEATURES, LENGTH)
    control: ClassVar[str] = "R2"
    blind_spots: ClassVar[tuple[str, ...]] = (
        "whoever stays below eight profiles a day",
        "whoever does in every respect what the heaviest peers do",
        "tiers or hours with few people",
    )

    def judge(self, columns: Columns, state: State, model: Model) -> Evidence:
        """Nats: what is stated at 8, 16, 32, ... contacts. No level: to be odd is a trait."""
        kept: dict[str, Any] = dict(state)
        viewed = columns.viewed() & columns.answers
        contact = columns.viewed_first() & viewed
        bins, milestone = _observe(
            columns.principal_slot,
            columns.time_us,
            viewed,
            contact,
            columns.own & (columns.kind == Kind.QUERY.value),
            columns.popularity <= RARE,
            *(kept[name] for name in ("seen_us", "contact_us", "counts", "hours", "log_gaps")),
        )
        rows = np.flatnonzero(milestone >= 0)
        tier, at = classes_of(columns)[rows], milestone[rows]
        peers = tier * QUARTERS + columns.time_us[rows] % DAY_US // QUARTER_US
        share = np.ones((len(FEATURES) + 1, len(columns)))
        share[:-1, rows] = self.reckon(ranks, model)[np.arange(len(FEATURES))[:, None], peers, at, bins[rows].T]
        share[-1, rows] = self.reckon(reached, model)[tier, at]
        two = np.sort(np.minimum(-np.log(share[:, rows]), FARTHEST), axis=0)[-2:].sum(axis=0)
        stated, contacts = np.zeros(len(columns)), np.zeros(len(columns), np.int64)
        stated[rows], contacts[rows] = np.maximum(two - CHANCE, 0.0), FIRST << at
        places = np.full((len(FEATURES), len(columns)), -1, np.int64)
        places[:, rows] = (peers * MILESTONES + at) * BINS + bins[rows].T
        return Evidence(
            np.zeros(len(columns)),
            columns.time_us - columns.time_us % DAY_US,
            contacts,
            np.zeros(len(columns), np.bool_),
            dict(zip((*FEATURES, "contacts"), share, strict=True)),
            nats=stated,
            moved=milestone >= 0,
            lessons=dict(zip(FEATURES, places, strict=True)),
        )

    def explain(self, columns: Columns, evidence: Evidence, row: int) -> Explanation:
        """Name the two features in which it lies farthest out."""
        share = {name: float(values[row]) for name, values in evidence.numbers.items()}
        first, second = sorted(share, key=lambda name: share[name])[:2]
        nats = 0.0 if evidence.nats is None else float(evidence.nats[row])
        return Explanation(
            reason=f"after {int(evidence.profiles[row])} first contacts of the day it is as far out as "
            f"{share[first]:.2%} of its peers in {first} and {share[second]:.2%} in {second}",
            public_reason="a day unlike those of comparable accounts",
            evidence={
                "contacts": int(evidence.profiles[row]),
                "nats": round(nats, 3),
                **{f"{name}_share": round(value, 5) for name, value in share.items()},
            },
        )
