"""Aggregates at each sighting against a model of them in plain Python."""

from collections import defaultdict
from typing import Final, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.actor import Scope
from schemas.sighting import Flag, Kind
from streams.pipeline.rows import Rows
from streams.pipeline.windows.aggregate import BEHIND_MAX, Aggregates, aggregate
from tests.streams.pipeline.rows_of import ACCOUNT, START_US, actors_of, rows_of

SECOND_US: Final = 1_000_000
DAY_S: Final = 86_400
SCOPES: Final = (Scope.ACCOUNT, Scope.SESSION, Scope.IP, Scope.FINGERPRINT)
PANES: Final = ((20, 3), (60, 10), (300, 12), (3_600, 24))
HORIZON_S: Final = 14 * DAY_S


class Sight(NamedTuple):
    """One sighting of one actor."""

    slot: int
    at_s: int
    profile: int
    principal: int = 1
    kind: Kind = Kind.VIEW
    flags: int = ACCOUNT


class Expected(NamedTuple):
    """What stands after a sighting."""

    answers: bool
    first: bool
    profiles: list[int]
    exposed: int
    exact: bool
    members: int
    accounts: int


class Model:
    """Dictionaries and loops."""

    def __init__(self) -> None:
        self._met: dict[int, dict[tuple[int, int], int]] = defaultdict(dict)
        self._behind: dict[int, dict[tuple[int, bool], int]] = defaultdict(dict)
        self._head: dict[int, int] = {}
        self._exposed: dict[int, int] = defaultdict(int)
        self._exact: dict[int, bool] = defaultdict(lambda: True)

    def see(self, sight: Sight) -> Expected:
        """Take one sighting."""
        slot, at_s, scope = sight.slot, sight.at_s // 20 * 20, SCOPES[sight.slot]
        logged_in = bool(sight.flags & Flag.LOGGED_IN)
        if scope >= Scope.IP:
            self._behind[slot][sight.principal, logged_in] = at_s
        answers = scope <= Scope.SESSION or not logged_in
        first = False
        if answers and not sight.flags & Flag.MISS:
            first = self._show(slot, at_s, sight)
        near = [key for key, met in self._behind[slot].items() if at_s - met <= DAY_S]
        accounts = sum(logged for _, logged in near) if scope >= Scope.IP else int(scope == Scope.ACCOUNT)
        return Expected(answers, first, self._sums(slot), self._exposed[slot], self._exact[slot], len(near), accounts)

    def _show(self, slot: int, at_s: int, sight: Sight) -> bool:
        if sight.kind not in (Kind.VIEW, Kind.LOOKUP):
            self._exposed[slot] += 1
            self._exact[slot] = False
            return False
        key = (sight.profile, sight.principal)
        before = self._met[slot].get(key)
        self._met[slot][key] = self._head[slot] = at_s
        first = before is None or at_s - before > HORIZON_S
        self._exposed[slot] += first
        return first

    def _sums(self, slot: int) -> list[int]:
        head = self._head.get(slot, 0)
        return [sum(head // pane - met // pane < panes for met in self._met[slot].values()) for pane, panes in PANES]


def rows(sights: list[Sight]) -> Rows:
    """Sightings as rows."""
    return rows_of(
        [START_US + sight.at_s * SECOND_US for sight in sights],
        slots=[sight.slot for sight in sights],
        profiles=[sight.profile for sight in sights],
        principals=[sight.principal for sight in sights],
        kinds=[sight.kind for sight in sights],
        flags=[sight.flags for sight in sights],
    )


def expectations(found: Aggregates) -> list[Expected]:
    """Columns as rows."""
    return [
        Expected(*values)
        for values in zip(
            *(getattr(found, name).tolist() for name in Expected._fields),
            strict=True,
        )
    ]


pause = st.one_of(st.integers(0, 5), st.integers(0, 100), st.integers(0, 5_000), st.integers(DAY_S - 60, 2 * DAY_S))
some = st.builds(
    Sight,
    st.integers(0, 3),
    pause,
    st.integers(0, 15),
    st.integers(1, 5),
    st.sampled_from([Kind.VIEW, Kind.VIEW, Kind.LOOKUP, Kind.SEARCH, Kind.LIST]),
    st.sampled_from([ACCOUNT, ACCOUNT, 0, Flag.PRINCIPAL, Flag.MISS, Flag.MISS | Flag.LOGGED_IN]),
)


@settings(deadline=None, max_examples=150)
@given(st.lists(some, max_size=80), st.integers(0, 80))
def test_model(sights: list[Sight], cut: int) -> None:
    """Every aggregate at every sighting is what the model says, however the batch was cut."""
    at_s, timed = 0, list[Sight]()
    for sight in sights:
        at_s += sight.at_s
        timed.append(sight._replace(at_s=at_s))
    actors, model = actors_of(SCOPES), Model()
    found = [aggregate(actors, rows(part), 40) for part in (timed[:cut], timed[cut:])]
    assert [one for part in found for one in expectations(part)] == [model.see(sight) for sight in timed]


class TestBehind:
    """Who stands behind a group, at each sighting as it was then."""

    def test_not_those_who_come_later(self) -> None:
        """What comes behind a sighting in the same batch shows in none before it."""
        sights = [Sight(3, n, 0, principal=n + 1) for n in range(300)]
        found = aggregate(actors_of(SCOPES), rows(sights), 40)
        assert found.accounts[:200].tolist() == found.members[:200].tolist()
        assert np.abs(found.accounts[:200] - np.arange(1, 201)).max() <= 2

    def test_a_crowd_is_never_taken_for_nobody(self) -> None:
        """However many come in one batch, more than are remembered, a crowd stays a crowd at every sighting."""
        sights = [Sight(3, n // 50, 0, principal=n + 1) for n in range(5_000)]
        found = aggregate(actors_of(SCOPES), rows(sights), 40)
        assert found.accounts.max() == found.members.max() == BEHIND_MAX
        assert found.accounts[300:].min() > 200

    def test_a_day(self) -> None:
        """Who came a day ago still stands behind it, who came a granule before that does not."""
        sights = [Sight(2, 0, 0, principal=1), Sight(2, DAY_S, 0, principal=2), Sight(2, DAY_S + 20, 0, principal=2)]
        assert aggregate(actors_of(SCOPES), rows(sights), 40).members.tolist() == [1, 2, 1]

    def test_back_after_days(self) -> None:
        """Who comes back after more than a day stands behind it again, in the very moment in which another one came."""
        sights = [Sight(2, 0, 0, principal=1), Sight(2, 3 * DAY_S, 0, principal=2), Sight(2, 3 * DAY_S, 0, principal=1)]
        found = aggregate(actors_of(SCOPES), rows(sights), 40)
        assert (found.members.tolist(), found.accounts.tolist()) == ([1, 1, 2], [1, 1, 2])

    def test_one_principal_with_and_without_an_account(self) -> None:
        """An account is told apart from a visitor."""
        sights = [Sight(2, 0, 0, principal=1), Sight(2, 1, 0, principal=2, flags=Flag.PRINCIPAL)]
        found = aggregate(actors_of(SCOPES), rows(sights), 40)
        assert (found.members.tolist(), found.accounts.tolist()) == ([1, 2], [1, 1])


class TestTeaching:
    """What the model may learn from."""

    @staticmethod
    def teaches(sights: list[Sight], most: int = 40) -> list[bool]:
        """Mask of the sightings that teach."""
        taught: list[bool] = aggregate(actors_of(SCOPES), rows(sights), most).teaches.tolist()
        return taught

    def test_first_contacts_of_principals(self) -> None:
        """Views, met first, by the principal itself."""
        assert self.teaches([Sight(0, 0, 1), Sight(0, 1, 1), Sight(0, 2, 2, kind=Kind.LOOKUP)]) == [True, False, False]
        assert self.teaches([Sight(0, 0, 1, flags=Flag.LOGGED_IN)]) == [False]
        assert self.teaches([Sight(0, 0, 1, flags=ACCOUNT | Flag.MISS)]) == [False]

    def test_so_many_a_day(self) -> None:
        """One principal teaches no more than its share of a day of UTC, and again from the next day on."""
        day = DAY_S - (START_US // SECOND_US) % DAY_S
        sights = [Sight(0, day - 5 + n, n) for n in range(5)] + [Sight(0, day + n, 50 + n) for n in range(5)]
        assert self.teaches(sights, 3) == [True] * 3 + [False] * 2 + [True] * 3 + [False] * 2


class TestStatedErrors:
    """What happens above the caps."""

    def test_many_contacts(self) -> None:
        """Of 2,000 profiles met once each no more than 2 % are missed, the rest counted, and the actor is not exact."""
        found = aggregate(actors_of(SCOPES), rows([Sight(0, n, n) for n in range(2_000)]), 40)
        assert 1_960 <= found.exposed[-1] <= 2_000
        assert found.profiles[-1, 3] == found.exposed[-1]
        assert not found.exact[-1]
        assert found.exact[200]

    def test_a_forgotten_profile_counts_again(self) -> None:
        """After an overflow what gave way is new again: counts err upwards, never above what was asked for."""
        sights = [Sight(0, n, n % 1_000) for n in range(3_000)]
        found = aggregate(actors_of(SCOPES), rows(sights), 40)
        assert 1_000 < found.exposed[-1] <= 3_000


def test_late() -> None:
    """What comes late counts as met now, so windows and memory agree ever after."""
    sights = [Sight(0, 600, 1), Sight(0, 0, 2), Sight(0, 601, 2), Sight(0, 1_320, 3)]
    found = aggregate(actors_of(SCOPES), rows(sights), 40)
    assert found.profiles[:, 1].tolist() == [1, 2, 2, 1]
    assert found.profiles[:, 2].tolist() == [1, 2, 2, 3]


@pytest.mark.parametrize("count", [1, 9, 100])
def test_room_grows_within_a_batch(count: int) -> None:
    """Where memory must grow in the middle of a batch nothing is counted twice."""
    scopes = [Scope.IP] * count
    sights = [Sight(slot, n, n, principal=n, flags=Flag.PRINCIPAL) for n in range(40) for slot in range(count)]
    found = aggregate(actors_of(scopes), rows(sights), 40)
    assert found.profiles[-count:, 1].tolist() == [40] * count
    assert found.exposed[-count:].tolist() == [40] * count
    assert found.members[-count:].tolist() == [40] * count
