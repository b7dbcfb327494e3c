"""Who is recognised before judgement: the allowlist and authorised collectors, each with owner, reason and expiry."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from ipaddress import ip_network
from typing import Final, TypeVar

from schemas.actor import Actor
from streams.settings import Allow, Collector, Settings

_ADDRESSED: Final = ("ip", "net")
E = TypeVar("E", Allow, Collector)


class Exemptions:
    """Answers for an actor at an event time. Networks cover the addresses and networks in them."""

    def __init__(self, settings: Settings) -> None:
        self._allow = settings.allow
        self._collectors = settings.collectors

    def allowed(self, actor: Actor, time_us: int) -> bool:
        """The actor must not be blocked."""
        return any(_covers(entry.actor, actor) for entry in _in_force(self._allow, time_us))

    def within_quota(self, actor: Actor, profiles_in_day: int, time_us: int) -> bool:
        """The actor is an authorised collector that has not passed its quota of distinct profiles in 24 h."""
        return any(
            entry.actor == actor.key and profiles_in_day <= entry.profiles_per_day
            for entry in _in_force(self._collectors, time_us)
        )


def _in_force(entries: Iterable[E], time_us: int) -> Iterable[E]:
    return (entry for entry in entries if time_us < expiry_us(entry.expires))


def expiry_us(expires: date) -> int:
    """Microseconds at which an entry ends: with the end of its day, UTC."""
    return int(datetime.combine(expires + timedelta(days=1), time(), UTC).timestamp()) * 1_000_000


def _covers(entry: str, actor: Actor) -> bool:
    if entry == actor.key:
        return True
    scope, _, value = entry.partition(":")
    if scope not in _ADDRESSED or actor.scope not in _ADDRESSED:
        return False
    outer, inner = ip_network(value, strict=False), ip_network(actor.value, strict=False)
    if outer.version != inner.version:
        return False
    return inner.subnet_of(outer)  # type: ignore[arg-type]  # both are of the version just compared
