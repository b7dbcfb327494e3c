"""What the sums over a group's members say: how strong they are, who may be blocked for them, and who is suspect."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.core.columns import AGENTS
from detectors.core.compiled import in_place
from detectors.core.group import (
    ANONYMOUS,
    BARE_ACCOUNT,
    DAY_S,
    FURNISHED,
    LOGGED_IN,
    PERSON,
    YOUNG,
    Groups,
    Members,
    settled,
)
from detectors.core.model import Model

SUSPECT, CERTAIN = 1, 2
BARE: Final = 0.95
"""Share of a scraper's members without furniture."""
BARE_WEIGHT: Final = 1_000.0
"""Views that this is worth as the honest share, until as many are learned."""
BARE_MIX: Final = 0.3
BARE_CAP: Final = 5.0
ONE_GIVES: Final = 0.5
"""Of an alert's evidence, what is one member's own at most: one alone is no group, and hides none."""
SPARE: Final = 1.2
"""Of a block's evidence, what as few members as make a group can give together at least."""
KNOWN_WEIGHT: Final = 200.0
"""Views that a guess weighs as much as, when it is asked whether it is odd of a client to have no furniture."""
BARE_SELDOM: Final = 0.2
"""Share of honest views that stand alone up to which it is odd of a client that its views do."""
SPLIT_SHARE: Final = 0.5
"""Of a crowd's contacts, the share of different profiles from which it splits them up; a class looks at each other."""
FURNISHED_NATS: Final = 2.0
"""Sum of its own ratios from which a young account with furniture is a suspect: newcomers are seldom so."""


class Limits(NamedTuple):
    """The configuration of `cohort` as its loop reads it."""

    limit: float
    most: float
    """What one member gives at most."""
    block: float
    members_min: int
    profiles_min: int
    people_max: int
    people_share: float
    half_life_s: float
    bare_nats: float
    """What a member without furniture adds by being so."""


@in_place
def _few_people(groups: Groups, g: int, limits: Limits) -> bool:
    """Hardly any member behind the group looks like a person."""
    people = np.int64(groups.people[g, 0]) + groups.people[g, 1]
    behind = np.int64(groups.behind[g, 0]) + groups.behind[g, 1]
    return bool(people <= max(np.float64(limits.people_max), limits.people_share * behind))


@in_place
def sum_of(groups: Groups, g: int, k: int, limits: Limits) -> float:
    """Evidence of a subset: the sum, and that its members are bare where they are alone."""
    total = float(groups.total[g, k])
    if total <= 0.0 or k == YOUNG or not _few_people(groups, g, limits):
        return total
    return total + float(min(limits.bare_nats * groups.members[g, k], BARE_CAP))


@in_place
def level_of(groups: Groups, g: int, k: int, limits: Limits) -> float:
    """Evidence of a subset as a share of the limit; below 1 while members or profiles are too few."""
    level = sum_of(groups, g, k, limits) / limits.limit
    members, contacts = groups.members[g, k], groups.contacts[g, k]
    if members < limits.members_min:
        level = min(level, float(members / limits.members_min))
    if contacts < limits.profiles_min:
        level = min(level, float(contacts / limits.profiles_min))
    return level


@in_place
def may_block(groups: Groups, g: int, limits: Limits) -> bool:
    """Nobody to speak of stands behind the group, and it is known well enough to say so."""
    known_s = np.int64(groups.at_s[g]) - groups.first_s[g]
    return bool(_few_people(groups, g, limits) and (groups.logged_in[g] == 0 or known_s >= DAY_S))


@in_place
def suspect(groups: Groups, members: Members, g: int, m: int, adds: bool, limits: Limits) -> int:
    """How a member with a first contact is suspect: not (0), `SUSPECT` or `CERTAIN`; ``adds``: it was evidence.

    It is no passer-by whose page has yet to load, and looks for the unknown itself. Where nobody else stands behind the
    group it need not do so just now, nor more than others.
    """
    if (members.traits[m] & FURNISHED) != 0:
        return SUSPECT if adds and members.nats[m] > FURNISHED_NATS else 0
    k = BARE_ACCOUNT if (members.traits[m] & LOGGED_IN) != 0 else ANONYMOUS
    if (members.traits[m] & PERSON) != 0 or not settled(groups, members, g, m, k):
        return 0
    if level_of(groups, g, k, limits) >= 1.0 and may_block(groups, g, limits):
        return CERTAIN
    return SUSPECT if adds and members.nats[m] > 0.0 else 0


def bare_nats(model: Model) -> float:
    """Log-likelihood ratio of a member without furniture, by how many honest views stand alone; 0 unlearned."""
    furnished, bare = model.counts("bare_view.agents", 2 * AGENTS).reshape(AGENTS, 2).sum(axis=0)
    usual = min((bare + BARE_WEIGHT * BARE) / (furnished + bare + BARE_WEIGHT), BARE)
    return float(np.log(BARE / ((1 - BARE_MIX) * usual + BARE_MIX * BARE)))


def _bare(model: Model, unlearned: float) -> tuple[float, NDArray[np.float64]]:
    """Share of honest views that stand alone, in general and [1024] by class of user agent; ``unlearned`` at first."""
    seen = model.counts("bare_view.agents", 2 * AGENTS).reshape(AGENTS, 2)
    furnished, bare = seen.sum(axis=0)
    general = float((bare + KNOWN_WEIGHT * unlearned) / (furnished + bare + KNOWN_WEIGHT))
    return general, (seen[:, 1] + BARE_WEIGHT * general) / (seen.sum(axis=1) + BARE_WEIGHT)


def seldom_bare(model: Model) -> NDArray[np.bool_]:
    """[1024] classes of user agents whose views are learned to stand alone seldom."""
    return _bare(model, BARE)[1] <= BARE_SELDOM


def suspicion(model: Model) -> NDArray[np.float64]:
    """[1024] what being suspect is worth by class of user agent, in [0, 1].

    Half where views are learned to stand alone often, as of the platform's own app: then a group is found for its
    members' taste alone, and each answers for that by `long_tail` already. Nothing where everybody's do, since assets
    come from elsewhere.
    """
    general, share = _bare(model, 0.0)
    often = 0.5 if general <= BARE_SELDOM else 0.0
    worth: NDArray[np.float64] = np.where(share <= BARE_SELDOM, 1.0, often)
    return worth


def split_up(together: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """[n] whether a crowd met different profiles, by [n, 2] distinct ones and contacts (`Columns.together`)."""
    split: NDArray[np.bool_] = together[:, 0] >= SPLIT_SHARE * together[:, 1]
    return split
