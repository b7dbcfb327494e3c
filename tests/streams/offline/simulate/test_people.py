import numpy as np
import pytest

from streams.offline.simulate.internet import Address
from streams.offline.simulate.kind import ANONYMOUS, CLASS, REGULAR, Kind
from streams.offline.simulate.members import Members
from streams.offline.simulate.people import Crowd, created, crowds
from streams.offline.simulate.plan import Plan

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
    assert len({crowd.kind.name for crowd in everybody}) == len(everybody) == 11


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
    """Who never logs in has neither account nor tier."""
    origin = Crowd.of(PLAN, members, ANONYMOUS, 2_000, 5).origin(0, HOME, True, 0)
    assert (origin.account, origin.tier, origin.created_at) == (None, None, None)


def test_some_visitors_keep_a_cookie(members: Members) -> None:
    """Six in ten visitors have a session, one for each device, which lasts for days; the others have none."""
    crowd = Crowd.of(PLAN, members, ANONYMOUS, 2_000, 2_000)
    sessions = [crowd.origin(person, HOME, True, 0).session for person in range(2_000)]
    kept = [session for session in sessions if session is not None]
    assert len(kept) / 2_000 == pytest.approx(0.6, abs=0.04)
    assert len(set(kept)) == len(kept)
    assert all(session.startswith("anon") for session in kept)
    person = sessions.index(kept[0])
    assert crowd.origin(person, HOME, True, 7).session == kept[0]
    assert crowd.origin(person, HOME, False, 0).session not in (kept[0], None)


def test_accounts_need_no_cookie(regular: Crowd) -> None:
    """A session without an account is a visitor's alone."""
    assert not regular.cookie.any()


@pytest.mark.parametrize(("trait", "share"), [("twin", 0.1), ("roams", 0.1), ("hops", 0.25), ("furniture", 0.993)])
def test_habits_belong_to_a_part_of_people(regular: Crowd, trait: str, share: float) -> None:
    """Using both devices at once, roaming, a restless carrier, and furniture: each is a lasting trait of a share."""
    assert getattr(regular, trait).mean() == pytest.approx(share, abs=0.02)


def test_activity_has_a_heavy_tail(regular: Crowd) -> None:
    """Half of people are below the usual activity, one in a hundred comes at least 2.5 times as often."""
    assert np.median(regular.level) == pytest.approx(1, abs=0.05)
    assert 2.5 < np.percentile(regular.level, 99) < 3.3


@pytest.mark.parametrize(
    ("kind", "youngest", "oldest"), [("newcomer", 0, 6), ("importer", 0, 6), ("regular", 30, 3_000)]
)
def test_ages_of_accounts(members: Members, kind: str, youngest: int, oldest: int) -> None:
    """Newcomers' and importers' accounts are under a week old, the others' at least a month."""
    crowd = next(crowd for crowd in crowds(PLAN, members) if crowd.kind.name == kind)
    assert created(PLAN, oldest) <= min(crowd.created_at)
    assert max(crowd.created_at) <= created(PLAN, youngest)


def test_traits_do_not_depend_on_other_kinds(members: Members) -> None:
    """A kind's people are the same whatever other kinds there are."""
    alone = Crowd.of(PLAN, members, Kind("night"), 0, 50)
    after = [Crowd.of(PLAN, members, kind, 0, 50) for kind in (CLASS, Kind("night"))][1]
    assert np.array_equal(alone.taste, after.taste)
    assert np.array_equal(alone.friends, after.friends)
