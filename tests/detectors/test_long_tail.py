"""Rarity of first contacts, with a model in which every number is known."""

import math
from dataclasses import replace
from typing import Any, Final

import numpy as np
import pytest

from detectors.core.columns import Columns
from detectors.core.contract import Evidence
from detectors.core.rarity import ratios
from detectors.long_tail import Config, LongTail
from schemas.actor import Scope
from schemas.sighting import Flag, Kind
from tests.detectors.columns_of import START_S, Judge, added, columns_of
from tests.detectors.groups_of import DAY_S, MODEL, SOME

RARE, POPULAR = (float(ratio) for ratio in ratios(MODEL.popularity, 0.5)[[0, 8]])
NEEDED: Final = math.ceil(19.3 / RARE)


def judge(**settings: Any) -> Judge:
    """The detector under settings."""
    return Judge(LongTail(Config(**settings)))  # type: ignore[arg-type]  # of its own settings


def evidence(columns: Columns, **settings: Any) -> Evidence:
    """Evidence of a detector that saw nothing else."""
    return judge(**settings).judge(columns, MODEL)


def views(count: int, **given: Any) -> Columns:
    """First contacts by views of unknown profiles, one a second."""
    return columns_of([*range(count)], **given)


class TestLimits:
    """One below, and at."""

    @pytest.mark.parametrize("given", [{}, {"scope": Scope.IP, "flags": Flag.PRINCIPAL}])
    def test_each(self, given: dict[str, Any]) -> None:
        """An account or an address is found at the limit, by the very contact that passes it."""
        level = evidence(views(NEEDED, **given)).level
        assert (level >= 1).tolist() == [False] * (NEEDED - 1) + [True]
        assert level[-1] == pytest.approx(NEEDED * RARE / 19.3, rel=1e-4)

    def test_no_ground_for_a_block(self) -> None:
        """A taste for unknown profiles is a trait: however much, it never is."""
        found = evidence(views(400))
        assert found.level[-1] > Config().block_ratio
        assert not found.may_block.any()

    def test_configured(self) -> None:
        """The operator's limit holds."""
        assert np.flatnonzero(evidence(views(60), limit=7.0).level >= 1)[0] == math.ceil(7 / RARE) - 1

    def test_nats(self) -> None:
        """The sum itself is what the sum over all detectors takes, up to seven nats."""
        found = evidence(views(5, first=[1, 0, 1, 1, 1]))
        assert found.nats is not None
        assert found.moved is not None
        assert found.moved.tolist() == [True, False, True, True, True]
        assert found.nats[found.moved].tolist() == pytest.approx([RARE * n for n in (1, 2, 3, 4)], rel=1e-4)
        assert added(evidence(views(40)), Config().cap) == 7.0

    @pytest.mark.parametrize(("settings", "limit"), [({}, 19.3), ({"budget": 1.0}, 10.29)])
    def test_budget(self, settings: dict[str, float], limit: float) -> None:
        """However many days are known, the limit follows from them only where a budget says so."""
        peaks = np.zeros(512)
        peaks[80] = 10_000
        known = replace(MODEL, lessons={"long_tail.peaks": peaks}, principals_a_day=5_000)
        found = judge(**settings).judge(views(1), known).numbers["limit"][0]
        assert found == pytest.approx(limit, abs=0.01)

    @pytest.mark.parametrize(("limit", "learned"), [(13.8, False), (15.2, True)])
    def test_who_teaches(self, limit: float, learned: bool) -> None:
        """From a fifth of the limit on nobody teaches what is honest."""
        level = float(evidence(views(5), limit=limit).level[-1])
        assert level == pytest.approx(5 * RARE / limit, rel=1e-4)
        assert (level < LongTail.learns_below) == learned


class TestWhatCounts:
    """First contacts by a view."""

    def test_popular_profiles_clear(self) -> None:
        """Who looks where people look is floored at zero, and starts afresh after it."""
        popularity = [0] * 5 + [SOME] * 30 + [0]
        level = evidence(views(36, popularity=popularity)).level
        assert level[4] == pytest.approx(5 * RARE / 19.3, rel=1e-4)
        assert level[5] == pytest.approx((5 * RARE + POPULAR) / 19.3, rel=1e-4)
        assert level[34] == 0
        assert level[35] == pytest.approx(RARE / 19.3, rel=1e-4)

    @pytest.mark.parametrize(
        "given",
        [
            {"first": 0}, {"kind": Kind.SEARCH}, {"kind": Kind.LOOKUP}, {"kind": Kind.TOUCH}, {"answers": 0},
            {"principal_slot": -1, "scope": Scope.SESSION},
            {"principal_slot": -1, "group_slot": 0, "member_slot": 0, "scope": Scope.NET},
        ],
    )  # fmt: skip
    def test_nothing_else(self, given: dict[str, Any]) -> None:
        """Profiles met again, what the platform picks, address books, sessions and groups do not count."""
        found = evidence(views(40, **given))
        assert not found.level.any()
        assert found.moved is not None
        assert not found.moved.any()

    def test_searching_tiers(self) -> None:
        """Whose work it is to look for the unknown is not judged; others are, as is an address."""
        tiers = ("", "free", "recruiter")
        for tier, flags, silent in ((2, Flag.LOGGED_IN, True), (1, Flag.LOGGED_IN, False), (2, 0, False)):
            found = evidence(views(40, tier=tier, flags=flags, tiers=tiers), searching_tiers=("recruiter",))
            assert bool(found.level.max() == 0) is silent

    def test_each_for_itself(self) -> None:
        """Forty principals that take one profile each are nobody."""
        assert evidence(views(8, slot=np.arange(8))).level.max() == pytest.approx(RARE / 19.3, rel=1e-4)


class TestTime:
    """Evidence fades."""

    def test_half_life(self) -> None:
        """After 3.5 days half is left."""
        level = evidence(columns_of([0, 3.5 * DAY_S])).level
        assert level.tolist() == pytest.approx([RARE / 19.3, 1.5 * RARE / 19.3])

    def test_peaks(self) -> None:
        """The highest evidence of a day, in eighths, is told at the first contact after midnight, once."""
        midnight_s = 3 * DAY_S - START_S % DAY_S
        found = evidence(columns_of([midnight_s - 2, midnight_s - 1, midnight_s, midnight_s + 1]))
        assert found.lessons["peaks"].tolist() == [-1, -1, int(found.numbers["sum"][1] * 8), -1]

    def test_slow_enough_is_out_of_reach(self) -> None:
        """A stated blind spot: at a pace of one unknown profile a day nothing ever adds up to a finding."""
        assert evidence(columns_of([DAY_S * n for n in range(60)])).level.max() < 0.5

    def test_explanation(self) -> None:
        """It names the sum, the limit, and the contacts since the sum began to rise."""
        columns = views(59, popularity=[SOME] * 9 + [0] * 50)
        of = judge()
        found = of.judge(columns, MODEL)
        why = of.detector.explain(columns, found, 58)
        assert why.evidence == {
            "log_likelihood_ratio": pytest.approx(50 * RARE, rel=1e-3),
            "limit": 19.3,
            "contacts": 50,
            "last_ratio": pytest.approx(RARE, abs=1e-4),
        }
        assert found.since_us[58] == (START_S + 9) * 1_000_000
