"""Limits on distinct profiles, on both sides of each, with traffic through the windows."""

import math
from dataclasses import replace
from typing import Any, Final

import numpy as np
import pytest

from detectors.core.columns import Span
from detectors.core.contract import Evidence
from detectors.core.model import Model, empty
from detectors.core.peak import PLACES, place_of
from detectors.core.peer import CLASSES, classes_of
from detectors.profile_rate import Config, Limits, ProfileRate
from schemas.actor import Scope
from schemas.sighting import Kind
from streams.pipeline.assess.outcome import Evaluation
from tests import days
from tests.detectors.columns_of import Judge, columns_of
from tests.detectors.hosting import Hosted
from tests.low import low
from tests.requests import START_S, request_of, views

LIMITS: Final = {Span.MINUTE: 6, Span.TEN_MINUTES: 9, Span.HOUR: 13, Span.DAY: 17}
TEXT: Final = "\n".join(
    f"[detectors.profile_rate.{section}]\n"
    + "\n".join(f"{span.label} = {limit + more}" for span, limit in LIMITS.items())
    for section, more in (("account", 0), ("ip", 2), ("session", 4), ("tiers.recruiter", 10))
)
SPACING_S: Final = {Span.MINUTE: 0.5, Span.TEN_MINUTES: 45.0, Span.HOUR: 240.0, Span.DAY: 4_000.0}
"""Gaps at which this window's limit is the first to be passed."""


def judged(
    values: list[bytes], scope: Scope = Scope.ACCOUNT, text: str = TEXT
) -> tuple[Evaluation, Evidence, list[int]]:
    """Evidence on a day's records, and the rows of a scope."""
    hosted = Hosted("profile_rate", low(text))
    evaluation = hosted.evaluate(values)
    return evaluation, evaluation.judged[0].evidence, hosted.rows_of(evaluation, scope)


def levels(values: list[bytes], scope: Scope = Scope.ACCOUNT, text: str = TEXT) -> list[float]:
    """Level at each sighting of a scope."""
    _, evidence, rows = judged(values, scope, text)
    return [float(evidence.level[row]) for row in rows]


