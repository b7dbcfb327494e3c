"""Sweeps: search, import of contacts and lists used to take everybody instead of finding somebody.

Seen: the order and yield of what an account looks up. An import in ascending or descending numbers; short searches
that walk through the alphabet, page after page; few hits among the numbers asked for; thousands of numbers; searches
that nobody follows up; page after page of longer ones; many results by the standard of the tier; lists of one member
after another.
People do not import an area code: a person's address book stands in the order of names, one in four of its numbers is
a member's, and who searches reads a page or two and opens what was found.

Order is no honest trait, so its two sums have no cap and are the only ground for a block, over at least three seconds
in which they rose: one upload of a company's sorted numbers is not. The rest are traits of people, each capped.
Recruiters search, read on and open little, all at once, so these together have a cap below the limit (`TRAITS_CAP`).
Beside it stand limits that an operator can read, on numbers and results in a day.

A text that goes on from the one before it, or back, is being typed: a search is judged when the next one begins.
A number next to the last counts only in the direction of the step before it, the other way speaks against, and who
turned once gets little for going on: the numbers of one office, in the order of names, lie side by side. From the
third block of neighbours on each counts: nobody knows three offices. Pages of a text of at most three letters are
order from the third on if nothing was opened in between: who reads on about "Li" opens somebody.

Blind spots: a shuffled import below the limits; a search for one random surname after another; whoever views something
after each search; alphabets of more than two bytes a letter.

Source: DETECTION's channels, tried on simulated days; Hill 1975; Page 1954; Wald 1945.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Final, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.core.columns import NO_NUMBER, US, Columns, text_order
from detectors.core.compiled import compiled
from detectors.core.contract import Detector, DetectorConfig, Evidence, Explanation, State
from detectors.core.model import Model
from detectors.core.ordering import OTHER_LLR, alphabet_llr, goes_on, import_llr, short
from detectors.core.peer import CLASSES, classes_of
from detectors.core.reached import BINS, bin_of, nats_of, reach
from schemas.sighting import Flag, Kind

DAY_S: Final = 86_400
COUNT_MAX: Final = 65_535
HIT_LLR: Final = 0.25 * float(np.log(0.06 / 0.25))
MISS_LLR: Final = 0.25 * float(np.log(0.94 / 0.75))
"""A number that is a member's, and one that is nobody's; a quarter, since address books differ."""
HITS_CAP: Final = 6.0
ENOUGH_NUMBERS: Final = 1_000
NUMBER_NATS: Final = 0.003
NUMBERS_CAP: Final = 14.0
PAGE_LLR: Final = float(np.log(4.0))
DEEP: Final = 5
DEEP_LLR: Final = float(np.log(16.0))
"""A page beyond so many of one short text, with nothing opened: a sweep goes on to the last page, and of people who
read five pages in vain one in twenty does."""
PAGES: Final = 3
"""Pages of one search that people read."""
UNVIEWED, PAGING, LISTS = 0, 1, 2
TRAIT_CAPS: Final = (4.0, 3.0, 6.0)
TRAITS_CAP: Final = 10.0
"""Of the four together: below every limit, since recruiters have them all."""
BY_CHANCE: Final = 7.5
"""Of order, as two short searches one after the other in the alphabet give: up to here traits make room for it."""
UNVIEWED_SWEEP: Final = 0.97
LISTS_SWEEP: Final = 0.9
"""Share of a sweep's searches without a view before them, and of its lists that are another's without one."""
LEARNED_WEIGHT: Final = 200.0
"""Observations that the sweep's own share is worth as the honest one, so that nobody is unusual at first."""
MIX: Final = 0.3
HITS_STEP: Final = 1 / 8192
TRAIT_STEP: Final = 1 / 32
"""Units of the sums that are kept as whole numbers."""
BYTES_7: Final = 2**56 - 1
SEARCHED, LISTED, ROSE, ROSE_MAX = 4, 8, 32, 3
"""Bits of marks beside those of `ordering`: a search, a list, without a view since; in how many seconds order rose."""
RUNS_AT: Final = 3
"""Behind the lists opened last: the runs of neighbours among the numbers looked up (`ordering`)."""
OPENED, LOOKED_UP, SEARCHED_FOR, LISTED_ONE = 1, 2, 3, 4
"""Roles of rows; 0 counts nowhere. Those above `OPENED` are judged."""
IMPORT, ALPHABET, NUMBERS, HITS, TRAITS, NATS, DAY_NUMBERS, DAY_SHOWN = range(8)
NAMES: Final = ("import_order", "alphabet", "numbers", "hits", "traits", "nats", "looked_up_day", "shown_day")
"""Columns of what is reckoned: six of evidence in nats, then what the limits of a day count."""

