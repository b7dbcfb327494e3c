"""Requests as columns, and from columns to request events."""

from collections.abc import Iterator, Sequence
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
RESULT_PAGES_KEPT: Final = 65_536

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
    """A page of results; subject is name times `PAGES_MAX` plus page."""
    OTHER = 2
    """An asset or a call; subject is its place in `OTHERS`."""


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
    def of(cls, what: What, time_ms: Ints, origin: Ints, subject: Ints, origins: Sequence[Origin]) -> Self:
        """Requests of one sort, all answered with 200."""
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

    def profiles(self) -> int:
        """Distinct profiles that the views disclosed."""
        shown = (self.what == What.VIEW) & (self.status == 200)
        return len(np.unique(self.subject[shown]))


def events(traffic: Traffic, members: Members, start_ms: int, route: bool) -> Iterator[Event]:
    """Request events (CONTRACT.md, section 2) in the order of the columns; holds `CHUNK` of them at a time."""
    origins = [origin.fields() for origin in traffic.origins]
    searched = lru_cache(RESULT_PAGES_KEPT)(lambda subject: _search(members, subject, route))
    for begin in range(0, len(traffic), CHUNK):
        rows = slice(begin, begin + CHUNK)
        times = timestamps(traffic.time_ms[rows] + start_ms)
        columns = (traffic.origin[rows], traffic.what[rows], traffic.subject[rows], traffic.status[rows])
        for time, origin, what, subject, status in zip(times, *(column.tolist() for column in columns), strict=True):
            asked = searched(subject) if what == What.SEARCH else _asked(what, subject, route)
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
    name, page = divmod(subject, PAGES_MAX)
    query = f"q={members.names[name]}" + (f"&page={page + 1}" if page else "")
    targets = list(map(str, members.results(name, page).tolist()))
    asked: Event = {"url.path": "/search/people", "url.query": query, "weir.targets": targets}
    return asked | {"http.route": "/search/people"} if route else asked
