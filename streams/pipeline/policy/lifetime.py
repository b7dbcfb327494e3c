"""How long a block lasts: longer for who comes back and goes on."""

from collections.abc import Mapping
from typing import Any, Final

from numpy.typing import NDArray

from detectors.core.columns import US
from schemas.actor import Actor
from schemas.identity import stable_id
from streams.settings import PolicySettings

TIMES_MAX: Final = 255
JITTER: Final = 0.1


def lasting_until(
    policy: PolicySettings, columns: Mapping[str, NDArray[Any]], slot: int, actor: Actor, event_us: int
) -> int:
    """End of an enforced block that begins with the event, in us; remembers it in the actor's ``columns``.

    A block that comes while the one before it stands extends that one and counts as the same. The first lasts exactly
    ``block_s``; later ones vary by up to a tenth, the same in every replay, so that nobody can wait for the minute.
    """
    ended_us, times = int(columns["block_ended_us"][slot]), int(columns["times_blocked"][slot])
    if event_us >= ended_us:
        forgotten = event_us - ended_us >= policy.block_memory_s * US
        times = 1 if forgotten else min(times + 1, TIMES_MAX)
    seconds = min(policy.block_s * policy.block_growth ** (times - 1), max(policy.block_max_s, policy.block_s))
    until_us = event_us + int(seconds * (1.0 + (_jitter(actor, event_us) if times > 1 else 0.0)) * US)
    columns["times_blocked"][slot] = times
    columns["block_ended_us"][slot] = max(until_us, ended_us)
    return max(until_us, ended_us)


def was_blocked(columns: Mapping[str, NDArray[Any]], slot: int, since_us: int, event_us: int) -> bool:
    """An enforced block of the actor ended after ``since_us`` and by the event."""
    return int(columns["times_blocked"][slot]) > 0 and since_us < int(columns["block_ended_us"][slot]) <= event_us


def _jitter(actor: Actor, event_us: int) -> float:
    """A number in [0, 0.1) that follows from the decision."""
    return int(stable_id("lifetime", actor.key, event_us)[:8], 16) / 0x1_0000_0000 * JITTER
