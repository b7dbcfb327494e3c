"""Misses among first requests, and misses that are no guesses."""

import math
from typing import Any, Final, cast

import numpy as np
import pytest

from detectors.core.columns import US, Columns
from detectors.core.contract import Detector, DetectorConfig, Evidence
from detectors.core.model import Model
from detectors.core.popularity import empty
from detectors.guessing import DEAD, PLACES, Config, Guessing
from schemas.sighting import Flag, Kind
from tests.detectors.columns_of import START_S, Judge, added, columns_of

HONEST: Final = 0.7 * 0.03 + 0.3 * 0.4
MISS: Final = math.log(0.4 / HONEST)
HIT: Final = math.log(0.6 / (1 - HONEST))
SHOWN: Final = Flag.PRINCIPAL | Flag.LOGGED_IN
MISSED: Final = SHOWN | Flag.MISS


def judge(actors: int = 8, **config: Any) -> Judge:
    """The detector under settings."""
    return Judge(cast("Detector[DetectorConfig]", Guessing(Config(**config))), actors)


def model(hits: float = 0, misses: float = 0, dead: Any = None) -> Model:
    """A model that has learned these answers, and misses by place."""
    places = np.zeros(PLACES) if dead is None else np.asarray(dead, np.float64)
    return Model(empty(), {"guessing.answers": np.array([hits, misses], np.float64), "guessing.dead": places})


def asked(missed: list[int], **given: Any) -> Columns:
    """A request for a profile of its own a second; 1 misses."""
    rest: dict[str, Any] = {
        "flags": [MISSED if one else SHOWN for one in missed],
        "first": [not one for one in missed],
    } | given
    return columns_of(range(len(missed)), **rest)


def nats(evidence: Evidence) -> list[float]:
    """The sum after each request."""
    assert evidence.nats is not None
    return [float(value) for value in evidence.nats]


def moved(evidence: Evidence) -> list[bool]:
    """Rows that count."""
    assert evidence.moved is not None
    return [bool(value) for value in evidence.moved]


class TestWorth:
    """What one answer says."""

    def test_of_each(self) -> None:
        """A miss is worth ln(0.4 / 0.141), a hit ln(0.6 / 0.859), down to nothing."""
        found = nats(judge().judge(asked([0, 1, 1, 0, 0, 0, 0, 0, 0, 0])))
        assert found[:5] == pytest.approx([0, MISS, 2 * MISS, 2 * MISS + HIT, 2 * MISS + 2 * HIT], abs=1e-4)
        assert found[-1] == 0

    @pytest.mark.parametrize("mix", [0.1, 0.3, 0.9])
    def test_bounded(self, mix: float) -> None:
        """However rarely people miss, one miss is worth at most ln(1 / mix)."""
        ratios = Guessing(Config(mix=mix)).ratios(model(hits=1e12))
        assert ratios[1] == pytest.approx(math.log(1 / mix))

    def test_learned(self) -> None:
        """What was learned counts beside the prior's 1,000 requests."""
        honest = 0.7 * (30 + 470) / 2_000 + 0.3 * 0.4
        expected = [math.log(0.6 / (1 - honest)), math.log(0.4 / honest)]
        assert Guessing(Config()).ratios(model(530, 470)) == pytest.approx(expected)

    def test_where_everybody_misses(self) -> None:
        """Where people miss as often as a guesser, or more, neither answer says anything."""
        assert Guessing(Config()).ratios(model(1e6, 9e6)) == pytest.approx([0, 0])


class TestWhatCounts:
    """First requests for a profile by a view of a principal."""

    @pytest.mark.parametrize(("others", "counts"), [(0, False), (3, False), (4, True)])
    def test_a_page_that_polls(self, others: int, counts: bool) -> None:
        """An id among the last four missed is no guess."""
        rows = asked([1] * (others + 2), profile=[7, *range(100, 100 + others), 7])
        assert moved(judge().judge(rows))[-1] is counts

    def test_a_page_that_polls_all_day(self) -> None:
        """Four dead profiles in turns are four misses, however often they are asked for."""
        found = judge().judge(asked([1] * 400, profile=[1 + n % 4 for n in range(400)]))
        assert sum(moved(found)) == 4
        assert found.level.max() == pytest.approx(4 * MISS / 12, rel=1e-5)

    def test_revisits(self) -> None:
        """A profile met before says nothing for anybody."""
        found = judge().judge(asked([1, 1, 0, 1], first=[0, 0, 0, 0]))
        assert moved(found) == [True, True, False, True]

    @pytest.mark.parametrize("kind", list(Kind))
    def test_surfaces(self, kind: Kind) -> None:
        """Views alone: most numbers in an honest address book belong to nobody, and searches ask for no profile."""
        assert any(moved(judge().judge(asked([1, 1, 1], kind=kind)))) is (kind is Kind.VIEW)

    def test_principals(self) -> None:
        """Nobody else is held to account, and each for itself."""
        assert not any(moved(judge().judge(asked([1, 1], principal_slot=-1))))
        found = judge().judge(asked([1, 1, 1], slot=[0, 1, 0]))
        assert nats(found) == pytest.approx([MISS, MISS, 2 * MISS], rel=1e-5)


