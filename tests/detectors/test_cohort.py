"""Groups as actors: limits, who counts, and who may be blocked."""

import math
from dataclasses import replace
from typing import Any, Final

import numpy as np
import pytest

from detectors.cohort import Config
from detectors.core.columns import AGENTS
from detectors.core.fleet import bare_nats
from detectors.core.model import Model, certainly
from detectors.core.rarity import ratios
from schemas.sighting import Kind
from tests.detectors.columns_of import START_S, columns_of
from tests.detectors.groups_of import (
    BLOCK,
    CELL_S,
    DAY_S,
    ENOUGH,
    MODEL,
    NEW,
    OLD,
    RARE,
    SOME,
    evidence,
    first_block,
    fleet,
    group,
    judge,
    total,
)


class TestLimits:
    """One below, and at."""

    def test_alert_and_block(self) -> None:
        """A fleet is found by the contact after the one that passes the limit, and blocked at 17."""
        found = evidence(fleet(60))
        assert int(np.flatnonzero(found.level >= 1)[0]) == ENOUGH
        assert first_block(found) == BLOCK
        assert found.level[ENOUGH] == pytest.approx(ENOUGH * RARE / 14.0, rel=1e-3)
        assert found.profiles[ENOUGH] == ENOUGH + 1
        assert set(found.since_us.tolist()) == {START_S * 1_000_000}

    @pytest.mark.parametrize(("members", "level"), [(1, 1 / 3), (2, 2 / 3), (3, 1.5)])
    def test_members(self, members: int, level: float) -> None:
        """What fewer than three do is not a group's, and each gives half of an alert's evidence at most."""
        assert evidence(fleet(101, members)).level[-1] == pytest.approx(level, rel=0.01)

    @pytest.mark.parametrize(("others", "speaks"), [(8, False), (9, True)])
    def test_one_among_passers_by(self, others: int, speaks: bool) -> None:
        """However much one asks for, those beside it must have given half of what an alert needs, a cell ago."""
        who = np.concatenate([np.full(100, 100), 101 + np.arange(others) % 4])
        assert (evidence(group(np.arange(100.0 + others) * CELL_S, who)).level[-1] >= 1) == speaks

    def test_profiles(self) -> None:
        """Nine profiles are too few however rare they are, ten are enough."""
        found = evidence(fleet(12), limit=7.0, mix=0.1)
        assert (found.level >= 1).tolist() == [False] * 9 + [True] * 3
        assert found.level[8] == pytest.approx(0.9)

    def test_configured(self) -> None:
        """The operator's limits hold."""
        found = evidence(fleet(60), limit=20.0, members_min=5, profiles_min=40)
        assert int(np.flatnonzero(found.level >= 1)[0]) == 39
        assert evidence(fleet(60), members_min=6).level.max() == pytest.approx(5 / 6)


