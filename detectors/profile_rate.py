"""Distinct profiles by time: more than a person reads.

Seen: one actor is shown as many distinct profiles within a minute, ten minutes, an hour or a day as its scope's or
tier's limit. People do not, since a profile takes time to read; the heaviest readers we know of (recruiters) stay
under the defaults with room to spare. Each window is a limit of its own, as the regulators ask for ("visits per hour
or day by one account"), and the level is the one that is nearest to being passed. Members of a group are not limited
together: a net or a fingerprint has no limit unless the operator sets one.

Blind spots: whoever stays below the limits; who spreads over many accounts or addresses; revisits after more than the
actor's memory of contacts count again.

Source: Joint statement on data scraping, 2023 and 2024, controls on rate; plain counting.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.core.columns import US, Columns, Span
from detectors.core.contract import Detector, DetectorConfig, Evidence, Explanation, State
from detectors.core.popularity import Popularity
from schemas.actor import Scope
from schemas.sighting import Kind

Count = Annotated[int, msgspec.Meta(ge=0)]


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Distinct profiles in each window at which an actor is spoken of; 0 sets no limit."""

    minute: Count = 0
    ten_minutes: Count = 0
    hour: Count = 0
    day: Count = 0

    def row(self) -> list[float]:
        """Limits in the order of `Span`, infinite where there is none."""
        return [limit or np.inf for limit in (self.minute, self.ten_minutes, self.hour, self.day)]


PERSON = Limits(minute=45, ten_minutes=150, hour=350, day=900)


class Config(DetectorConfig, frozen=True, kw_only=True):
    """``[detectors.profile_rate]``."""

    account: Limits = PERSON
    session: Limits = PERSON
    ip: Limits = Limits(minute=60, ten_minutes=200, hour=500, day=1200)
    net: Limits = Limits()
    asn: Limits = Limits()
    fingerprint: Limits = Limits()
    tiers: Mapping[str, Limits] = {}
    """Limits of accounts of a tier, instead of those under ``account``."""


class ProfileRate(Detector[Config]):
    """See the module."""

    Config = Config
    control: ClassVar[str] = "R2"
    blind_spots: ClassVar[tuple[str, ...]] = (
        "whoever stays below every limit",
        "work spread over many accounts or addresses",
        "search results: only views and look-ups are counted",
    )

    def _limits(self, columns: Columns) -> NDArray[np.float64]:
        by_scope = np.full((max(Scope) + 1, len(Span)), np.inf)
        for scope in Scope:
            by_scope[scope] = getattr(self.config, scope.label).row()
        limits = by_scope[columns.scope]
        for index, tier in enumerate(columns.tiers):
            if tier in self.config.tiers:
                limits[(columns.scope == Scope.ACCOUNT) & (columns.tier == index)] = self.config.tiers[tier].row()
        return limits

    def judge(self, columns: Columns, state: State, popularity: Popularity) -> Evidence:
        """Level: distinct profiles in the window that is fullest, as a share of its limit."""
        speaks = columns.answers & ((columns.kind == Kind.VIEW) | (columns.kind == Kind.LOOKUP))
        limits = self._limits(columns)
        share = np.where(speaks[:, None], columns.profiles / limits, 0.0)
        span = share.argmax(axis=1)
        rows = np.arange(len(columns))
        seconds = np.array([s.seconds for s in Span], np.int64)[span]
        profiles = columns.profiles[rows, span].astype(np.int64)
        numbers = {"span": span.astype(np.float64), "limit": np.nan_to_num(limits[rows, span], posinf=0.0)}
        return Evidence(share[rows, span], columns.time_us - seconds * US, profiles, speaks, numbers)

    def explain(self, columns: Columns, evidence: Evidence, row: int) -> Explanation:
        """Name the window, the number in it and its limit."""
        span = Span(int(evidence.numbers["span"][row]))
        profiles, limit = int(evidence.profiles[row]), int(evidence.numbers["limit"][row])
        return Explanation(
            reason=f"{profiles} distinct profiles within {span.words}; the limit is {limit}",
            public_reason="too many profiles in too short a time",
            evidence={"window": span.label, "profiles": profiles, "limit": limit},
        )
