"""Rush of new accounts: who signs up and reads the members at once.

Seen: first contacts by a view, within an hour and within a day, of an account that is less than seven days old; how
many, and how soon after the account was made. People do not: a newcomer looks up some friends, and a person who reads
for work has had the account for long. Accounts made for scraping are used before they are found, so they are in a
hurry. Counts are compared with the highest that newcomers reach in a day, those on their first day and those after it
apart (`core/peak.py`); youth itself is worth two nats more, but only beside a rush, since everybody was young once. Two
plain limits for young accounts speak alone. Look-ups do not count: an address book is brought along on the first day.

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
from schemas.actor import Scope

SPANS: Final = (Span.HOUR, Span.DAY)
TABLES: Final = ("hours", "days")
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
    control: ClassVar[str] = "R2"
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
        first_s = _first_seen(columns.principal_slot, columns.time_us // US, young, kept["first_s"])
        share = count / np.array([self.config.hour, self.config.day], np.float64)
        fullest = share.argmax(axis=1)
        rows = np.arange(len(columns))
        seconds = np.array([span.seconds for span in SPANS], np.int64)[fullest]
        soon_s = np.where(young, np.maximum(first_s - columns.created_s, 0), 0)
        numbers = {"span": fullest.astype(float), "age_s": np.maximum(age_s, 0.0), "soon_s": soon_s.astype(float)}
        return Evidence(
            share[rows, fullest],
            columns.time_us - seconds * US,
            count[rows, fullest],
            young,
            numbers,
            nats=_nats(count, age, young, self.reckon(_tails, model)),
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


def _nats(
    count: NDArray[np.int64], age: NDArray[np.int64], young: NDArray[np.bool_], usual: list[Tails]
) -> NDArray[np.float64]:
    """The stronger of both windows, at most nine, and youth beside it."""
    rush = np.zeros(len(age))
    for k, window in enumerate(usual):
        rush = np.maximum(rush, window.nats(count[:, k], age))
    rush = np.where(young, np.minimum(rush, RUSH_CAP), 0.0)
    return rush + np.where(rush > YOUTH_BESIDE, YOUTH, 0.0)
