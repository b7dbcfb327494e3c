"""Those that go by the id: walks, guesses, and those that take all that is listed, decoys too."""

from typing import Final, NamedTuple

import numpy as np

from streams.offline.simulate.client import CURL
from streams.offline.simulate.scrapers.stage import Ints, Scraper, Stage, tool

WALK_STEPS: Final = 1_500
WALK_GAP_MS: Final = (1_000, 3_000)
GUESSES: Final = 1_500
GUESS_STEP_MS: Final = (2_000, 60_000)
GUESS_SPANS: Final = 2
"""Guesses reach so many lengths of the ids' range beyond either end of it."""
LISTED_VIEWS: Final = 400
LISTED_STEP_MS: Final = 20_000


class Walk(NamedTuple):
    """A walk: the time between steps, from one id to the next, and when in the time of scrapers it begins."""

    step_ms: int
    stride: int
    begin_share: float


WALKS: Final = {
    "0.1s": Walk(100, 1, 0.5),
    "2s": Walk(2_000, 1, 0.3),
    "45s": Walk(45_000, 1, 0.1),
    "stride7": Walk(2_000, 7, 0.4),
    "backwards": Walk(2_000, -1, 0.2),
}


def id_walk(stage: Stage) -> list[Scraper]:
    """One account asks for one id after the other, a step every 1 to 3 s; some do not exist."""
    rng = stage.rng("id_walk-1")
    begin, end = stage.span_ms(0.6, stage.length_ms)
    first = int(stage.world.members.ids[rng.integers(len(stage.world.members.ids) // 2)])
    time = begin + np.cumsum(rng.integers(*WALK_GAP_MS, size=WALK_STEPS))
    time = time[time < end]
    origin = stage.account("id_walk-1", stage.world.internet.hosted(stage.slot, 1)[0], CURL, 90)
    views = stage.views_of_one(time, first + np.arange(len(time)), origin)
    return [stage.scraper("1", "an id every 1 to 3 s, 1,500 steps", views)]


def id_walks(stage: Stage) -> list[Scraper]:
    """Walks of up to 1,500 steps: every 0.1, 2 and 45 s, by sevens, and backwards; each gap is 0.5 to 1.5 steps."""
    addresses = stage.world.internet.hosted(stage.slot, len(WALKS))
    found = []
    for (variant, walk), address in zip(WALKS.items(), addresses, strict=True):
        name = stage.name(variant)
        rng = stage.rng(name)
        time = stage.steadily(rng, walk.begin_share, walk.step_ms, WALK_STEPS)
        half = len(stage.world.members.ids) // 2
        first = stage.world.members.ids[int(rng.integers(half)) + (half if walk.stride < 0 else 0)]
        views = stage.views_of_one(
            time, first + walk.stride * np.arange(len(time)), stage.account(name, address, tool(name), 90)
        )
        found.append(stage.scraper(variant, f"a step of {walk.stride} every {walk.step_ms / 1_000:g} s", views))
    return found


def guessing(stage: Stage) -> list[Scraper]:
    """Two accounts ask for random ids in and around the range, every 2 and 60 s; most do not exist."""
    addresses = stage.world.internet.hosted(stage.slot, len(GUESS_STEP_MS))
    first, last = (int(stage.world.members.ids[end]) for end in (0, -1))
    reach = GUESS_SPANS * (last - first)
    found = []
    for step_ms, address in zip(GUESS_STEP_MS, addresses, strict=True):
        name = stage.name(f"{step_ms // 1_000}s")
        rng = stage.rng(name)
        time = stage.steadily(rng, 0.1, step_ms, GUESSES)
        ids = rng.integers(max(1, first - reach), last + reach, size=len(time))
        views = stage.views_of_one(time, ids, stage.account(name, address, tool(name), 60))
        found.append(stage.scraper(f"{step_ms // 1_000}s", f"a guess every {step_ms // 1_000} s", views))
    return found


def canary_toucher(stage: Stage) -> list[Scraper]:
    """Two accounts take 400 of the profiles that a listing shows and the decoys in it: by the id, and in no order."""
    addresses = stage.world.internet.proxies(stage.slot, 2)
    found = []
    for variant, address in zip(("by_id", "unordered"), addresses, strict=True):
        name = stage.name(variant)
        rng = stage.rng(name)
        ids = rng.permutation(_listed(stage, rng))
        views = stage.views_of_one(
            stage.steadily(rng, 0.25, LISTED_STEP_MS, len(ids)),
            np.sort(ids) if variant == "by_id" else ids,
            stage.account(name, address, tool(name), 150),
        )
        found.append(stage.scraper(variant, "a view every 20 s, decoys among them", views))
    return found


def _listed(stage: Stage, rng: np.random.Generator) -> Ints:
    decoys = stage.world.members.decoys
    return np.concatenate((stage.world.members.sample(rng, LISTED_VIEWS - len(decoys)), decoys))
