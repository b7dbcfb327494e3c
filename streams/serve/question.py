"""What an enforcer asks: parameters of the local API, read into a view and a choice.

Parameters that Weir does not know are ignored, as CrowdSec does: its clients send some of other versions. One that is
known must come once: which of two counts, each client's author would guess otherwise.
"""

from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from typing import Final, Protocol

from msgspec import Struct

from streams.pipeline.enforce.decisions import Decisions, Told
from streams.pipeline.enforce.target import Network, Target, asked_network, spelled
from streams.pipeline.enforce.word import View
from streams.serve.keys import Bouncer

DIGITS_MAX: Final = 12


class Query(Protocol):
    """Parameters, each with all the values it came with."""

    def __contains__(self, name: object, /) -> bool:
        """Whether it came."""

    def getall(self, name: str, default: list[str], /) -> list[str]:
        """All its values."""


class QuestionError(ValueError):
    """What was asked cannot be answered; the text says which parameter is wrong, and goes to the asker."""


class Choice(Struct, frozen=True):
    """Which of the decisions that stand, and how many of them."""

    network: Network | None = None
    contains: bool = True
    """Those that contain the network, or those that lie in it."""
    value: str | None = None
    type: str | None = None
    limit: int | None = None
    offset: int = 0

    def of(self, decisions: Decisions, view: View, at_us: int) -> Iterator[Told]:
        """The decisions, without regard to limit and offset."""
        if self.network is not None:
            ask = decisions.containing if self.contains else decisions.within
            found = ask(self.network, view, at_us)
        elif self.value is not None and view.scopes is not None:
            found = chain.from_iterable(
                decisions.upon(Target(scope, self.value), view, at_us) for scope in sorted(view.scopes)
            )
        else:
            found = decisions.active(view, at_us)
        return (told for told in found if self._fits(told))

    def _fits(self, told: Told) -> bool:
        return self.value in (None, told.target.value) and self.type in (None, told.word.type)


def starts(query: Query) -> bool:
    """Whether everything is asked for, not only what has changed.

    Raises:
        QuestionError: said twice.
    """
    return _one(query, "startup") == "true"


def view_of(query: Query, bouncer: Bouncer) -> View:
    """What an enforcer sees: what its key allows, of that what it asks for.

    Raises:
        QuestionError: a parameter comes twice, or both spellings of it.
    """
    if "scope" in query and "scopes" in query:
        raise QuestionError("scope and scopes are the same parameter")
    asked = _several(query, "scopes") or _several(query, "scope")
    allowed, origins = frozenset(bouncer.scopes), _several(query, "origins")
    return View(
        types=frozenset(bouncer.types),
        scopes=allowed & {spelled(scope) for scope in asked} if asked else allowed,
        origins=frozenset(origins) if origins else None,
        containing=tuple(part.lower() for part in _several(query, "scenarios_containing")),
        not_containing=tuple(part.lower() for part in _several(query, "scenarios_not_containing")),
    )


def choice(query: Query) -> Choice:
    """Which decisions are asked for.

    Raises:
        QuestionError: a parameter is wrong or comes twice, or two exclude one another.
    """
    ip, range_ = _one(query, "ip"), _one(query, "range")
    if ip is not None and range_ is not None:
        raise QuestionError("ip and range exclude one another")
    return Choice(
        network=_network("ip", ip) if ip is not None else _network("range", range_) if range_ is not None else None,
        contains=_boolean(query, "contains", default=True),
        value=_one(query, "value"),
        type=_one(query, "type"),
        limit=_number(query, "limit"),
        offset=_number(query, "offset") or 0,
    )


def _one(query: Query, name: str) -> str | None:
    """A parameter's value; None where it is absent or empty."""
    values = query.getall(name, [])
    if len(values) > 1:
        raise QuestionError(f"{name} comes {len(values)} times")
    return values[0] or None if values else None


def _several(query: Query, name: str) -> list[str]:
    return [part.strip() for part in (_one(query, name) or "").split(",") if part.strip()]


def _boolean(query: Query, name: str, *, default: bool) -> bool:
    text = _one(query, name)
    if text not in (None, "true", "false"):
        raise QuestionError(f"{name} is neither true nor false")
    return default if text is None else text == "true"


def _number(query: Query, name: str) -> int | None:
    text = _one(query, name)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= DIGITS_MAX):
        raise QuestionError(f"{name} is no number from 0")
    return int(text)


def _network(name: str, text: str) -> Network:
    network: Network | None = None
    with suppress(ValueError):
        network = asked_network(text)
    if network is None or (name == "ip" and "/" in text):
        raise QuestionError(f"{name} is no {'address' if name == 'ip' else 'range'} of IPv4 or IPv6")
    return network
