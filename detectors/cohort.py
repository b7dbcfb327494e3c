"""A group as an actor: a fleet of which nobody is conspicuous, behind one net, ASN or fingerprint.

Seen: the rarity of first contacts, as `long_tail` reckons it but without a bound, over all members of a group that
could be a fleet: (a) principals without a log-in and (b) accounts of any age, both only while they asked for nothing
beside profiles (no page, asset or call: no *furniture*), and (c) all accounts under 14 days. A member is a principal
within the group. People do not share a taste for what nobody looks at: a crowd drifts far below zero, a fleet does not.
No sum goes over older accounts with furniture: colleagues of one trade in one net look like a fleet. They have
furniture, 7 in 1,000 of honest accounts have none; a farm of accounts left to age has none. One member gives at most
half of an alert's evidence: who looks for the unknown makes no group of two passers-by, and drowns nobody else.

That several came without furniture is evidence of its own, in (a) and (b), where nobody else stands behind the group:
by how rare it is for people's views to stand alone (`bare_view` learns it), and no more than five nats in all, since
people with an odd client have that in common.

Who stands behind a group decides whether it may be blocked. Members that look like people asked for furniture beside
their profiles, or drifted below -2 by themselves. If they are more than two, and more than 2 in 100, behind the whole
group, not only its subset, there is ground for an alert and none for a block. Nor is there while log-ins other than the
subset's own stand behind a group first seen less than a day ago: after a cold start everybody is a stranger. The sum
over (c) is ground for an alert only.

Who adds to a group that was found is suspect in the next model, for a day, and starts with `suspect_nats` in the sum
over all detectors: so is found who hides in a group that may not be blocked. In (a) and (b) only a member one of
whose cells ended without furniture, lest everybody's first page behind a common browser makes a suspect. A group of
accounts is never blocked as such, since accounts stand behind it, were they all a farm's. So where nobody else stands
behind it, its members of (a) and (b) start with `certain_nats`: whoever goes on without furniture is blocked. Not so
whoever asked for furniture since yesterday. Where a client's honest views often stand alone too, as of the platform's
own app, half of `suspect_nats` is all, nothing where everybody's do, and `suspect_nats` while it is not known. Members
that met the same profiles are no suspects and not blocked as a group, were they alone: a class looks at each other.

Furniture comes after the first view, and is told at the end of its cell of 10 s. So what a cell adds to (a) and (b) is
held back until the next one begins, and a member that turns out furnished takes back what it gave: exactly what is
held, and of what was released whatever is positive, no further than to zero.

    cell    |  view +0.4 (held)  |  touch at the cell's end: -0.4  |  nothing is left to release
            |  view +0.4 (held)  |                                 |  released: the sum rises by 0.4

What is wrong by this: evidence speaks up to 10 s and one row of the group late; a page whose furniture begins in the
next cell counts for that cell; within a cell there is no floor, so that popular profiles cancel rare ones.

Beside the evidence stands how much the members overlap: the share of their contacts with a profile that another of
them had met, over all members of the last day or two, and the share that as many people would have by ordinary
popularity. A fleet that splits the ids overlaps less. It is told and decides nothing: what hides behind a common
browser drowns in it. Of members with more than some ten contacts both read too low, as `Columns.first` does.

Blind spots: the first day of a deployment; a fleet with furniture on accounts older than 14 days; a fleet scattered
over nets and programs; fewer than three members; a fleet behind a common browser is found but not blocked, and with
furniture on new accounts, among many newcomers, it is not found on one simulated day in twelve.

Source: Ro, Han, Im 2018; Page 1954; PUBCRAWL (Jacob 2012) for groups; constants tried on simulated days
of 10,000 people.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.core.columns import US, Columns
from detectors.core.compiled import compiled, in_place
from detectors.core.contract import Detector, DetectorConfig, Evidence, Explanation, Nats, State
from detectors.core.fleet import (
    CERTAIN,
    ONE_GIVES,
    SPARE,
    Limits,
    bare_nats,
    level_of,
    may_block,
    seldom_bare,
    split_up,
    sum_of,
    suspect,
    suspicion,
)
from detectors.core.floor import GroupNats
from detectors.core.group import (
    ANONYMOUS,
    BARE_ACCOUNT,
    DAY_S,
    FULL,
    FURNISHED,
    LOGGED_IN,
    YOUNG,
    Groups,
    Members,
    add,
    count_behind,
    furnish,
    hold,
    look_like,
    move_on,
)
from detectors.core.model import Model, certainly
from detectors.core.popularity import Popularity, shared
from detectors.core.rarity import Share, ratios
from schemas.sighting import Flag, Kind

WORDS: Final = (
    "visitors without log-in or furniture",
    "accounts without furniture",
    "accounts under 14 days",
)
_TOUCH: Final = int(Kind.TOUCH)
_VIEW: Final = int(Kind.VIEW)
_FLAG_LOGGED_IN: Final = int(Flag.LOGGED_IN)
_FLAG_YOUNG: Final = int(Flag.YOUNG)


class Config(DetectorConfig, frozen=True, kw_only=True):
    """``[detectors.cohort]``."""

    limit: GroupNats = 14.0
    """Evidence in natural logarithms that an alert on a group needs; 10 at least."""
    block_ratio: Annotated[float, msgspec.Meta(ge=1.0)] = 1.215
    members_min: Annotated[int, msgspec.Meta(ge=2)] = 3
    """Members that have to add to the evidence: one alone is no group."""
    profiles_min: Annotated[int, msgspec.Meta(ge=5)] = 10
    """Profiles that have to add to it; two people share a few by chance."""
    people_max: Annotated[int, msgspec.Meta(ge=0)] = 2
    """A block is refused above so many members that look like people, and above `people_share`."""
    people_share: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] = 0.02
    """Of all members of the last day or two."""
    mix: Share = 0.3
    """Share of the scraper's side mixed into the honest one; more is more cautious, and a tenth the least."""
    half_life_s: Annotated[int, msgspec.Meta(ge=3600)] = 302_400
    suspect_nats: Nats = 7.0
    """A member of a group that was found starts with the evidence of its group, as much as a trait is worth."""
    certain_nats: Nats = 14.0
    """Likewise without furniture in a group that nobody else stands behind, where furniture is usual: the evidence of
    the group, whole."""
    cap: Nats = 14.0


