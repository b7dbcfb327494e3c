"""The world of a plan: what exists before anybody does anything."""

from dataclasses import dataclass
from typing import Self

from streams.offline.simulate.internet import Internet
from streams.offline.simulate.members import Members
from streams.offline.simulate.people import Crowd, crowds
from streams.offline.simulate.plan import Plan


@dataclass(frozen=True, slots=True)
class World:
    """Member base, addresses and honest people of a plan; no scraper changes them."""

    plan: Plan
    members: Members
    internet: Internet
    crowds: tuple[Crowd, ...]

    @classmethod
    def of(cls, plan: Plan) -> Self:
        """Makes it."""
        members = Members.of(plan)
        return cls(plan, members, Internet.of(plan), tuple(crowds(plan, members)))
