"""Distinct profiles by time: more than a person reads.

Seen: one actor is shown as many distinct profiles within a minute, ten minutes, an hour or a day as its scope's or
tier's limit. People do not, since a profile takes time to read; the heaviest readers we know of (recruiters) stay
under the defaults with room to spare. Each window is a limit of its own, as the regulators ask for ("visits per hour
or day by one account"), and the level is the one that is nearest to being passed. Members of a group are not limited
together: a net or a fingerprint has no limit unless the operator sets one.

A profile that is opened for the first time takes longer than one that is met again, or than a number in an address
book, so accounts have a limit on those of ten minutes as well, ``new_views``: the busiest recruiter of a simulated day
came to 68, nobody else above 43.

For the sum over all detectors it compares a principal's first contacts by a view within ten minutes, an hour and a day
with the highest that principals of the tier reach in a day (`core/peak.py`): the strongest window counts, as a level
that stands at the last contact, not as a sum. Pace is a trait as well, so it is worth at most nine nats.

Blind spots: whoever stays below the limits; who spreads over many accounts or addresses; revisits after more than the
actor's memory of contacts count again.

Source: Joint statement on data scraping, 2023 and 2024, controls on rate; plain counting. Hill 1975 for the tail.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.core.columns import US, Columns, Span
from detectors.core.compiled import compiled
from detectors.core.contract import Detector, DetectorConfig, Evidence, Explanation, State
from detectors.core.floor import PerDay, PerHour, PerMinute, TenMinutes
from detectors.core.model import Model
from detectors.core.peak import PLACES, Tails, tails, windows
from detectors.core.peer import CLASSES, classes_of
from schemas.actor import Scope
from schemas.sighting import Kind

_ACCOUNT: Final = int(Scope.ACCOUNT)
_TIERS_AT: Final = max(Scope) + 1
_NEW_VIEWS: Final = len(Span)
"""Place of the limit of new views, behind the windows'."""
TABLES: Final = {"ten_minutes": Span.TEN_MINUTES, "hours": Span.HOUR, "days": Span.DAY}
"""Tables of peaks, and the window of each."""


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Distinct profiles in each window at which an actor is spoken of; 0 sets no limit.

    Lower than what a busy person looks at is refused, see `core.floor`.
    """

    minute: PerMinute = 0
    ten_minutes: TenMinutes = 0
    hour: PerHour = 0
    day: PerDay = 0
    new_views: TenMinutes = 0
    """Of ten minutes as well: profiles that were viewed for the first time."""

    def row(self) -> list[float]:
        """Limits in the order of `Span`, then that of new views; infinite where there is none."""
        return [limit or np.inf for limit in (self.minute, self.ten_minutes, self.hour, self.day, self.new_views)]


PERSON = Limits(minute=45, ten_minutes=150, hour=350, day=900, new_views=75)


class Config(DetectorConfig, frozen=True, kw_only=True):
    """``[detectors.profile_rate]``."""

    account: Limits = PERSON
    session: Limits = PERSON
    ip: Limits = Limits(minute=60, ten_minutes=200, hour=500, day=1200)
    net: Limits = Limits()
    asn: Limits = Limits()
    fingerprint: Limits = Limits()
    fingerprint_asn: Limits = Limits()
    combination: Limits = Limits()
    tiers: Mapping[str, Limits] = {}
    """Limits of accounts of a tier, instead of those under ``account``."""
    cap: Annotated[float, msgspec.Meta(ge=0.0)] = 9.0


@compiled
def _fullest(
    scope: NDArray[np.uint8],
    tier: NDArray[np.uint8],
    time_us: NDArray[np.int64],
    profiles: NDArray[np.uint32],
    speaks: NDArray[np.bool_],
    limits: NDArray[np.float64],
    spans_us: NDArray[np.int64],
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Of the window that is nearest to its limit: the share of it, profiles, begin; and [2, n] window and limit."""
    n = scope.size
    share, numbers = np.zeros(n), np.zeros((2, n))
    held, since_us = np.zeros(n, np.int64), np.zeros(n, np.int64)
    for i in range(n):
        of = _TIERS_AT + tier[i] if scope[i] == _ACCOUNT else scope[i]
        fullest = 0
        if speaks[i]:
            for k in range(spans_us.size):
                each = profiles[i, k] / limits[of, k]
                if each > share[i]:
                    share[i], fullest = each, k
        held[i], since_us[i] = profiles[i, fullest], time_us[i] - spans_us[fullest]
        numbers[0, i] = fullest
        numbers[1, i] = limits[of, fullest] if limits[of, fullest] < np.inf else 0.0
    return share, held, since_us, numbers


