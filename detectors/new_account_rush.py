"""Rush of new accounts: who signs up and reads the members at once.

Seen: first contacts by a view, within an hour and within a day, of an account that is less than seven days old; how
many, and how soon after the account was made. People do not: a newcomer looks up some friends, and a person who reads
for work has had the account for long. Accounts made for scraping are used before they are found, so they are in a
hurry. Counts are compared with the highest that newcomers reach in a day, those on their first day and those after it
apart (`core/peak.py`); youth itself is worth two nats more, but only beside a rush, since everybody was young once. An
hour is long: what was met within ten minutes is compared as well, with what all accounts of the tier reach in ten
minutes, as `profile_rate` has it learned; where that was off from the start nothing is. Simulated newcomers reach as
much as others of their tier. Two plain limits for young accounts speak alone. Look-ups do not count: an address book is
brought along on the first day.

Blind spots: accounts that were left to age or were bought; platforms that do not say when an account was made; farms of
so many accounts that none is in a hurry.

Source: Joint statement on data scraping, 2023 and 2024, limits by account; Hill 1975 for the tail.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.core.columns import US, Columns, Span
from detectors.core.compiled import compiled
from detectors.core.contract import Detector, DetectorConfig, Evidence, Explanation, State
from detectors.core.model import Model
from detectors.core.peak import PLACES, Tails, tails, windows
from detectors.core.peer import CLASSES, classes_of
from schemas.actor import Scope

SPANS: Final = (Span.HOUR, Span.DAY)
TABLES: Final = ("hours", "days")
PACE: Final = "profile_rate.ten_minutes"
"""Table of what accounts of each tier reach in ten minutes."""
HELD: Final = 7 / 8
"""Of ten minutes what the windows of that table hold at least: a peak there is lower than one of ten whole minutes."""
YOUNG_S: Final = 7 * 86_400
FIRST_DAY_S: Final = 86_400
AGES: Final = 2
"""Classes of newcomers: on the first day, and after it."""
RUSH_CAP: Final = 9.0
YOUTH: Final = 2.0
YOUTH_BESIDE: Final = 3.0
"""Nats of a rush above which youth counts as well."""


class Config(DetectorConfig, frozen=True, kw_only=True):
    """``[detectors.new_account_rush]``."""

    hour: Annotated[int, msgspec.Meta(ge=75)] = 150
    """First contacts within an hour at which a young account is spoken of; at least what busy people have."""
    day: Annotated[int, msgspec.Meta(ge=150)] = 400
    """Likewise within a day."""
    cap: Annotated[float, msgspec.Meta(ge=0.0)] = RUSH_CAP + YOUTH


class NewAccountRush(Detector[Config]):
    """See the module."""

    Config = Config
    trait: ClassVar[str] = "volume"
    principals_only: ClassVar[bool] = True
    principal_state: ClassVar[Mapping[str, str]] = {
        "panes": "(2,10)u2",
        "at_us": "i8",
        "first_s": "u4",
        "day": "u2",
        "peak": "(2,)u1",
        "peak_of": "u1",
    }
    lessons: ClassVar[Mapping[str, int]] = dict.fromkeys(TABLES, AGES * PLACES)
    learns_below: ClassVar[float] = 0.5
    control: ClassVar[str] = "R3"
    blind_spots: ClassVar[tuple[str, ...]] = (
        "accounts that were left to age or were bought",
        "platforms that do not say when an account was made",
        "farms of so many accounts that none is in a hurry",
    )

    def judge(self, columns: Columns, state: State, model: Model) -> Evidence:
        """Level: first contacts in the window that is nearest to its plain limit; nats: against other newcomers."""
        kept: dict[str, Any] = dict(state)
        contact = columns.own & columns.viewed_first()
        age_s = _ages_s(columns)
        young = contact & (age_s >= 0)
        age = np.where(age_s < FIRST_DAY_S, 0, 1)
        count, told = windows(
            columns.principal_slot,
            columns.time_us,
            young,
            contact,
            age,
            np.array([span.seconds * US for span in SPANS], np.int64),
            *(kept[name] for name in ("panes", "at_us", "day", "peak", "peak_of")),
        )
        # Two panes last 6 to 12 minutes: of those that were met in them, only so many as were seen within ten.
        recent = np.minimum(count[:, -1], columns.profiles[:, Span.TEN_MINUTES])
        first_s = _first_seen(columns.principal_slot, columns.time_us // US, young, kept["first_s"])
        share = count[:, : len(SPANS)] / np.array([self.config.hour, self.config.day], np.float64)
        fullest = share.argmax(axis=1)
        rows = np.arange(len(columns))
        seconds = np.array([span.seconds for span in SPANS], np.int64)[fullest]
        soon_s = np.where(young, np.maximum(first_s - columns.created_s, 0), 0)
        numbers = {"span": fullest.astype(float), "age_s": np.maximum(age_s, 0.0), "soon_s": soon_s.astype(float)}
        numbers["recent"] = recent.astype(float)
        rush = self.reckon(_pace, model).nats((recent * HELD).astype(np.int64), classes_of(columns))
        for k, window in enumerate(self.reckon(_tails, model)):
            rush = np.maximum(rush, window.nats(count[:, k], age))
        return Evidence(
            share[rows, fullest],
            columns.time_us - seconds * US,
            count[rows, fullest],
            young,
            numbers,
            nats=np.where(young, _nats(rush), 0.0),
            moved=contact,
            lessons={name: told[:, k] for k, name in enumerate(TABLES)},
        )

    def explain(self, columns: Columns, evidence: Evidence, row: int) -> Explanation:
        """Name the account's age, how soon it began, and how hard it is at it."""
        number = {name: float(values[row]) for name, values in evidence.numbers.items()}
        span = SPANS[int(number["span"])]
        limit = (self.config.hour, self.config.day)[int(number["span"])]
        contacts = int(evidence.profiles[row])
        soon_h, age_h = round(number["soon_s"] / 3600, 2), round(number["age_s"] / 3600, 2)
        nats = 0.0 if evidence.nats is None else round(float(evidence.nats[row]), 3)
        return Explanation(
            reason=f"an account {age_h} h old met {contacts} profiles for the first time within {span.words}, the "
            f"first of them {soon_h} h after it was made; the limit is {limit}",
            public_reason="too many profiles for a new account",
            evidence={
                "window": span.label,
                "contacts": contacts,
                "limit": limit,
                "age_h": age_h,
                "first_contact_after_h": soon_h,
                "within_ten_minutes": int(number["recent"]),
                "nats": nats,
            },
        )


