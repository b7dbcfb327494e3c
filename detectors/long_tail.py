"""Rarity of first contacts: who looks at what hardly anybody looks at, evenly, again and again.

Seen: the popularity of each profile that an actor meets for the first time. People mostly look at profiles that
others look at too; whoever takes the member base as it comes meets the long tail in the share it has of the members.
Each first contact by a view adds the log-likelihood ratio of "picked uniformly" against "picked as honest people do";
the sum is floored at zero and decays by half in 3.5 days (`evidence.floored_sum`).

The honest side is mixed with the other one (`mix`), the least favourable honest person, so that one contact has
bounded weight. Search results do not count, the platform picked them. Behind an address or a group only what was
asked without an account counts, an account answers for itself.

For a person the evidence has a bound: 3 to 6 in a hundred people permanently look as rare in taste as a scraper does,
and recruiters live from it, so what one account or address does is ground for an alert and never, alone, for a block.
Behind a group (net, ASN, fingerprint) a crowd of people drifts far below zero and a fleet does not: there it is
ground for both.

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
from detectors.core.contract import Detector, DetectorConfig, Evidence, Explanation, State
from detectors.core.evidence import floored_sum
from detectors.core.popularity import Popularity
from schemas.actor import Scope

Share = Annotated[float, msgspec.Meta(gt=0.0, lt=1.0)]
UNIFORM_SHARE: Final = 0.9
"""The scraper's picks are uniform but for a tenth, so that no popular profile clears it."""


class Config(DetectorConfig, frozen=True, kw_only=True):
    """``[detectors.long_tail]``."""

    limit: Annotated[float, msgspec.Meta(ge=7.0)] = 19.3
    """Evidence in natural logarithms that an alert on a person needs: 1 in 10,000 honest simulated account-days."""
    group_limit: Annotated[float, msgspec.Meta(ge=7.0)] = 14.0
    """Likewise of a net, an ASN or a fingerprint."""
    block_ratio: Annotated[float, msgspec.Meta(ge=1.0)] = 1.22
    searching_tiers: tuple[str, ...] = ()
    """Account tiers whose work it is to look for the unknown (recruiters): not judged."""
    mix: Share = 0.5
    """Share of the scraper's side mixed into the honest one; more is more cautious."""
    half_life_s: Annotated[int, msgspec.Meta(ge=3600)] = 302_400


class LongTail(Detector[Config]):
    """See the module."""

    Config = Config
    state: ClassVar[Mapping[str, str]] = {"sum": "f8", "at_us": "i8", "since_us": "i8", "contacts": "i8"}
    learns_below: ClassVar[float] = 0.2
    control: ClassVar[str] = "R3"
    blind_spots: ClassVar[tuple[str, ...]] = (
        "the first day of a deployment, before a model is learned",
        "one account below about 75 profiles a day",
        "whoever takes popular profiles only",
    )

    def ratios(self, popularity: Popularity) -> NDArray[np.float64]:
        """Log-likelihood ratio of a first contact by popularity bin: [9], at most ln(1 / mix)."""
        taken = UNIFORM_SHARE * popularity.uniform + (1 - UNIFORM_SHARE) * popularity.honest
        honest = (1 - self.config.mix) * popularity.honest + self.config.mix * taken
        return np.log(np.divide(taken, honest, out=np.ones_like(taken), where=honest > 0))

    def judge(self, columns: Columns, state: State, popularity: Popularity) -> Evidence:
        """Level: the floored sum as a share of the limit of the actor's scope."""
        llr = self.ratios(popularity)[columns.popularity]
        total, since, contacts = floored_sum(
            columns.slot,
            columns.time_us,
            columns.viewed_first() & ~self._searching(columns),
            llr,
            float(self.config.half_life_s * US),
            cast("NDArray[np.float64]", state["sum"]),
            cast("NDArray[np.int64]", state["at_us"]),
            cast("NDArray[np.int64]", state["since_us"]),
            cast("NDArray[np.int64]", state["contacts"]),
        )
        group = columns.scope >= Scope.NET
        limit = np.where(group, self.config.group_limit, self.config.limit)
        return Evidence(total / limit, since, contacts, group, {"sum": total, "limit": limit, "llr": llr})

    def _searching(self, columns: Columns) -> NDArray[np.bool_]:
        tiers = [index for index, tier in enumerate(columns.tiers) if tier in self.config.searching_tiers]
        return np.isin(columns.tier, tiers) & (columns.scope <= Scope.SESSION)

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
                "limit": limit,
                "contacts": contacts,
                "last_ratio": round(float(evidence.numbers["llr"][row]), 4),
            },
        )
