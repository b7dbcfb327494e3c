"""Who is recognised before judgement: the allowlist and authorised collectors, each with owner, reason and expiry."""

from collections.abc import Iterable
from ipaddress import ip_network
from typing import Final

from schemas.actor import Actor
from streams.pipeline.expiry import expiry_us
from streams.settings import Allow, Settings

_ADDRESSED: Final = ("ip", "net")


class Exemptions:
    """Answers for an actor at an event time. An address or network stands for all that it shares an address with."""

    def __init__(self, settings: Settings) -> None:
        self._allow = settings.allow
        self._collectors = settings.collectors

    def allowed(self, actor: Actor, time_us: int) -> bool:
        """The actor must not be blocked, nor a network with an allowed address in it."""
        return any(_touches(entry.actor, actor) for entry in _in_force(self._allow, time_us))

    def quotas(self, actor: Actor) -> list[tuple[int, int]]:
        """Quotas of an authorised collector, none of anybody else: profiles in 24 h, and the end of each in us."""
        entries = [entry for entry in self._collectors if entry.actor == actor.key]
        return [(entry.profiles_per_day, expiry_us(entry.expires)) for entry in entries]

    @property
    def has_collectors(self) -> bool:
        """Anybody has a quota."""
        return bool(self._collectors)


def _in_force(entries: Iterable[Allow], time_us: int) -> Iterable[Allow]:
    return (entry for entry in entries if time_us < expiry_us(entry.expires))


def _touches(entry: str, actor: Actor) -> bool:
    if entry == actor.key:
        return True
    scope, _, value = entry.partition(":")
    if scope not in _ADDRESSED or actor.scope not in _ADDRESSED:
        return False
    return ip_network(value, strict=False).overlaps(ip_network(actor.value, strict=False))
