"""Rarity of first contacts, with a model in which every number is known."""

import math
from typing import Any, Final

import numpy as np
import pytest
import xxhash

from detectors.core.popularity import BINS, Popularity, build
from detectors.long_tail import Config, LongTail
from schemas.actor import Scope
from streams import config
from tests.detectors.hosting import Hosted
from tests.requests import START_S, request_of, views

KNOWN: Final = 200
HONEST: Final = np.array([1, 0, 0, 0, 0, 0, 0, 0, 9.0])
"""People find nine of ten new profiles among the popular."""
DAY_S: Final = 86_400


def model() -> Popularity:
    """``pop0`` to ``pop199`` are popular, 1,800 further members are not."""
    keys = np.array([xxhash.xxh64_intdigest(f"pop{n}".encode()) for n in range(KNOWN)], np.uint64)
    return build("m", keys, np.full(KNOWN, 500, np.float32), HONEST, 2_000)


RARE: Final = math.log((0.9 * 0.9 + 0.1 * 0.1) / (0.5 * 0.1 + 0.5 * (0.9 * 0.9 + 0.1 * 0.1)))
"""What an unknown profile is worth: uniform picks are unknown in nine of ten cases, honest ones in one of ten."""
POPULAR: Final = math.log((0.9 * 0.1 + 0.1 * 0.9) / (0.5 * 0.9 + 0.5 * (0.9 * 0.1 + 0.1 * 0.9)))


def hosted(text: str = "") -> Hosted:
    """The detector under settings."""
    return Hosted("long_tail", config.parse(text), model())


def levels(values: list[bytes], scope: Scope = Scope.ACCOUNT, text: str = "") -> list[float]:
    """Level at each sighting of a scope."""
    judge = hosted(text)
    evaluation = judge.evaluate(values)
    return [float(evaluation.judged[0].evidence.level[row]) for row in judge.rows_of(evaluation, scope)]


class TestRatios:
    """What one contact is worth."""

    def test_by_bin(self) -> None:
        """Unknown profiles speak for a scraper, popular ones against; bins that hold nobody say nothing."""
        ratios = LongTail(Config()).ratios(model())
        assert ratios[[0, BINS - 1]] == pytest.approx([RARE, POPULAR])
        assert not ratios[1:-1].any()

    @pytest.mark.parametrize("mix", [0.1, 0.5, 0.9])
    def test_bounded(self, mix: float) -> None:
        """However rare, one contact is worth at most ln(1 / mix)."""
        honest = np.array([0, 0, 0, 0, 0, 0, 0, 0, 1.0])
        ratios = LongTail(Config(mix=mix)).ratios(
            build("m", np.zeros(0, np.uint64), np.zeros(0, np.float32), honest, 9)
        )
        assert ratios.max() == pytest.approx(math.log(1 / mix))


class TestLimits:
    """One below, and at."""

    @pytest.mark.parametrize(
        ("who", "scope", "limit"),
        [
            ({"account": "u1"}, Scope.ACCOUNT, 19.3),
            ({"session": "s1"}, Scope.SESSION, 19.3),
            ({}, Scope.IP, 19.3),
            ({}, Scope.NET, 14.0),
            ({"asn": 64500}, Scope.ASN, 14.0),
            ({"fingerprint": "f"}, Scope.FINGERPRINT, 14.0),
        ],
    )
    def test_each(self, who: dict[str, Any], scope: Scope, limit: float) -> None:
        """A person is found at the limit, a group at the lower one, by the very contact that passes it."""
        needed = math.ceil(limit / RARE)
        found = levels(views(START_S, needed, 0.001, **who), scope)
        assert [level >= 1 for level in found] == [False] * (needed - 1) + [True]
        assert found[-1] == pytest.approx(needed * RARE / limit, rel=1e-6)

    @pytest.mark.parametrize(
        ("scope", "may_block"),
        [(Scope.ACCOUNT, False), (Scope.IP, False), (Scope.NET, True), (Scope.FINGERPRINT, True)],
    )
    def test_ground_for_a_block(self, scope: Scope, may_block: bool) -> None:
        """What one person does never is, however much; what a group does is, at 1.22 times the limit."""
        judge = hosted()
        who: dict[str, Any] = {"account": "u1"} if scope is Scope.ACCOUNT else {"fingerprint": "f"}
        evaluation = judge.evaluate(views(START_S, 400, 0.001, **who))
        blocks = [evaluation.judged[0].blocks(row) for row in judge.rows_of(evaluation, scope)]
        assert any(blocks) is may_block
        if may_block:
            assert blocks.index(True) == math.ceil(14.0 * 1.22 / RARE) - 1

    def test_configured(self) -> None:
        """The operator's limits hold."""
        text = "[detectors.long_tail]\nlimit = 7\ngroup_limit = 9"
        values = views(START_S, 60, 0.001)
        first = [
            next(n for n, level in enumerate(levels(values, scope, text)) if level >= 1)
            for scope in (Scope.IP, Scope.NET)
        ]
        assert first == [math.ceil(7 / RARE) - 1, math.ceil(9 / RARE) - 1]


