"""Records as request events, in the format that is configured or in any that can be told."""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Final, NamedTuple

from schemas.errors import RecordError
from schemas.request import RequestEvent
from streams.inputs import (
    alb,
    apache,
    auto,
    caddy,
    canonical,
    clf,
    cloudflare,
    cloudfront,
    envoy,
    haproxy,
    nginx,
    ocsf,
    otlp,
    traefik,
)
from streams.inputs.attributes import event_of, is_request
from streams.inputs.envelope import opened
from streams.inputs.packed import unpacked
from streams.inputs.proxies import trusted_of
from streams.inputs.several import PARTS_MAX, parts_of
from streams.inputs.text import Site
from streams.inputs.zone import zone_of
from streams.settings import InputSettings

Parse = Callable[[bytes, Site], RequestEvent | None]
"""The event of a record; None for one that tells of no request; `RecordError` for what is not of the format."""

FORMATS: Final[Mapping[str, Parse]] = {
    "canonical": canonical.parse,
    "clf": clf.parse,
    "nginx": nginx.parse,
    "apache": apache.parse,
    "haproxy": haproxy.parse,
    "envoy": envoy.parse,
    "traefik": traefik.parse,
    "caddy": caddy.parse,
    "alb": alb.parse,
    "cloudfront": cloudfront.parse,
    "cloudflare": cloudflare.parse,
    "ocsf": ocsf.parse,
}
"""By name, as `[input] format` has it; beside these there are `otlp`, whose records hold many, and `auto`."""
OTLP: Final = "otlp"
AUTO: Final = "auto"
_CLF: Final = {AUTO: "clf", "clf": "clf", "nginx": "nginx", "apache": "apache"}
"""Formats that take lines of the common log format, and what such a line is told as."""
_DEPTH_MAX: Final = 5
"""Layers of envelopes, arrays and compression around an event."""


class Part(NamedTuple):
    """An event of a record, or what stands there instead."""

    value: bytes
    """A record of its own that says the same."""
    name: str
    """Of its format."""
    event: RequestEvent | None
    """None where nothing was asked for, as in a line of an error log; and where there is an error."""
    error: RecordError | None = None


class Reader:
    """Reads records; keeps nothing of them."""

    def __init__(self, name: str, site: Site, unpacked_max_bytes: int) -> None:
        """``name`` is one of FORMATS, OTLP or AUTO."""
        self._name: Final = name
        self._site: Final = site
        self._most: Final = unpacked_max_bytes
        self._parse: Final = FORMATS.get(name)
        self.takes_canonical: Final = name in (AUTO, "canonical")
        """Whether a flat canonical record is one, whatever else it may look like."""
        self.clf: Final = _CLF.get(name)
        """As what a line of the common log format is told; None where it is none of the format's."""
        self.trusts: Final = bool(site.trusted.ranges)
        """Whether anybody's word on the client is taken."""

    def one(self, value: bytes) -> tuple[str, RequestEvent | None]:
        """Format and event of a record that is one by itself.

        Raises:
            RecordError: it is none; `parts` may find more in it.
        """
        if self._parse is not None:
            return self._name, self._parse(value, self._site)
        name = auto.format_of(value) if self._name == AUTO else OTLP
        if name is None or name == auto.ENVELOPE:
            # The contract's own format says best what is wrong with what has none.
            return "canonical", canonical.parse(value, self._site)
        if name == OTLP:
            raise RecordError("$", "holds several")
        return name, FORMATS[name](value, self._site)

    def parts(self, value: bytes) -> list[Part]:
        """All that a record holds, in its order; a record of nothing, as an empty array, has no part.

        What cannot be read as a whole is a part with the reason.
        """
        try:
            found = list(islice(self._parts(value, 0), PARTS_MAX + 1))
        except RecordError as error:
            return [Part(value, self._name, None, error)]
        if len(found) > PARTS_MAX:
            return [Part(value, self._name, None, RecordError("$", f"holds more than {PARTS_MAX} events"))]
        return found

    def _parts(self, value: bytes, depth: int) -> Iterator[Part]:
        if depth > _DEPTH_MAX:
            raise RecordError("$", "nested too deeply")
        plain = unpacked(value, self._most)
        if plain is not None:
            yield from self._parts(plain, depth + 1)
        elif self._is_otlp(value):
            yield from map(self._told, otlp.read(value))
        else:
            yield from self._single(value, depth)

    def _single(self, value: bytes, depth: int) -> Iterator[Part]:
        try:
            part = Part(value, *self.one(value))
        except RecordError as error:
            yield from self._inside(value, depth, error)
        else:
            yield part

    def _inside(self, value: bytes, depth: int, failed: RecordError) -> Iterator[Part]:
        """What stands in a record that is no event by itself; ``failed`` says why not."""
        parts = parts_of(value)
        if parts is not None and parts != [value]:
            found = [part for each in parts for part in self._kept(each, depth)]
            # What has nothing in it that can be read is one thing, not many.
            unread = bool(found) and all(part.error is not None for part in found)
            yield from [Part(value, self._name, None, failed)] if unread else found
            return
        inner = opened(value)
        found = [] if inner is None else list(self._parts(inner, depth + 1))
        if inner is None:
            yield Part(value, self._name, None, failed)
        elif len(found) == 1:
            error = found[0].error
            yield found[0]._replace(value=value, error=error and self._clearer(failed, error))
        else:
            yield from found

    def _kept(self, value: bytes, depth: int) -> Iterator[Part]:
        """Parts of a part: what is wrong with one of them leaves its neighbours alone."""
        try:
            yield from list(self._parts(value, depth + 1))
        except RecordError as error:
            yield Part(value, self._name, None, error)

    def _is_otlp(self, value: bytes) -> bool:
        if self._name not in (OTLP, AUTO):
            return False
        if value[:1] == b"{":
            return auto.format_of(value) == OTLP
        return value[:1] == b"\n" and otlp.is_protobuf(value)

    def _told(self, told: otlp.Told) -> Part:
        try:
            if told.counts and is_request(told.attributes):
                return Part(told.alone, OTLP, event_of(told.attributes, told.time_ns))
            if told.line is None or self._name != AUTO or auto.format_of(told.line) in (None, OTLP):
                return Part(told.alone, OTLP, None)
            name, event = self.one(told.line)
            return Part(told.alone, name, event)
        except RecordError as error:
            return Part(told.alone, OTLP, None, error)

    def _clearer(self, outer: RecordError, inner: RecordError) -> RecordError:
        """What is said of an envelope whose line cannot be read: that of the line, where a format is known."""
        return outer if self._name in ("canonical", AUTO) and inner.where.startswith("byte") else inner


def reader_of(settings: InputSettings) -> Reader:
    """The reader that is configured."""
    site = Site(zone_of(settings.zone), trusted_of(settings.trusted_proxies))
    return Reader(settings.format, site, settings.unpacked_max_bytes)
