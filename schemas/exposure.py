"""Exposure: how much of the member base somebody has seen."""

import msgspec

from schemas.field import Count


class Exposure(msgspec.Struct, frozen=True, gc=False):
    """Distinct profiles disclosed to an actor since `first_seen` of its incident."""

    profiles: Count
    exact: bool
    """Counted one by one; else estimated, by a sketch or because part of the input is missing."""
