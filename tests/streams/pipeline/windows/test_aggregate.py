"""Aggregates at each sighting against a model of them in plain Python."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.core.distinct import GRAIN
from schemas.actor import Scope
from schemas.sighting import Flag, Kind
from streams.pipeline.actors.contacts import HORIZON_DAYS
from streams.pipeline.actors.store import EXPOSED_MAX, Actors
from streams.pipeline.rows import Rows
from streams.pipeline.windows.aggregate import BEHIND_MAX, FILTER_BITS_MAX, Aggregates, aggregate
from tests.detectors.core.sketching import Plain
from tests.streams.pipeline.rows_of import ACCOUNT, START_US, actors_of, profile, rows_of

SECOND_US: Final = 1_000_000
DAY_S: Final = 86_400
SCOPES: Final = (Scope.ACCOUNT, Scope.SESSION, Scope.IP, Scope.FINGERPRINT)
PANES: Final = ((20, 3), (60, 10), (300, 12), (3_600, 24))


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
        self._of_group: dict[int, list[int]] = defaultdict(list)
        self._unions: dict[int, Plain] = defaultdict(Plain)
        self._grains: dict[int, int] = defaultdict(int)
        self._filters: dict[tuple[int, int], tuple[int, int]] = {}

    def see(self, sight: Sight) -> Expected:
        """Take one sighting."""
        slot, at_s, scope = sight.slot, sight.at_s // 20 * 20, SCOPES[sight.slot]
        logged_in = bool(sight.flags & Flag.LOGGED_IN)
        if scope >= Scope.IP:
            self._behind[slot][sight.principal, logged_in] = at_s
        answers = scope == Scope.ACCOUNT or not logged_in
        first, shown = False, not sight.flags & Flag.MISS and sight.kind < Kind.TOUCH
        if shown and scope >= Scope.NET and sight.kind in (Kind.VIEW, Kind.LOOKUP):
            first = self._meets(sight)
            if first and answers:
                self._of_group[slot].append(at_s)
                self._head[slot] = at_s
        elif answers and shown and scope < Scope.NET:
            first = self._show(slot, at_s, sight)
        if shown and scope >= Scope.NET:
            self._unite(slot, sight)
        near = [key for key, met in self._behind[slot].items() if at_s - met <= DAY_S]
        accounts = sum(logged for _, logged in near) if scope >= Scope.IP else int(scope == Scope.ACCOUNT)
        sums = self._sums(slot) if answers or scope >= Scope.NET else [0] * len(PANES)
        return Expected(answers, first, sums, self._exposed[slot], self._exact[slot], len(near), accounts)

    def _unite(self, slot: int, sight: Sight) -> None:
        """What all members of a group saw, by sets."""
        union = self._unions[slot]
        union.turn((START_US // SECOND_US + sight.at_s) // DAY_S)
        self._grains[slot] += union.meet(profile(sight.profile))
        self._exposed[slot] = self._grains[slot] // GRAIN

    def _meets(self, sight: Sight) -> bool:
        """The filter of one member of a group, as whole numbers."""
        bits, last_s = self._filters.get((sight.slot, sight.principal), (0, sight.at_s))
        bits = 0 if _day(sight.at_s) - _day(last_s) > HORIZON_DAYS else bits
        key = profile(sight.profile)
        wanted = 1 << (key >> 50 & 63) | 1 << (key >> 40 & 63)
        first = bits & wanted != wanted
        if first:
            bits = (0 if bits.bit_count() >= FILTER_BITS_MAX else bits) | wanted
        self._filters[sight.slot, sight.principal] = bits, sight.at_s
        return first

    def _show(self, slot: int, at_s: int, sight: Sight) -> bool:
        if sight.kind not in (Kind.VIEW, Kind.LOOKUP):
            self._exposed[slot] += 1
            self._exact[slot] = False
            return False
        key = (sight.profile, sight.principal)
        before = self._met[slot].get(key)
        self._met[slot][key] = self._head[slot] = at_s
        first = before is None or _day(at_s) - _day(before) > HORIZON_DAYS
        self._exposed[slot] += first
        return first

    def _sums(self, slot: int) -> list[int]:
        head = self._head.get(slot, 0)
        times = [*self._met[slot].values(), *self._of_group[slot]]
        return [sum(head // pane - met // pane < panes for met in times) for pane, panes in PANES]


def _day(at_s: int) -> int:
    """The day of UTC in which a time lies."""
    return (START_US // SECOND_US + at_s) // DAY_S


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


def moved(actors: Actors, some: Rows, most: int = 40) -> Aggregates:
    """Aggregates of further rows."""
    return aggregate(actors, some, actors.places(some), most)


def seen(scopes: Sequence[Scope], some: Rows, most: int) -> Aggregates:
    """Aggregates of rows of actors that were never seen before."""
    return moved(actors_of(scopes), some, most)


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
    st.sampled_from([Kind.VIEW, Kind.VIEW, Kind.LOOKUP, Kind.SEARCH, Kind.LIST, Kind.TOUCH, Kind.QUERY]),
    st.sampled_from([ACCOUNT, ACCOUNT, 0, Flag.PRINCIPAL, Flag.MISS, Flag.MISS | Flag.LOGGED_IN]),
)


@settings(deadline=None, max_examples=150)
@given(st.lists(some, max_size=80), st.integers(0, 80))
def test_model(sights: list[Sight], cut: int) -> None:
    """Every aggregate at every sighting is what the model says, however the batch was cut."""
    assert_as_the_model_says(sights, cut)


def assert_as_the_model_says(sights: list[Sight], cut: int) -> None:
    """Compare all aggregates of sightings, each with the pause before it, in two batches."""
    at_s, timed = 0, list[Sight]()
    for sight in sights:
        at_s += sight.at_s
        timed.append(sight._replace(at_s=at_s))
    actors, model = actors_of(SCOPES), Model()
    found = [moved(actors, rows(part)) for part in (timed[:cut], timed[cut:])]
    assert [one for part in found for one in expectations(part)] == [model.see(sight) for sight in timed]


busy = st.builds(
    Sight,
    st.integers(0, 2),
    pause,
    st.integers(0, 70),
    st.integers(1, 2),
    st.just(Kind.VIEW),
    st.sampled_from([ACCOUNT, ACCOUNT, Flag.PRINCIPAL]),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(busy, min_size=60, max_size=200), st.integers(0, 200))
def test_few_become_many(sights: list[Sight], cut: int) -> None:
    """Where contacts become too many for a time each, nothing that is told shows it."""
    assert_as_the_model_says(sights, cut)


class TestBehind:
    """Who stands behind a group, at each sighting as it was then."""

    def test_not_those_who_come_later(self) -> None:
        """What comes behind a sighting in the same batch shows in none before it."""
        sights = [Sight(3, n, 0, principal=n + 1) for n in range(300)]
        found = seen(SCOPES, rows(sights), 40)
        assert found.accounts[:200].tolist() == found.members[:200].tolist()
        assert np.abs(found.accounts[:200] - np.arange(1, 201)).max() <= 2

    def test_a_crowd_is_never_taken_for_nobody(self) -> None:
        """However many come in one batch, more than are remembered, a crowd stays a crowd at every sighting."""
        sights = [Sight(3, n // 50, 0, principal=n + 1) for n in range(5_000)]
        found = seen(SCOPES, rows(sights), 40)
        assert found.accounts.max() == found.members.max() == BEHIND_MAX
        assert found.accounts[300:].min() > 200

    def test_a_day(self) -> None:
        """Who came a day ago still stands behind it, who came a granule before that does not."""
        sights = [Sight(2, 0, 0, principal=1), Sight(2, DAY_S, 0, principal=2), Sight(2, DAY_S + 20, 0, principal=2)]
        assert seen(SCOPES, rows(sights), 40).members.tolist() == [1, 2, 1]

    def test_back_after_days(self) -> None:
        """Who comes back after more than a day stands behind it again, in the very moment in which another one came."""
        sights = [Sight(2, 0, 0, principal=1), Sight(2, 3 * DAY_S, 0, principal=2), Sight(2, 3 * DAY_S, 0, principal=1)]
        found = seen(SCOPES, rows(sights), 40)
        assert (found.members.tolist(), found.accounts.tolist()) == ([1, 1, 2], [1, 1, 2])

    def test_one_principal_with_and_without_an_account(self) -> None:
        """An account is told apart from a visitor."""
        sights = [Sight(2, 0, 0, principal=1), Sight(2, 1, 0, principal=2, flags=Flag.PRINCIPAL)]
        found = seen(SCOPES, rows(sights), 40)
        assert (found.members.tolist(), found.accounts.tolist()) == ([1, 2], [1, 1])


class TestTeaching:
    """What the model may learn from."""

    @staticmethod
    def teaches(sights: list[Sight], most: int = 40) -> list[bool]:
        """Mask of the sightings that teach."""
        taught: list[bool] = seen(SCOPES, rows(sights), most).teaches.tolist()
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


class TestGroups:
    """First contacts of a group are those of its members."""

    OPEN: Final = int(Flag.PRINCIPAL)

    def test_each_member(self) -> None:
        """A profile is a first contact for every member that meets it, once each; the group is exposed to it once."""
        sights = [Sight(3, n, 1, principal=who, flags=0) for n, who in enumerate((1, 2, 1, 2, 3))]
        found = seen(SCOPES, rows(sights), 40)
        assert found.first.tolist() == [True, True, False, False, True]
        assert found.exposed.tolist() == [1] * 5

    def test_of_accounts_too(self) -> None:
        """Accounts' first contacts are told of, and exposed to the group, but it does not answer for them."""
        found = seen(SCOPES, rows([Sight(3, 0, 1, flags=Flag.LOGGED_IN), Sight(3, 1, 1, flags=Flag.LOGGED_IN)]), 40)
        assert found.first.tolist() == [True, False]
        assert found.exposed.tolist() == [1, 1]
        assert not found.answers.any()

    @pytest.mark.parametrize(("away_s", "again"), [(HORIZON_DAYS * DAY_S, False), ((HORIZON_DAYS + 1) * DAY_S, True)])
    def test_forgets(self, away_s: int, again: bool) -> None:
        """A member that was away for more than 14 days, and to the end of one, meets everything anew."""
        found = seen(SCOPES, rows([Sight(3, 0, 1, flags=0), Sight(3, away_s, 1, flags=0)]), 40)
        assert found.first.tolist() == [True, again]

    @pytest.mark.parametrize(("contacts", "known_share"), [(8, 0.0625), (20, 0.39)])
    def test_stated_error(self, contacts: int, known_share: float) -> None:
        """After k contacts a new profile is taken for a known one about as often as (k / 32)^2 says, no more."""
        members, rng = 2_000, np.random.default_rng(4)
        keys = rng.integers(1, 1 << 63, members * (contacts + 1)).astype(np.uint64)
        some = rows([Sight(3, 0, n, principal=n % members, flags=0) for n in range(keys.size)])
        some.profile[:] = keys
        last = seen(SCOPES, some, 40).first[-members:]
        assert 0.3 * known_share < 1 - last.mean() < 1.3 * known_share


