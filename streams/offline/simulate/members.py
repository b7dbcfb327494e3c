"""The member base: which profiles exist, how popular they are, what searches, look-ups and lists of theirs show."""

from collections.abc import Sequence
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
PREFIX_LETTERS: Final = 3
UNPOPULAR_SHARE: Final = 0.7
FIRST_NUMBER: Final = 999_000_000_000
"""Phone numbers of a country code that no country has."""
NUMBERED_SHARE: Final = 0.8
"""Of the members, those with a phone number."""
BLOCK_NUMBERS: Final = 1_000
BLOCK_HIT_SHARE: Final = 0.06
"""Of the numbers of an assigned block, those of members."""
BLOCKS_ASSIGNED_SHARE: Final = 0.5
CONNECTIONS_MEDIAN: Final = 120
CONNECTIONS_SIGMA: Final = 0.8
CONNECTIONS: Final = (5, 3_000)
"""Draws of a member's connections, least and most; those drawn twice count once."""
CONNECTIONS_POPULAR_SHARE: Final = 0.5
PAGE_CONNECTIONS: Final = 50
DECOYS_AT: Final = (0.95, 0.98)
"""Where the decoys lie among the ids without a member: high up, where a walk from the lower half comes late."""
SYLLABLES: Final = ("al", "ber", "den", "fos", "gar", "hol", "jan", "kel", "lin", "mor", "nor", "pet", "ros", "sel")


