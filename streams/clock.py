"""The wall clock, given to whoever may know it; logic runs on event time and never asks."""

import time
from collections.abc import Callable

Clock = Callable[[], int]
"""Microseconds since 1970 UTC."""


def wall_clock_us() -> int:
    """Now."""
    return time.time_ns() // 1000