@in_place
def _judge_view(
    groups: Groups, members: Members, g: int, m: int, llr: float, young: bool, tag: np.uint16, most: float
) -> bool:
    """Add a first contact to the member and to the sums that it belongs to; returns whether it adds evidence.

    The profile that added evidence last adds none a second time: what many look at on one evening is no fleet's list.
    """
    members.nats[m] += llr
    look_like(groups, members, g, m)
    logged_in = (members.traits[m] & LOGGED_IN) != 0
    furnished = (members.traits[m] & FURNISHED) != 0
    if furnished and not young:
        return False
    again = llr > 0.0 and groups.last[g] == tag
    if again:
        return False
    if llr > 0.0:
        groups.last[g] = tag
    if not furnished:
        hold(groups, members, g, m, BARE_ACCOUNT if logged_in else ANONYMOUS, llr, most)
    if young:
        add(groups, members, g, m, llr, most)
    return llr > 0.0


@in_place
def _say(groups: Groups, members: Members, g: int, m: int, young: bool, limits: Limits) -> tuple[float, int, bool]:
    """Level of the highest sum that a member's row belongs to, its subset, and whether it is ground for a block."""
    logged_in = (members.traits[m] & LOGGED_IN) != 0
    bare = (members.traits[m] & FURNISHED) == 0
    narrow = BARE_ACCOUNT if logged_in else ANONYMOUS
    level, block, k = 0.0, False, narrow if bare else YOUNG
    if bare:
        level = level_of(groups, g, narrow, limits)
        block = level >= limits.block and may_block(groups, g, limits)
    if young and level_of(groups, g, YOUNG, limits) > level:
        level = level_of(groups, g, YOUNG, limits)
        k = k if block else YOUNG
    return level, k, block


