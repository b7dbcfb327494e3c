"""Statistics over labelled days, on records made by hand."""

from dataclasses import replace

import msgspec
import pytest

from schemas.actor import Actor
from schemas.alert import AlertMode, Members, Severity
from schemas.exposure import Exposure
from schemas.finding import Finding
from schemas.incident import Incident, IncidentStatus
from streams.config import parse
from streams.offline.report import Report
from streams.offline.simulate.labels import Labels, PeopleLabel, ScraperLabel
from streams.offline.truth import PeopleResult, ScraperResult
from tests.evaluate.figures import (
    ALERTED,
    BLOCKED,
    GROUPS,
    FalseAlarms,
    Outcome,
    PeopleRow,
    Run,
    ScraperRow,
    added,
    concerned,
    false_alarms,
    found_by,
    judged,
    outcome,
    owners,
    people_rows,
    reliability,
    scraper_rows,
)

SETTINGS = parse("[model]\nlearning_s = 86400\n")
LABELS = Labels(
    seed=1,
    start="2026-11-24T00:00:00.000Z",
    end="2026-11-26T00:00:00.000Z",
    quiet_until="2026-11-25T00:00:00.000Z",
    members=100,
    popularity_exponent=1.0,
    people=[PeopleLabel("reader", ["ann", "bob"])],
    scrapers=[
        ScraperLabel("burst-1", "burst", "fast", ["eve"], [], ["2001:db8::1"], [], [], 40, 40),
        ScraperLabel("stolen_session-4", "stolen_session", "odd", [], ["ann.stolen"], [], [], [], 9, 9, ["cal"]),
        ScraperLabel("fleet-1", "fleet", "slow", [], [], ["192.0.2.1", "192.0.2.2"], [], ["192.0.2.0/24"], 60, 60),
    ],
)


def incident(
    actor: str,
    *detectors: str,
    members: tuple[str, ...] = (),
    confidence: float = 0.9,
    opened: str = "2026-11-25T12:00:00.000Z",
) -> Incident:
    """One on ``scope:value``, found by ``detectors``, with members behind it."""
    return Incident(
        id="0" * 32,
        status=IncidentStatus.OPEN,
        mode=AlertMode.ENFORCE,
        severity=Severity.HIGH,
        confidence=confidence,
        actor=key(actor),
        members=Members(len(members), [key(member) for member in members]),
        first_seen=opened,
        opened=opened,
        last_seen=opened,
        complete=True,
        findings=[Finding(name, 0.9, "because", {}) for name in detectors],
        exposure=Exposure(5, True),
        alerts=1,
        blocks=[],
        controls=[],
        config="sha256:0000000000000000",
        model="none",
    )


def key(text: str) -> Actor:
    """The actor of ``scope:value``."""
    scope, _, value = text.partition(":")
    return Actor(scope, value)


def run(incidents: list[Incident], seed: int = 1) -> Run:
    """A day on which the burst was stopped, the fleet was not, and one of two readers was hurt."""
    report = Report(
        config="",
        model="",
        events=100,
        scrapers=[
            ScraperResult("burst-1", "burst", True, False, True, 60.0, 90.0, 12, 6, 8, 10, 40),
            ScraperResult("fleet-1", "fleet", False, False, False, None, None, 60, 60, 60, 60, 60),
        ],
        people=[PeopleResult("reader", 2, alerted=1, blocked=1, denied=0)],
    )
    return Run(seed, report, incidents, LABELS, 1_000)


@pytest.mark.parametrize(
    ("found", "who"),
    [
        (incident("account:eve"), {"burst-1"}),
        (incident("account:ann"), set()),
        (incident("account:cal"), {"stolen_session-4"}),
        (incident("session:ann.stolen"), {"stolen_session-4"}),
        (incident("ip:2001:db8::/64"), {"burst-1"}),
        (incident("net:192.0.2.0/24", members=("ip:203.0.113.1",)), {"fleet-1"}),
        (incident("asn:64500", members=("ip:192.0.2.1", "ip:192.0.2.2", "account:ann")), {"fleet-1"}),
        (incident("asn:64500", members=("ip:192.0.2.1", "account:ann")), set()),
        (incident("asn:64500", members=("ip:192.0.2.1", "account:eve", "account:ann")), {"burst-1", "fleet-1"}),
        (incident("asn:64500"), set()),
    ],
)
def test_whom_an_incident_concerns(found: Incident, who: set[str]) -> None:
    """The actor's owner, else the owners of more than half of its members."""
    assert concerned(found, owners(LABELS)) == who


