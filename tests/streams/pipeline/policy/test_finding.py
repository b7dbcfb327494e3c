"""From evidence to findings: how much a row matters."""

from typing import Final

import numpy as np
import pytest

from detectors.core.contract import Evidence
from detectors.core.discovery import classes
from detectors.profile_rate import Config as ProfileRateConfig
from schemas.alert import Severity
from schemas.mode import Mode
from streams.pipeline.policy.finding import Judged, ranks, severity_of

NONE: Final = np.zeros(1, np.int64)


def judged(level: float, mode: Mode = Mode.SHADOW, *, may_block: bool = True) -> Judged:
    """Evidence of one row; a block needs twice the level."""
    evidence = Evidence(np.array([level]), NONE, NONE, np.array([may_block]), {})
    return Judged(classes()["profile_rate"](ProfileRateConfig(block_ratio=2.0)), mode, evidence)


def rank(*parts: Judged) -> int:
    """Rank of the row."""
    return int(ranks(parts, 1)[0])


@pytest.mark.parametrize(
    ("level", "may_block", "wanted"),
    [
        (1.0, True, Severity.MEDIUM),
        (1.99, True, Severity.MEDIUM),
        (2.0, True, Severity.HIGH),
        (3.99, True, Severity.HIGH),
        (4.0, True, Severity.CRITICAL),
        (99.0, True, Severity.CRITICAL),
        (99.0, False, Severity.MEDIUM),
    ],
)
def test_severity(level: float, may_block: bool, wanted: Severity) -> None:
    """Evidence for an alert is medium, for a block high, for twice that critical; without ground for a block medium."""
    assert severity_of(rank(judged(level, may_block=may_block))) is wanted
    assert judged(level, may_block=may_block).speaks(0)
    assert judged(level, may_block=may_block).blocks(0) is (wanted is not Severity.MEDIUM)


def test_below() -> None:
    """Just below the limit there is no finding."""
    assert rank(judged(0.999_999)) == 0
    assert not judged(0.999_999).speaks(0)


def test_mode_before_severity() -> None:
    """No finding in shadow hides one that alerts, none that alerts one that is enforced, however severe."""
    by_mode = [
        [rank(judged(level, mode)) for level in (1.0, 2.0, 4.0)] for mode in (Mode.SHADOW, Mode.ALERT, Mode.ENFORCE)
    ]
    flat = [one for ranks_of_mode in by_mode for one in ranks_of_mode]
    assert flat == sorted(set(flat))


def test_the_worst_counts() -> None:
    """Of several detectors' findings the one that matters most gives the rank."""
    shadow, enforced = judged(99.0), judged(1.0, Mode.ENFORCE)
    assert rank(shadow, enforced) == rank(enforced, shadow) == rank(enforced)
    assert rank(judged(0.5, Mode.ENFORCE), shadow) == rank(shadow)
    assert rank() == 0


def test_ratio_of_its_own() -> None:
    """Each detector has its own ratio between block and alert."""
    evidence = judged(1.22).evidence
    for ratio, blocks in ((1.22, True), (1.23, False)):
        one = Judged(classes()["profile_rate"](ProfileRateConfig(block_ratio=ratio)), Mode.SHADOW, evidence)
        assert one.blocks(0) is blocks
