"""Newcomers: plain limits, youth, and what is usual among them."""

import math
from dataclasses import replace
from typing import Any, Final

import numpy as np
import pytest

from detectors.core.columns import Span
from detectors.core.contract import Evidence
from detectors.core.discovery import classes
from detectors.core.model import Model, empty
from detectors.core.peak import PLACES, place_of
from detectors.core.peer import CLASSES, classes_of
from detectors.new_account_rush import PACE, Config, NewAccountRush, _nats
from schemas.actor import Scope
from schemas.sighting import Kind
from tests.detectors.columns_of import START_S, Judge, columns_of

DAY_S: Final = 86_400
NEW: Final = START_S - 600


def model(first_day: int = 10, later: int = 20) -> Model:
    """Newcomers reach exactly so many contacts in an hour and in a day, on the first day and after it."""
    table = np.zeros((2, PLACES))
    table[0, place_of(first_day)] = table[1, place_of(later)] = 5_000
    return replace(empty(), lessons={f"new_account_rush.{name}": table.ravel() for name in ("hours", "days")})


def paced(usual: int, tiers: dict[str, int] | None = None) -> Model:
    """Newcomers of whom nothing is unusual by the hour and the day; accounts reach so many contacts in ten minutes."""
    table = np.zeros((CLASSES, PLACES))
    of = {"": usual} | (tiers or {})
    places = classes_of(columns_of([0.0] * len(of), tier=list(range(len(of))), tiers=tuple(of)))
    for at, most in zip(places.tolist(), of.values(), strict=True):
        table[at, place_of(most)] = 5_000
    quiet = model(1_000, 1_000)
    return replace(quiet, lessons={**quiet.lessons, PACE: table.ravel()})


def judged(at_s: list[float], by: Model | None = None, config: Config | None = None, **given: Any) -> Evidence:
    """Evidence at views of one account, ten minutes old at `START_S`."""
    detector = NewAccountRush(config or Config())
    return Judge(detector).judge(columns_of(at_s, **({"created_s": NEW} | given)), by)  # type: ignore[arg-type]  # a detector of one configuration


def steady(n: int, gap_s: float) -> list[float]:
    """So many times, evenly."""
    return [gap_s * i for i in range(n)]


def nats(evidence: Evidence) -> list[float]:
    """Nats at each row."""
    assert evidence.nats is not None
    found: list[float] = evidence.nats.tolist()
    return found


class TestPlainLimits:
    """They speak alone, and need no model."""

    @pytest.mark.parametrize(("limit", "gap_s"), [(150, 20.0), (400, 180.0)])
    def test_each(self, limit: int, gap_s: float) -> None:
        """The eightieth contact of an hour and the two hundredth of a day speak, none before."""
        evidence = judged(steady(limit, gap_s))
        assert [level >= 1 for level in evidence.level] == [False] * (limit - 1) + [True]
        assert evidence.profiles[-1] == limit

    def test_block(self) -> None:
        """A quarter more is ground for a block: 188 in an hour."""
        evidence = judged(steady(188, 10.0))
        assert evidence.may_block.all()
        blocks = evidence.level >= Config().block_ratio
        assert blocks.tolist() == [False] * 187 + [True]

    def test_configured(self) -> None:
        """The operator's limits hold."""
        assert judged(steady(7, 1.0), config=Config(hour=7)).level.tolist()[-2:] == [6 / 7, 1.0]
        assert judged(steady(7, 4_000.0), config=Config(day=7)).level[-1] == 1.0

    def test_since(self) -> None:
        """It speaks of the window that is fullest."""
        columns = columns_of(steady(150, 20.0), created_s=NEW)
        evidence = judged(steady(150, 20.0))
        assert evidence.since_us[-1] == columns.time_us[-1] - 3_600_000_000
        evidence = judged(steady(400, 180.0))
        assert evidence.since_us[-1] == columns_of([399 * 180.0]).time_us[0] - 86_400_000_000

    def test_old_contacts_leave(self) -> None:
        """What was met more than an hour ago is not in the hour."""
        evidence = judged([*[0.0] * 149, 3_599.0, 3_600.0], config=Config(day=100_000))
        assert evidence.level[-2] == 1.0
        assert evidence.level[-1] == pytest.approx(2 / 150)


