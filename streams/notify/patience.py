"""How long to wait before a receiver is tried again."""

import random
from typing import Final

FIRST_S: Final = 1.0
MOST_S: Final = 60.0


class Patience:
    """Twice as long after each failure, up to a minute; jitter keeps many from coming back at once."""

    def __init__(self, first_s: float = FIRST_S, most_s: float = MOST_S) -> None:
        """The first wait, and the longest one."""
        self._first_s, self._most_s = first_s, most_s
        self._failures = 0

    def longer(self, asked_s: float = 0.0) -> float:
        """Seconds to wait after one more failure, at least the ``asked_s`` that the receiver asked for."""
        wait_s = min(self._most_s, self._first_s * 2.0 ** min(self._failures, 16))
        self._failures += 1
        return max(asked_s, wait_s) * random.uniform(1.0, 1.5)  # noqa: S311 - spreads tries, guards nothing

    def restored(self) -> None:
        """It has answered."""
        self._failures = 0
