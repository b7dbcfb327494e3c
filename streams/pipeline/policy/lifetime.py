"""How long a block lasts: longer for who comes back and goes on."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
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
    None goes farther beyond the event than `longest_s` and that tenth, whatever stood before.
    """
    ended_us, times = int(columns["block_ended_us"][slot]), int(columns["times_blocked"][slot])
    if event_us >= ended_us:
        forgotten = event_us - ended_us >= policy.block_memory_s * US
        times = 1 if forgotten else min(times + 1, TIMES_MAX)
    longest = longest_s(policy, actor)
    seconds = min(policy.block_s * policy.block_growth ** (times - 1), longest)
    until_us = event_us + int(seconds * (1.0 + (_jitter(actor, event_us) if times > 1 else 0.0)) * US)
    # What stands may have been begun under a configuration that let it last longer.
    until_us = max(until_us, min(ended_us, event_us + int(longest * (1.0 + JITTER) * US)))
    columns["times_blocked"][slot] = times
    columns["block_ended_us"][slot] = until_us
    return until_us


def forgive(columns: Mapping[str, NDArray[Any]], slot: int, time_us: int) -> None:
    """Forget the block that stands, as it is taken back: it has ended, and its actor is not to pay for it later."""
    columns["times_blocked"][slot] = max(int(columns["times_blocked"][slot]) - 1, 0)
    columns["block_ended_us"][slot] = min(int(columns["block_ended_us"][slot]), time_us)
    columns["denied_until_us"][slot] = min(int(columns["denied_until_us"][slot]), time_us)


def longest_s(policy: PolicySettings, actor: Actor) -> int:
    """How long anything on an actor may last, in seconds; a tenth more where it varies."""
    of_scope: int = getattr(policy.scope_max_s, actor.scope)
    return min(max(policy.block_max_s, policy.block_s), of_scope)


def renewal_s(policy: PolicySettings) -> int:
    """How often what stands has to be extended at least, in seconds, so that it has no gaps while findings go on."""
    shortest: int = min(policy.block_s, *msgspec.structs.astuple(policy.scope_max_s))
    return max(shortest // 2, 1)


def was_blocked(columns: Mapping[str, NDArray[Any]], slot: int, since_us: int, event_us: int) -> bool:
    """An enforced block of the actor ended after ``since_us`` and by the event."""
    return int(columns["times_blocked"][slot]) > 0 and since_us < int(columns["block_ended_us"][slot]) <= event_us


def _jitter(actor: Actor, event_us: int) -> float:
    """A number in [0, 0.1) that follows from the decision."""
    return int(stable_id("lifetime", actor.key, event_us)[:8], 16) / 0x1_0000_0000 * JITTER