def _ages_s(columns: Columns) -> NDArray[np.int64]:
    """Age of each row's young account in seconds, -1 where it is not young, of unknown age, or made in the future."""
    created_s = columns.created_s.astype(np.int64)
    age_s = columns.time_us // US - created_s
    young = (columns.scope == Scope.ACCOUNT.value) & (created_s > 0) & (age_s >= 0) & (age_s < YOUNG_S)
    return np.where(young, age_s, -1)


@compiled
def _first_seen(
    slot: NDArray[np.int32], time_s: NDArray[np.int64], counts: NDArray[np.bool_], first_s: NDArray[np.uint32]
) -> NDArray[np.int64]:
    """Time of the slot's first row that counted, at rows that count; 0 elsewhere."""
    out = np.zeros(slot.size, np.int64)
    for i in range(slot.size):
        if counts[i]:
            if first_s[slot[i]] == 0:
                first_s[slot[i]] = time_s[i]
            out[i] = first_s[slot[i]]
    return out


def _tails(model: Model) -> list[Tails]:
    """What is usual among newcomers in each window."""
    length = AGES * PLACES
    return [tails(model.counts(f"new_account_rush.{name}", length).reshape(AGES, PLACES)) for name in TABLES]


def _pace(model: Model) -> Tails:
    """What is usual within ten minutes, by class of tier."""
    return tails(model.counts(PACE, CLASSES * PLACES).reshape(CLASSES, PLACES))


def _nats(rush: NDArray[np.float64]) -> NDArray[np.float64]:
    """At most nine of the strongest window, and youth beside it."""
    return np.minimum(rush, RUSH_CAP) + np.where(rush > YOUTH_BESIDE, YOUTH, 0.0)
