"""What workers tell each other about how far they are: a word beside each offset that they commit.

Kafka keeps a text with every committed offset, and gives it to whoever may read the group's offsets: each member may.
So no topic, no right and no connection is needed for it, and a word is as true as the offset is. Whoever commits
something else, as an older version of Weir does, has said nothing.
"""

import re
from collections.abc import Hashable, Mapping
from typing import Final, Generic, NamedTuple, TypeVar

from streams.live.transport.alignment import AHEAD_MAX

FORM: Final = re.compile(r"weir/1 ([0-9]{1,15}) ([0-9]{1,19})")
LEFT_MIN: Final = AHEAD_MAX
"""A partition that had fewer records left holds nobody up: it is as good as at its end."""
PATIENCE_LOOKS: Final = 60
"""A partition of which nothing new was said for so many looks holds nobody up.

Its worker is dead or hangs, or holds it: that is for the group to settle, whose sessions are shorter, or for an
operator. Looks are counted and no time is measured: a process that stood still for a while has not looked.
"""

P = TypeVar("P", bound=Hashable)


class Word(NamedTuple):
    """About one partition, up to the offset that is committed."""

    reached_ms: int
    """Time of its records there, never less than before in the same assignment."""
    left: int
    """Records, or offsets, that were there and not yet committed."""

    def __str__(self) -> str:
        return f"weir/1 {self.reached_ms} {self.left}"


class Said(NamedTuple):
    """What stands on the broker about one partition."""

    offset: int
    metadata: str


def heard(metadata: str) -> Word | None:
    """The word that was committed; None where that is none."""
    found = FORM.fullmatch(metadata)
    return None if found is None else Word(*map(int, found.groups()))


class Others(Generic[P]):
    """The partitions of a topic that other workers read."""

    def __init__(self, patience: int = PATIENCE_LOOKS, left_min: int = LEFT_MIN) -> None:
        """Nothing was said."""
        self._patience, self._left_min = patience, left_min
        self._said: dict[P, tuple[Said, int]] = {}

    def look(self, said: Mapping[P, Said]) -> tuple[int, P] | None:
        """What stands there by now: where the slowest is that is to be waited for, and which; None for nobody."""
        before, self._said = self._said, {}
        for partition, one in said.items():
            last, looks = before.get(partition, (None, 0))
            self._said[partition] = one, looks + 1 if last == one else 0
        return self._slowest()

    def fail(self) -> tuple[int, P] | None:
        """A look that saw nothing, which is nothing new; see `look`."""
        return self.look({partition: one for partition, (one, _) in self._said.items()})

    def _slowest(self) -> tuple[int, P] | None:
        slowest: tuple[int, P] | None = None
        for partition, (one, looks) in self._said.items():
            word = heard(one.metadata) if looks < self._patience else None
            if word is not None and word.left >= self._left_min and (slowest is None or word.reached_ms < slowest[0]):
                slowest = word.reached_ms, partition
        return slowest