@dataclass(frozen=True, slots=True)
class Members:
    """All profiles, by number 0 to N-1 in order of their ids; draws are of ids unless said otherwise.

    Attributes:
        ids: Ids of the members, ascending, with gaps; decoys are not among them.
        gone: Ids inside the range that nobody has (any more).
        decoys: Ids of profiles that exist and that nobody is ever shown, ascending.
        ranked: Numbers of the members, the most popular first.
        cumulative: Cumulative popularity along `ranked`; the last is 1.
        name_of: Number of a member's name.
        names: Surnames; their numbers are those of the first texts.
        texts: What can be searched for: the names, then all of 1 to 3 letters that they begin with, by the alphabet.
        alphabetical: Numbers of the members by name in order of the alphabet, within a name the most popular first.
        text_begin, text_end: The half-open part of `alphabetical` that a search for each text finds.
        numbers: Phone number of each member, -1 for none.
        dialled: The phone numbers of all who have one, ascending.
        dialled_ids: Whose each of them is.
        blocks: First numbers of the assigned blocks of `BLOCK_NUMBERS`, ascending.
        seed: Of the connections.
    """

    ids: Ints
    gone: Ints
    decoys: Ints
    ranked: Ints
    cumulative: NDArray[np.float64]
    name_of: Ints
    names: tuple[str, ...]
    texts: tuple[str, ...]
    alphabetical: Ints
    text_begin: Ints
    text_end: Ints
    numbers: Ints
    dialled: Ints
    dialled_ids: Ints
    blocks: Ints
    seed: int

    @classmethod
    def of(cls, plan: Plan) -> Self:
        """The member base of a plan; O(members log members)."""
        rng = plan.rng("members")
        ids, gone = _id_space(rng, plan.members)
        decoys = [int(share * len(gone)) for share in DECOYS_AT]
        ranked = rng.permutation(plan.members)
        weight = np.arange(1, plan.members + 1, dtype=np.float64) ** -plan.popularity_exponent
        names = tuple(map(_name, range(max(1, plan.members // MEMBERS_PER_NAME))))
        name_of = rng.integers(len(names), size=plan.members)
        rank = np.empty(plan.members, np.int64)
        rank[ranked] = np.arange(plan.members)
        texts, alphabetical, begin, end = _directory(names, name_of, rank)
        numbers, dialled, owner, blocks = _phones(plan.rng("members/numbers"), plan.members)
        return cls(
            ids=ids,
            gone=np.delete(gone, decoys),
            decoys=gone[decoys],
            ranked=ranked,
            cumulative=np.cumsum(weight) / weight.sum(),
            name_of=name_of,
            names=names,
            texts=texts,
            alphabetical=alphabetical,
            text_begin=begin,
            text_end=end,
            numbers=numbers,
            dialled=dialled,
            dialled_ids=ids[owner],
            blocks=blocks,
            seed=plan.seed,
        )

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
        """Which of the ids are of a member or a decoy."""
        at = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        found: NDArray[np.bool_] = (self.ids[at] == ids) | np.isin(ids, self.decoys)
        return found

    def searched_names(self, rng: np.random.Generator, count: int) -> Ints:
        """Names as people look for them: a popular member's name more often."""
        names: Ints = self.name_of[self._popular(rng, count)]
        return names

    def prefixes(self, letters: int) -> Ints:
        """Numbers of the texts of so many letters, 1 to `PREFIX_LETTERS`, in order of the alphabet."""
        beyond = range(len(self.names), len(self.texts))
        return np.array([text for text in beyond if len(self.texts[text]) == letters], np.int64)

    def pages(self, text: Ints) -> Ints:
        """How many pages of results a text has, at least one."""
        found = self.text_end[text] - self.text_begin[text]
        pages: Ints = np.clip(-(-found // PAGE_PROFILES), 1, PAGES_MAX)
        return pages

    def results(self, text: int, page: int) -> Ints:
        """Ids on one page (from 0) of the results of a text; the last page may be short or empty."""
        begin = int(self.text_begin[text]) + page * PAGE_PROFILES
        end = min(begin + PAGE_PROFILES, int(self.text_end[text]))
        return self.ids[self.alphabetical[begin:end]]

    def pick_result(self, rng: np.random.Generator, text: Ints, page: Ints) -> Ints:
        """One id out of each page of results, -1 where the page is empty or -1."""
        begin = self.text_begin[text] + page * PAGE_PROFILES
        shown = np.minimum(PAGE_PROFILES, self.text_end[text] - begin)
        at = begin + (rng.random(len(text)) * shown).astype(np.int64)
        found = self.ids[self.alphabetical[np.minimum(at, len(self.ids) - 1)]]
        return np.where((page >= 0) & (shown > 0), found, -1)

    def number_of(self, ids: Ints) -> Ints:
        """Phone numbers of members, -1 for those without one; the ids must be of members."""
        found: Ints = self.numbers[np.searchsorted(self.ids, ids)]
        return found

    def holder(self, numbers: Ints) -> Ints:
        """Ids of the members with these phone numbers, -1 where it is nobody's."""
        at = np.minimum(np.searchsorted(self.dialled, numbers), len(self.dialled) - 1)
        return np.where(self.dialled[at] == numbers, self.dialled_ids[at], -1)

    def any_number(self, rng: np.random.Generator, count: int) -> Ints:
        """Phone numbers out of assigned blocks, a member's or not, with repetition."""
        return self.blocks[rng.integers(len(self.blocks), size=count)] + rng.integers(BLOCK_NUMBERS, size=count)

    def connections(self, profile: int) -> Ints:
        """Ids of a member's connections, none twice, half of them popular people, in the order of the list.

        The same on every call; costs about 50 us. Who is connected to somebody need not show on the other's list.
        """
        rng = np.random.default_rng([self.seed, profile])
        drawn = np.exp(rng.normal(np.log(CONNECTIONS_MEDIAN), CONNECTIONS_SIGMA))
        count = int(np.clip(drawn, *CONNECTIONS))
        popular = rng.random(count) < CONNECTIONS_POPULAR_SHARE
        ids = np.where(popular, self.popular(rng, count), self.anyone(rng, count))
        ids = ids[np.sort(np.unique(ids, return_index=True)[1])]
        others: Ints = ids[ids != profile]
        return others

    def connections_page(self, profile: int, page: int) -> Ints:
        """Ids on one page (from 0) of a member's connections; the last page may be short, those after it empty."""
        return self.connections(profile)[page * PAGE_CONNECTIONS : (page + 1) * PAGE_CONNECTIONS]

    def _popular(self, rng: np.random.Generator, count: int) -> Ints:
        at = np.searchsorted(self.cumulative, rng.random(count), side="right")
        return self.ranked[np.minimum(at, len(self.ranked) - 1)]


def _id_space(rng: np.random.Generator, members: int) -> tuple[Ints, Ints]:
    """Ids of members and of nobody."""
    mixed = rng.permutation(round(members / ID_DENSITY)) + FIRST_ID
    return np.sort(mixed[:members]), np.sort(mixed[members:])


def _directory(names: Sequence[str], name_of: Ints, rank: Ints) -> tuple[tuple[str, ...], Ints, Ints, Ints]:
    """What can be searched for, the members by name, and which part of them each text finds."""
    order = sorted(names)
    place = {name: at for at, name in enumerate(order)}
    at = np.array([place[name] for name in names], np.int64)[name_of]
    alphabetical = np.lexsort((rank, at))
    prefixes = sorted({name[:letters] for name in names for letters in range(1, PREFIX_LETTERS + 1)})
    # Past every letter of the names, and so past every name that begins with the text.
    ends = np.searchsorted(order, [f"{text}~" for text in prefixes])
    begins = np.searchsorted(order, prefixes)
    first = np.concatenate(([place[name] for name in names], begins))
    last = np.concatenate(([place[name] + 1 for name in names], ends))
    counted = np.searchsorted(at[alphabetical], np.arange(len(names) + 1))
    return (*names, *prefixes), alphabetical, counted[first], counted[last]


def _phones(rng: np.random.Generator, members: int) -> tuple[Ints, Ints, Ints, Ints]:
    """Each member's number, all numbers ascending, the member of each, and where assigned blocks begin."""
    having = round(members * NUMBERED_SHARE)
    packed = np.cumsum(rng.geometric(BLOCK_HIT_SHARE, having))
    gaps = rng.geometric(BLOCKS_ASSIGNED_SHARE, int(packed[-1]) // BLOCK_NUMBERS + 1)
    blocks = FIRST_NUMBER + np.cumsum(gaps) * BLOCK_NUMBERS
    dialled = blocks[packed // BLOCK_NUMBERS] + packed % BLOCK_NUMBERS
    owner = rng.permutation(members)[:having]
    numbers = np.full(members, -1, np.int64)
    numbers[owner] = dialled
    return numbers, dialled, owner, blocks


def _name(number: int) -> str:
    """A distinct pronounceable name: the number written in syllables."""
    text = ""
    while number or not text:
        number, digit = divmod(number, len(SYLLABLES))
        text += SYLLABLES[digit]
    return text