class TestWhatCounts:
    """First contacts by a view that the actor answers for."""

    def test_popular_profiles_clear(self) -> None:
        """Who looks where people look is floored at zero, and starts afresh after it."""
        values = [*views(START_S, 5, account="u1"), *views(START_S + 10, 30, account="u1", prefix="pop")]
        found = levels([*values, request_of(START_S + 60, "x", account="u1")])
        assert found[4] > 0
        assert found[-2] == 0
        assert found[-1] == pytest.approx(RARE / 19.3)

    def test_again(self) -> None:
        """A profile met again says nothing."""
        values = [request_of(START_S + n, f"p{n % 3}", account="u1") for n in range(9)]
        assert [level > 0 for level in levels(values)] == [True] * 3 + [False] * 6

    @pytest.mark.parametrize(
        "more", [{"status": 404}, {"url__path": "/search/people", "weir__targets": ["s1", "s2", "s3"]}]
    )
    def test_misses_and_searches_do_not(self, more: dict[str, Any]) -> None:
        """What does not exist was not seen, and the platform picks what a search shows."""
        assert set(levels(views(START_S, 40, 0.1, account="u1", **more))) == {0.0}

    def test_lookups_do_not(self) -> None:
        """Whose number is in an address book is nobody's taste."""
        surface = "[[surfaces]]\nkind = 'lookup'\npath = '/lookup/{profile}'\n"
        values = [request_of(START_S + n, "x", account="u1", url__path=f"/lookup/n{n}") for n in range(40)]
        found = levels(values, text=surface)
        assert len(found) == 40
        assert set(found) == {0.0}

    @pytest.mark.parametrize("scope", [Scope.IP, Scope.NET, Scope.FINGERPRINT])
    def test_accounts_answer_for_themselves(self, scope: Scope) -> None:
        """What accounts do behind an address or a group is not held against it."""
        values = [request_of(START_S + n, f"p{n}", account=f"u{n}", fingerprint="f") for n in range(200)]
        assert set(levels(values, scope)) == {0.0}

    def test_a_fleet_adds_up(self) -> None:
        """Sixty addresses that take one profile each are nobody, and one fingerprint."""
        values = [request_of(START_S + n, f"p{n}", ip=f"198.51.{n}.7", fingerprint="f") for n in range(60)]
        assert max(levels(values, Scope.IP)) < 0.1
        assert max(levels(values, Scope.FINGERPRINT)) > 1

    def test_searching_tiers(self) -> None:
        """Whose work it is to look for the unknown is not judged, nor is the session; others are, as is an address."""
        text = "[detectors.long_tail]\nsearching_tiers = ['recruiter']"
        for tier, silent in (("recruiter", True), ("free", False)):
            values = views(START_S, 40, account="u1", session="s1", tier=tier)
            assert (max(levels(values, Scope.ACCOUNT, text)) == 0) is silent
            assert (max(levels(values, Scope.SESSION, text)) == 0) is silent
        assert max(levels(views(START_S, 40, tier="recruiter"), Scope.IP, text)) > 0


class TestTime:
    """Evidence fades."""

    def test_half_life(self) -> None:
        """After 3.5 days half is left."""
        values = [request_of(START_S, "a", account="u1"), request_of(START_S + 3.5 * DAY_S, "b", account="u1")]
        assert levels(values) == pytest.approx([RARE / 19.3, 1.5 * RARE / 19.3])

    def test_slow_enough_is_out_of_reach(self) -> None:
        """A stated blind spot: at a pace of one unknown profile a day nothing ever adds up to a finding."""
        assert max(levels(views(START_S, 60, DAY_S, account="u1"))) < 0.5

    def test_explanation(self) -> None:
        """It names the sum, the limit, and the contacts since the sum began to rise."""
        judge = hosted()
        values = [*views(START_S, 9, account="u1", prefix="pop"), *views(START_S + 60, 50, 1.0, account="u1")]
        evaluation = judge.evaluate(values)
        row = judge.rows_of(evaluation, Scope.ACCOUNT)[-1]
        why = evaluation.judged[0].explain(evaluation.columns, row)
        assert why.evidence["contacts"] == 50
        assert why.evidence["limit"] == 19.3
        assert why.evidence["log_likelihood_ratio"] == pytest.approx(50 * RARE, rel=1e-3)
        assert why.evidence["last_ratio"] == pytest.approx(RARE, abs=1e-4)
        assert evaluation.judged[0].evidence.since_us[row] == (START_S + 60) * 1_000_000
