"""What one contact is worth."""

import math
from typing import Final

import numpy as np
import pytest

from detectors.core.popularity import BINS, build, empty
from detectors.core.rarity import ratios

HONEST: Final = np.array([1, 0, 0, 0, 0, 0, 0, 0, 9.0])
"""People find nine of ten new profiles among the popular."""


def test_by_bin() -> None:
    """Unknown profiles speak for a scraper, popular ones against; bins that hold nobody say nothing."""
    keys = np.arange(1, 201).astype(np.uint64)
    found = ratios(build("m", keys, np.full(200, 500, np.float32), HONEST, 2_000), 0.5)
    rare = math.log((0.9 * 0.9 + 0.1 * 0.1) / (0.5 * 0.1 + 0.5 * (0.9 * 0.9 + 0.1 * 0.1)))
    popular = math.log((0.9 * 0.1 + 0.1 * 0.9) / (0.5 * 0.9 + 0.5 * (0.9 * 0.1 + 0.1 * 0.9)))
    assert found[[0, BINS - 1]] == pytest.approx([rare, popular])
    assert not found[1:-1].any()


@pytest.mark.parametrize("mix", [0.1, 0.5, 0.9])
def test_bounded(mix: float) -> None:
    """However rare, one contact is worth at most ln(1 / mix)."""
    honest = np.array([0, 0, 0, 0, 0, 0, 0, 0, 1.0])
    found = ratios(build("m", np.zeros(0, np.uint64), np.zeros(0, np.float32), honest, 9), mix)
    assert found.max() == pytest.approx(math.log(1 / mix))


def test_knows_nothing_yet() -> None:
    """By the empty model no contact says anything."""
    assert not ratios(empty(), 0.5).any()
