from dataclasses import replace

import numpy as np
import pytest

from streams.offline.simulate import PRESETS
from streams.offline.simulate.scrapers import Scraper, scrapers
from streams.offline.simulate.world import World


def test_id_walk(everyone: World, found: dict[str, Scraper]) -> None:
    """Every id comes after the one before within 1 to 3 s, and some are nobody's."""
    walk = found["id_walk-1"].traffic
    assert set(np.diff(walk.subject).tolist()) == {1}
    gap = np.diff(walk.time_ms)
    assert gap.min() >= 1_000
    assert gap.max() < 3_000
    assert 0.1 < np.mean(walk.status == 404) < 0.2
    assert walk.profiles(everyone.members) == int(everyone.members.exists(walk.subject).sum())


@pytest.mark.parametrize(
    ("variant", "step_ms", "stride"),
    [("0.1s", 100, 1), ("2s", 2_000, 1), ("45s", 45_000, 1), ("stride7", 2_000, 7), ("backwards", 2_000, -1)],
)
def test_id_walks(found: dict[str, Scraper], variant: str, step_ms: int, stride: int) -> None:
    """Each goes 1,500 steps of its stride, half a step's time to one and a half apart."""
    walk = found[f"id_walks-{variant}"].traffic
    assert len(walk) == 1_500
    assert set(np.diff(walk.subject).tolist()) == {stride}
    gap = np.diff(walk.time_ms)
    assert gap.min() >= step_ms // 2
    assert gap.max() < step_ms * 3 // 2
    assert gap.mean() == pytest.approx(step_ms, rel=0.05)
    assert len({origin.account for origin in walk.origins}) == 1


def test_a_walk_backwards_stays_among_the_ids(everyone: World, found: dict[str, Scraper]) -> None:
    """It begins in the upper half, so that most of what it asks for exists."""
    walk = found["id_walks-backwards"].traffic
    assert walk.subject[0] >= np.median(everyone.members.ids)
    assert np.mean(walk.status == 200) > 0.8


@pytest.mark.parametrize(("variant", "step_ms"), [("2s", 2_000), ("60s", 60_000)])
def test_guessing(everyone: World, found: dict[str, Scraper], variant: str, step_ms: int) -> None:
    """Guesses fall in and around the range, in no order, and most are of nobody."""
    guesses = found[f"guessing-{variant}"].traffic
    assert len(guesses) > 1_000
    assert 0.75 < np.mean(guesses.status == 404) < 0.9
    first, last = everyone.members.ids[[0, -1]]
    assert (guesses.subject < first).any()
    assert (guesses.subject > last).any()
    assert np.mean(np.diff(guesses.subject) > 0) == pytest.approx(0.5, abs=0.05)
    assert np.diff(guesses.time_ms).mean() == pytest.approx(step_ms, rel=0.05)


def test_canary_touchers(everyone: World, found: dict[str, Scraper]) -> None:
    """Two accounts take four hundred profiles, both decoys among them: one by the id, one in no order."""
    for variant in ("by_id", "unordered"):
        taken = found[f"canary_toucher-{variant}"].traffic
        assert taken.profiles(everyone.members) == len(taken) == 400
        assert set(everyone.members.decoys.tolist()) <= set(taken.subject.tolist())
        assert (taken.status == 200).all()
    ordered, unordered = (found[f"canary_toucher-{variant}"].traffic.subject for variant in ("by_id", "unordered"))
    assert (np.diff(ordered) > 0).all()
    assert np.mean(np.diff(unordered) > 0) == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("seed", range(1, 6))
def test_the_usual_walk_meets_no_decoy(seed: int) -> None:
    """Decoys lie so high that the walk of the small presets does not get there, and is found as a walk."""
    world = World.of(replace(PRESETS["small"], seed=seed))
    (walk,) = (scraper for scraper in scrapers(world) if scraper.kind == "id_walk")
    assert walk.traffic.subject.max() < world.members.decoys.min()
