"""From evidence at sightings to findings: which rows speak, how loudly, and in which mode."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from detectors.core.columns import Columns
from detectors.core.contract import Detector, DetectorConfig, Evidence, Explanation, score
from schemas.alert import Severity
from schemas.finding import Finding
from schemas.mode import Mode
from streams.pipeline.assess.view import Own, spread

N = TypeVar("N", bound=np.generic)

SEVERITIES: Final = (Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL)
"""By rank: evidence for an alert is medium, for a block high, for twice that critical."""
MODE_STEP: Final = 4
"""Ranks that a mode takes up."""
BLOCKS: Final = 2
"""Rank within a mode from which evidence is ground for a block."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One detector's evidence over a batch."""

    detector: Detector[DetectorConfig]
    mode: Mode
    said: Evidence
    """At all rows, or at those of principals alone where `own` is given: most of the others would be zeros."""
    own: Own | None = None

    @property
    def muted(self) -> "Judged":
        """The same of a detector that is turned off: it says nothing, and goes on to teach the model what it counts."""
        said = replace(self.said, level=np.zeros_like(self.said.level), nats=None, moved=None)
        return replace(self, said=said)

    def rows(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows of the batch, by places in `said`."""
        return places if self.own is None else self.own.rows[places]

    def _place(self, row: int) -> int:
        """Place of a row in `said`, -1 where nothing is said of it."""
        return row if self.own is None else int(self.own.place[row])

    def of_own(self, values: NDArray[N] | None, own: Own) -> NDArray[N] | None:
        """One of the arrays of `said` at the rows of principals alone."""
        return values if self.own is not None or values is None else values[own.rows]

    @property
    def evidence(self) -> Evidence:
        """What is said, at all rows of the batch."""
        return self.said if self.own is None else spread(self.said, self.own.rows, self.own.whole)

    def level(self, row: int) -> float:
        """Level at ``row``."""
        place = self._place(row)
        return float(self.said.level[place]) if place >= 0 else 0.0

    def since_us(self, row: int) -> int:
        """When what is found at ``row`` began."""
        return int(self.said.since_us[self._place(row)])

    def profiles(self, row: int) -> int:
        """Profiles disclosed since then."""
        return int(self.said.profiles[self._place(row)])

    def speaks(self, row: int) -> bool:
        """The detector has a finding at ``row``."""
        return self.level(row) >= 1.0

    def blocks(self, row: int) -> bool:
        """The finding at ``row`` is strong enough for a block."""
        return self.level(row) >= self.detector.config.block_ratio and bool(self.said.may_block[self._place(row)])

    def moved(self, row: int) -> bool:
        """Its part in the sum was reckoned anew at ``row``."""
        place, moved = self._place(row), self.said.moved
        return place >= 0 and moved is not None and bool(moved[place])

    def explain(self, columns: Columns, row: int) -> Explanation:
        """Why, for people."""
        place = self._place(row)
        if self.own is None:
            return self.detector.explain(columns, self.said, row)
        if place < 0:
            return self.detector.explain(columns, self.evidence, row)
        return self.detector.explain(self.own.columns, self.said, place)

    def finding(self, columns: Columns, row: int) -> Finding:
        """The finding at ``row``."""
        why = self.explain(columns, row)
        return Finding(self.detector.name, round(score(self.level(row)), 4), why.reason, why.evidence)


def ranks(judged: Sequence[Judged], n: int) -> NDArray[np.uint8]:
    """[n] how much a row matters: 0 without a finding, else mode before severity, so that no shadow hides another."""
    out = np.zeros(n, np.uint8)
    for one in judged:
        loud = (one.said.level >= 1.0).nonzero()[0]
        if not loud.size:
            continue
        level, block = one.said.level[loud], one.detector.config.block_ratio
        may_block, rows = one.said.may_block[loud], one.rows(loud)
        severity = 1 + (may_block & (level >= block)).astype(np.uint8) + (may_block & (level >= 2 * block))
        out[rows] = np.maximum(out[rows], one.mode.rank * MODE_STEP + severity)
    return out


def severity_of(rank: int) -> Severity:
    """Severity in a rank of `ranks`."""
    return SEVERITIES[rank % MODE_STEP]
