"""Those that go by what the platform lists: imports of phone numbers, sweeps of the search, walks along connections."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from streams.offline.simulate.internet import Address
from streams.offline.simulate.members import BLOCK_NUMBERS, PAGE_CONNECTIONS, PAGES_MAX, PREFIX_LETTERS, Members
from streams.offline.simulate.scrapers.stage import Ints, Scraper, Stage, tool
from streams.offline.simulate.traffic import Origin, Traffic, What

LOOKUPS: Final = 6_000
ORDER_STEPS_MS: Final = (2_000, 15_000)
BLOCK_STEPS_MS: Final = (2_000,)
RANDOM_STEPS_MS: Final = (2_000, 15_000)
BLOCK_STRIDE: Final = 7
BLOCK_TAKEN: Final = 100
"""Numbers that are asked for of one block before going on to another."""
ALPHABET_STEPS_MS: Final = (8_000, 90_000)
PREFIX_PAGES: Final = 20
"""Pages turned of the results of one beginning."""
SURNAME_STEPS_MS: Final = (15_000, 60_000)
SURNAME_SEARCHES: Final = 1_200
GRAPH_STEPS_MS: Final = (8_000, 90_000)
GRAPH_LISTS: Final = 800

Wanted = Callable[[Members, np.random.Generator], Ints]
"""Subjects of the requests of one scraper, in order."""
Ask = Callable[[Members, Ints, Ints, Ints, Sequence[Origin]], Traffic]


def import_order(stage: Stage) -> list[Scraper]:
    """Two accounts that import contacts: 6,000 numbers that follow on each other, every 2 and 15 s."""
    return _several(stage, ORDER_STEPS_MS, _in_order, Traffic.lookups)


def import_block(stage: Stage) -> list[Scraper]:
    """An account that imports 100 numbers of every 7th block, within a block in no order, every 2 s."""
    return _several(stage, BLOCK_STEPS_MS, _by_block, Traffic.lookups)


def import_random(stage: Stage) -> list[Scraper]:
    """Two accounts that import 6,000 random numbers of assigned blocks, every 2 and 15 s."""
    return _several(stage, RANDOM_STEPS_MS, lambda members, rng: members.any_number(rng, LOOKUPS), Traffic.lookups)


def sweep_alphabet(stage: Stage) -> list[Scraper]:
    """Two accounts that search for all beginnings of three letters in order, up to 20 pages each, every 8 and 90 s."""
    return _several(stage, ALPHABET_STEPS_MS, _beginnings, _search)


def sweep_surname(stage: Stage) -> list[Scraper]:
    """Two accounts that search for random surnames and turn all pages of each, every 15 and 60 s."""
    return _several(stage, SURNAME_STEPS_MS, _surnames, _search)


def graph_walk(stage: Stage) -> list[Scraper]:
    """Two accounts that read the connections of those found before, breadth first, a page every 8 and 90 s."""
    return _several(stage, GRAPH_STEPS_MS, _connections, Traffic.lists)


def _several(stage: Stage, steps_ms: tuple[int, ...], wanted: Wanted, ask: Ask) -> list[Scraper]:
    homes = stage.world.internet.proxies(stage.slot, len(steps_ms))
    return [_one(stage, home, step_ms, wanted, ask) for home, step_ms in zip(homes, steps_ms, strict=True)]


def _one(stage: Stage, home: Address, step_ms: int, wanted: Wanted, ask: Ask) -> Scraper:
    variant = f"{step_ms // 1_000}s"
    name = stage.name(variant)
    rng = stage.rng(name)
    subject = wanted(stage.world.members, rng)
    time = stage.steadily(rng, 0.1, step_ms, len(subject))
    origins = (stage.account(name, home, tool(name), 45),)
    asked = ask(stage.world.members, time, np.zeros_like(time), subject[: len(time)], origins)
    return stage.scraper(variant, f"a request every {step_ms // 1_000} s", asked)


def _search(_members: Members, time_ms: Ints, origin: Ints, subject: Ints, origins: Sequence[Origin]) -> Traffic:
    return Traffic.of(What.SEARCH, time_ms, origin, subject, origins)


def _in_order(members: Members, rng: np.random.Generator) -> Ints:
    """Numbers of assigned blocks that follow on each other, none twice; after the last block comes the first."""
    every = len(members.blocks) * BLOCK_NUMBERS
    at = (int(rng.integers(every)) + np.arange(min(LOOKUPS, every))) % every
    return members.blocks[at // BLOCK_NUMBERS] + at % BLOCK_NUMBERS


def _by_block(members: Members, rng: np.random.Generator) -> Ints:
    """Numbers of every 7th block, then of those that follow each of these, and so on."""
    blocks = np.concatenate([members.blocks[first::BLOCK_STRIDE] for first in range(BLOCK_STRIDE)])
    blocks = blocks[: LOOKUPS // BLOCK_TAKEN]
    within = np.tile(np.arange(BLOCK_NUMBERS), (len(blocks), 1))
    numbers: Ints = blocks[:, None] + rng.permuted(within, axis=1)[:, :BLOCK_TAKEN]
    return numbers.ravel()


def _beginnings(members: Members, _rng: np.random.Generator) -> Ints:
    texts = members.prefixes(PREFIX_LETTERS)
    return _pages(texts, np.minimum(members.pages(texts), PREFIX_PAGES))


def _surnames(members: Members, rng: np.random.Generator) -> Ints:
    names = rng.permutation(len(members.names))
    return _pages(names, members.pages(names))[:SURNAME_SEARCHES]


def _pages(of: Ints, count: Ints) -> Ints:
    """Subjects of all pages of each, in order."""
    page = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
    return np.repeat(of, count) * PAGES_MAX + page


def _connections(members: Members, rng: np.random.Generator) -> Ints:
    """Pages of connections breadth first, begun with a popular member; everybody's are read once."""
    begin = int(members.popular(rng, 1)[0])
    known, waiting, found = {begin}, deque([begin]), np.empty(0, np.int64)
    while waiting and len(found) < GRAPH_LISTS:
        profile = waiting.popleft()
        connections = members.connections(profile)
        pages = -(-len(connections) // PAGE_CONNECTIONS)
        found = np.concatenate((found, profile * PAGES_MAX + np.arange(pages)))
        unread = [one for one in connections.tolist() if one not in known]
        known.update(unread)
        waiting.extend(unread)
    return found[:GRAPH_LISTS]
