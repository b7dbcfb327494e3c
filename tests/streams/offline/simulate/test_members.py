from dataclasses import replace

import numpy as np
import pytest

from streams.offline.simulate.members import BLOCK_NUMBERS, ID_DENSITY, PAGE_PROFILES, Members
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
    assert len(members.gone) + len(members.decoys) == pytest.approx(2_000 * (1 / ID_DENSITY - 1), abs=1)
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


def test_a_text_finds_all_whose_names_begin_with_it(members: Members) -> None:
    """All pages of a beginning together show everybody of the names that begin so, by name, none twice."""
    for text in members.prefixes(3).tolist():
        shown = [members.results(text, page) for page in range(int(members.pages(np.array([text]))[0]))]
        found = np.concatenate(shown)
        names = [members.names[members.name_of[at]] for at in np.searchsorted(members.ids, found).tolist()]
        assert names == sorted(names)
        begins = [name.startswith(members.texts[text]) for name in members.names]
        assert sorted(found.tolist()) == members.ids[np.array(begins)[members.name_of]].tolist()


@pytest.mark.parametrize("letters", [1, 2, 3])
def test_beginnings_in_order_of_the_alphabet(members: Members, letters: int) -> None:
    """The texts of so many letters are all that names begin with, in order."""
    texts = [members.texts[text] for text in members.prefixes(letters).tolist()]
    assert texts == sorted({name[:letters] for name in members.names if len(name) >= letters})


def test_a_names_number_is_its_texts(members: Members) -> None:
    """A search for a name is a search for the text of the same number."""
    assert members.texts[: len(members.names)] == members.names


def test_decoys_exist_and_nobody_is_shown_them(members: Members) -> None:
    """The two decoys answer, lie inside the range, and no draw, search or list holds them."""
    rng = np.random.default_rng(1)
    decoys = members.decoys
    assert len(set(decoys.tolist())) == 2
    assert members.exists(decoys).all()
    assert (members.ids[0] < decoys).all()
    assert (decoys < members.ids[-1]).all()
    drawn = [members.popular(rng, 9_999), members.anyone(rng, 9_999), members.sample(rng, 9_999)]
    drawn += [members.unpopular(rng, 9_999), members.missing(rng, 9_999), members.dialled_ids]
    drawn += [members.connections(profile) for profile in members.ids[:50].tolist()]
    assert not np.isin(np.concatenate(drawn), decoys).any()


def test_missing_are_nobodys(members: Members) -> None:
    """What is drawn as missing does not exist."""
    assert not members.exists(members.missing(np.random.default_rng(1), 9_999)).any()


def test_numbers_and_their_holders(members: Members) -> None:
    """Four members in five have a number, no two the same, and it leads back to them; others' lead nowhere."""
    having = members.numbers >= 0
    assert having.sum() == len(members.dialled) == 1_600
    assert len(np.unique(members.dialled)) == 1_600
    assert np.array_equal(members.holder(members.numbers[having]), members.ids[having])
    assert np.array_equal(members.number_of(members.ids), members.numbers)
    free = np.setdiff1d(members.dialled + 1, members.dialled)
    assert set(members.holder(np.concatenate((free, [0, 1 << 60])))) == {-1}


def test_numbers_lie_in_blocks(members: Members) -> None:
    """Every number is of an assigned block, some blocks are not, and 6 % of a block are members'."""
    begins = members.dialled // BLOCK_NUMBERS * BLOCK_NUMBERS
    assert set(begins.tolist()) <= set(members.blocks.tolist())
    assert (np.diff(members.blocks) % BLOCK_NUMBERS == 0).all()
    assert np.diff(members.blocks).max() > BLOCK_NUMBERS
    asked = members.any_number(np.random.default_rng(1), 50_000)
    assert set((asked // BLOCK_NUMBERS * BLOCK_NUMBERS).tolist()) <= set(members.blocks.tolist())
    assert (members.holder(asked) >= 0).mean() == pytest.approx(0.06, abs=0.01)


def test_connections_are_the_same_each_time() -> None:
    """A member's connections depend on seed and member alone, hold nobody twice and not the member."""
    members, again = Members.of(PLAN), Members.of(PLAN)
    for profile in members.ids[:100].tolist():
        found = members.connections(profile)
        assert np.array_equal(found, again.connections(profile))
        assert len(np.unique(found)) == len(found) > 0
        assert profile not in found
        assert members.exists(found).all()
    first, second = (members.connections(profile).tolist() for profile in members.ids[:2].tolist())
    assert first != second
    other = Members.of(replace(PLAN, seed=2))
    assert other.connections(int(members.ids[0])).tolist() != first


def test_popular_members_are_more_often_connections(members: Members) -> None:
    """The hundred most popular of 2,000 are far more than a twentieth of all connections."""
    found = np.concatenate([members.connections(profile) for profile in members.ids[:200].tolist()])
    assert np.isin(found, members.ids[members.ranked[:100]]).mean() > 0.15


def test_pages_of_connections(members: Members) -> None:
    """The pages together are the list, fifty a page, and there is nothing after the last."""
    profile = next(profile for profile in members.ids.tolist() if len(members.connections(profile)) > 110)
    found = members.connections(profile)
    pages = [members.connections_page(profile, page) for page in range(-(-len(found) // 50) + 1)]
    assert np.array_equal(np.concatenate(pages), found)
    assert {len(page) for page in pages[:-2]} == {50}
    assert len(pages[-1]) == 0