class TestSessions:
    """A session under an account."""

    def test_does_not_answer(self) -> None:
        """The account answers for what is asked under it; without one the session does."""
        sights = [Sight(1, 0, 1, flags=Flag.LOGGED_IN), Sight(1, 1, 2, flags=0)]
        found = seen(SCOPES, rows(sights), 40)
        assert found.answers.tolist() == [False, True]
        assert found.exposed.tolist() == [0, 1]


class TestStatedErrors:
    """What happens above the caps."""

    def test_many_contacts(self) -> None:
        """Of 2,000 profiles met once each no more than 2 % are missed, the rest counted, and the actor is not exact."""
        found = seen(SCOPES, rows([Sight(0, n, n) for n in range(2_000)]), 40)
        assert 1_960 <= found.exposed[-1] <= 2_000
        assert found.profiles[-1, 3] == found.exposed[-1]
        assert not found.exact[-1]
        assert found.exact[200]

    def test_nothing_wraps_around(self) -> None:
        """An exposure ends at what its column holds, of a person and of a group."""
        actors = actors_of(SCOPES)
        actors.columns["exposed"][:] = EXPOSED_MAX - 1
        sights = [
            Sight(slot, n, n, flags=0, kind=kind)
            for n in range(3)
            for slot in (1, 2, 3)
            for kind in (Kind.VIEW, Kind.SEARCH)
        ]
        found = moved(actors, rows(sights))
        assert found.exposed.max() == found.exposed[-6:].min() == EXPOSED_MAX

    def test_a_forgotten_profile_counts_again(self) -> None:
        """After an overflow what gave way is new again: counts err upwards, never above what was asked for."""
        sights = [Sight(0, n, n % 1_000) for n in range(3_000)]
        found = seen(SCOPES, rows(sights), 40)
        assert 1_000 < found.exposed[-1] <= 3_000


