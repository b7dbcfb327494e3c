"""What the page of metrics of `weir serve` says."""

import asyncio
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Final, Protocol

from aiohttp import web
from aiohttp.typedefs import Middleware

from streams import metrics as m

OTHER: Final = "other"
"""Whatever is no path of ours: labels hold nothing that a client chooses."""


class Read(Protocol):
    """The feed of blocks."""

    unreadable: int

    @property
    def age_s(self) -> float | None:
        """Since all of the topic was last known to be read."""

    @property
    def actors(self) -> int:
        """Of whom something is known."""

    def missing(self) -> str:
        """Why no answer can be given; empty when it can."""


class Measuring:
    """Of one process."""

    def __init__(self, feed: Read, enforcers: Callable[[], int], revision: str) -> None:
        """``enforcers`` counts those whose place is remembered; ``revision`` is the configuration's."""
        self._feed, self._enforcers, self._revision = feed, enforcers, revision
        self.metrics = m.Metrics(m.SERVE)
        self.metrics.on_page(self.copy)

    def missing(self) -> str:
        """Why answers cannot be given; empty when they can."""
        return self._feed.missing()

    async def copy(self) -> None:
        """Put everything on the page that is counted elsewhere."""
        page, feed = self.metrics, self._feed
        page.put(m.BUILD, 1, version("weir"))
        page.put(m.CONFIG, 1, self._revision)
        page.put(m.SERVE_COMPLETE, not feed.missing())
        page.put(m.SERVE_ACTORS, feed.actors)
        page.put(m.SERVE_UNREADABLE, feed.unreadable)
        page.put(m.SERVE_ENFORCERS, self._enforcers())
        if feed.age_s is not None:
            page.put(m.SERVE_AGE, feed.age_s)

    def middleware(self) -> Middleware:
        """Counts answers, what is no answer included; goes around all others."""

        @web.middleware
        async def counted(
            request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
        ) -> web.StreamResponse:
            began_s, code = asyncio.get_running_loop().time(), "none"
            try:
                response = await handler(request)
                code = str(response.status)
            except web.HTTPException as error:
                code = str(error.status)
                raise
            finally:
                resource = request.match_info.route.resource
                endpoint = OTHER if resource is None else resource.canonical
                self.metrics.add(m.SERVE_REQUESTS, 1, endpoint, code)
                self.metrics.note(m.SERVE_DURATION, asyncio.get_running_loop().time() - began_s, endpoint)
            return response

        return counted
