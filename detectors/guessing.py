"""Guesses: who asks for profiles that do not exist.

Seen: whether each profile that a principal asks to view for the first time exists. People do not make ids up, they
follow links, of which few are dead; who tries numbers or names out misses as often as the ids are sparse. A threshold
random walk: each first request adds the log-likelihood ratio of missing 2 in 5 times against missing as often as
people do, 3 in 100 or what is learned here. The sum is floored at zero and decays by half in 3.5 days.

The honest side is mixed with the other one (`mix`), since the links that a person has kept may be old: who misses up
to a quarter of what they ask for is not accused. One page that polls a dead profile is no guess: an id among the last
four missed says nothing. Nor does one that more people missed than chance explains, a dead link on a page that many
read: misses are counted by place (of the profile's hash), and a place is dead with `DEAD` of them and more than the
whole table's mean leads to expect, so that a table filled by a large platform or by an attacker silences nothing.

Look-ups do not count: most numbers in an honest address book belong to nobody.

Blind spots: whoever guesses well, as where nearly all numbers of a range are taken; a pace of a few misses a day; a
few misses by each of many principals; a walk along dead links that others follow too.

Source: Jung, Paxson, Berger, Balakrishnan, "Fast Portscan Detection Using Sequential Hypothesis Testing", 2004.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Final, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.core.columns import US, Columns
from detectors.core.compiled import compiled
from detectors.core.contract import Detector, DetectorConfig, Evidence, Explanation, Nats, Ratio, State
from detectors.core.model import Model
from schemas.sighting import Flag, Kind

Share = Annotated[float, msgspec.Meta(ge=0.1, lt=1.0)]
GUESSER: Final = 0.4
"""Share of a guesser's first requests that miss."""
HONEST: Final = 0.03
"""Likewise of people, before anything is learned."""
PRIOR: Final = 1_000.0
"""First requests that `HONEST` weighs as much as, beside those learned."""
PLACES: Final = 16_384
DEAD: Final = 3.0
"""Learned misses at a place, beyond those that chance puts there, from which its ids are taken for dead links."""
CEILING_NATS: Final = 50.0
"""More evidence is not kept: whoever has the address next is cleared in the end."""
MISSES_MIN: Final = 3


class Config(DetectorConfig, frozen=True, kw_only=True):
    """``[detectors.guessing]``."""

    limit: Annotated[float, msgspec.Meta(ge=6.0)] = 12.0
    """Evidence in natural logarithms that an alert needs: 12 misses in a row; nobody mistypes six."""
    block_ratio: Ratio = 1.5
    cap: Nats = 30.0
    mix: Share = 0.3
    """Share of the guesser's side mixed into the honest one; more is more cautious, and a tenth the least."""
    half_life_s: Annotated[int, msgspec.Meta(ge=3600)] = 302_400


@compiled
def _add_up(
    slot: NDArray[np.int32],
    time_us: NDArray[np.int64],
    counts: NDArray[np.bool_],
    missed: NDArray[np.bool_],
    profile: NDArray[np.uint64],
    dead: NDArray[np.bool_],
    ratios: NDArray[np.float64],
    half_life_us: float,
    held: NDArray[np.uint64],
    total: NDArray[np.float32],
    at_us: NDArray[np.int64],
    since_us: NDArray[np.int64],
    misses: NDArray[np.int32],
    hits: NDArray[np.int32],
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.bool_]]:
    """Move the state on by rows that count.

    Returns the sum [n]; start, misses and hits [3, n]; then which rows were a first request, and which of them moved
    the sum [2, n]. ``ratios``: log-likelihood ratios of a hit and of a miss.
    """
    out = np.zeros(slot.size, np.float64)
    about = np.zeros((3, slot.size), np.int64)
    which = np.zeros((2, slot.size), np.bool_)
    for i in range(slot.size):
        if not counts[i]:
            continue
        s = slot[i]
        if missed[i]:
            again = False
            for k in range(4):
                again |= held[s, k] == profile[i]
            if again:
                continue
            for k in range(3, 0, -1):
                held[s, k] = held[s, k - 1]
            held[s, 0] = profile[i]
        which[0, i] = True
        if missed[i] and dead[i]:
            continue
        before = total[s]
        elapsed_us = max(time_us[i] - at_us[s], 0)
        level = before * 2.0 ** (-elapsed_us / half_life_us) + ratios[1 if missed[i] else 0]
        if before <= 0.0 or level <= 0.0:
            since_us[s], misses[s], hits[s] = time_us[i], 0, 0
        total[s] = min(max(level, 0.0), CEILING_NATS)
        at_us[s] = max(at_us[s], time_us[i])
        misses[s] += missed[i]
        hits[s] += not missed[i]
        which[1, i] = True
        out[i] = total[s]
        about[0, i], about[1, i], about[2, i] = min(since_us[s], time_us[i]), misses[s], hits[s]
    return out, about, which


