from dataclasses import replace

import numpy as np
import pytest

from streams.offline.simulate.internet import Address
from streams.offline.simulate.members import Members
from streams.offline.simulate.people import ANONYMOUS, CLASS, REGULAR, Crowd, Kind, created, crowds
from streams.offline.simulate.plan import PRESETS, Plan

PLAN = Plan()
HOME = Address("240.0.0.1", 64_512, "DE")


@pytest.fixture(scope="module")
def members() -> Members:
    """The member base of the demo."""
    return Members.of(PLAN)


@pytest.fixture(scope="module")
def regular(members: Members) -> Crowd:
    """Two thousand regular people."""
    return Crowd.of(PLAN, members, REGULAR, 0, 2_000)


def test_everybody_is_of_one_kind(members: Members) -> None:
    """Kinds follow on each other without gap, accounts first, and add up to the plan."""
    everybody = crowds(PLAN, members)
    firsts = [crowd.first for crowd in everybody]
    assert firsts == np.cumsum([0, *(len(crowd) for crowd in everybody)])[:-1].tolist()
    assert everybody[-1].kind is ANONYMOUS
    assert everybody[-1].first == PLAN.people
    assert sum(len(crowd) for crowd in everybody) == PLAN.people + PLAN.anonymous
    assert len({crowd.kind.name for crowd in everybody}) == len(everybody) == 9


def test_smallest_plan_has_every_kind(members: Members) -> None:
    """Of forty people at least one is of each kind, and most are regular."""
    everybody = crowds(replace(PRESETS["small"], people=40), members)
    assert min(len(crowd) for crowd in everybody) >= 1
    assert len(everybody[0]) > 20


def test_shares_lie_between_none_and_all(regular: Crowd) -> None:
    """Traits that are shares stay in [0, 1]."""
    for trait in (regular.taste, regular.returns):
        assert trait.min() >= 0
        assert trait.max() <= 1


def test_some_never_return_and_some_love_the_unknown(regular: Crowd) -> None:
    """A few in a hundred never return; a few mostly look at whom nobody knows; most do neither."""
    assert np.mean(regular.returns == 0) == pytest.approx(0.05, abs=0.02)
    assert 0.02 < np.mean(regular.taste > 0.7) < 0.06
    assert np.median(regular.taste) < 0.3


def test_gaps_have_medians_of_people(regular: Crowd) -> None:
    """Everybody's median gap lies in 22 to 38 s."""
    assert regular.gap_median_s.min() >= 22
    assert regular.gap_median_s.max() <= 38


def test_friends_are_half_unpopular(members: Members, regular: Crowd) -> None:
    """Half of the friends are just anybody, the other half popular; everybody has three or more."""
    assert np.diff(regular.friends_begin).min() >= 3
    popular = members.ids[members.ranked[:200]]
    in_top = members.cumulative[199]
    expected = 0.5 * in_top + 0.5 * 0.01
    assert np.isin(regular.friends, popular).mean() == pytest.approx(expected, rel=0.1)


def test_a_person_keeps_account_and_devices(regular: Crowd) -> None:
    """The same account and program on each visit; another session on another day or device."""
    first, later = regular.origin(3, HOME, False, 0), regular.origin(3, HOME, False, 1)
    assert first.account == later.account == "u4"
    assert first.client == later.client
    phone = regular.origin(3, HOME, True, 0)
    assert len({first.session, later.session, phone.session}) == 3


def test_visitors_have_no_account(members: Members) -> None:
    """Who never logs in has neither account nor session nor tier."""
    origin = Crowd.of(PLAN, members, ANONYMOUS, 2_000, 5).origin(0, HOME, True, 0)
    assert (origin.account, origin.session, origin.tier, origin.created_at) == (None, None, None, None)


@pytest.mark.parametrize(("kind", "youngest", "oldest"), [("newcomer", 0, 6), ("regular", 30, 3_000)])
def test_ages_of_accounts(members: Members, kind: str, youngest: int, oldest: int) -> None:
    """Newcomers' accounts are under a week old, the others' at least a month."""
    crowd = next(crowd for crowd in crowds(PLAN, members) if crowd.kind.name == kind)
    assert created(PLAN, oldest) <= min(crowd.created_at)
    assert max(crowd.created_at) <= created(PLAN, youngest)


def test_traits_do_not_depend_on_other_kinds(members: Members) -> None:
    """A kind's people are the same whatever other kinds there are."""
    alone = Crowd.of(PLAN, members, Kind("night"), 0, 50)
    after = [Crowd.of(PLAN, members, kind, 0, 50) for kind in (CLASS, Kind("night"))][1]
    assert np.array_equal(alone.taste, after.taste)
    assert np.array_equal(alone.friends, after.friends)