Shown = Annotated[int, msgspec.Meta(ge=1_000, le=50_000)]


class Config(DetectorConfig, frozen=True, kw_only=True):
    """``[detectors.lookup_sweep]``."""

    cap: Annotated[float, msgspec.Meta(ge=0.0)] = float("inf")
    limit: Annotated[float, msgspec.Meta(gt=TRAITS_CAP)] = 12.0
    """Evidence in natural logarithms that an alert needs."""
    block_ratio: Annotated[float, msgspec.Meta(ge=1.0)] = 1.5
    looked_up_day: Annotated[int, msgspec.Meta(ge=500, le=50_000)] = 2_000
    """Numbers looked up in a day at which a principal is spoken of; who brings an address book along has hundreds."""
    shown_day: Shown = 2_000
    """Likewise profiles in results of searches and lists; who does not live from searching sees fewer than 1,000."""
    tiers: Mapping[str, Shown] = {}
    """Profiles in results in a day for accounts of a tier, instead of `shown_day`; recruiters see 2,500."""
    half_life_s: Annotated[int, msgspec.Meta(ge=3600)] = 302_400


@compiled
def _kept(units: int, step: float, llr: float, cap: float) -> int:
    """A floored, capped sum in units of ``step`` after one more observation."""
    return round(min(max(units * step + llr, 0.0), cap) / step)


@compiled
def _search(
    text: int,
    tag: int,
    llr: NDArray[np.float64],
    at: NDArray[np.int64],
    marks: NDArray[np.uint8],
    traits: NDArray[np.uint8],
) -> tuple[float, int]:
    """Log-likelihood ratio of the order of texts and of a short one's pages, and the place in the lesson on views.

    ``at`` holds the last text, and the one that was done before it.
    """
    viewed = marks[2] & SEARCHED == 0
    order, lesson = 0.0, -1
    if at[0] != 0 and text == at[0] and tag == marks[0]:
        marks[1] = min(marks[1] + 1, 255)
        if short(text) and not viewed and marks[1] >= PAGES:
            order = PAGE_LLR if marks[1] <= DEEP else DEEP_LLR
        elif marks[1] > PAGES:
            paging = OTHER_LLR if viewed else PAGE_LLR
            traits[PAGING] = _kept(traits[PAGING], TRAIT_STEP, paging, TRAIT_CAPS[PAGING])
    else:
        marks[1] = 1
        if at[0] != 0 and not goes_on(text, at[0]):
            order = alphabet_llr(at[1], at[0])
            at[1] = at[0]
            lesson = 0 if viewed else 1
            traits[UNVIEWED] = _kept(traits[UNVIEWED], TRAIT_STEP, llr[lesson], TRAIT_CAPS[UNVIEWED])
            traits[PAGING] = _kept(traits[PAGING], TRAIT_STEP, OTHER_LLR, TRAIT_CAPS[PAGING])
    at[0] = text
    marks[0] = tag
    marks[2] |= SEARCHED
    return order, lesson


@compiled
def _list(
    tag: int, llr: NDArray[np.float64], lists: NDArray[np.uint8], marks: NDArray[np.uint8], traits: NDArray[np.uint8]
) -> int:
    """Place in the lesson on lists: 1 where it is another's without a view since the last one."""
    lesson = 1 if marks[2] & LISTED else 0
    for j in range(RUNS_AT):
        if lists[j] == tag:
            lesson = 0
    if lists[0] != tag:
        for j in range(RUNS_AT - 1, 0, -1):
            lists[j] = lists[j - 1]
        lists[0] = tag
    marks[2] |= LISTED
    traits[LISTS] = _kept(traits[LISTS], TRAIT_STEP, llr[lesson], TRAIT_CAPS[LISTS])
    return lesson