def test_detectors_that_found_a_scraper() -> None:
    """All with a finding in any of its incidents; those of people do not count."""
    incidents = [incident("account:eve", "a", "b"), incident("account:eve", "c"), incident("account:ann", "d")]
    assert found_by(incidents, owners(LABELS)) == {"burst-1": {"a", "b", "c"}}


def test_a_row_a_scraper() -> None:
    """Days side by side; what was never found has no times."""
    rows = scraper_rows([run([incident("account:eve", "a", "b")]), run([incident("account:eve", "b")], seed=2)])
    burst, all_ = ([12, 12], [6, 6], [8, 8], [10, 10]), [60, 60]
    never: list[float | None] = [None, None]
    assert rows == [
        ScraperRow("burst-1", "fast", [40, 40], *burst, 2, 0, 2, [60, 60], [90, 90], {"a": 1, "b": 2}),
        ScraperRow("fleet-1", "slow", all_, all_, all_, all_, all_, 0, 0, 0, never, never, {}),
    ]


def test_a_row_a_kind_of_people() -> None:
    """Two days of two people are four person-days each run."""
    assert people_rows([run([]), run([], seed=2)]) == [PeopleRow("reader", 4, 2, 0, 2, 0, 2 / 8, 2 / 8)]


def test_false_alarms_a_day() -> None:
    """Honest actors once each, groups apart; neither scrapers nor what was opened while the model learned."""
    learning, learned = "2026-11-24T23:59:59.999Z", "2026-11-25T00:00:00.000Z"
    incidents = [
        incident("account:ann", "long_tail", opened=learned),
        incident("account:ann", "long_tail", "profile_rate"),
        incident("account:bob", "long_tail"),
        incident("account:bob", "profile_rate", opened=learning),
        incident("account:eve", "long_tail", "profile_rate"),
        incident("asn:64500", "cohort"),
    ]
    blocked = msgspec.structs.replace(incident("ip:198.51.100.7"), exposure_before_block=Exposure(3, True))
    rows = {row.what: row for row in false_alarms([run([*incidents, blocked]), run([], seed=2)], SETTINGS)}
    assert list(rows) == [ALERTED, BLOCKED, GROUPS, *SETTINGS.detectors]
    assert rows[GROUPS] == FalseAlarms(GROUPS, None, 1 / 2)
    assert rows[ALERTED] == FalseAlarms(ALERTED, SETTINGS.fusion.budget, 3 / 2)
    assert rows[BLOCKED] == FalseAlarms(BLOCKED, SETTINGS.fusion.block_budget, 1 / 2)
    assert rows["long_tail"].observed == 2 / 2
    assert rows["profile_rate"] == FalseAlarms("profile_rate", None, 1 / 2)


def test_false_alarms_without_time_to_judge() -> None:
    """Days that were all learning promise nothing and divide by nothing."""
    settings = parse("[model]\nlearning_s = 172800\n")
    assert {row.observed for row in false_alarms([run([incident("account:ann", "long_tail")])], settings)} == {0.0}


def test_reliability() -> None:
    """Each bin's share of right ones beside its mean; the error is the mean distance, weighted."""
    found = reliability([(0.95, True), (1.0, True), (0.9, False), (0.2, False)])
    assert [(one.low, one.incidents) for one in found.bins] == [(0.2, 1), (0.9, 3)]
    assert found.bins[1].confidence == pytest.approx(0.95)
    assert found.bins[1].right == pytest.approx(2 / 3)
    assert found.error == pytest.approx((1 * 0.2 + 3 * (0.95 - 2 / 3)) / 4)


def test_reliability_that_is_perfect_and_that_of_nothing() -> None:
    """No distance, no error."""
    assert reliability([(0.5, True), (0.5, False)]).error == 0
    assert (reliability([]).bins, reliability([]).error) == ([], 0.0)


def test_judged() -> None:
    """Every incident's confidence, and whether it was a scraper's."""
    incidents = [incident("account:eve", confidence=0.8), incident("account:ann", confidence=0.6)]
    assert judged([run(incidents)]) == [(0.8, True), (0.6, False)]


def test_outcomes_are_added_up() -> None:
    """Over the scrapers and people of all days."""
    both = Outcome("", scrapers=4, found=2, blocked=2, leaked=144, people_alerted=2, people_hurt=2)
    one = outcome([run([])])
    assert outcome([run([]), run([], seed=2)]) == both
    assert added("x", [one, one]) == msgspec.structs.replace(both, without="x")


def test_days_is_the_length_of_the_recording() -> None:
    """From the labels."""
    assert run([]).days == 2
    shorter = msgspec.structs.replace(LABELS, end="2026-11-24T12:00:00.000Z")
    assert replace(run([]), labels=shorter).days == 0.5
