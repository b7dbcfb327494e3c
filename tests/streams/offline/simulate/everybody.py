"""Everybody of the demo, and what they do, for the tests of honest people."""

from functools import cache

from streams.offline.simulate.people import Crowd
from streams.offline.simulate.plan import PRESETS
from streams.offline.simulate.visit import Doings, doings
from streams.offline.simulate.world import World


@cache
def demo() -> World:
    """The world of the demo: 2,000 people, 800 visitors, two days."""
    return World.of(PRESETS["demo"])


def crowd_of(name: str, world: World | None = None) -> Crowd:
    """The crowd of a kind, of the demo unless another world is given."""
    return next(crowd for crowd in (world or demo()).crowds if crowd.kind.name == name)


@cache
def doings_of(name: str) -> Doings:
    """What a kind does in the demo."""
    return doings(demo(), crowd_of(name))