class TestWhoCounts:
    """Subsets of members."""

    @pytest.mark.parametrize(("flags", "subset"), [(0, 0), (NEW, 1), (OLD, 1)])
    def test_bare(self, flags: int, subset: int) -> None:
        """Strangers, and accounts of any age, without furniture: ground for a block."""
        found = evidence(fleet(60, flags=flags))
        assert found.numbers["subset"][first_block(found)] == subset
        assert first_block(found) == BLOCK

    @pytest.mark.parametrize(
        "given",
        [
            {"first": 0}, {"kind": Kind.SEARCH}, {"kind": Kind.LOOKUP}, {"kind": Kind.TOUCH},
            {"popularity": SOME},
        ],
    )  # fmt: skip
    def test_nobody(self, given: dict[str, Any]) -> None:
        """Profiles met again, what the platform picked, and popular profiles do not."""
        found = evidence(fleet(60, **given))
        assert not found.level.any()
        assert not found.may_block.any()
        assert not found.numbers["gives"].any()

    def test_other_actors(self) -> None:
        """An account's own rows are not a group's."""
        found = evidence(columns_of([*range(60)]))
        assert not found.level.any()
        assert not found.numbers["behind"].any()

    def test_furnished_strangers_do_not(self) -> None:
        """Who once asked for anything else is no member of (a) or (b) any more: colleagues of one trade are none."""
        touch = group([-1.0] * 5, 100 + np.arange(5), kind=Kind.TOUCH)
        for flags in (0, OLD):
            of = judge()
            of.judge(touch, MODEL)
            found = of.judge(fleet(60, flags=flags), MODEL)
            assert not found.level.any()
            assert not found.numbers["gives"].any()

    def test_furnished_accounts_alert_only(self) -> None:
        """New accounts that load pages are spoken of as (c), never blocked."""
        of = judge()
        of.judge(group([-1.0] * 5, 100 + np.arange(5), kind=Kind.TOUCH), MODEL)
        found = of.judge(fleet(60, flags=NEW), MODEL)
        assert int(np.flatnonzero(found.level >= 1)[0]) == ENOUGH - 1
        assert set(found.numbers["subset"].tolist()) == {2}
        assert not found.may_block.any()
        assert (found.numbers["gives"] > 0).all()

    def test_young_turn_popular(self) -> None:
        """(c) is floored at each contact and starts afresh."""
        columns = group([*range(6)], [0, 1, 2, 0, 1, 2], flags=NEW, popularity=[0, SOME, SOME, SOME, 0, 0])
        of = judge()
        found = of.judge(columns, MODEL)
        assert total(of, 2) == pytest.approx(2 * RARE, rel=1e-4)
        assert found.numbers["members"][-1] == 2
        assert found.profiles[-1] == 2
        assert found.since_us[-1] == (START_S + 4) * 1_000_000

    def test_names(self) -> None:
        """Rows that add evidence say so, popular and repeated profiles do not."""
        columns = group([0, 1, 2, 3], [0, 1, 2, 3], popularity=[0, SOME, 0, 0], profile=[7, 8, 9, 9])
        assert (evidence(columns).numbers["gives"] > 0).tolist() == [True, False, True, False]

    def test_one_evening(self) -> None:
        """An unknown profile that everybody looks at in a row counts once."""
        of = judge()
        of.judge(group(np.arange(200.0) * CELL_S, np.arange(200), profile=77), MODEL)
        assert total(of) == pytest.approx(RARE, rel=0.01)


class TestLogIns:
    """A group with log-ins behind it must have been known for a day."""

    @pytest.mark.parametrize(("age_s", "blocked"), [(DAY_S - 1, False), (DAY_S, True)])
    @pytest.mark.parametrize("flags", [OLD, 0])
    def test_known(self, age_s: int, blocked: bool, flags: int) -> None:
        """With a log-in that loads pages it is blocked from the second day on, without at once."""
        of = judge()
        of.judge(group([0], [7], flags=flags), MODEL)
        of.judge(group([10], [7], kind=Kind.TOUCH), MODEL)
        before = of.judge(fleet(BLOCK + 2, from_s=age_s - (BLOCK + 2) * CELL_S), MODEL)
        found = of.judge(fleet(1, from_s=age_s), MODEL)
        assert bool(found.may_block[0]) is (blocked or flags == 0)
        assert bool(before.may_block[-1]) is (flags == 0)
        assert found.level[0] > Config().block_ratio

    def test_their_own(self) -> None:
        """The log-ins of accounts without furniture do not protect them; those with furniture are others."""
        assert first_block(judge().judge(fleet(60, flags=OLD), MODEL)) == BLOCK
        of = judge()
        assert first_block(of.judge(fleet(60, flags=NEW), MODEL)) == BLOCK
        of.judge(group([600], [100], kind=Kind.TOUCH), MODEL)
        assert first_block(of.judge(fleet(60, from_s=610, members=4, flags=NEW), MODEL)) == -1


