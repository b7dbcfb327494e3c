"""Bins, the two distributions over them, and the estimate of the member base."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from detectors.core.popularity import BINS, bin_of, build, empty, members_estimate
from detectors.core.rarity import ratios

EVERYWHERE = np.ones(BINS)


def keys(count: int, first: int = 1) -> NDArray[np.uint64]:
    """Distinct keys."""
    return np.arange(first, first + count, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)


@pytest.mark.parametrize(
    ("count", "wanted"),
    [
        (0.0, 0), (0.49, 0), (0.5, 1), (1, 1), (1.99, 1), (2, 2), (3.99, 2), (4, 3), (7.99, 3), (8, 4), (63.9, 6),
        (64, 7), (127.9, 7), (128, 8), (1e9, 8),
    ],
)  # fmt: skip
def test_bins(count: float, wanted: int) -> None:
    """Bins 0, 1, 2-3, 4-7, ..., 128 and more, on both sides of each edge; half a meeting is none."""
    assert bin_of(np.array([count], np.float32)).tolist() == [wanted]


class TestLookUp:
    """Finding a profile's bin."""

    @settings(deadline=None)  # the first call compiles
    @given(st.integers(0, 300), st.randoms(use_true_random=False))
    def test_dictionary(self, count: int, random: object) -> None:
        """Each known profile has its bin, every other one bin 0, at any fill."""
        counts = (np.arange(count) % 200).astype(np.float32)
        model = build("m", keys(count), counts, EVERYWHERE, 0)
        wanted = np.ones(count + 50, np.bool_)
        found = model.bins_of(keys(count + 50), wanted)
        assert found[:count].tolist() == bin_of(counts).tolist()
        assert not found[count:].any()

    def test_only_where_wanted(self) -> None:
        """Where nobody asks the answer is 0."""
        model = build("m", keys(4), np.full(4, 9, np.float32), EVERYWHERE, 10)
        assert model.bins_of(keys(4), np.array([True, False, True, False])).tolist() == [4, 0, 4, 0]


class TestMembers:
    """How many profiles there are."""

    def test_chao(self) -> None:
        """Seen, and the square of those met once over twice those met twice."""
        counts = np.array([1] * 20 + [2] * 10 + [5] * 3, np.float32)
        assert members_estimate(counts) == 33 + 20 * 20 / (2 * 10)

    def test_edges(self) -> None:
        """Decayed counts are once from one half to 1.5, twice up to 2.5; less than half is not seen."""
        assert members_estimate(np.array([0.49, 0.5, 1.49, 1.5, 2.49, 2.5], np.float32)) == 5 + 2 * 2 / (2 * 2)

    @pytest.mark.parametrize("counts", [[], [1, 1, 1], [0.3]])
    def test_unknown(self, counts: list[float]) -> None:
        """While nothing was met twice there is no estimate."""
        assert members_estimate(np.array(counts, np.float32)) == float("inf")

    def test_uniform_world(self) -> None:
        """On profiles drawn alike it comes within a tenth of the truth."""
        rng = np.random.default_rng(3)
        counts = np.bincount(rng.integers(0, 5_000, 6_000), minlength=5_000).astype(np.float32)
        assert members_estimate(counts) == pytest.approx(5_000, rel=0.1)


class TestDistributions:
    """Where uniform picks fall, and honest ones."""

    def test_sums(self) -> None:
        """Both are distributions; the unseen part of the member base lies in bin 0."""
        counts = np.array([1, 1, 2, 130], np.float32)
        model = build("m", keys(4), counts, np.array([6, 2, 0, 0, 0, 0, 0, 0, 2.0]), 10)
        assert model.uniform.tolist() == [0.6, 0.2, 0.1, 0, 0, 0, 0, 0, 0.1]
        assert model.honest.tolist() == [0.6, 0.2, 0, 0, 0, 0, 0, 0, 0.2]

    def test_fewer_members_configured_than_seen(self) -> None:
        """More seen than configured leaves nothing unseen, and no negative share."""
        model = build("m", keys(4), np.full(4, 3, np.float32), EVERYWHERE, 2)
        assert model.uniform.tolist() == [0, 0, 1, 0, 0, 0, 0, 0, 0]

    @pytest.mark.parametrize(
        ("counts", "honest"),
        [([1.0, 1.0], EVERYWHERE), ([1.0, 2.0], np.zeros(BINS)), ([], EVERYWHERE), ([0.2], EVERYWHERE)],
    )
    def test_cold_start(self, counts: list[float], honest: NDArray[np.float64]) -> None:
        """While either is unknown both lie in bin 0, and no contact speaks for or against anybody."""
        model = build("m", keys(len(counts)), np.array(counts, np.float32), honest, 0)
        assert model.uniform.tolist() == model.honest.tolist() == [1, 0, 0, 0, 0, 0, 0, 0, 0]
        assert not ratios(model, 0.5).any()

    def test_empty(self) -> None:
        """The model of epoch 0 knows no profile and accuses nobody."""
        assert empty().label == "none"
        assert not empty().bins_of(keys(9), np.ones(9, np.bool_)).any()
        assert not ratios(empty(), 0.5).any()