class TestYoung:
    """Who is a newcomer."""

    @pytest.mark.parametrize(("age_s", "young"), [(0, True), (7 * DAY_S - 1, True), (7 * DAY_S, False), (-1, False)])
    def test_sides_of_seven_days(self, age_s: int, young: bool) -> None:
        """From the second in which it is made, up to seven days; not one from the future."""
        evidence = judged([0.0] * 160, created_s=START_S - age_s)
        assert bool(evidence.level[-1] >= 1) is young
        assert bool(evidence.may_block[-1]) is young

    @pytest.mark.parametrize(
        "given",
        [
            {"created_s": 0},
            {"created_s": 2**32 - 1},
            {"scope": Scope.IP},
            {"kind": Kind.LOOKUP},
            {"kind": Kind.SEARCH},
            {"first": False},
            {"answers": False},
            {"principal_slot": -1},
        ],
    )
    def test_what_does_not_count(self, given: dict[str, Any]) -> None:
        """Age unknown or impossible, no account, an address book, search results, known profiles, other actors."""
        evidence = judged([0.0] * 300, model(), **given)
        assert not evidence.level.any()
        assert not any(nats(evidence))
        assert set(evidence.lessons["days"].tolist()) == {-1}

    def test_growing_old(self) -> None:
        """What is left of a rush ends with youth, at the next contact."""
        created_s = START_S - 7 * DAY_S + 100
        evidence = judged([*steady(90, 1.0), 101.0], model(), created_s=created_s)
        assert nats(evidence)[-2] > 9
        assert nats(evidence)[-1] == evidence.level[-1] == 0
        assert evidence.moved is not None
        assert evidence.moved[-1]

    def test_accounts_apart(self) -> None:
        """Two newcomers are not added up."""
        evidence = judged([0.0] * 100, slot=[0, 1] * 50)
        assert evidence.level.max() == 50 / 150