class TestBare:
    """That members come without furniture, where people's views hardly ever do."""

    SELDOM: Final = replace(MODEL, lessons={"bare_view.agents": np.resize([99e3, 1e3], 2 * AGENTS) / AGENTS})
    ADDS: Final = bare_nats(SELDOM)

    def test_adds_as_they_come(self) -> None:
        """Each member adds, up to five nats in all, so that a fleet is found the sooner."""
        found = judge().judge(fleet(60, members=9), self.SELDOM)
        levels = [RARE * (n - 1) + min(self.ADDS * min(n, 9), 5.0) for n in range(20, 61)]
        assert self.ADDS > 0.9
        assert (found.level[19:] * 14.0).tolist() == pytest.approx(levels, rel=1e-3)
        assert first_block(found) == math.ceil((14.0 * 1.215 - 5.0) / RARE)

    def test_not_among_people(self) -> None:
        """Where people stand behind the group an odd client is nobody's business."""
        of = judge()
        of.judge(group([0] * 3, range(3)), self.SELDOM)
        of.judge(group([10] * 3, range(3), kind=Kind.TOUCH), self.SELDOM)
        assert of.judge(fleet(30, from_s=20), self.SELDOM).level[-1] == pytest.approx(29 * RARE / 14.0, rel=1e-3)

    def test_not_alone(self) -> None:
        """Without rare profiles it says nothing."""
        assert not judge().judge(fleet(60, popularity=SOME), self.SELDOM).level.any()


