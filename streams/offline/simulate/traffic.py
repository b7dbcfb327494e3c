"""Requests as columns, and from columns to request events."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from streams.offline.simulate.client import Client
from streams.offline.simulate.internet import Address
from streams.offline.simulate.members import PAGES_MAX, Members

Ints = NDArray[np.int64]
Event = dict[str, str | int | list[str]]
CHUNK: Final = 65_536
ANSWERS_KEPT: Final = 65_536

OTHERS: Final = (
    "/static/app.8d1f3c.js",
    "/static/site.51c0aa.css",
    "/static/icons.svg",
    "/api/feed",
    "/api/notifications",
    "/api/messages/unread",
    "/health",
)
"""Paths beside a view; the last is a monitor's."""


class What(IntEnum):
    """What a request asks for, and so what its subject means."""

    VIEW = 0
    """A profile; subject is its id."""
    SEARCH = 1
    """A page of results; subject is the text's number times `PAGES_MAX` plus page."""
    OTHER = 2
    """An asset or a call; subject is its place in `OTHERS`."""
    LOOKUP = 3
    """Whose a phone number is, as a contact import asks; subject is the number."""
    LIST = 4
    """A page of a member's connections; subject is the member's id times `PAGES_MAX` plus page."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Who asks, from where, with what: the same for all requests of one visit."""

    address: Address
    client: Client
    account: str | None = None
    session: str | None = None
    tier: str | None = None
    created_at: str | None = None

    def fields(self) -> Event:
        """The keys of a request event that an origin decides."""
        fields: Event = {
            "client.address": self.address.value,
            "client.as.number": self.address.asn,
            "client.geo.country_iso_code": self.address.country,
            "tls.client.ja4": self.client.ja4,
            "user_agent.original": self.client.user_agent,
        }
        named = {
            "user.id": self.account,
            "session.id": self.session,
            "weir.account.tier": self.tier,
            "weir.account.created_at": self.created_at,
        }
        return fields | {key: value for key, value in named.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests in columns of one length.

    Attributes:
        time_ms: Since the plan's start.
        origin: Place in `origins`.
        what: A `What`.
        subject: As `What` says.
        status: HTTP status of the answer.
        origins: Who asked.
    """

    time_ms: Ints
    origin: Ints
    what: Ints
    subject: Ints
    status: Ints
    origins: Sequence[Origin]

    def __len__(self) -> int:
        return len(self.time_ms)

    @classmethod
    def views(cls, members: Members, time_ms: Ints, origin: Ints, ids: Ints, origins: Sequence[Origin]) -> Self:
        """Views of profiles; those that do not exist answer 404."""
        status = np.where(members.exists(ids), 200, 404)
        return cls(time_ms, origin, np.full(len(ids), What.VIEW), ids, status, origins)

    @classmethod
    def lookups(cls, members: Members, time_ms: Ints, origin: Ints, numbers: Ints, origins: Sequence[Origin]) -> Self:
        """Look-ups of phone numbers; those of nobody answer 404."""
        status = np.where(members.holder(numbers) >= 0, 200, 404)
        return cls(time_ms, origin, np.full(len(numbers), What.LOOKUP), numbers, status, origins)

    @classmethod
    def lists(cls, members: Members, time_ms: Ints, origin: Ints, subject: Ints, origins: Sequence[Origin]) -> Self:
        """Pages of connections, subject as `What.LIST` says; those of nobody answer 404."""
        status = np.where(members.exists(subject // PAGES_MAX), 200, 404)
        return cls(time_ms, origin, np.full(len(subject), What.LIST), subject, status, origins)

    @classmethod
    def of(cls, what: What, time_ms: Ints, origin: Ints, subject: Ints, origins: Sequence[Origin]) -> Self:
        """Requests of one sort, all answered with 200; for look-ups and lists see `lookups` and `lists`."""
        return cls(time_ms, origin, np.full(len(subject), what), subject, np.full(len(subject), 200), origins)

    @classmethod
    def merged(cls, parts: Sequence["Traffic"], end_ms: int) -> Self:
        """All requests before `end_ms` in order of time; ties in the order of the parts."""
        if not parts:
            empty = np.empty(0, np.int64)
            return cls(empty, empty, empty, empty, empty, ())
        first = np.cumsum([0, *(len(part.origins) for part in parts)])
        time_ms = np.concatenate([part.time_ms for part in parts])
        origin = np.concatenate([part.origin + begin for part, begin in zip(parts, first, strict=False)])
        order = np.argsort(time_ms, kind="stable")
        order = order[: np.searchsorted(time_ms[order], end_ms)]
        what, subject, status = (
            np.concatenate([getattr(part, name) for part in parts])[order] for name in ("what", "subject", "status")
        )
        origins = [origin for part in parts for origin in part.origins]
        return cls(time_ms[order], origin[order], what, subject, status, origins)

    def profiles(self, members: Members) -> int:
        """Distinct profiles that the answers disclosed: by views, look-ups, searches and lists."""
        served = self.status == 200
        views = self.subject[served & (self.what == What.VIEW)]
        holders = members.holder(self.subject[served & (self.what == What.LOOKUP)])
        results = _shown(members.results, self.subject[served & (self.what == What.SEARCH)])
        connections = _shown(members.connections_page, self.subject[served & (self.what == What.LIST)])
        return len(np.unique(np.concatenate((views, holders, *results, *connections))))


def events(traffic: Traffic, members: Members, start_ms: int, route: bool) -> Iterator[Event]:
    """Request events (CONTRACT.md, section 2) in the order of the columns; holds `CHUNK` of them at a time."""
    origins = [origin.fields() for origin in traffic.origins]
    kept = lru_cache(ANSWERS_KEPT)(lambda what, subject: ANSWERS[what](members, subject, route))
    for begin in range(0, len(traffic), CHUNK):
        rows = slice(begin, begin + CHUNK)
        times = timestamps(traffic.time_ms[rows] + start_ms)
        columns = (traffic.origin[rows], traffic.what[rows], traffic.subject[rows], traffic.status[rows])
        for time, origin, what, subject, status in zip(times, *(column.tolist() for column in columns), strict=True):
            asked = kept(what, subject) if what in ANSWERS else _asked(what, subject, route)
            yield {
                "@timestamp": time,
                "http.request.method": "GET",
                **asked,
                "http.response.status_code": status,
                **origins[origin],
            }


def timestamps(epoch_ms: Ints) -> list[str]:
    """RFC 3339 UTC with ms."""
    text: list[str] = np.datetime_as_string(epoch_ms.astype("datetime64[ms]"), unit="ms").tolist()
    return [f"{time}Z" for time in text]


def _asked(what: int, subject: int, route: bool) -> Event:
    if what == What.OTHER:
        return {"url.path": OTHERS[subject]}
    path = f"/people/{subject}"
    return {"url.path": path, "http.route": "/people/{profile}"} if route else {"url.path": path}


def _search(members: Members, subject: int, route: bool) -> Event:
    text, page = divmod(subject, PAGES_MAX)
    query = f"q={members.texts[text]}" + (f"&page={page + 1}" if page else "")
    targets = list(map(str, members.results(text, page).tolist()))
    asked: Event = {"url.path": "/search/people", "url.query": query, "weir.targets": targets}
    return asked | {"http.route": "/search/people"} if route else asked


def _lookup(members: Members, subject: int, route: bool) -> Event:
    asked: Event = {"url.path": f"/contacts/lookup/{subject}"}
    holder = int(members.holder(np.array([subject]))[0])
    if holder >= 0:
        asked["weir.target.id"] = str(holder)
    return asked | {"http.route": "/contacts/lookup/{number}"} if route else asked


def _list(members: Members, subject: int, route: bool) -> Event:
    profile, page = divmod(subject, PAGES_MAX)
    asked: Event = {"url.path": f"/people/{profile}/connections", "url.query": f"page={page + 1}"}
    if members.exists(np.array([profile]))[0]:
        asked["weir.targets"] = list(map(str, members.connections_page(profile, page).tolist()))
    return asked | {"http.route": "/people/{id}/connections"} if route else asked


def _shown(page_of: Callable[[int, int], Ints], subjects: Ints) -> Iterator[Ints]:
    """Ids on each page that was asked for."""
    return (page_of(*divmod(subject, PAGES_MAX)) for subject in np.unique(subjects).tolist())


ANSWERS: Final[dict[int, Callable[[Members, int, bool], Event]]] = {
    What.SEARCH: _search,
    What.LOOKUP: _lookup,
    What.LIST: _list,
}
"""What is worked out from the members, and so kept."""
