"""Scores, and what every section of a detector holds."""

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.core.columns import Span
from detectors.core.contract import Detector, DetectorConfig, score


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_score_rises(one: float, other: float) -> None:
    """More evidence never has a lower score, and every score lies in [0, 1]."""
    low, high = sorted((one, other))
    assert 0 <= score(low) <= score(high) <= 1


@pytest.mark.parametrize(("level", "wanted"), [(-1.0, 0.0), (0.0, 0.0), (1.0, 0.5), (2.0, 0.75)])
def test_score(level: float, wanted: float) -> None:
    """An alert begins at one half; each further level halves what is left."""
    assert score(level) == wanted


def test_block_ratio() -> None:
    """A block never needs less than an alert."""
    assert msgspec.convert({"block_ratio": 1.0}, DetectorConfig).block_ratio == 1.0
    with pytest.raises(msgspec.ValidationError, match=r">= 1\.0"):
        msgspec.convert({"block_ratio": 0.99}, DetectorConfig)


def test_what_a_detector_does_not_say() -> None:
    """It adds nothing to the sum, blocks at a quarter more than it alerts, teaches below an alert, and is nobody's."""
    assert (DetectorConfig().cap, DetectorConfig().block_ratio) == (0.0, 1.25)
    assert Detector.learns_below == 1.0
    assert math.isinf(Detector.shared_from)


def test_spans() -> None:
    """Windows have the length and the names that configuration and evidence use."""
    assert [(span.label, span.seconds, span.words) for span in Span] == [
        ("minute", 60, "a minute"),
        ("ten_minutes", 600, "ten minutes"),
        ("hour", 3_600, "an hour"),
        ("day", 86_400, "a day"),
    ]
