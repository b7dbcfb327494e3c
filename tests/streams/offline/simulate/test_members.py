from dataclasses import replace

import numpy as np
import pytest

from streams.offline.simulate.members import ID_DENSITY, PAGE_PROFILES, Members
from streams.offline.simulate.plan import Plan

PLAN = Plan(members=2_000)


@pytest.fixture(scope="module")
def members() -> Members:
    """Two thousand members."""
    return Members.of(PLAN)


def test_ids_have_gaps(members: Members) -> None:
    """Ids ascend, some in between are nobody's, and the two never meet."""
    assert len(members.ids) == 2_000
    assert (np.diff(members.ids) > 0).all()
    assert len(members.gone) == pytest.approx(2_000 * (1 / ID_DENSITY - 1), abs=1)
    assert members.exists(members.ids).all()
    assert not members.exists(members.gone).any()


def test_ids_outside_the_range_do_not_exist(members: Members) -> None:
    """An id beyond either end is nobody's."""
    assert not members.exists(np.array([0, int(members.ids[-1]) + 1_000])).any()


def test_popularity_follows_the_exponent(members: Members) -> None:
    """The most popular member gets its share of Zipf's law; with exponent 0 it gets no more than others."""
    rng = np.random.default_rng(1)
    drawn = members.popular(rng, 200_000)
    expected = 1 / (np.arange(1, 2_001) ** -PLAN.popularity_exponent).sum() ** -1
    top = members.ids[members.ranked[0]]
    assert (drawn == top).mean() == pytest.approx(1 / expected, rel=0.05)
    flat = Members.of(replace(PLAN, popularity_exponent=0.0))
    assert (flat.popular(rng, 200_000) == flat.ids[flat.ranked[0]]).mean() == pytest.approx(1 / 2_000, rel=0.5)


def test_popularity_says_nothing_about_ids(members: Members) -> None:
    """Popular members are spread over the ids, so that a walk meets few of them."""
    popular = members.ranked[:200]
    assert abs(popular.mean() - 1_000) < 150


def test_samples_repeat_nothing(members: Members) -> None:
    """A sample holds nobody twice, and everybody if more are asked for than exist."""
    rng = np.random.default_rng(1)
    assert len(np.unique(members.sample(rng, 500))) == 500
    assert len(members.sample(rng, 5_000)) == 2_000


def test_unpopular_leaves_out_the_popular(members: Members) -> None:
    """None of the most popular 30 % is among the unpopular, and none comes twice."""
    drawn = members.unpopular(np.random.default_rng(1), 1_400)
    popular = members.ids[members.ranked[:600]]
    assert len(np.unique(drawn)) == 1_400
    assert not np.isin(drawn, popular).any()


def test_results_show_each_bearer_of_a_name_once(members: Members) -> None:
    """All pages of a name together show everybody of that name, ten a page, the most popular first."""
    name = int(np.bincount(members.name_of).argmax())
    pages = int(members.pages(np.array([name]))[0])
    shown = [members.results(name, page) for page in range(pages)]
    assert all(len(page) == PAGE_PROFILES for page in shown[:-1])
    assert 1 <= len(shown[-1]) <= PAGE_PROFILES
    everybody = members.ids[members.name_of == name]
    assert sorted(np.concatenate(shown)) == everybody.tolist()
    rank = {int(members.ids[number]): rank for rank, number in enumerate(members.ranked.tolist())}
    ranks = [rank[int(profile)] for profile in np.concatenate(shown)]
    assert ranks == sorted(ranks)
    assert len(members.results(name, pages)) == 0


def test_a_picked_result_was_on_its_page(members: Members) -> None:
    """What is picked from a page is shown by it; an empty page gives -1."""
    rng = np.random.default_rng(1)
    names = np.arange(len(members.names))
    picked = members.pick_result(rng, names, np.zeros_like(names))
    assert all(pick in members.results(name, 0) for name, pick in enumerate(picked.tolist()))
    assert members.pick_result(rng, names, members.pages(names)).tolist() == [-1] * len(names)
    assert members.pick_result(rng, names, np.full(len(names), -1)).tolist() == [-1] * len(names)


def test_names_differ(members: Members) -> None:
    """No name stands for two."""
    assert len(set(members.names)) == len(members.names) == 50
