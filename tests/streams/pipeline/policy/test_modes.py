"""Two detectors in two modes on one actor: a finding in shadow never hides one that is enforced."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from detectors.core.columns import Columns
from detectors.core.contract import Detector, DetectorConfig, Evidence
from detectors.core.discovery import classes
from schemas.actor import Scope
from schemas.alert import Alert, AlertMode
from schemas.block import Block, BlockMode
from schemas.mode import Mode
from streams.pipeline.policy.decide import Decider, Decision
from streams.pipeline.policy.finding import Judged
from streams.pipeline.windows.aggregate import aggregate
from streams.settings import Settings
from tests.streams.pipeline.rows_of import START_US, actors_of, rows_of

MINUTE_US: Final = 60_000_000


def detector(name: str) -> Detector[DetectorConfig]:
    """A detector under its defaults."""
    return classes()[name](classes()[name].Config())


def decisions(*parts: tuple[str, Mode, Sequence[float]]) -> list[Decision]:
    """What levels of detectors come to, a minute apart."""
    n = len(parts[0][2])
    rows = rows_of([START_US + row * MINUTE_US for row in range(n)])
    actors, decider = actors_of([Scope.ACCOUNT]), Decider(Settings(), "sha256:test")
    known = aggregate(actors, rows, 40)
    columns = Columns(
        slot=rows.slot,
        time_us=rows.time_us,
        scope=actors.scopes[rows.slot],
        kind=rows.kind,
        flags=rows.flags,
        tier=rows.tier,
        answers=known.answers,
        first=known.first,
        profiles=known.profiles,
        popularity=np.zeros(n, np.uint8),
        tiers=("",),
    )
    judged = [Judged(detector(name), mode, evidence(levels)) for name, mode, levels in parts]
    made = list[Decision]()
    for row, rank in decider.candidates(columns, judged, actors).T.tolist():
        event_us = int(rows.time_us[row])
        moment = decider.moment(event_us, event_us, event_us, True, "none")
        made += decider.decide(columns, judged, known, actors, (row, rank), moment)
    return made


def evidence(levels: Sequence[float]) -> Evidence:
    """Evidence that may block, with all the numbers that any of the two detectors explains."""
    n = len(levels)
    numbers = dict.fromkeys(("span", "limit", "sum", "llr"), np.ones(n))
    return Evidence(
        np.array(levels, np.float64), np.zeros(n, np.int64), np.ones(n, np.int64), np.ones(n, np.bool_), numbers
    )


def blocks(made: list[Decision]) -> list[tuple[BlockMode, list[str]]]:
    """Mode of each block and whose finding it was."""
    return [(one.mode, one.detectors) for one in made if isinstance(one, Block)]


def test_enforced_breaks_the_cooldown_of_a_shadow() -> None:
    """However severe the finding in shadow was, a mild enforced one a minute later is told."""
    made = decisions(("long_tail", Mode.SHADOW, [9, 9, 9]), ("profile_rate", Mode.ENFORCE, [0, 1, 1]))
    alerts = [one for one in made if isinstance(one, Alert)]
    assert [alert.mode for alert in alerts] == [AlertMode.SHADOW, AlertMode.ENFORCE]
    assert blocks(made) == [(BlockMode.SHADOW, ["long_tail"]), (BlockMode.SHADOW, ["long_tail"])]


def test_a_shadow_does_not_break_that_of_an_enforced() -> None:
    """While an enforced finding is quiet, a finding in shadow says nothing however severe it is."""
    made = decisions(("long_tail", Mode.SHADOW, [0, 9, 9]), ("profile_rate", Mode.ENFORCE, [1, 1, 1]))
    assert len(made) == 1


def test_the_enforced_names_the_block() -> None:
    """Of two strong findings only the enforced one is ground for an enforced block; both stand in the alert."""
    made = decisions(("long_tail", Mode.SHADOW, [9]), ("profile_rate", Mode.ENFORCE, [2]))
    assert blocks(made) == [(BlockMode.ENFORCE, ["profile_rate"])]
    alert = made[0]
    assert isinstance(alert, Alert)
    assert [finding.detector for finding in alert.findings] == ["long_tail", "profile_rate"]
    assert alert.controls == ["R2", "R3"]


def test_alerts_alone_enforce_nothing() -> None:
    """A strong finding of a detector that may only alert is a block in shadow."""
    assert blocks(decisions(("long_tail", Mode.ALERT, [9]))) == [(BlockMode.SHADOW, ["long_tail"])]


def test_a_shadow_never_takes_the_place_of_what_is_enforced() -> None:
    """While a block is enforced the topic's one record of the actor stays; after its end a shadow may follow."""
    quiet, hour = [0.0] * 20, 60
    enforced = [2.0] + [0.0] * 79
    shadow = [0.0, *quiet, 9.0, *[0.0] * (hour - 22), 9.0, *[0.0] * 19]
    made = decisions(("long_tail", Mode.SHADOW, shadow), ("profile_rate", Mode.ENFORCE, enforced))
    assert blocks(made) == [(BlockMode.ENFORCE, ["profile_rate"]), (BlockMode.SHADOW, ["long_tail"])]
    assert len([one for one in made if isinstance(one, Alert)]) == 3


def test_the_strongest_finding_stays() -> None:
    """An update tells of each detector the strongest it found, and the severity never falls."""
    made = decisions(("long_tail", Mode.ALERT, [1.0, 5.0] + [0.0] * 19 + [1.1]))
    alerts = [one for one in made if isinstance(one, Alert)]
    assert [round(alert.confidence, 3) for alert in alerts] == [0.5, 0.969, 0.969]
    assert [alert.severity.value for alert in alerts] == ["medium", "critical", "critical"]