@compiled
def _pass_time(
    s: int,
    t: int,
    half_life_s: float,
    at_s: NDArray[np.uint32],
    counts: NDArray[np.uint16],
    sums: NDArray[np.float32],
    hits: NDArray[np.uint16],
    traits: NDArray[np.uint8],
) -> bool:
    """Let sums decay and days end up to a row; returns whether its second is a new one."""
    elapsed = max(t - int(at_s[s]), 0)
    days = max(t // DAY_S - int(at_s[s]) // DAY_S, 0)
    decay = 2.0 ** (-elapsed / half_life_s)
    for j in range(sums.shape[1]):
        sums[s, j] *= decay
    hits[s] = round(hits[s] * decay)
    for j in range(traits.shape[1]):
        traits[s, j] = round(traits[s, j] * decay)
    if days > 0:
        for j in range(0, 4, 2):
            counts[s, j + 1] = counts[s, j] if days == 1 else 0
            counts[s, j] = 0
    at_s[s] = max(int(at_s[s]), t)
    return elapsed > 0


@compiled
def _note_order(order: float, channel: int, fresh: bool, sums: NDArray[np.float32], marks: NDArray[np.uint8]) -> None:
    """Add to the import's or the alphabet's sum, and count the seconds in which either rose."""
    sums[channel] = max(sums[channel] + order, 0.0)
    rose = marks[2] // ROSE
    if sums[IMPORT] + sums[ALPHABET] == 0.0:
        rose = 0
    elif order > 0.0 and (fresh or rose == 0):
        rose = min(rose + 1, ROSE_MAX)
    marks[2] = marks[2] % ROSE + rose * ROSE


@compiled
def _reckon(
    out: NDArray[np.float64],
    day_share: float,
    reached: float,
    sums: NDArray[np.float32],
    counts: NDArray[np.uint16],
    hits: int,
    traits: NDArray[np.uint8],
) -> None:
    """Fill a row of `NAMES`; of yesterday counts what lies within a day, were it spread evenly."""
    out[IMPORT], out[ALPHABET] = sums[IMPORT], sums[ALPHABET]
    out[NUMBERS] = min(max(sums[NUMBERS] - ENOUGH_NUMBERS, 0.0) * NUMBER_NATS, NUMBERS_CAP)
    out[HITS] = hits * HITS_STEP
    for j in range(traits.size):
        out[TRAITS] += traits[j] * TRAIT_STEP
    chance = min(out[IMPORT] + out[ALPHABET], BY_CHANCE)
    out[TRAITS] = min(out[TRAITS] + reached, TRAITS_CAP - chance)
    out[NATS] = out[:NATS].sum()
    out[DAY_NUMBERS] = counts[0] + counts[1] * (1.0 - day_share)
    out[DAY_SHOWN] = counts[2] + counts[3] * (1.0 - day_share)


@compiled
def _sweep(
    slot: NDArray[np.int32],
    time_s: NDArray[np.int64],
    role: NDArray[np.uint8],
    number: NDArray[np.int64],
    missed: NDArray[np.bool_],
    tag: NDArray[np.int64],
    shown: NDArray[np.uint16],
    tier: NDArray[np.int64],
    llr: NDArray[np.float64],
    highs: NDArray[np.float64],
    half_life_s: float,
    last: NDArray[np.int64],
    texts: NDArray[np.int64],
    at_s: NDArray[np.uint32],
    since_s: NDArray[np.uint32],
    sums: NDArray[np.float32],
    counts: NDArray[np.uint16],
    hits: NDArray[np.uint16],
    traits: NDArray[np.uint8],
    lists: NDArray[np.uint8],
    marks: NDArray[np.uint8],
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """[n, 8] by `NAMES`; [n, 2] start of the rise and seconds in which order rose; [n, 3] places in the lessons."""
    out, whole = np.zeros((slot.size, 8)), np.zeros((slot.size, 2), np.int64)
    lessons = np.full((slot.size, 3), -1, np.int64)
    for i in range(slot.size):
        s = slot[i]
        if role[i] == OPENED:
            marks[s, 2] &= 255 - SEARCHED - LISTED
        if role[i] <= OPENED:
            continue
        fresh = _pass_time(s, time_s[i], half_life_s, at_s, counts, sums, hits, traits)
        before, order, channel = int(counts[s, 2]), 0.0, IMPORT
        if role[i] == LOOKED_UP:
            if number[i] > 0:
                order = import_llr(last[s], number[i], marks[s], lists[s], RUNS_AT)
                last[s] = number[i]
            hits[s] = _kept(hits[s], HITS_STEP, MISS_LLR if missed[i] else HIT_LLR, HITS_CAP)
            sums[s, NUMBERS] += 1.0
            counts[s, 0] = min(int(counts[s, 0]) + 1, COUNT_MAX)
        elif role[i] == LISTED_ONE:
            lessons[i, 1] = _list(tag[i], llr[1], lists[s], marks[s], traits[s])
        else:
            channel = ALPHABET
            order, lessons[i, 0] = _search(number[i], tag[i], llr[0], texts[s], marks[s], traits[s])
        counts[s, 2] = min(before + int(shown[i]), COUNT_MAX)
        if before < counts[s, 2] and (before == 0 or bin_of(int(counts[s, 2])) > bin_of(before)):
            lessons[i, 2] = tier[i] * BINS + (bin_of(int(counts[s, 2])) if before else 0)
        _note_order(order, channel, fresh, sums[s], marks[s])
        reached = nats_of(int(counts[s, 2]), highs[tier[i], 0], highs[tier[i], 1])
        _reckon(out[i], at_s[s] % DAY_S / DAY_S, reached, sums[s], counts[s], hits[s], traits[s])
        if out[i, NATS] == 0.0 or since_s[s] == 0:
            since_s[s] = time_s[i]
        whole[i, 0], whole[i, 1] = since_s[s], marks[s, 2] // ROSE
    return out, whole, lessons


def _ratios(counts: NDArray[np.float64], sweep: float) -> NDArray[np.float64]:
    """Log-likelihood ratios of the two outcomes of a lesson; 0 while nothing is learned: [2]."""
    learned = (counts[1] + LEARNED_WEIGHT * sweep) / (counts.sum() + LEARNED_WEIGHT)
    honest = (1 - MIX) * learned + MIX * sweep
    return np.log([(1 - sweep) / (1 - honest), sweep / honest])


def _roles(columns: Columns) -> NDArray[np.uint8]:
    """What each row is to this detector: [n]."""
    role = np.zeros(len(columns), np.uint8)
    query = columns.kind == Kind.QUERY.value
    role[columns.kind == Kind.VIEW.value] = OPENED
    role[columns.kind == Kind.LOOKUP.value] = LOOKED_UP
    role[query] = np.where(columns.number[query] == NO_NUMBER, LISTED_ONE, SEARCHED_FOR)
    return np.where(columns.own, role, 0).astype(np.uint8)


class LookupSweep(Detector[Config]):
    """See the module."""

    Config = Config
    trait: ClassVar[str] = "volume"
    challenges: ClassVar[bool] = True
    principals_only: ClassVar[bool] = True
    principal_state: ClassVar[Mapping[str, str]] = {
        "last": "i8",
        "texts": "(2,)i8",
        "at_s": "u4",
        "since_s": "u4",
        "sums": "(3,)f4",
        "counts": "(4,)u2",
        "hits": "u2",
        "traits": "(3,)u1",
        "lists": "(4,)u1",
        "marks": "(3,)u1",
    }
    lessons: ClassVar[Mapping[str, int]] = {"unviewed": 2, "lists": 2, "reached": CLASSES * BINS}
    """Searches after a view, or not; lists gone back to or after a view, or not; days by results (`reached.reach`)."""
    control: ClassVar[str] = "R4"
    blind_spots: ClassVar[tuple[str, ...]] = (
        "a shuffled import below the limits of a day",
        "searches for one random surname after another",
        "whoever views something after each search or list",
        "alphabets of more than two bytes a letter",
    )

    def judge(self, columns: Columns, state: State, model: Model) -> Evidence:
        """Level: the sum or a day's count as a share of its limit, whichever is larger."""
        learned = {name: model.counts(f"{self.name}.{name}", length) for name, length in self.lessons.items()}
        role = _roles(columns)
        text = np.where(columns.number < NO_NUMBER, text_order(columns.number) & BYTES_7, 0)
        out, whole, lessons = _sweep(
            columns.principal_slot,
            np.clip(columns.time_us // US, 1, 2**32 - 1),
            role,
            np.where(role == SEARCHED_FOR, text, columns.number),
            (columns.flags & Flag.MISS.value) != 0,
            (columns.profile % np.uint64(251)).astype(np.int64) + 1,
            np.where(role > LOOKED_UP, columns.shown, 0).astype(np.uint16),
            classes_of(columns),
            np.stack([_ratios(learned["unviewed"], UNVIEWED_SWEEP), _ratios(learned["lists"], LISTS_SWEEP)]),
            reach(learned["reached"].reshape(CLASSES, BINS)),
            float(self.config.half_life_s),
            cast("NDArray[np.int64]", state["last"]),
            cast("NDArray[np.int64]", state["texts"]),
            cast("NDArray[np.uint32]", state["at_s"]),
            cast("NDArray[np.uint32]", state["since_s"]),
            cast("NDArray[np.float32]", state["sums"]),
            cast("NDArray[np.uint16]", state["counts"]),
            cast("NDArray[np.uint16]", state["hits"]),
            cast("NDArray[np.uint8]", state["traits"]),
            cast("NDArray[np.uint8]", state["lists"]),
            cast("NDArray[np.uint8]", state["marks"]),
        )
        shown = np.array([self.config.tiers.get(tier, self.config.shown_day) for tier in columns.tiers])[columns.tier]
        limits = np.stack(
            [np.full(len(columns), self.config.limit), np.full(len(columns), self.config.looked_up_day), shown]
        )
        shares = out[:, NATS:] / limits.T
        rising = shares[:, 0] >= shares.max(axis=1, initial=0.0)
        began_us = np.where(rising, whole[:, 0] * US, columns.time_us - DAY_S * US)
        since_us = np.minimum(np.where(role > OPENED, began_us, columns.time_us), columns.time_us)
        in_order = out[:, IMPORT] + out[:, ALPHABET] >= self.config.limit
        return Evidence(
            shares.max(axis=1, initial=0.0),
            since_us,
            columns.shown_since(since_us),
            in_order & (whole[:, 1] >= ROSE_MAX),
            {name: out[:, j] for j, name in enumerate(NAMES)},
            out[:, NATS],
            role > OPENED,
            {name: lessons[:, j] for j, name in enumerate(self.lessons)},
        )

    def explain(self, columns: Columns, evidence: Evidence, row: int) -> Explanation:
        """Name the sum and its strongest part, and what was counted in a day."""
        numbers = {name: round(float(evidence.numbers[name][row]), 3) for name in NAMES}
        shown_day = self.config.tiers.get(columns.tiers[int(columns.tier[row])], self.config.shown_day)
        strongest = max(NAMES[:NATS], key=lambda name: numbers[name])
        return Explanation(
            reason=f"evidence {numbers['nats']:.1f} of {self.config.limit:.1f}, mostly {strongest.replace('_', ' ')}; "
            f"{numbers['looked_up_day']:.0f} numbers and {numbers['shown_day']:.0f} results in a day, the limits are "
            f"{self.config.looked_up_day} and {shown_day}",
            public_reason="searches and imports that go through the members instead of looking for somebody",
            evidence={**numbers, "limit": self.config.limit},
        )
