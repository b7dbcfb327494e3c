"""What an authorised collector took on one day: kept in the audit, as requests are gone long before an auditor asks."""

from typing import Annotated

import msgspec

from schemas.event_time import Time
from schemas.field import Count, Id

Day = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", examples=["2026-11-24"])]
"""A day of the calendar, UTC."""


class Decided(msgspec.Struct, frozen=True):
    """One alert or block on a collector."""

    id: Id
    """Of the record."""
    incident: Id
    at: Time
    """Of the event that made the decision."""
    what: str
    """In words: what was decided, in which mode, until when."""


class Surfaces(msgspec.Struct, frozen=True):
    """Records of requests by what they asked for; one that did several things counts for each."""

    view: Count = 0
    search: Count = 0
    lookup: Count = 0
    list: Count = 0
    empty: Count = 0
    """Searches and lists that showed no profile."""


class CollectorDay(msgspec.Struct, frozen=True, kw_only=True):
    """One authorised collector on one day."""

    actor: Annotated[str, msgspec.Meta(pattern="^[a-z_]+:.+")]
    """``scope:value``."""
    day: Day
    owner: str
    reason: str
    expires: Day
    """Last day on which it is authorised."""
    quota: Count
    """Profiles that it may see in any 24 h."""
    requests: Count
    """Records of requests that asked for profiles, whether any were shown or not."""
    profiles: Count
    """Distinct profiles that were shown, told apart by 64 bits of hash."""
    surfaces: Surfaces
    decided: list[Decided]
    """Alerts and blocks on it, in order of their events."""
    missing: list[str]
    """What of the day could not be counted, in words; without any the numbers are exact."""

    @property
    def above(self) -> bool:
        """More profiles on the day than the quota; also where not all of it was counted."""
        return self.profiles > self.quota