class TestUsual:
    """Against other newcomers."""

    def test_silent_before_anything_is_learned(self) -> None:
        """By the empty model only the plain limits mean anything."""
        assert set(nats(judged([0.0] * 300))) == {0.0}

    def test_as_much_as_others(self) -> None:
        """Six tenths of what one in a hundred exceeds are nothing; the next contact is something."""
        found = nats(judged([0.0] * 7, model()))
        assert found[:6] == [0] * 6
        assert found[6] == pytest.approx(math.log(100) - 1.5 + 4 * math.log(0.7))

    def test_youth_beside_a_rush(self) -> None:
        """Two nats more where the rush is worth more than three, and not below."""
        found = nats(judged([0.0] * 10, model()))
        assert found[8] == pytest.approx(math.log(100) - 1.5 + 4 * math.log(0.9))
        assert found[8] < 3
        assert found[9] == pytest.approx(math.log(100) - 1.5 + 2)

    @pytest.mark.parametrize(("every_s", "contacts"), [(60.0, 12), (10.0, 72)])
    def test_within_ten_minutes(self, every_s: float, contacts: int) -> None:
        """A burst is compared with what accounts of the tier reach in ten minutes, where the hour is still ordinary."""
        at_s = steady(contacts, every_s)
        slow, quick = nats(judged(at_s, model(1_000, 1_000))), nats(judged(at_s, paced(20)))
        assert set(slow) == {0.0}
        assert bool(quick[-1] > 5) is (every_s == 10.0)
        assert (np.diff(quick[:36]) >= 0).all()

    def test_seven_eighths_of_ten_minutes(self) -> None:
        """The table's windows may lack an eighth of ten minutes, so an eighth of the contacts is left out."""
        found = nats(judged(steady(16, 10.0), paced(20)))
        assert found[:15] == [0] * 15
        assert found[15] == pytest.approx(math.log(100) - 1.5 + 4 * math.log(14 / (16 * 2**0.5)))

    def test_only_what_was_seen_within_ten_minutes(self) -> None:
        """Two panes may last twelve minutes; what was disclosed within ten bounds what is compared."""
        shown = np.repeat(np.arange(1, 61)[:, None], 4, axis=1)
        shown[:, Span.TEN_MINUTES] = np.minimum(shown[:, 0], 10)
        assert set(nats(judged(steady(60, 10.0), paced(20), profiles=shown))) == {0.0}

    def test_profile_rate_learns_it(self) -> None:
        """The table of another detector, by its name and its length."""
        learned = {
            f"{name}.{table}": length for name, one in classes().items() for table, length in one.lessons.items()
        }
        assert learned[PACE] == CLASSES * PLACES

    @pytest.mark.parametrize("tier", ["free", "recruiter"])
    def test_pace_of_its_tier(self, tier: str) -> None:
        """A new recruiter is compared with recruiters."""
        by = paced(20, {"free": 20, "recruiter": 100})
        found = nats(judged(steady(36, 10.0), by, tiers=(tier,)))
        assert bool(found[-1] > 0) is (tier == "free")

    def test_bounded(self) -> None:
        """A rush is worth nine, youth two, and the sum over all detectors takes both."""
        found = nats(judged([0.0] * 2_000, model()))
        assert found[-1] == Config().cap == 11
        assert (np.diff(found) >= 0).all()

    def test_youth(self) -> None:
        """It counts beside a rush of more than three."""
        assert _nats(np.array([0.0, 3.0, 3.01, 9.0, 9.1])).tolist() == pytest.approx([0, 3, 5.01, 11, 11])

    @pytest.mark.parametrize(("contacts", "learned"), [(74, True), (75, False)])
    def test_who_teaches(self, contacts: int, learned: bool) -> None:
        """From half of a plain limit on nobody teaches what is honest."""
        assert bool(judged(steady(contacts, 20.0)).level[-1] < NewAccountRush.learns_below) is learned

    def test_the_first_day_by_itself(self) -> None:
        """On the first day an account is compared with first days, later with later ones."""
        early = nats(judged([0.0] * 11, model(), created_s=START_S - DAY_S + 1))
        late = nats(judged([0.0] * 11, model(), created_s=START_S - DAY_S))
        assert early[-1] > 5
        assert late[-1] == 0

    def test_lessons(self) -> None:
        """The day's peaks are told on the next day, of the age at which they were reached; once."""
        evidence = judged([*steady(5, 10.0), DAY_S, DAY_S + 1.0], created_s=NEW)
        assert set(evidence.lessons) == set(NewAccountRush.lessons)
        assert evidence.lessons["hours"].tolist() == [-1] * 5 + [place_of(5), -1]
        assert evidence.lessons["days"].tolist() == [-1] * 5 + [place_of(5), -1]
        evidence = judged([*steady(5, 10.0), 8.0 * DAY_S], created_s=START_S - 2 * DAY_S)
        assert evidence.lessons["days"].tolist() == [-1] * 5 + [PLACES + place_of(5)]


def test_explanation() -> None:
    """It says how old, how soon, how hard."""
    detector = NewAccountRush(Config())
    columns = columns_of([*steady(150, 20.0)], created_s=START_S - 900)
    evidence = Judge(detector).judge(columns)  # type: ignore[arg-type]  # a detector of one configuration
    why = detector.explain(columns, evidence, 149)
    assert why.reason == (
        "an account 1.08 h old met 150 profiles for the first time within an hour, the first of them 0.25 h after it "
        "was made; the limit is 150"
    )
    assert why.evidence["first_contact_after_h"] == 0.25
    assert why.evidence["window"] == "hour"
    assert why.evidence["contacts"] == why.evidence["limit"] == 150