class TestSuspects:
    """Who is named to the next model, and what it is worth."""

    KNOWN: Final = replace(TestBare.SELDOM, suspects=np.array([3, 5, 9], np.uint64))

    def test_not_on_the_first_page(self) -> None:
        """A member is suspect once a cell of its own has ended without furniture, popular or rare."""
        found = evidence(group([0, 5, 10, 10, 20], [0, 0, 0, 1, 1]))
        assert (found.numbers["gives"] > 0).all()
        assert found.numbers["suspects"].tolist() == [0, 0, 1, 0, 1]

    @pytest.mark.parametrize("mix", [0.3, 0.5, 0.7])
    @pytest.mark.parametrize("flags", [OLD, NEW, 0])
    def test_nor_once_furnished(self, flags: int, mix: float) -> None:
        """Whose page has loaded is none, however many rare profiles follow; a new account is once its own add up."""
        of = judge(mix=mix)
        of.judge(group([0], [7], flags=flags), MODEL)
        of.judge(group([10], [7], kind=Kind.TOUCH), MODEL)
        later = of.judge(group(range(20, 620, 10), [7] * 60, flags=flags, profile=range(8, 68)), MODEL)
        rare = ratios(MODEL.popularity, mix)[0]
        enough = [(2 + n) * rare > 2.0 for n in range(60)]
        assert later.numbers["suspects"].astype(bool).tolist() == [flags == NEW and each for each in enough]
        assert not enough[0]

    def test_only_who_adds(self) -> None:
        """A popular profile makes no suspect."""
        found = evidence(group([0, 10, 20, 30], [0] * 4, popularity=[0, 0, SOME, 0]))
        assert found.numbers["suspects"].tolist() == [0, 1, 0, 1]

    @pytest.mark.parametrize(
        ("principal", "suspect"),
        [(2, False), (3, True), (4, False), (5, True), (9, True), (10, False), (2**64 - 1, False)],
    )
    def test_prior(self, principal: int, suspect: bool) -> None:
        """Suspects start with it, others with nothing; neither is an alert of its own."""
        found = judge().judge(columns_of([0, 1], principal=principal), self.KNOWN)
        assert found.moved is not None
        assert found.nats is not None
        assert found.moved.tolist() == [suspect] * 2
        assert found.nats.tolist() == [7.0 * suspect] * 2
        assert not found.level.any()
        assert not found.numbers["suspects"].any()

    @pytest.mark.parametrize(
        "given", [{"first": 0}, {"kind": Kind.SEARCH}, {"kind": Kind.TOUCH}, {"principal_slot": -1}]
    )
    def test_no_prior(self, given: dict[str, Any]) -> None:
        """Only first contacts by a view, on the principal's own rows."""
        found = judge().judge(columns_of([0], principal=3, **given), self.KNOWN)
        assert found.moved is not None
        assert not found.moved.any()

    def test_nobody_is(self) -> None:
        """By a model without suspects nothing moves."""
        found = judge().judge(columns_of([0], principal=0), MODEL)
        assert found.moved is not None
        assert not found.moved.any()

    def test_configured(self) -> None:
        """The operator sets the prior."""
        found = judge(suspect_nats=3.0).judge(columns_of([0], principal=3), self.KNOWN)
        assert found.nats is not None
        assert found.nats.tolist() == [3.0]

    @pytest.mark.parametrize(
        ("behind", "flags", "how"), [(0, OLD, 2), (2, OLD, 2), (3, OLD, 1), (0, NEW, 2), (0, 0, 2), (3, 0, 1)]
    )
    def test_for_certain(self, behind: int, flags: int, how: int) -> None:
        """Once a group is found, its members are so for certain, unless people stand behind it."""
        of = judge()
        for person in range(behind):
            of.judge(group([person], [person]), MODEL)
        if behind:
            of.judge(group([10] * behind, range(behind), kind=Kind.TOUCH), MODEL)
        found = of.judge(fleet(60, from_s=20, flags=flags), MODEL)
        suspects = found.numbers["suspects"]
        assert set(suspects[: ENOUGH - 1].tolist()) == {0, 1}
        assert set(suspects[ENOUGH + 1 :].tolist()) == {how}

    def test_for_certain_without_adding(self) -> None:
        """A member of a fleet that nobody else stands behind need not ask for the rare just then; elsewhere it must."""
        for behind, how in ((0, 2), (3, 0)):
            of = judge()
            if behind:
                of.judge(group([0] * behind, range(behind)), MODEL)
                of.judge(group([10] * behind, range(behind), kind=Kind.TOUCH), MODEL)
            of.judge(fleet(60, from_s=20), MODEL)
            assert of.judge(group([620], [100], popularity=SOME), MODEL).numbers["suspects"].tolist() == [how]

    def test_where_they_met_the_same(self) -> None:
        """A class whose members look at each other is no fleet: none is a suspect, and the group is not blocked."""
        for together, how in (([30, 60], 2), ([29, 60], 0), ([30, 700], 0)):
            found = judge().judge(fleet(60, flags=OLD, together=together), MODEL)
            assert found.level[-1] >= Config().block_ratio
            assert set(found.numbers["suspects"][ENOUGH + 1 :].tolist()) == {how}
            assert first_block(found) == (BLOCK if how else -1)

    def test_where_they_met_the_same_among_people(self) -> None:
        """Behind a common browser people meet the same, which clears nobody who hides there."""
        of = judge()
        of.judge(group([0] * 3, range(3)), MODEL)
        of.judge(group([10] * 3, range(3), kind=Kind.TOUCH), MODEL)
        found = of.judge(fleet(60, from_s=20, together=[30, 700]), MODEL)
        assert set(found.numbers["suspects"][ENOUGH + 1 :].tolist()) == {1}

    def test_words(self) -> None:
        """It says why, and to the person no number."""
        of, columns = judge(), columns_of([0], principal=3)
        why = of.detector.explain(columns, of.judge(columns, self.KNOWN), 0)
        assert why.reason == "belongs to a group that was found within the last day: starts with evidence 7.0"
        assert why.evidence == {"log_likelihood_ratio": 7.0, "group_found": 1}
        assert not any(letter.isdigit() for letter in why.public_reason)