def test_late() -> None:
    """What comes late counts as met now, so windows and memory agree ever after."""
    sights = [Sight(0, 600, 1), Sight(0, 0, 2), Sight(0, 601, 2), Sight(0, 1_320, 3)]
    found = seen(SCOPES, rows(sights), 40)
    assert found.profiles[:, 1].tolist() == [1, 2, 2, 1]
    assert found.profiles[:, 2].tolist() == [1, 2, 2, 3]


@pytest.mark.parametrize("count", [1, 9, 100])
def test_room_grows_within_a_batch(count: int) -> None:
    """Where memory must grow in the middle of a batch nothing is counted twice."""
    scopes = [Scope.IP] * count
    sights = [Sight(slot, n, n, principal=n, flags=Flag.PRINCIPAL) for n in range(40) for slot in range(count)]
    found = seen(scopes, rows(sights), 40)
    assert found.profiles[-count:, 1].tolist() == [40] * count
    assert found.exposed[-count:].tolist() == [40] * count
    assert found.members[-count:].tolist() == [40] * count


@pytest.mark.parametrize("late_s", [60, 7_000, 3 * 3_600, 3 * DAY_S])
def test_late_behind_an_address(late_s: int) -> None:
    """However late somebody comes, whoever stands behind an address stands there once, and is there still."""
    at_s = (0, 0, -late_s, -late_s, 1, 2)
    rows = rows_of(
        [START_US + one * SECOND_US for one in at_s], slots=0, principals=[1, 2, 1, 3, 1, 3], flags=int(Flag.PRINCIPAL)
    )
    actors = actors_of([Scope.IP])
    assert aggregate(actors, rows, actors.places(rows), 0).members.tolist() == [1, 2, 2, 3, 3, 3]
