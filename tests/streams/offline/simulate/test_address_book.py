from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from streams.offline.simulate.address_book import HITS_MAX, imports
from streams.offline.simulate.plan import DAY_MS, MINUTE_MS, PRESETS, Plan
from streams.offline.simulate.traffic import Traffic, What
from streams.offline.simulate.world import World
from tests.streams.offline.simulate.everybody import crowd_of

Ints = NDArray[np.int64]
MANY = Plan(seed=5, people=20_000, anonymous=0, members=40_000, quiet_days=2, scraper_days=1)


@pytest.fixture(scope="module")
def large() -> World:
    """A world with 250 importers."""
    return World.of(MANY)


@pytest.fixture(scope="module")
def lookups(large: World) -> Traffic:
    """Their look-ups."""
    return imports(large, crowd_of("importer", large)).lookups


def books(lookups: Traffic) -> Iterator[tuple[Ints, Ints, Ints]]:
    """Times, numbers and statuses of each import."""
    for origin in range(len(lookups.origins)):
        mine = lookups.origin == origin
        yield lookups.time_ms[mine], lookups.subject[mine], lookups.status[mine]


def most_within(times: Ints, span_ms: int) -> int:
    """Most of these ascending times in any half-open span of this length."""
    return int((np.searchsorted(times, times + span_ms) - np.arange(len(times))).max(initial=0))


def test_books_have_50_to_400_numbers(lookups: Traffic) -> None:
    """Every book has 50 to 400 numbers, none twice, half of them about a hundred or fewer."""
    sizes = [len(numbers) for _, numbers, _ in books(lookups)]
    assert min(sizes) >= 50
    assert all(len(np.unique(numbers)) == len(numbers) for _, numbers, _ in books(lookups))
    assert max(sizes) <= 400
    assert 85 < np.median(sizes) < 130
    assert np.percentile(sizes, 90) > 200


def test_a_quarter_are_members(lookups: Traffic) -> None:
    """About one number in four is somebody's and answers 200; the others answer 404."""
    assert np.mean(lookups.status == 200) == pytest.approx(0.25, abs=0.04)
    shares = [np.mean(status == 200) for _, _, status in books(lookups)]
    assert np.percentile(shares, 5) > 0.08
    assert set(lookups.what.tolist()) == {What.LOOKUP}


def test_the_order_is_not_numeric(lookups: Traffic) -> None:
    """In the order of names, half of the steps go up and half down, and hardly any goes to a number nearby."""
    for _, numbers, _ in books(lookups):
        rises = np.mean(np.diff(numbers) > 0)
        assert 0.25 < rises < 0.75
        assert np.mean(np.abs(np.diff(numbers)) < 1_000) < 0.2


def test_most_imports_last_a_minute_or_two(lookups: Traffic) -> None:
    """An import lasts under two minutes in most cases and under five in all."""
    lasting = [np.ptp(times) for times, _, _ in books(lookups)]
    assert np.percentile(lasting, 60) < 2 * MINUTE_MS
    assert max(lasting) < 5 * MINUTE_MS
    assert min(lasting) > 30_000


def test_hits_stay_human(lookups: Traffic) -> None:
    """No import finds 40 members within a minute or more than 70 in all."""
    hits = [times[status == 200] for times, _, status in books(lookups)]
    assert max(most_within(times, MINUTE_MS) for times in hits) < 40
    assert max(map(len, hits)) <= HITS_MAX
    assert max(map(len, hits)) > 50


def test_friends_found_are_viewed(large: World, lookups: Traffic) -> None:
    """After the last number some of the friends found are viewed, in the same session, at a person's pace."""
    views = imports(large, crowd_of("importer", large)).views
    assert views.origins == lookups.origins
    for origin in range(len(lookups.origins)):
        asked, shown = lookups.origin == origin, views.origin == origin
        assert 1 <= np.count_nonzero(shown) <= 15
        assert views.time_ms[shown].min() >= lookups.time_ms[asked].max() + 5_000
        holders = large.members.holder(lookups.subject[asked])
        assert set(views.subject[shown].tolist()) <= set(holders.tolist())


def test_friends_are_in_the_book(large: World, lookups: Traffic) -> None:
    """A good part of the members in a book are friends whom the importer also views otherwise."""
    crowd = crowd_of("importer", large)
    friends = {
        f"u{crowd.first + person + 1}": set(crowd.friends[begin:end].tolist())
        for person, (begin, end) in enumerate(zip(crowd.friends_begin, crowd.friends_begin[1:], strict=False))
    }
    shares = []
    for origin, (_, numbers, _) in zip(lookups.origins, books(lookups), strict=True):
        holders = large.members.holder(numbers)
        found = set(holders[holders >= 0].tolist())
        shares.append(len(found & friends[str(origin.account)]) / len(found))
    assert 0.35 < np.mean(shares) < 0.75


def test_everybody_imports_once_and_some_twice(large: World, lookups: Traffic) -> None:
    """Every importer looks up the book within the plan; a few look the same numbers up again on another day."""
    accounts = [origin.account for origin in lookups.origins]
    assert len(set(accounts)) == len(crowd_of("importer", large)) == 250
    assert 0.02 < (len(accounts) - 250) / 250 < 0.15
    asked: dict[str | None, list[tuple[int, ...]]] = {}
    for origin, (times, numbers, _) in zip(lookups.origins, books(lookups), strict=True):
        asked.setdefault(origin.account, []).append((int(times[0]) // DAY_MS, *numbers.tolist()))
    twice = [both for both in asked.values() if len(both) == 2]
    assert all(one[0] != other[0] and one[1:] == other[1:] for one, other in twice)


def test_others_do_not_import(world: World) -> None:
    """Whose kind does not import asks for no number."""
    nothing = imports(world, crowd_of("newcomer", world))
    assert len(nothing.lookups) == len(nothing.views) == 0


def test_the_same_seed_gives_the_same_books() -> None:
    """Imports depend on the plan alone."""
    one, other = (
        imports(world, crowd_of("importer", world)) for world in (World.of(PRESETS["demo"]) for _ in range(2))
    )
    assert np.array_equal(one.lookups.subject, other.lookups.subject)
    assert np.array_equal(one.views.time_ms, other.views.time_ms)
