"""Who is recognised before judgement: the allowlist and authorised collectors, each with owner, reason and expiry.

A verified robot's addresses are spared too: what comes from them under another name is judged, and told of, but a block
on the address would hit the robot.
"""

from collections.abc import Iterable
from ipaddress import ip_network
from typing import Final

import numpy as np

from schemas.actor import Actor, Scope
from streams.pipeline.expiry import expiry_us
from streams.pipeline.observe.bot import edges
from streams.settings import Allow, Settings

_ADDRESSED: Final = (Scope.IP.label, Scope.NET.label)


class Exemptions:
    """Answers for an actor at an event time. An address or network stands for all that it shares an address with."""

    def __init__(self, settings: Settings) -> None:
        self._allow = settings.allow
        self._collectors = settings.collectors
        self._parts = {group.name: group.of for group in settings.groups}
        spans = [(*edges(text), expiry_us(bot.expires)) for bot in settings.bots for text in bot.ranges]
        self._robots = np.array(spans, np.int64).reshape(-1, 4)

    def allowed(self, actor: Actor, time_us: int) -> bool:
        """The actor must not be blocked, nor a network with an allowed address in it, nor what lies within one.

        Of a robot's addresses alike.
        """
        named = [actor, *self.within(actor)]
        return any(touches(entry.actor, one) for entry in _in_force(self._allow, time_us) for one in named) or any(
            self._has_robot(one, time_us) for one in named
        )

    def within(self, actor: Actor) -> list[Actor]:
        """Wider actors that a fingerprint within an ASN, or a combination, lies within."""
        if actor.scope == Scope.FINGERPRINT_ASN.label:
            fingerprint, _, asn = actor.value.rpartition("@")
            return [Actor(Scope.FINGERPRINT.label, fingerprint), Actor(Scope.ASN.label, asn)]
        if actor.scope == Scope.COMBINATION.label:
            name, _, values = actor.value.partition(":")
            parts = dict(zip(self._parts.get(name, ()), values.split("@"), strict=False))
            wider = [Actor(*part) for part in parts.items()]
            if {"fingerprint", "asn"} <= parts.keys():
                wider.append(Actor(Scope.FINGERPRINT_ASN.label, f"{parts['fingerprint']}@{parts['asn']}"))
            return wider
        return []

    def _has_robot(self, actor: Actor, time_us: int) -> bool:
        """A verified robot has an address in common with the actor."""
        if actor.scope not in _ADDRESSED or not self._robots.size:
            return False
        sort, low, high = edges(actor.value)
        sorts, lows, highs, until_us = self._robots.T
        return bool(((sorts == sort) & (lows <= high) & (low <= highs) & (time_us < until_us)).any())

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


def touches(entry: str, actor: Actor) -> bool:
    """The actor that ``entry`` names is this one, or both are addresses or networks that have an address in common."""
    if entry == actor.key:
        return True
    scope, _, value = entry.partition(":")
    if scope not in _ADDRESSED or actor.scope not in _ADDRESSED:
        return False
    return ip_network(value, strict=False).overlaps(ip_network(actor.value, strict=False))