class ProfileRate(Detector[Config]):
    """See the module."""

    Config = Config
    trait: ClassVar[str] = "volume"
    reading: ClassVar[bool] = True
    principal_state: ClassVar[Mapping[str, str]] = {
        "panes": "(3,8)u2",
        "at_us": "i8",
        "day": "u2",
        "peak": "(3,)u1",
        "peak_of": "u1",
    }
    lessons: ClassVar[Mapping[str, int]] = dict.fromkeys(TABLES, CLASSES * PLACES)
    control: ClassVar[str] = "R2"
    blind_spots: ClassVar[tuple[str, ...]] = (
        "whoever stays below every limit",
        "work spread over many accounts or addresses",
        "search results: only views and look-ups are counted",
    )

    def _limits(self, tiers: Sequence[str]) -> NDArray[np.float64]:
        """Limits by scope, and behind them those of accounts by tier: [scopes + tiers, 5]."""
        scopes = max(Scope) + 1
        limits = np.full((scopes + len(tiers), len(Span) + 1), np.inf)
        for scope in Scope:
            limits[scope] = getattr(self.config, scope.label).row()
        for index, tier in enumerate(tiers):
            limits[scopes + index] = self.config.tiers.get(tier, self.config.account).row()
        return limits

    def judge(self, columns: Columns, state: State, model: Model) -> Evidence:
        """Level: distinct profiles in the window that is fullest, as a share of its limit."""
        speaks = columns.answers & ((columns.kind == Kind.VIEW.value) | (columns.kind == Kind.LOOKUP.value))
        limits = self._limits(columns.tiers)
        share, profiles, since_us, numbers = _fullest(
            columns.scope,
            columns.tier,
            columns.time_us,
            columns.profiles,
            speaks,
            limits,
            np.array([span.seconds * US for span in Span], np.int64),
        )
        nats, contact, new_views, lessons = _unusual(columns, state, self.reckon(_tails, model))
        limit = limits[np.where(columns.scope == _ACCOUNT, _TIERS_AT + columns.tier, columns.scope), _NEW_VIEWS]
        fuller = np.flatnonzero(new_views / limit > share)
        share[fuller], profiles[fuller] = new_views[fuller] / limit[fuller], new_views[fuller]
        since_us[fuller] = columns.time_us[fuller] - Span.TEN_MINUTES.seconds * US
        numbers[0, fuller], numbers[1, fuller] = _NEW_VIEWS, limit[fuller]
        return Evidence(
            share,
            since_us,
            profiles,
            speaks,
            {"span": numbers[0], "limit": numbers[1]},
            nats=nats,
            moved=contact,
            lessons=lessons,
        )

    def explain(self, columns: Columns, evidence: Evidence, row: int) -> Explanation:
        """Name the window, the number in it and its limit."""
        place = int(evidence.numbers["span"][row])
        span, what = (Span.TEN_MINUTES, "new") if place == _NEW_VIEWS else (Span(place), "distinct")
        profiles, limit = int(evidence.profiles[row]), int(evidence.numbers["limit"][row])
        window = "new_views" if place == _NEW_VIEWS else span.label
        return Explanation(
            reason=f"{profiles} {what} profiles within {span.words}; the limit is {limit}",
            public_reason="too many profiles in too short a time",
            evidence={"window": window, "profiles": profiles, "limit": limit},
        )


def _tails(model: Model) -> list[Tails]:
    """What is usual in each window."""
    length = CLASSES * PLACES
    return [tails(model.counts(f"profile_rate.{name}", length).reshape(CLASSES, PLACES)) for name in TABLES]


def _unusual(
    columns: Columns, state: State, usual: list[Tails]
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.int64], dict[str, NDArray[np.int64]]]:
    """Of a principal's first contacts: nats of the strongest window, where they are, those of ten minutes; lessons."""
    held: dict[str, Any] = dict(state)
    contact = columns.own & columns.viewed_first()
    rows = np.flatnonzero(contact)
    every, peers = np.ones(rows.size, np.bool_), classes_of(columns)[rows]
    spans_us = np.array([span.seconds * US for span in TABLES.values()], np.int64)
    kept = (held[name] for name in ("panes", "at_us", "day", "peak", "peak_of"))
    count, told = windows(columns.principal_slot[rows], columns.time_us[rows], every, every, peers, spans_us, *kept)
    nats, lessons = np.zeros(len(columns)), np.full((len(TABLES), len(columns)), -1, np.int64)
    for k, window in enumerate(usual):
        nats[rows] = np.maximum(nats[rows], window.nats(count[:, k], peers))
    lessons[:, rows] = told.T
    new_views = np.zeros(len(columns), np.int64)
    new_views[rows] = count[:, list(TABLES).index("ten_minutes")]
    return nats, contact, new_views, dict(zip(TABLES, lessons, strict=True))
