"""Bins, the two distributions over them, and the estimate of the member base."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from detectors.core.popularity import BINS, Popularity, bin_of, build, empty, members_estimate, shared
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


class TestShared:
    """What honest people have in common."""

    @staticmethod
    def of(contacts: float, people: float, members: float = 100.0, popular: float = 0.1) -> float:
        """Share of contacts, where honest ones fall evenly on the most popular tenth."""
        honest, uniform = np.eye(1, BINS, BINS - 1)[0], np.eye(1, BINS)[0] * (1 - popular)
        uniform[-1] = popular
        none = np.zeros(16, np.uint64), np.zeros(16, np.uint8)
        model = Popularity("m", *none, honest, uniform, members)
        return float(shared(model, np.array([contacts]), np.array([people]))[0])

    def test_two_people(self) -> None:
        """Of ten profiles each looks at five: two and a half of ten contacts meet one that the other met."""
        assert self.of(10, 2) == pytest.approx(0.25)

    def test_one_person(self) -> None:
        """Has nothing in common with anybody."""
        assert self.of(8, 1) == pytest.approx(0.0)

    def test_a_crowd(self) -> None:
        """A hundred with five each: all ten are met, by five hundred contacts."""
        assert self.of(500, 100) == pytest.approx(1 - 10 / 500)

    @pytest.mark.parametrize(("members", "contacts"), [(0.0, 10.0), (100.0, 0.0)])
    def test_nothing_known(self, members: float, contacts: float) -> None:
        """Without a member base or without contacts nothing is said."""
        assert self.of(contacts, 2, members) == 0.0

    def test_simulated(self) -> None:
        """Picks by chance, by the distributions of a learned model, agree with it."""
        counts = np.repeat([1.0, 9.0, 200.0], [800, 150, 50]).astype(np.float32)
        model = build("m", keys(1_000), counts, np.array([0, 2, 0, 0, 3, 0, 0, 0, 5.0]), 1_000)
        rng, people, each = np.random.default_rng(2), 20, 10
        chance = (model.honest / np.maximum(model.uniform * 1_000, 1))[bin_of(counts)]
        share = []
        for _ in range(200):
            seen = [rng.choice(1_000, each, replace=False, p=chance / chance.sum()) for _ in range(people)]
            share.append(1 - np.unique(np.concatenate(seen)).size / (people * each))
        wanted = shared(model, np.array([200.0]), np.array([20.0]))[0]
        assert np.mean(share) == pytest.approx(wanted, abs=0.03)


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