@in_place
def _judge(
    group_slot: NDArray[np.int32],
    member_slot: NDArray[np.int32],
    time_us: NDArray[np.int64],
    kind: NDArray[np.uint8],
    flags: NDArray[np.uint8],
    first: NDArray[np.bool_],
    llr: NDArray[np.float64],
    profile: NDArray[np.uint64],
    groups: Groups,
    members: Members,
    limits: Limits,
    level: NDArray[np.float64],
    since: NDArray[np.int64],
    profiles: NDArray[np.int64],
    block: NDArray[np.bool_],
    numbers: NDArray[np.float64],
) -> None:
    """Move the groups on row by row; fills level, since, profiles, may_block and [8, n] of `NUMBERS`, zero before."""
    for i in range(group_slot.size):
        g, m = group_slot[i], member_slot[i]
        if g < 0 or m < 0:
            continue
        # A touch belongs to the cell that it ends.
        moment_us = time_us[i] - 1 if kind[i] == _TOUCH else time_us[i]
        move_on(groups, g, max(int(moment_us // US), int(groups.at_s[g]), 1), limits.half_life_s)
        if kind[i] == _TOUCH:
            if furnish(groups, members, g, m):
                numbers[4, i] = BARE_ACCOUNT if (members.traits[m] & LOGGED_IN) != 0 else ANONYMOUS
                numbers[5, i] = LEAVES
            continue
        young = (flags[i] & _FLAG_YOUNG) != 0 and (flags[i] & _FLAG_LOGGED_IN) != 0
        if (flags[i] & _FLAG_LOGGED_IN) != 0:
            members.traits[m] |= LOGGED_IN
            if (members.traits[m] & FURNISHED) != 0:
                groups.logged_in[g] = 1
        count_behind(groups, members, g, m)
        if kind[i] != _VIEW or not first[i]:
            continue
        tag = np.uint16(profile[i] % np.uint64(FULL) + np.uint64(1))
        adds = _judge_view(groups, members, g, m, llr[i], young, tag, limits.most)
        level[i], k, block[i] = _say(groups, members, g, m, young, limits)
        since[i] = min(np.int64(groups.since_s[g, k]) * US, time_us[i])
        profiles[i] = groups.contacts[g, k]
        numbers[0, i] = sum_of(groups, g, k, limits)
        numbers[1, i] = groups.members[g, k]
        numbers[2, i] = np.int64(groups.people[g, 0]) + groups.people[g, 1]
        numbers[3, i] = np.int64(groups.behind[g, 0]) + groups.behind[g, 1]
        numbers[4, i] = k
        if adds:
            numbers[5, i] = max(members.young_given[m] if k == YOUNG else members.given[m], np.float32(0.0))
        numbers[6, i] = suspect(groups, members, g, m, adds, limits)
        numbers[7, i] = groups.since_s[g, k]


NUMBERS: Final = ("sum", "members", "people", "behind", "subset", "gives", "suspects", "rise")
LEAVES: Final = -1.0
"""In place of what a member gives: it turned out to be furnished and took back what it gave."""


class Cohort(Detector[Config]):
    """See the module."""

    Config = Config
    group_state: ClassVar[Mapping[str, str]] = {
        "total": "(3,)f4", "held": "(2,)i4", "at_s": "u4", "first_s": "u4", "since_s": "(3,)u4", "contacts": "(3,)u2",
        "members": "(3,)u2", "people": "(2,)u2", "behind": "(2,)u2", "logged_in": "u1", "last": "u2",
        "faded": "(3,)f8", "against": "(2,)f4",
    }  # fmt: skip
    member_state: ClassVar[Mapping[str, str]] = {
        "nats": "f4", "traits": "u1", "day": "u2", "given": "f4", "given_faded": "f4", "given_since_s": "u4",
        "given_contacts": "u2", "pending": "i4", "pending_cell": "u4", "young_since_s": "u4", "young_given": "f4",
        "young_faded": "f4",
    }  # fmt: skip
    principal_state: ClassVar[Mapping[str, str]] = {"furnished_day": "u2"}
    challenges: ClassVar[bool] = True
    control: ClassVar[str] = "R4"
    blind_spots: ClassVar[tuple[str, ...]] = (
        "the first day of a deployment, before a model is learned",
        "a fleet with furniture on accounts older than 14 days",
        "a fleet scattered over nets and programs, or behind a common browser (found, not blocked)",
        "new accounts with furniture in a common browser, among many newcomers (found on most days)",
    )

    def judge(self, columns: Columns, state: State, model: Model) -> Evidence:
        """Level: the highest sum that the row's member belongs to, as a share of the limit.

        Where the row adds evidence, ``numbers["gives"]`` is the part of the sum that is its principal's own, so that an
        alert can name who gave most; -1 where it left the sum. ``subset`` and ``rise`` say which sum that is.
        ``numbers["suspects"]`` is 1 where it is one to be suspected, 2 where for certain. Principals' own rows say only
        that they are suspects.
        """
        config = self.config
        n = len(columns)
        level, since, profiles = np.zeros(n), np.zeros(n, np.int64), np.zeros(n, np.int64)
        block, numbers = np.zeros(n, np.bool_), np.zeros((len(NUMBERS), n))
        _judge(
            columns.group_slot,
            columns.member_slot,
            columns.time_us,
            columns.kind,
            columns.flags,
            columns.first,
            ratios(model.popularity, config.mix)[columns.popularity],
            columns.profile,
            Groups(*(cast("Any", state[name]) for name in self.group_state)),
            Members(*(cast("Any", state[name]) for name in self.member_state)),
            Limits(
                config.limit,
                config.limit * max(ONE_GIVES, SPARE * config.block_ratio / config.members_min),
                config.block_ratio,
                config.members_min,
                config.profiles_min,
                config.people_max,
                config.people_share,
                float(config.half_life_s),
                self.reckon(bare_nats, model),
            ),
            level,
            since,
            profiles,
            block,
            numbers,
        )
        named = dict(zip(NUMBERS, numbers, strict=True))
        split = split_up(columns.together)
        block &= split
        named["suspects"] = np.where(split | (numbers[6] != CERTAIN), numbers[6], 0.0)
        named["usual"] = _usual(columns, level, named["behind"], model.popularity)
        odd, worth = self.reckon(seldom_bare, model)[columns.agent], self.reckon(suspicion, model)[columns.agent]
        furnished = _furnished(
            columns.principal_slot, columns.time_us, columns.kind, cast("NDArray[np.uint16]", state["furnished_day"])
        )
        certain = np.where(odd & ~furnished, config.certain_nats, 0.0)
        nats = _prior(columns, model.suspects, config.suspect_nats * worth, certain)
        return Evidence(level, since, profiles, block, named, nats, nats > 0.0)

    def explain(self, columns: Columns, evidence: Evidence, row: int) -> Explanation:
        """Name the subset, its members and their contacts, the sum and its limit, and who is behind; or a prior."""
        if evidence.nats is not None and evidence.nats[row] > 0.0:
            return Explanation(
                reason="belongs to a group that was found within the last day: starts with evidence "
                f"{evidence.nats[row]:.1f}",
                public_reason="much in common with visitors whose selection of profiles was unusual",
                evidence={"log_likelihood_ratio": round(float(evidence.nats[row]), 3), "group_found": 1},
            )
        number = {name: float(evidence.numbers[name][row]) for name in (*NUMBERS, "usual")}
        distinct, contacts = columns.together[row].tolist()
        members, profiles, people = int(number["members"]), int(evidence.profiles[row]), int(number["people"])
        behind, who = int(number["behind"]), WORDS[int(number["subset"])]
        return Explanation(
            reason=f"{members} {who} share {profiles} first contacts that fall where uniform picks fall, not where "
            f"people look: evidence {number['sum']:.1f} of {self.config.limit:.1f}; {people} of {behind} members "
            "behind the group look like people",
            public_reason="unusual selection of profiles by several visitors that have much in common",
            evidence={
                "log_likelihood_ratio": round(number["sum"], 3),
                "limit": self.config.limit,
                "subset": who,
                "members": members,
                "contacts": profiles,
                "people_behind": people,
                "members_behind": behind,
                "seen_together": distinct,
                "overlap": round(max(1.0 - distinct / contacts, 0.0), 3) if contacts else 0.0,
                "overlap_usual": round(number["usual"], 3),
            },
        )


def _usual(
    columns: Columns, level: NDArray[np.float64], behind: NDArray[np.float64], popularity: Popularity
) -> NDArray[np.float64]:
    """[n] overlap by ordinary popularity of as many members with as many contacts, where there is an alert."""
    out = np.zeros(len(columns))
    rows = np.flatnonzero(level >= 1.0)
    if rows.size:
        out[rows] = shared(popularity, columns.together[rows, 1].astype(np.float64), behind[rows])
    return out


@compiled
def _furnished(
    slot: NDArray[np.int32], time_us: NDArray[np.int64], kind: NDArray[np.uint8], furnished_day: NDArray[np.uint16]
) -> NDArray[np.bool_]:
    """[n] principals' rows before which it asked for furniture, today or yesterday."""
    out = np.zeros(slot.size, np.bool_)
    for i in range(slot.size):
        s = slot[i]
        if s < 0:
            continue
        today = time_us[i] // US // DAY_S
        if kind[i] == _TOUCH:
            furnished_day[s] = max(today, np.int64(furnished_day[s]))
        out[i] = today - np.int64(furnished_day[s]) <= 1
    return out


def _prior(
    columns: Columns, suspects: NDArray[np.uint64], suspected: NDArray[np.float64], certain: NDArray[np.float64]
) -> NDArray[np.float64]:
    """[n] what first contacts, by a view, of principals among ``suspects`` (`Model.suspects`) start with.

    That is ``suspected``, and ``certain`` at least of those who are so for certain: both [n].
    """
    out = np.zeros(len(columns))
    if suspects.size:
        rows = np.flatnonzero(columns.own & columns.first & (columns.kind == Kind.VIEW.value))
        keys = columns.principal[rows]
        known = _among(keys, suspects) | _among(certainly(keys), suspects)
        out[rows] = np.where(known, suspected[rows], 0.0)
        surely = rows[_among(certainly(keys), suspects)]
        out[surely] = np.maximum(out[surely], certain[surely])
    return out


def _among(keys: NDArray[np.uint64], ascending: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """[n] which keys are among m > 0 ``ascending`` ones."""
    place = np.minimum(np.searchsorted(ascending, keys), ascending.size - 1)
    found: NDArray[np.bool_] = ascending[place] == keys
    return found