class TestCertain:
    """Who starts with the whole evidence of its group."""

    AGENT: Final = 7
    KNOWN: Final = replace(
        MODEL,
        suspects=np.sort(np.concatenate([np.array([3, 5], np.uint64), certainly(np.array([5], np.uint64))])),
    )

    def known(self, furnished: float, bare: float, others: float = 1e6) -> Model:
        """A model that has learned so many views of one client, and those of others with furniture."""
        counts = np.zeros((AGENTS, 2))
        counts[0, 0], counts[self.AGENT] = others, (furnished, bare)
        return replace(self.KNOWN, lessons={"bare_view.agents": counts.ravel()})

    def start(self, model: Model, **config: float) -> list[float]:
        """What a suspect, one for certain and somebody else start with."""
        found = judge(**config).judge(columns_of([0, 1, 2], principal=[3, 5, 4], agent=self.AGENT), model)
        assert found.nats is not None
        nats: list[float] = found.nats.tolist()
        return nats

    @pytest.mark.parametrize(
        ("config", "nats"),
        [({}, [7.0, 14.0, 0.0]), ({"certain_nats": 9.0}, [7.0, 9.0, 0.0]), ({"certain_nats": 2.0}, [7.0, 7.0, 0.0])],
    )
    def test_prior(self, config: dict[str, float], nats: list[float]) -> None:
        """It is more than a suspect's, and configured."""
        assert self.start(self.known(1e6, 1e3), **config) == nats

    @pytest.mark.parametrize(
        ("furnished", "bare", "others", "certain"),
        [(0, 0, 0, 7.0), (0, 0, 1e6, 14.0), (0, 1e4, 1e6, 3.5), (3e5, 7e5, 1e7, 3.5), (9e5, 1e5, 0, 14.0)],
    )
    def test_where_furniture_is_usual(self, furnished: float, bare: float, others: float, certain: float) -> None:
        """A suspect's while nothing is learned; half of it with the platform's own app."""
        assert self.start(self.known(furnished, bare, others))[1] == certain

    def test_not_where_assets_come_from_elsewhere(self) -> None:
        """Then everybody's views stand alone, with whatever client, and a group is found for its taste alone."""
        counts = np.zeros((AGENTS, 2))
        counts[:, 1] = 1e4
        assert self.start(replace(self.KNOWN, lessons={"bare_view.agents": counts.ravel()}))[:2] == [0.0, 0.0]

    def test_not_with_furniture(self) -> None:
        """Who turns out to ask for furniture after all is no more than a suspect, until the day after the next."""
        of, model = judge(), self.known(1e6, 1e3)
        at_s = [0, 10, 11, DAY_S + 20, 3 * DAY_S]
        kind = [Kind.VIEW, Kind.TOUCH, Kind.VIEW, Kind.VIEW, Kind.VIEW]
        columns = columns_of(at_s, principal=5, kind=kind, agent=self.AGENT)
        found = of.judge(columns, model)
        assert found.nats is not None
        assert found.nats.tolist() == [14.0, 0.0, 7.0, 7.0, 14.0]


class TestExplanation:
    """What is said."""

    def test_numbers(self) -> None:
        """It names the subset, the sum and its limit, members and contacts, and who stands behind."""
        columns = fleet(60, together=[30, 40])
        of = judge()
        of.judge(group([-100], [7], popularity=SOME), MODEL)
        found = of.judge(columns, MODEL)
        why = of.detector.explain(columns, found, ENOUGH)
        assert why.evidence == {
            "log_likelihood_ratio": pytest.approx(ENOUGH * RARE, rel=1e-3),
            "limit": 14.0,
            "subset": "visitors without log-in or furniture",
            "members": 5,
            "contacts": ENOUGH + 1,
            "people_behind": 0,
            "members_behind": 6,
            "seen_together": 30,
            "overlap": 0.25,
            "overlap_usual": 0.0,
        }
        assert why.reason.startswith(f"5 visitors without log-in or furniture share {ENOUGH + 1} first contacts")
        assert not any(letter.isdigit() for letter in why.public_reason)
