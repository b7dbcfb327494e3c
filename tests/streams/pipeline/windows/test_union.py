"""What the members of a group saw together."""

from typing import Final

import pytest

from schemas.actor import Scope
from schemas.sighting import Flag, Kind
from streams.pipeline.windows.aggregate import Aggregates
from tests.streams.pipeline.rows_of import START_US
from tests.streams.pipeline.windows.test_aggregate import DAY_S, SCOPES, Sight, rows, seen

GROUP: Final = SCOPES.index(Scope.FINGERPRINT)
LOGGED_IN: Final = int(Flag.LOGGED_IN)
MIDNIGHT_S: Final = DAY_S - START_US // 1_000_000 % DAY_S
"""Seconds from the start to the next day of UTC."""


def of(sights: list[Sight]) -> Aggregates:
    """Aggregates of a group that nobody saw before."""
    return seen(SCOPES, rows(sights), 40)


def test_a_profile_counts_once() -> None:
    """Whoever of the members sees it: 60 people on 10 pages saw ten profiles, by 600 contacts."""
    found = of([Sight(GROUP, n, n % 10, principal=1 + n // 10) for n in range(600)])
    assert 8 <= found.exposed[-1] <= 12
    assert found.together[-1].tolist()[0] == found.exposed[-1]
    # A Bloom filter of a member takes a few for known.
    assert 520 <= found.together[-1, 1] <= 600


def test_members_that_split_the_ids() -> None:
    """Sixty of five profiles each, all different, saw three hundred, within the stated error."""
    found = of([Sight(GROUP, n, n, principal=1 + n % 60) for n in range(300)])
    assert found.exposed[-1] == pytest.approx(300, rel=0.3)
    assert 290 <= found.together[-1, 1] <= 300
    assert not found.together[0, 0] > 1


@pytest.mark.parametrize("flags", [0, LOGGED_IN])
def test_all_members(flags: int) -> None:
    """With a log-in and without: though a group answers only for the latter, it is exposed to what all saw."""
    assert of([Sight(GROUP, n, n, principal=2, flags=flags) for n in range(3)]).exposed.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("kind", "flags", "shown"),
    [
        (Kind.VIEW, 0, 1),
        (Kind.LOOKUP, 0, 1),
        (Kind.SEARCH, 0, 1),
        (Kind.LIST, LOGGED_IN, 1),
        (Kind.VIEW, int(Flag.MISS), 0),
        (Kind.TOUCH, 0, 0),
        (Kind.QUERY, 0, 0),
    ],
)
def test_what_was_disclosed(kind: Kind, flags: int, shown: int) -> None:
    """Profiles that were shown, by whatever surface; nothing else."""
    found = of([Sight(GROUP, 0, 1, kind=kind, flags=flags)])
    assert (found.exposed.tolist(), found.together.tolist()) == ([shown], [[shown, shown]])


def test_results_again() -> None:
    """The same result for another member adds a contact and no profile."""
    found = of([Sight(GROUP, n, 1, principal=n + 1, kind=Kind.SEARCH, flags=0) for n in range(4)])
    assert found.together.tolist() == [[1, 1], [1, 2], [1, 3], [1, 4]]


def test_days() -> None:
    """The union is of this day and the one before; the exposure never falls, and counts again what was forgotten."""
    times = (0, MIDNIGHT_S - 1, MIDNIGHT_S + DAY_S - 1, MIDNIGHT_S + DAY_S, MIDNIGHT_S + 5 * DAY_S)
    found = of([Sight(GROUP, at_s, n == 0, flags=0) for n, at_s in enumerate(times)])
    # Profile 0 on every day but the first, where profile 1 came too.
    assert found.together[:, 0].tolist() == [1, 2, 2, 1, 1]
    assert found.exposed.tolist() == [1, 2, 2, 2, 3]


def test_no_group() -> None:
    """People have no union: theirs is what they met."""
    found = of([Sight(slot, 0, 1) for slot in range(GROUP)])
    assert not found.together.any()


def test_late() -> None:
    """What comes from the day before is counted on the present one, and takes nothing back."""
    found = of([Sight(GROUP, MIDNIGHT_S, 1, flags=0), Sight(GROUP, MIDNIGHT_S - 5, 2, flags=0)])
    assert found.together[:, 0].tolist() == [1, 2]
