"""A decision as CrowdSec's local API spells it."""

from typing import Final

import msgspec

from streams.pipeline.enforce.decisions import US, Told
from streams.pipeline.enforce.word import ORIGIN

MINUTE_S: Final = 60


class Decision(msgspec.Struct, frozen=True, gc=False):
    """One decision. A client that is written in Go ends with a fault when one of the texts is missing."""

    id: int
    origin: str
    type: str
    scope: str
    value: str
    duration: str
    scenario: str
    uuid: str


def decision(told: Told) -> Decision:
    """The decision; one that stands has a second left at least, since some clients take none for no end."""
    target, word, left_us = told
    left_s = -(-left_us // US)
    return Decision(
        word.place, ORIGIN, word.type, target.scope, target.value, duration(left_s), word.scenario, word.uuid
    )


def duration(seconds: int) -> str:
    """A duration as Go writes it, in whole seconds: ``3h59m58s``, ``0s``, ``-1m3s``."""
    minutes, rest_s = divmod(abs(seconds), MINUTE_S)
    hours, minutes = divmod(minutes, MINUTE_S)
    text = f"{hours}h{minutes}m{rest_s}s" if hours else f"{minutes}m{rest_s}s" if minutes else f"{rest_s}s"
    return f"-{text}" if seconds < 0 else text