class TestLimits:
    """One below, and at."""

    @pytest.mark.parametrize("span", list(Span))
    @pytest.mark.parametrize(
        ("scope", "more", "who"),
        [
            (Scope.ACCOUNT, 0, {"account": "u1"}),
            (Scope.ACCOUNT, 10, {"account": "u1", "tier": "recruiter"}),
            (Scope.ACCOUNT, 0, {"account": "u1", "tier": "free"}),
            (Scope.SESSION, 4, {"session": "s1"}),
            (Scope.IP, 2, {}),
            (Scope.IP, 2, {"tier": "recruiter"}),
        ],
    )
    def test_each(self, span: Span, scope: Scope, more: int, who: dict[str, Any]) -> None:
        """Each window of each scope and tier is passed by the very profile that fills it."""
        limit = LIMITS[span] + more
        gap_s = SPACING_S[span] * LIMITS[span] / limit
        evaluation, evidence, rows = judged(views(START_S, limit, gap_s, **who), scope)
        found = [float(evidence.level[row]) for row in rows]
        assert len(found) == limit
        assert found[-1] == 1.0
        assert max(found[:-1]) < 1.0
        why = evaluation.judged[0].explain(evaluation.columns, rows[-1])
        assert why.evidence == {"window": span.label, "profiles": limit, "limit": limit}
        assert why.reason == f"{limit} distinct profiles within {span.words}; the limit is {limit}"
        assert evidence.since_us[rows[-1]] == evaluation.columns.time_us[rows[-1]] - span.seconds * 1_000_000

    @pytest.mark.parametrize("span", list(Span))
    @pytest.mark.parametrize(
        ("scope", "who", "limits"),
        [
            (Scope.ACCOUNT, {"account": "u1"}, (45, 150, 350, 900)),
            (Scope.SESSION, {"session": "s1"}, (45, 150, 350, 900)),
            (Scope.IP, {}, (60, 200, 500, 1200)),
        ],
    )
    def test_by_default(self, span: Span, scope: Scope, who: dict[str, Any], limits: tuple[int, ...]) -> None:
        """Each window that has a limit speaks at it and not one below, at a pace at which it is the first to be passed.

        Few of so many profiles are taken for known ones (`actors/contacts.py`), so as many as were counted count.
        """
        gap_s = {Span.MINUTE: 0.5, Span.TEN_MINUTES: 2.5, Span.HOUR: 6.5, Span.DAY: 66.0}[span]
        surface = "[[surfaces]]\nkind = 'lookup'\npath = '/lookup/{profile}'\n"
        paths = [f"/lookup/n{n}" for n in range(limits[span] * 102 // 100 + 1)]
        values = [request_of(START_S + n * gap_s, "x", url__path=path, **who) for n, path in enumerate(paths)]
        evaluation, evidence, rows = judged(values, scope, surface)
        counted = evaluation.columns.profiles[rows, span]
        assert set(counted.tolist()) >= {limits[span] - 1, limits[span]}
        assert (evidence.level[rows] >= 1).tolist() == (counted >= limits[span]).tolist()

    @pytest.mark.parametrize("scope", [Scope.NET, Scope.ASN, Scope.FINGERPRINT])
    def test_groups_have_none(self, scope: Scope) -> None:
        """Members of a group are not limited together, unless the operator says so."""
        common: dict[str, Any] = {"asn": 64500, "fingerprint": "f"}
        values = [request_of(START_S + n / 10, f"p{n}", ip=f"203.0.113.{n}", **common) for n in range(60)]
        assert set(levels(values, scope)) == {0.0}
        text = f"[detectors.profile_rate.{scope.label}]\nminute = 60"
        assert levels(values, scope, text)[-2:] == [59 / 60, 1.0]

    def test_block(self) -> None:
        """A block needs a quarter more than an alert: 8 of 6, not 7."""
        evaluation, _, rows = judged(views(START_S, 8, 0.5, account="u1"))
        assert [evaluation.judged[0].blocks(row) for row in rows] == [False] * 7 + [True]

    def test_the_fullest_window_speaks(self) -> None:
        """Of two windows that are passed the one that is passed by more is told."""
        evaluation, evidence, rows = judged(views(START_S, 12, 1.0, account="u1"))
        assert evidence.level[rows[-1]] == 2.0
        assert evaluation.judged[0].explain(evaluation.columns, rows[-1]).evidence["window"] == "minute"


class TestWhatCounts:
    """Distinct profiles that the actor answers for."""

    def test_again(self) -> None:
        """One profile seen again and again is one."""
        values = [request_of(START_S + n, f"p{n % 3}", account="u1") for n in range(50)]
        assert max(levels(values)) == 3 / 6

    def test_misses_do_not(self) -> None:
        """What does not exist discloses nothing."""
        assert max(levels(views(START_S, 30, 0.5, account="u1", status=404))) == 0.0

    def test_searches_do_not(self) -> None:
        """Results of a search are the platform's choice; they neither count nor speak."""
        search = request_of(
            START_S + 3, "x", account="u1", url__path="/search/people", weir__targets=[f"r{n}" for n in range(40)]
        )
        values = [*views(START_S, 5, 0.5, account="u1"), search, *views(START_S + 4, 1, account="u1", prefix="q")]
        found = levels(values)
        assert found[4] == 5 / 6
        assert set(found[5:-1]) == {0.0}
        assert found[-1] == 1.0

    def test_an_address_answers_only_for_visitors(self) -> None:
        """What accounts do behind an address is theirs."""
        values = [request_of(START_S + n * 0.1, f"p{n}", account=f"u{n}") for n in range(60)]
        assert set(levels(values, Scope.IP)) == {0.0}

    def test_an_address_is_silent_where_it_does_not_answer(self) -> None:
        """Where visitors have filled the limit, the next account behind the address is no sighting to speak at."""
        values = [*views(START_S, 8, 0.5), request_of(START_S + 5, "x", account="u1")]
        assert levels(values, Scope.IP)[-2:] == [1.0, 0.0]

    def test_lookups_count(self) -> None:
        """A contact look-up discloses as a view does."""
        surface = "[[surfaces]]\nkind = 'lookup'\npath = '/lookup/{profile}'\n"
        values = [request_of(START_S + n, "x", account="u1", url__path=f"/lookup/n{n}") for n in range(6)]
        assert levels(values, text=f"{TEXT}\n{surface}")[-1] == 1.0

    def test_accounts_apart(self) -> None:
        """Two accounts are not added up."""
        values = [request_of(START_S + n * 0.1, f"p{n}", account=f"u{n % 2}") for n in range(10)]
        assert max(levels(values)) == 5 / 6


class TestWindows:
    """Traffic over the edges of windows."""

    @pytest.mark.parametrize("span", list(Span))
    def test_old_profiles_leave(self, span: Span) -> None:
        """What is older than the window is gone, to the last pane; what is younger than all but a pane still counts."""
        only = f"[detectors.profile_rate.account]\n{span.label} = 6"
        pane_s = {Span.MINUTE: 20, Span.TEN_MINUTES: 60, Span.HOUR: 300, Span.DAY: 3_600}[span]
        before = views(START_S, 5, 0.1, account="u1")
        for gap_s, wanted in ((span.seconds - pane_s, 1.0), (span.seconds, 1 / 6)):
            after = [request_of(START_S + gap_s, "new", account="u1")]
            assert levels(before + after, text=only)[-1] == wanted

    def test_just_below_for_long(self) -> None:
        """A pace that fits the minute but not the ten minutes is found there, and at its own profile."""
        found = levels(views(START_S, 9, 15.0, account="u1"))
        assert [level >= 1 for level in found] == [False] * 8 + [True]

    def test_a_seen_profile_moves_to_now(self) -> None:
        """A profile met again in the next pane counts once, and stays for a whole window from then."""
        only = "[detectors.profile_rate.account]\nminute = 10"
        times = [(0, "a"), (0, "b"), (30, "a"), (65, "c"), (95, "d")]
        values = [request_of(START_S + at_s, profile, account="u1") for at_s, profile in times]
        assert [round(level * 10) for level in levels(values, text=only)] == [1, 2, 2, 2, 2]


class TestNewViews:
    """Profiles viewed for the first time within ten minutes."""

    ONLY: Final = "[detectors.profile_rate.account]\nnew_views = 8"

    def test_both_sides(self) -> None:
        """The eighth speaks, the seventh does not; it is told as what it is."""
        evaluation, evidence, rows = judged(views(START_S, 8, 60.0, account="u1"), text=self.ONLY)
        assert [float(evidence.level[row]) for row in rows] == [n / 8 for n in range(1, 9)]
        why = evaluation.judged[0].explain(evaluation.columns, rows[-1])
        assert why.evidence == {"window": "new_views", "profiles": 8, "limit": 8}
        assert why.reason == "8 new profiles within ten minutes; the limit is 8"
        assert evidence.since_us[rows[-1]] == evaluation.columns.time_us[rows[-1]] - 600_000_000

    def test_the_fullest_speaks(self) -> None:
        """Of this limit and a window's, whichever is nearer to being passed."""
        text = f"{self.ONLY}\nminute = {{}}"
        for minute, window in ((7, "minute"), (8, "minute"), (9, "new_views")):
            evaluation, _, rows = judged(views(START_S, 6, 1.0, account="u1"), text=text.format(minute))
            assert evaluation.judged[0].explain(evaluation.columns, rows[-1]).evidence["window"] == window

    @pytest.mark.parametrize(("later_s", "left"), [(500.0, 8), (600.0, 1)])
    def test_old_ones_leave(self, later_s: float, left: int) -> None:
        """After ten minutes, and an eighth of them earlier at most."""
        after = request_of(START_S + later_s, "new", account="u1")
        assert levels([*views(START_S, 7, 0.1, account="u1"), after], text=self.ONLY)[-1] == left / 8

    def test_what_is_met_again_does_not_count(self) -> None:
        """However often."""
        again = [request_of(START_S + n, f"p{n % 3}", account="u1") for n in range(30)]
        assert max(levels(again, text=self.ONLY)) == 3 / 8

    @pytest.mark.parametrize("given", [{"kind": Kind.LOOKUP}, {"scope": Scope.IP}, {"first": [False] * 80}])
    def test_what_does_not_count(self, given: dict[str, Any]) -> None:
        """Numbers of an address book, an address, which has no such limit, and what was met before."""
        config = Config(account=Limits(new_views=40), ip=Limits())
        for what, level in (({}, 2.0), (given, 0.0)):
            columns = columns_of([2.0 * n for n in range(80)], **what)
            found = Judge(ProfileRate(config)).judge(columns)  # type: ignore[arg-type]  # a detector of one configuration
            assert found.level.max() == level

    def test_by_default(self) -> None:
        """Seventy-five are a finding and ninety-four a block, at a pace that no window minds."""
        evaluation, evidence, rows = judged(views(START_S, 94, 3.0, account="u1"), text="")
        found = [float(evidence.level[row]) for row in rows]
        assert [level >= 1 for level in found] == [n >= 75 for n in range(1, 95)]
        assert [evaluation.judged[0].blocks(row) for row in rows] == [False] * 93 + [True]

    def test_a_tier_with_limits_of_its_own(self) -> None:
        """Has those and no others."""
        text = "[detectors.profile_rate.tiers.recruiter]\nminute = 60"
        assert max(levels(views(START_S, 94, 3.0, account="u1", tier="recruiter"), text=text)) < 1


def test_defaults_leave_the_heaviest_reader_alone() -> None:
    """Forty profiles in a minute are no finding under the defaults, forty-five are."""
    found = levels(views(START_S, 45, 0.5, account="u1"), text="")
    assert [level >= 1 for level in found] == [False] * 44 + [True]
    assert days.QUICK.detectors["profile_rate"].block_ratio == 1.25


def judged_alone(at_s: list[float], by: Model, **given: Any) -> Evidence:
    """Evidence at first contacts of one account."""
    return Judge(ProfileRate(Config())).judge(columns_of(at_s, **given), by)  # type: ignore[arg-type]  # a detector of one configuration


def usual(q99: int = 40, **spans: int) -> Model:
    """Principals of every class reach just so many contacts in a day, in each window unless given."""
    lessons = {}
    for name in ProfileRate.lessons:
        table = np.zeros((CLASSES, PLACES))
        table[:, place_of(spans.get(name, q99))] = 3_000
        lessons[f"profile_rate.{name}"] = table.ravel()
    return replace(empty(), lessons=lessons)


class TestUsual:
    """What it adds to the sum over all detectors."""

    def test_silent_before_anything_is_learned(self) -> None:
        """By the empty model only the plain limits mean anything."""
        evidence = judged_alone([0.0] * 500, empty())
        assert evidence.nats is not None
        assert not evidence.nats.any()
        assert evidence.level[-1] > 1

    @pytest.mark.parametrize(("name", "gap_s"), [("ten_minutes", 40.0), ("hours", 240.0), ("days", 5_000.0)])
    def test_each_window(self, name: str, gap_s: float) -> None:
        """Six tenths of what one in a hundred exceeds are nothing; more is, in each window by itself."""
        found = judged_alone([gap_s * n for n in range(10)], usual(10_000, **{name: 10})).nats
        assert found is not None
        assert found[:6].tolist() == [0] * 6
        body = math.log(100) - 1.5
        assert found[6:] == pytest.approx([body + 4 * math.log(n / 10) for n in (7, 8, 9, 10)])

    def test_the_strongest_counts(self) -> None:
        """A level, not a sum: the window that is farthest out."""
        found = judged_alone([0.0] * 10, usual(10_000, ten_minutes=10, hours=8, days=9)).nats
        assert found is not None
        assert found[-1] == pytest.approx(math.log(100) - 1.5 + 4 * math.log(10 / 8))

    def test_bounded(self) -> None:
        """It never falls for more of the same; the sum takes nine of it."""
        found = judged_alone([0.0] * 900, usual(10)).nats
        assert found is not None
        assert (np.diff(found) >= 0).all()
        assert found[-1] > Config().cap == 9

    @pytest.mark.parametrize(
        "given", [{"first": False}, {"answers": False}, {"principal_slot": -1}, {"kind": Kind.LOOKUP}]
    )
    def test_what_does_not_count(self, given: dict[str, Any]) -> None:
        """Known profiles, what others answer for, sessions and groups, address books."""
        evidence = judged_alone([0.0] * 90, usual(10), **given)
        assert evidence.nats is not None
        assert evidence.moved is not None
        assert not evidence.nats.any()
        assert not evidence.moved.any()

    def test_lessons(self) -> None:
        """The peaks of a day are told at the first contact of the next, once, in the tier's class."""
        columns = columns_of([0.0, 1.0, 2.0, 86_400.0, 86_401.0], tiers=("", "premium"), tier=1)
        evidence = Judge(ProfileRate(Config())).judge(columns)  # type: ignore[arg-type]  # a detector of one configuration
        place = int(classes_of(columns)[0]) * PLACES + place_of(3)
        assert set(evidence.lessons) == set(ProfileRate.lessons)
        for places in evidence.lessons.values():
            assert places.tolist() == [-1, -1, -1, place, -1]
