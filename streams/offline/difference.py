"""Two configurations on the same recorded requests: who would be blocked by only one of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from schemas.block import Action, Block, BlockMode
from streams.offline.replay import Progress, replay
from streams.settings import Settings

ONLY_FIRST, ONLY_SECOND, BOTH = "first", "second", "both"


class Outcome(msgspec.Struct):
    """What one configuration would have done to an actor."""

    action: str
    """The strongest: challenge, throttle or block."""
    at: str
    """Event time of the first time that this action was taken: a challenge before it says nothing of how late it is."""
    detectors: list[str]
    reason: str
    profiles: int
    """Disclosed by then."""


class Difference(msgspec.Struct):
    """One actor that enforcement would have been told of."""

    actor: str
    by: str
    """``first``, ``second`` or ``both``: with another action or at another time."""
    first: Outcome | None
    second: Outcome | None


class Compared(NamedTuple):
    """What two replays had in common, and what not."""

    same: int
    """Actors to whom both would have done the same at the same time."""
    differences: list[Difference]
    """Only by the first, then only by the second, then by both, each in order of time."""


def compare(
    paths: Sequence[Path],
    first: Settings,
    second: Settings,
    progress: Progress | None = None,
    *,
    apart: bool | None = None,
) -> Compared:
    """Replay the files under both; no block denies anything, lest the two see different requests.

    See `replay` for ``apart``.

    Raises:
        InputError: a file cannot be read.
    """
    one, other = (
        outcomes_of(replay(paths, settings, enforce=False, progress=progress, apart=apart).blocks)
        for settings in (first, second)
    )
    return compared(one, other)


def compared(first: Mapping[str, Outcome], second: Mapping[str, Outcome]) -> Compared:
    """What two sides would have done, by actor."""
    found, same = [], 0
    for actor in first.keys() | second.keys():
        one, other = first.get(actor), second.get(actor)
        if one is not None and other is not None and (one.action, one.at) == (other.action, other.at):
            same += 1
            continue
        by = BOTH if one is not None and other is not None else ONLY_FIRST if one is not None else ONLY_SECOND
        found.append(Difference(actor, by, one, other))
    order = [ONLY_FIRST, ONLY_SECOND, BOTH]
    return Compared(same, sorted(found, key=lambda one: (order.index(one.by), _at(one), one.actor)))


def outcomes_of(blocks: Sequence[Block]) -> dict[str, Outcome]:
    """What enforcement was told of each actor; blocks in mode shadow are none."""
    found: dict[str, Outcome] = {}
    for block in blocks:
        if block.mode is not BlockMode.ENFORCE:
            continue
        known = found.get(block.actor.key)
        if known is None or block.action.rank > Action(known.action).rank:
            found[block.actor.key] = Outcome(
                block.action.value, block.event_time, block.detectors, block.reason, block.exposure.profiles
            )
    return found


def _at(difference: Difference) -> str:
    return min(one.at for one in (difference.first, difference.second) if one is not None)
