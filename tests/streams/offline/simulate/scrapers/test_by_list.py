import numpy as np
import pytest

from streams.offline.simulate.members import BLOCK_NUMBERS, PAGES_MAX
from streams.offline.simulate.scrapers import Scraper
from streams.offline.simulate.traffic import What
from streams.offline.simulate.world import World

IMPORTS = ("import_order-2s", "import_order-15s", "import_block-2s", "import_random-2s", "import_random-15s")
SEARCHES = ("sweep_alphabet-8s", "sweep_alphabet-90s", "sweep_surname-15s", "sweep_surname-60s")
GRAPH = ("graph_walk-8s", "graph_walk-90s")


@pytest.mark.parametrize("name", [*IMPORTS, *SEARCHES, *GRAPH])
def test_pace(found: dict[str, Scraper], name: str) -> None:
    """One account asks at the pace that its id says, each gap half a step to one and a half."""
    traffic = found[name].traffic
    step_ms = int(name.rpartition("-")[2].removesuffix("s")) * 1_000
    gap = np.diff(traffic.time_ms)
    assert gap.min() >= step_ms // 2
    assert gap.max() < step_ms * 3 // 2
    assert gap.mean() == pytest.approx(step_ms, rel=0.05)
    assert len(traffic.origins) == 1
    assert traffic.origins[0].account


@pytest.mark.parametrize("name", IMPORTS)
def test_imports(everyone: World, found: dict[str, Scraper], name: str) -> None:
    """Thousands of numbers are looked up, none but in assigned blocks, and few are members'."""
    asked = found[name].traffic
    assert set(asked.what.tolist()) == {What.LOOKUP}
    assert 5_000 < len(asked) <= 6_000
    assert set((asked.subject // BLOCK_NUMBERS * BLOCK_NUMBERS).tolist()) <= set(everyone.members.blocks.tolist())
    assert np.mean(asked.status == 200) == pytest.approx(0.06, abs=0.015)


@pytest.mark.parametrize("name", IMPORTS[:2])
def test_import_in_order(found: dict[str, Scraper], name: str) -> None:
    """Each number is the next within its block, and none comes twice."""
    numbers = found[name].traffic.subject
    step = np.diff(numbers)
    same = numbers[1:] // BLOCK_NUMBERS == numbers[:-1] // BLOCK_NUMBERS
    assert set(step[same].tolist()) == {1}
    assert same.mean() > 0.99
    assert len(np.unique(numbers)) == len(numbers)


def test_import_by_blocks(everyone: World, found: dict[str, Scraper]) -> None:
    """A hundred numbers of a block in no order, then seven blocks further; none comes twice."""
    numbers = found["import_block-2s"].traffic.subject
    assert len(np.unique(numbers)) == len(numbers)
    block = np.searchsorted(everyone.members.blocks, numbers, side="right") - 1
    assert (block.reshape(-1, 100) == block[::100, None]).all()
    assert np.mean(np.diff(block[::100]) == 7) > 0.8
    assert np.mean(np.diff(numbers) > 0) == pytest.approx(0.5, abs=0.05)


def test_import_at_random(found: dict[str, Scraper]) -> None:
    """Numbers come in no order and out of all blocks."""
    numbers = found["import_random-2s"].traffic.subject
    assert np.mean(np.diff(numbers) > 0) == pytest.approx(0.5, abs=0.03)
    assert np.mean(np.abs(np.diff(numbers)) < 5_000) < 0.2


@pytest.mark.parametrize("name", SEARCHES[:2])
def test_sweep_of_the_alphabet(everyone: World, found: dict[str, Scraper], name: str) -> None:
    """All beginnings of three letters are searched for in order; pages are turned one by one, 20 at most."""
    sweep = found[name].traffic
    assert set(sweep.what.tolist()) == {What.SEARCH}
    text, page = np.divmod(sweep.subject, PAGES_MAX)
    names = [everyone.members.texts[number] for number in text.tolist()]
    assert names == sorted(names)
    assert {len(name) for name in names} == {3}
    assert set(names) == {name[:3] for name in everyone.members.names if len(name) >= 3}
    turned = text[1:] == text[:-1]
    assert (page[1:][turned] == page[:-1][turned] + 1).all()
    assert (page[1:][~turned] == 0).all()
    assert page.max() == 19
    assert sweep.profiles(everyone.members) > 9 * len(sweep)


@pytest.mark.parametrize("name", SEARCHES[2:])
def test_sweep_of_surnames(everyone: World, found: dict[str, Scraper], name: str) -> None:
    """Surnames are searched for in no order, each once, with all their pages."""
    sweep = found[name].traffic
    assert set(sweep.what.tolist()) == {What.SEARCH}
    text, page = np.divmod(sweep.subject, PAGES_MAX)
    assert text.max() < len(everyone.members.names)
    names = text[page == 0]
    assert len(np.unique(names)) == len(names)
    assert np.mean(np.diff(names) > 0) == pytest.approx(0.5, abs=0.1)
    assert np.bincount(text)[names].tolist() == everyone.members.pages(names).tolist()


@pytest.mark.parametrize("name", GRAPH)
def test_walk_along_connections(everyone: World, found: dict[str, Scraper], name: str) -> None:
    """Every list is of somebody found on an earlier one, breadth first, read from first page to last and once."""
    walk = found[name].traffic
    assert set(walk.what.tolist()) == {What.LIST}
    assert len(walk) == 800
    assert len(np.unique(walk.subject)) == 800
    profile, page = np.divmod(walk.subject, PAGES_MAX)
    order = dict.fromkeys([int(profile[0])])
    opened = list(dict.fromkeys(profile.tolist()))
    for one in opened:
        order.update(dict.fromkeys(everyone.members.connections(one).tolist()))
    assert opened == list(order)[: len(opened)]
    assert (page[1:] == np.where(np.diff(profile) == 0, page[:-1] + 1, 0)).all()
