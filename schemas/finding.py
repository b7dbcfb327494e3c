"""Finding: a detector's statement on one actor, with what a person needs to check it."""

from math import isfinite

import msgspec

from schemas.field import Ratio, check_ratio

Evidence = dict[str, int | float | str]
"""Named numbers that the score follows from, with units in the names and the baseline beside what was observed."""


class Finding(msgspec.Struct, frozen=True):
    """One detector's statement."""

    detector: str
    """Its id, which is its module's name."""
    score: Ratio
    """How sure the detector is."""
    reason: str
    """One sentence for whoever handles the incident."""
    evidence: Evidence

    def __post_init__(self) -> None:
        check_ratio("score", self.score)
        for name, value in self.evidence.items():
            if isinstance(value, float) and not isfinite(value):
                raise ValueError(f"evidence {name} must be finite")