class TestDeadLinks:
    """Misses that many people share."""

    @pytest.mark.parametrize(("learned", "counts"), [(DEAD - 0.01, True), (DEAD + 0.01, False)])
    def test_at_one_place(self, learned: float, counts: bool) -> None:
        """A profile whose place has learned three misses says nothing; another does."""
        dead = np.zeros(PLACES)
        dead[7] = learned
        # One place of 16,384 adds to the mean next to nothing, and its root 0.04.
        dead[7] += 3 * math.sqrt(dead.mean())
        found = judge().judge(asked([1, 1], profile=[5 * PLACES + 7, 8]), model(dead=dead))
        assert moved(found) == [counts, True]

    @pytest.mark.parametrize(("learned", "counts"), [(44.9, True), (45.2, False)])
    def test_in_a_full_table(self, learned: float, counts: bool) -> None:
        """Where chance puts 25 misses at every place, it takes three more than 25 and three times their root."""
        dead = np.full(PLACES, 25.0)
        dead[7] = learned - 2.0
        found = judge().judge(asked([1], profile=[7]), model(dead=dead))
        assert moved(found) == [counts]

    def test_a_full_table_silences_nobody(self) -> None:
        """A table that an attacker has filled evenly leaves a guesser what it was."""
        found = judge().judge(asked([1] * 20), model(dead=np.full(PLACES, 1_000.0)))
        assert found.level.max() > 1

    def test_lessons(self) -> None:
        """First answers are learned but for dead links; every first miss is, a polling page's once."""
        dead = np.zeros(PLACES)
        dead[7] = 50
        rows = asked([0, 1, 1, 1], profile=[3, 4 + PLACES, 4 + PLACES, 7])
        lessons = judge().judge(rows, model(dead=dead)).lessons
        assert lessons["answers"].tolist() == [0, 1, -1, -1]
        assert lessons["dead"].tolist() == [-1, 4, -1, 7]


class TestLimits:
    """When it speaks."""

    def test_misses_in_a_row(self) -> None:
        """The twelfth is an alert, the eighteenth ground for a block."""
        level = judge().judge(asked([1] * 20)).level
        assert (level >= 1).tolist() == [False] * 11 + [True] * 9
        assert (level >= Config().block_ratio).tolist() == [False] * 17 + [True] * 3

    def test_a_block_needs_three_misses(self) -> None:
        """However the operator sets the limits."""
        assert judge(limit=6, mix=0.001).judge(asked([1] * 4)).may_block.tolist() == [False, False, True, True]

    @pytest.mark.parametrize(("every", "found"), [(2, True), (5, False)])
    def test_share_of_misses(self, every: int, found: bool) -> None:
        """Who misses every second time is found; who has kept old links and misses a fifth never is."""
        level = judge().judge(asked([int(n % every == 0) for n in range(2_000)])).level
        assert bool((level >= 1).any()) is found

    def test_people(self) -> None:
        """A thousand people who miss 3 in 100 of 200 requests: nobody comes near an alert."""
        missed = np.random.default_rng(5).random(200_000) < 0.03
        rows = asked(missed.astype(int).tolist(), slot=np.repeat(np.arange(1000), 200), profiles=np.ones((200_000, 4)))
        assert judge(1000).judge(rows).level.max() < 0.8

    def test_more_misses_never_less(self) -> None:
        """The level never falls while misses go on, up to the most that is kept, 50; 30 of it count in the sum."""
        found = judge().judge(asked([1] * 100))
        assert (np.diff(found.level) >= 0).all()
        assert found.level[-1] == pytest.approx(50 / 12, rel=1e-6)
        assert added(found, Config().cap) == 30


class TestTime:
    """When it began, and how it fades."""

    def test_since(self) -> None:
        """It began with the first miss after the sum was nought; profiles are those disclosed since, at least one."""
        found = judge().judge(asked([0, 1, 1, 1, 0]))
        assert found.since_us[1:].tolist() == [(START_S + 1) * US] * 4
        assert found.profiles.tolist() == [1, 1, 1, 1, 1]
        assert found.numbers["misses"].tolist() == [0, 1, 2, 3, 3]
        assert judge().judge(asked([1, 1, 1, 1, 1, 0, 0, 0])).profiles[-1] == 3

    def test_half_life(self) -> None:
        """After 3.5 days half is left."""
        rows = columns_of([0, 302_400], flags=MISSED, first=0)
        assert nats(judge().judge(rows)) == pytest.approx([MISS, 1.5 * MISS])

    def test_late_rows(self) -> None:
        """A row from before the last one fades nothing, and what it speaks of began by then."""
        rows = columns_of([10, 5], flags=MISSED, first=0)
        found = judge().judge(rows)
        assert nats(found) == pytest.approx([MISS, 2 * MISS])
        assert (found.since_us <= rows.time_us).all()

    def test_cut_anywhere(self) -> None:
        """However rows are cut, each has the same evidence."""
        rng = np.random.default_rng(7)
        given: dict[str, Any] = {
            "flags": np.where(rng.random(300) < 0.6, MISSED, SHOWN),
            "profile": rng.integers(1, 40, 300),
            "slot": rng.integers(0, 3, 300),
            "first": rng.integers(0, 2, 300),
        }
        whole = judge().judge(columns_of(range(300), **given))
        one = judge()
        for n in range(300):
            row: dict[str, Any] = {name: column[n : n + 1] for name, column in given.items()}
            part = one.judge(columns_of([n], **row, principal_slot=given["slot"][n]))
            assert part.level[0] == whole.level[n]
            assert part.lessons["dead"][0] == whole.lessons["dead"][n]


def test_explanation() -> None:
    """It names misses, requests and the sum, at every row."""
    one, rows = judge(), asked([1, 1, 0, 0], first=[0, 0, 1, 0])
    evidence = one.judge(rows)
    why = one.detector.explain(rows, evidence, 2)
    assert why.evidence == {
        "log_likelihood_ratio": pytest.approx(2 * MISS + HIT, abs=1e-3),
        "limit": 12,
        "misses": 2,
        "hits": 1,
    }
    assert "2 of 3 profiles" in why.reason
    assert one.detector.explain(rows, evidence, 3).evidence["misses"] == 0
