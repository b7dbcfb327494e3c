"""When so much of a source cannot be read that it is no longer a matter of single records.

A few bad records are dead letters, and their neighbours go on. When a shipper is changed and none of its records can be
read any more, the same rule would move the whole topic into the dead letters and judge nobody. So of any
`window_records` offsets of a partition that follow each other, no more than a share may be unreadable:

    offset      100 101 102 103 104 105 106 107
    unreadable       x           x   x   x          share_max 0.5, window_records 4: three of [103, 107) is a flood

Offsets are counted and no time: where a flood begins hangs on the records alone, not on how batches were cut.
"""

import math
from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

from streams.settings import DeadLetterSettings

_ROUNDING: Final = 1e-9
"""0.29 of 100 is 28.999..., and is meant to be 29."""


class Source(NamedTuple):
    """A partition of what is observed."""

    topic: str
    partition: int


class Flood:
    """What is remembered of each partition: the unreadable offsets of its last window, at most a window's allowance."""

    def __init__(self, settings: DeadLetterSettings) -> None:
        """Nothing has been seen of any partition."""
        self._window: Final = settings.window_records
        self._most: Final = math.floor(settings.share_max * settings.window_records + _ROUNDING)
        self._dead: Final[dict[Source, deque[int]]] = {}

    def begins(self, source: Source, lo: int, dead: Sequence[int]) -> int | None:
        """The offset at which one record too many cannot be read; None where that is none of them.

        Args:
            source: where the batch came from.
            lo: its first offset. A batch may come again: what was said of these offsets before is forgotten.
            dead: offsets of its records that cannot be read, ascending.
        """
        seen = self._dead.setdefault(source, deque())
        while seen and seen[-1] >= lo:
            seen.pop()
        for offset in dead:
            while seen and seen[0] <= offset - self._window:
                seen.popleft()
            if len(seen) >= self._most:
                return offset
            seen.append(offset)
        return None
