"""The member base: which profiles exist, how popular they are, and what a search for a name shows."""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from streams.offline.simulate.plan import Plan

Ints = NDArray[np.int64]

FIRST_ID: Final = 1_000_000
ID_DENSITY: Final = 0.85
"""Share of the ids in the range that belong to a member; the others answer 404."""
MEMBERS_PER_NAME: Final = 40
PAGE_PROFILES: Final = 10
PAGES_MAX: Final = 1_000
UNPOPULAR_SHARE: Final = 0.7
SYLLABLES: Final = ("al", "ber", "den", "fos", "gar", "hol", "jan", "kel", "lin", "mor", "nor", "pet", "ros", "sel")


@dataclass(frozen=True, slots=True)
class Members:
    """All profiles, by number 0 to N-1 in order of their ids; draws are of ids unless said otherwise.

    Attributes:
        ids: Ids of the members, ascending, with gaps.
        gone: Ids inside the range that nobody has (any more).
        ranked: Numbers of the members, the most popular first.
        cumulative: Cumulative popularity along `ranked`; the last is 1.
        name_of: Number of a member's name.
        by_name: Numbers of the members by name, within a name the most popular first.
        name_begin: Where each name begins in `by_name`; one entry more than names.
        names: What is searched for.
    """

    ids: Ints
    gone: Ints
    ranked: Ints
    cumulative: NDArray[np.float64]
    name_of: Ints
    by_name: Ints
    name_begin: Ints
    names: tuple[str, ...]

    @classmethod
    def of(cls, plan: Plan) -> Self:
        """The member base of a plan; O(members log members)."""
        rng = plan.rng("members")
        ids, gone = _id_space(rng, plan.members)
        ranked = rng.permutation(plan.members)
        weight = np.arange(1, plan.members + 1, dtype=np.float64) ** -plan.popularity_exponent
        cumulative = np.cumsum(weight) / weight.sum()
        names = max(1, plan.members // MEMBERS_PER_NAME)
        name_of = rng.integers(names, size=plan.members)
        rank = np.empty(plan.members, np.int64)
        rank[ranked] = np.arange(plan.members)
        by_name = np.lexsort((rank, name_of))
        begin = np.searchsorted(name_of[by_name], np.arange(names + 1))
        return cls(ids, gone, ranked, cumulative, name_of, by_name, begin, tuple(map(_name, range(names))))

    def popular(self, rng: np.random.Generator, count: int) -> Ints:
        """As people come upon them: by popularity, with repetition."""
        return self.ids[self._popular(rng, count)]

    def anyone(self, rng: np.random.Generator, count: int) -> Ints:
        """Uniform, with repetition."""
        return self.ids[rng.integers(len(self.ids), size=count)]

    def sample(self, rng: np.random.Generator, count: int) -> Ints:
        """Uniform, none twice; all of them in random order if there are not as many."""
        return self.ids[rng.permutation(len(self.ids))[:count]]

    def unpopular(self, rng: np.random.Generator, count: int) -> Ints:
        """Out of the `UNPOPULAR_SHARE` that is least popular, none twice."""
        tail = self.ranked[round(len(self.ranked) * (1 - UNPOPULAR_SHARE)) :]
        ids: Ints = self.ids[rng.permutation(tail)[:count]]
        return ids

    def missing(self, rng: np.random.Generator, count: int) -> Ints:
        """Ids of nobody, with repetition."""
        return self.gone[rng.integers(len(self.gone), size=count)]

    def exists(self, ids: Ints) -> NDArray[np.bool_]:
        """Which of the ids are of a member."""
        at = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        found: NDArray[np.bool_] = self.ids[at] == ids
        return found

    def searched_names(self, rng: np.random.Generator, count: int) -> Ints:
        """Names as people look for them: a popular member's name more often."""
        names: Ints = self.name_of[self._popular(rng, count)]
        return names

    def pages(self, name: Ints) -> Ints:
        """How many pages of results a name has, at least one."""
        found = self.name_begin[name + 1] - self.name_begin[name]
        pages: Ints = np.clip(-(-found // PAGE_PROFILES), 1, PAGES_MAX)
        return pages

    def results(self, name: int, page: int) -> Ints:
        """Ids on one page (from 0) of the results of a name; the last page may be short or empty."""
        begin = int(self.name_begin[name]) + page * PAGE_PROFILES
        end = min(begin + PAGE_PROFILES, int(self.name_begin[name + 1]))
        return self.ids[self.by_name[begin:end]]

    def pick_result(self, rng: np.random.Generator, name: Ints, page: Ints) -> Ints:
        """One id out of each page of results, -1 where the page is empty or -1."""
        begin = self.name_begin[name] + page * PAGE_PROFILES
        shown = np.minimum(PAGE_PROFILES, self.name_begin[name + 1] - begin)
        at = begin + (rng.random(len(name)) * shown).astype(np.int64)
        return np.where((page >= 0) & (shown > 0), self.ids[self.by_name[np.minimum(at, len(self.ids) - 1)]], -1)

    def _popular(self, rng: np.random.Generator, count: int) -> Ints:
        at = np.searchsorted(self.cumulative, rng.random(count), side="right")
        return self.ranked[np.minimum(at, len(self.ranked) - 1)]


def _id_space(rng: np.random.Generator, members: int) -> tuple[Ints, Ints]:
    """Ids of members and of nobody."""
    mixed = rng.permutation(round(members / ID_DENSITY)) + FIRST_ID
    return np.sort(mixed[:members]), np.sort(mixed[members:])


def _name(number: int) -> str:
    """A distinct pronounceable name: the number written in syllables."""
    text = ""
    while number or not text:
        number, digit = divmod(number, len(SYLLABLES))
        text += SYLLABLES[digit]
    return text
