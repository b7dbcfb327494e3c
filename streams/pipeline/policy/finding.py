"""From evidence at sightings to findings: which rows speak, how loudly, and in which mode."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.core.columns import Columns
from detectors.core.contract import Detector, DetectorConfig, Evidence, Explanation, score
from schemas.alert import Severity
from schemas.finding import Finding
from schemas.mode import Mode

SEVERITIES: Final = (Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL)
"""By rank: evidence for an alert is medium, for a block high, for twice that critical."""
MODE_STEP: Final = 4
"""Ranks that a mode takes up."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One detector's evidence over a batch."""

    detector: Detector[DetectorConfig]
    mode: Mode
    evidence: Evidence

    def speaks(self, row: int) -> bool:
        """The detector has a finding at ``row``."""
        return bool(self.evidence.level[row] >= 1.0)

    def blocks(self, row: int) -> bool:
        """The finding at ``row`` is strong enough for a block."""
        evidence = self.evidence
        return bool(evidence.may_block[row] and evidence.level[row] >= self.detector.config.block_ratio)

    def explain(self, columns: Columns, row: int) -> Explanation:
        """Why, for people."""
        return self.detector.explain(columns, self.evidence, row)

    def finding(self, columns: Columns, row: int) -> Finding:
        """The finding at ``row``."""
        why = self.explain(columns, row)
        return Finding(self.detector.name, round(score(float(self.evidence.level[row])), 4), why.reason, why.evidence)


def ranks(judged: Sequence[Judged], n: int) -> NDArray[np.uint8]:
    """[n] how much a row matters: 0 without a finding, else mode before severity, so that no shadow hides another."""
    out = np.zeros(n, np.uint8)
    for one in judged:
        level, block = one.evidence.level, one.detector.config.block_ratio
        may_block = one.evidence.may_block
        severity = (level >= 1.0).astype(np.uint8) + (may_block & (level >= block)) + (may_block & (level >= 2 * block))
        np.maximum(out, np.where(severity > 0, one.mode.rank * MODE_STEP + severity, 0), out=out, casting="unsafe")
    return out


def severity_of(rank: int) -> Severity:
    """Severity in a rank of `ranks`."""
    return SEVERITIES[rank % MODE_STEP]
