"""How popular profiles are, and what honest people look at: the learned part of the judgement.

People mostly look at profiles that others look at too; a scraper takes the member base as it comes (Ro, Han, Im,
"Detecting Profile Scraping", 2018). c(p) counts the distinct principals that met profile p first-hand, decayed.
Profiles fall into bins by c: 0, 1, 2-3, 4-7, ..., 128 and more. q is where honest first contacts fall, u where
uniform picks would.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.core.compiled import compiled

BINS: Final = 9
EMPTY: Final = np.uint64(0)
_SPREAD: Final = np.uint64(0x9E3779B97F4A7C15)


@compiled
def _insert(
    table: NDArray[np.uint64], bins: NDArray[np.uint8], keys: NDArray[np.uint64], values: NDArray[np.uint8]
) -> None:
    mask = np.uint64(table.size - 1)
    for i in range(keys.size):
        at = (keys[i] * _SPREAD >> np.uint64(20)) & mask
        while table[at] != EMPTY:
            at = (at + np.uint64(1)) & mask
        table[at] = keys[i]
        bins[at] = values[i]


@compiled
def _look_up(
    table: NDArray[np.uint64], bins: NDArray[np.uint8], keys: NDArray[np.uint64], wanted: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    mask = np.uint64(table.size - 1)
    out = np.zeros(keys.size, np.uint8)
    for i in range(keys.size):
        if not wanted[i]:
            continue
        at = (keys[i] * _SPREAD >> np.uint64(20)) & mask
        while table[at] != EMPTY:
            if table[at] == keys[i]:
                out[i] = bins[at]
                break
            at = (at + np.uint64(1)) & mask
    return out


def bin_of(counts: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Bin of each decayed count: 0 below one half, 1 below 2, then one bin an octave, the last for 128 and more."""
    octave = np.floor(np.log2(np.maximum(counts, 1.0))) + 1
    return np.where(counts < 0.5, 0, np.minimum(octave, BINS - 1)).astype(np.uint8)


@dataclass(frozen=True, slots=True)
class Popularity:
    """A frozen model: bins of the profiles that somebody met, and the two distributions over bins."""

    label: str
    """Start of the newest epoch it has learned from, ``none`` for the empty model."""
    table: NDArray[np.uint64]
    bins: NDArray[np.uint8]
    honest: NDArray[np.float64]
    """q: [9], sums to 1."""
    uniform: NDArray[np.float64]
    """u: [9], sums to 1."""
    members: float = 0.0
    """Profiles in the member base, configured or estimated; 0 while unknown."""

    def bins_of(self, profiles: NDArray[np.uint64], wanted: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """Bin of each profile where ``wanted``, 0 elsewhere and for profiles nobody met."""
        return _look_up(self.table, self.bins, profiles, wanted)


def build(
    label: str, profiles: NDArray[np.uint64], counts: NDArray[np.float32], honest: NDArray[np.float64], members: int
) -> Popularity:
    """Freeze a model of distinct ``profiles`` with their decayed ``counts``, honest first contacts by bin, and members.

    ``members`` 0 estimates the member base. While either distribution is unknown both lie in bin 0, so that no first
    contact speaks for or against anybody.
    """
    bins = bin_of(counts)
    table = np.zeros(1 << max(4, int(2 * profiles.size).bit_length()), np.uint64)
    table_bins = np.zeros(table.size, np.uint8)
    _insert(table, table_bins, profiles, bins)
    known = np.bincount(bins, minlength=BINS).astype(np.float64)
    total = max(float(members), known[1:].sum()) if members else members_estimate(counts)
    if not np.isfinite(total) or total <= 0 or honest.sum() <= 0:
        blank = np.eye(1, BINS)[0]
        return Popularity(label, table, table_bins, blank, blank)
    known[0] = total - known[1:].sum()
    return Popularity(label, table, table_bins, honest / honest.sum(), known / known.sum(), float(known.sum()))


def shared(popularity: Popularity, contacts: NDArray[np.float64], people: NDArray[np.float64]) -> NDArray[np.float64]:
    """[n] share of contacts with a profile that another had met, of so many people who look as honest ones do.

    Each has the same number of contacts, all of different profiles, and in each bin all are as likely. In [0, 1]; 0
    while the member base is unknown.
    """
    profiles = np.maximum(popularity.uniform * popularity.members, 1.0)
    each = np.minimum(contacts[:, None] * popularity.honest / np.maximum(people, 1.0)[:, None] / profiles, 1.0)
    distinct = (profiles * (1.0 - (1.0 - each) ** np.maximum(people, 1.0)[:, None])).sum(axis=1)
    known = (contacts > 0) & (popularity.members > 0)
    return np.where(known, np.clip(1.0 - distinct / np.maximum(contacts, 1.0), 0.0, 1.0), 0.0)


def members_estimate(counts: NDArray[np.float32]) -> float:
    """Members by how many profiles were met once and twice (Chao 1984); infinite while every profile was met once only.

    A lower bound that holds when profiles differ in popularity. Good and Turing's unseen mass, which takes them to be
    alike, gave 13,000 of 20,000 members on a simulated day where this gives 19,000.
    """
    seen = int(np.count_nonzero(counts >= 0.5))
    once = int(np.count_nonzero((counts >= 0.5) & (counts < 1.5)))
    twice = int(np.count_nonzero((counts >= 1.5) & (counts < 2.5)))
    return seen + once * once / (2.0 * twice) if twice else float("inf")


def empty() -> Popularity:
    """The model of epoch 0: it knows nothing and accuses nobody of being unusual."""
    return build("none", np.zeros(0, np.uint64), np.zeros(0, np.float32), np.zeros(BINS), 0)
