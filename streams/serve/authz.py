"""Whether a proxy may let one request through: what it says of who sent it, and what stands on that.

A proxy that asks here enforces blocks of accounts and sessions too, which those that know addresses alone cannot. What
it says it must have found out itself: each of these headers is the proxy's, and it takes away what a visitor sent
under the same name. Only 200 and 403 speak of the visitor. Everything else says that there is no answer, so that the
proxy's own setting decides whether it lets through then.
"""

from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from typing import Final, Protocol

from streams.pipeline.enforce.decisions import Decisions, Told
from streams.pipeline.enforce.target import Network, Target, asked_network
from streams.pipeline.enforce.word import View, strength
from streams.serve.question import QuestionError

ADDRESS: Final = "X-Real-IP"
"""One address, as the proxy itself knows the visitor."""
NAMES: Final = {"X-Weir-Account": "username", "X-Weir-Session": "session"}
"""Headers by the scope of what they name, spelled as in the request events that Weir reads."""
DECISION: Final = "X-Weir-Decision"
"""In every 200 and 403, so that whoever hands it on replaces what a visitor may have sent under this name."""
NOTHING: Final = "none"


class Headers(Protocol):
    """Headers, each with all the values it came with."""

    def getall(self, name: str, default: list[str], /) -> list[str]:
        """All its values."""


def standing(headers: Headers, decisions: Decisions, view: View, at_us: int) -> Told | None:
    """The strongest decision on any of those who are named; None where nothing stands.

    Its cost is one look-up for each name and for each length of prefix that there is.

    Raises:
        QuestionError: nobody is named, a header comes twice, or an address is none.
    """
    address, names = _one(headers, ADDRESS), {scope: _one(headers, name) for name, scope in NAMES.items()}
    if not address and not any(names.values()):
        raise QuestionError(f"who is it? {ADDRESS}, {' or '.join(NAMES)} says")
    named = (decisions.upon(Target(scope, value), view, at_us) for scope, value in names.items() if value)
    found = chain(_upon_address(address, decisions, view, at_us), *named)
    return max(found, key=lambda told: strength(told.word), default=None)


def _upon_address(address: str, decisions: Decisions, view: View, at_us: int) -> Iterator[Told]:
    if not address:
        return iter(())
    network: Network | None = None
    with suppress(ValueError):
        # Envoy names the interface of a neighbour (`fe80::1%2`); events are counted without it, too.
        network = asked_network(address.partition("%")[0])
    if network is None or "/" in address:
        raise QuestionError(f"{ADDRESS} is no address")
    return decisions.containing(network, view, at_us)


def _one(headers: Headers, name: str) -> str:
    values = headers.getall(name, [])
    if len(values) > 1:
        raise QuestionError(f"{name} comes twice: the proxy must replace what a visitor sends")
    return values[0] if values else ""