class Guessing(Detector[Config]):
    """See the module."""

    Config = Config
    principals_only: ClassVar[bool] = True
    principal_state: ClassVar[Mapping[str, str]] = {
        "missed": "(4,)u8",
        "sum": "f4",
        "at_us": "i8",
        "since_us": "i8",
        "misses": "i4",
        "hits": "i4",
    }
    lessons: ClassVar[Mapping[str, int]] = {"answers": 2, "dead": PLACES}
    control: ClassVar[str] = "R4"
    blind_spots: ClassVar[tuple[str, ...]] = (
        "whoever guesses well, as where nearly all numbers are taken",
        "a pace of a few misses a day",
        "a few misses by each of many principals",
        "a walk along dead links that others follow too",
    )

    def ratios(self, model: Model) -> NDArray[np.float64]:
        """Log-likelihood ratios of a hit and of a miss: [2], the latter in [0, ln(1 / mix)]."""
        hits, misses = model.counts("guessing.answers", 2)
        learned = min((HONEST * PRIOR + misses) / (PRIOR + hits + misses), GUESSER)
        honest = (1 - self.config.mix) * learned + self.config.mix * GUESSER
        ratios: NDArray[np.float64] = np.log(np.array([(1 - GUESSER) / (1 - honest), GUESSER / honest]))
        return ratios

    def judge(self, columns: Columns, state: State, model: Model) -> Evidence:
        """Level: the floored sum as a share of the limit."""
        missed = (columns.flags & Flag.MISS.value) != 0
        counts = columns.asked & (columns.kind == Kind.VIEW.value) & (columns.first | missed)
        place = (columns.profile & np.uint64(PLACES - 1)).astype(np.int64)
        out, about, which = _add_up(
            columns.principal_slot,
            columns.time_us,
            counts,
            missed,
            columns.profile,
            self.reckon(_dead_places, model)[place],
            self.reckon(self.ratios, model),
            float(self.config.half_life_s * US),
            cast("NDArray[np.uint64]", state["missed"]),
            cast("NDArray[np.float32]", state["sum"]),
            cast("NDArray[np.int64]", state["at_us"]),
            cast("NDArray[np.int64]", state["since_us"]),
            cast("NDArray[np.int32]", state["misses"]),
            cast("NDArray[np.int32]", state["hits"]),
        )
        asked, moved = which
        return Evidence(
            level=out / self.config.limit,
            since_us=np.where(moved, about[0], columns.time_us),
            profiles=np.maximum(about[2], 1),
            may_block=about[1] >= MISSES_MIN,
            numbers={"sum": out, "misses": about[1].astype(np.float64), "hits": about[2].astype(np.float64)},
            nats=out,
            moved=moved,
            lessons={"answers": np.where(moved, missed, -1), "dead": np.where(asked & missed, place, -1)},
        )

    def explain(self, columns: Columns, evidence: Evidence, row: int) -> Explanation:
        """Name misses, hits and the sum."""
        total = float(evidence.numbers["sum"][row])
        misses, hits = int(evidence.numbers["misses"][row]), int(evidence.numbers["hits"][row])
        return Explanation(
            reason=f"{misses} of {misses + hits} profiles asked for do not exist: "
            f"evidence {total:.1f} of {self.config.limit:.1f}",
            public_reason="too many profiles that do not exist",
            evidence={
                "log_likelihood_ratio": round(total, 3),
                "limit": self.config.limit,
                "misses": misses,
                "hits": hits,
            },
        )


def _dead_places(model: Model) -> NDArray[np.bool_]:
    return _dead(model.counts("guessing.dead", PLACES))


def _dead(counts: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Places with more misses than chance puts there: `DEAD` beyond the mean and three of its standard deviations."""
    mean = float(counts.mean())
    dead: NDArray[np.bool_] = counts >= DEAD + mean + 3.0 * np.sqrt(mean)
    return dead
