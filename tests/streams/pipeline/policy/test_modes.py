"""Two detectors in two modes on one actor: a finding in shadow never hides one that is enforced."""

from collections.abc import Sequence
from typing import Final

from schemas.alert import Alert, AlertMode
from schemas.block import Action, Block, BlockMode
from schemas.mode import Mode
from streams.pipeline.policy.confidence import probability
from streams.pipeline.policy.decide import Decision
from tests.streams.pipeline.rows_of import START_US, rows_of
from tests.streams.pipeline.staged import Scripted, Staged

MINUTE_US: Final = 60_000_000
CONTROLS: Final = {"mild": "R3", "plain": "R2", "asking": "R3"}


def decisions(*parts: tuple[str, Mode, Sequence[float]]) -> list[Decision]:
    """What levels of detectors come to, a minute apart."""
    n = len(parts[0][2])
    detectors = [
        (Scripted(name, levels, control=CONTROLS[name], challenges=name == "asking"), mode)
        for name, mode, levels in parts
    ]
    return Staged(*detectors).decide(rows_of([START_US + row * MINUTE_US for row in range(n)]))


def blocks(made: list[Decision]) -> list[tuple[BlockMode, list[str]]]:
    """Mode of each block and whose finding it was."""
    return [(one.mode, one.detectors) for one in made if isinstance(one, Block)]


def test_enforced_breaks_the_cooldown_of_a_shadow() -> None:
    """However severe the finding in shadow was, a mild enforced one a minute later is told."""
    made = decisions(("mild", Mode.SHADOW, [9, 9, 9]), ("plain", Mode.ENFORCE, [0, 1, 1]))
    alerts = [one for one in made if isinstance(one, Alert)]
    assert [alert.mode for alert in alerts] == [AlertMode.SHADOW, AlertMode.ENFORCE]
    assert blocks(made) == [(BlockMode.SHADOW, ["mild"]), (BlockMode.SHADOW, ["mild"])]


def test_a_shadow_does_not_break_that_of_an_enforced() -> None:
    """While an enforced finding is quiet, a finding in shadow says nothing however severe it is."""
    made = decisions(("mild", Mode.SHADOW, [0, 9, 9]), ("plain", Mode.ENFORCE, [1, 1, 1]))
    assert len(made) == 1


def test_the_enforced_names_the_block() -> None:
    """Of two strong findings only the enforced one is ground for an enforced block; both stand in the alert."""
    made = decisions(("mild", Mode.SHADOW, [9]), ("plain", Mode.ENFORCE, [2]))
    assert blocks(made) == [(BlockMode.ENFORCE, ["plain"])]
    alert = made[0]
    assert isinstance(alert, Alert)
    assert [finding.detector for finding in alert.findings] == ["mild", "plain"]
    assert alert.controls == ["R2", "R3"]


def test_alerts_alone_enforce_nothing() -> None:
    """A strong finding of a detector that may only alert is a block in shadow."""
    assert blocks(decisions(("mild", Mode.ALERT, [9]))) == [(BlockMode.SHADOW, ["mild"])]


def test_a_shadow_never_takes_the_place_of_what_is_enforced() -> None:
    """While a block is enforced the topic's one record of the actor stays; after its end a shadow may follow."""
    quiet, hour = [0.0] * 20, 60
    enforced = [2.0] + [0.0] * 79
    shadow = [0.0, *quiet, 9.0, *[0.0] * (hour - 22), 9.0, *[0.0] * 19]
    made = decisions(("mild", Mode.SHADOW, shadow), ("plain", Mode.ENFORCE, enforced))
    assert blocks(made) == [(BlockMode.ENFORCE, ["plain"]), (BlockMode.SHADOW, ["mild"])]
    assert len([one for one in made if isinstance(one, Alert)]) == 3


def test_the_strongest_finding_stays() -> None:
    """An update tells of each detector the strongest it found, and the severity never falls."""
    made = decisions(("mild", Mode.ALERT, [1.0, 5.0] + [0.0] * 19 + [1.1]))
    alerts = [one for one in made if isinstance(one, Alert)]
    assert [round(alert.confidence, 3) for alert in alerts] == [
        round(probability(level), 3) for level in (1.0, 5.0, 5.0)
    ]
    assert [alert.severity.value for alert in alerts] == ["medium", "critical", "critical"]


def test_a_shadow_challenge_does_not_hide_an_enforced_block() -> None:
    """A block that is enforced goes before a challenge that would be, and before an enforced challenge."""
    made = decisions(("asking", Mode.SHADOW, [9]), ("plain", Mode.ENFORCE, [2]))
    assert [(one.mode, one.action) for one in made if isinstance(one, Block)] == [(BlockMode.ENFORCE, Action.BLOCK)]
    made = decisions(("asking", Mode.ENFORCE, [1.1]), ("plain", Mode.ENFORCE, [2]))
    assert [(one.mode, one.action) for one in made if isinstance(one, Block)] == [(BlockMode.ENFORCE, Action.BLOCK)]


def test_a_challenge_never_takes_the_place_of_a_block_in_force() -> None:
    """While somebody is blocked a challenge would be the milder record; who goes on later is blocked again."""
    made = decisions(
        ("asking", Mode.ENFORCE, [0.0] * 20 + [1.1] + [0.0] * 59 + [1.1]), ("plain", Mode.ENFORCE, [2.0] + [0.0] * 80)
    )
    assert [one.action for one in made if isinstance(one, Block)] == [Action.BLOCK, Action.BLOCK]
    assert len([one for one in made if isinstance(one, Alert)]) == 3


def test_a_block_takes_the_place_of_a_challenge() -> None:
    """What becomes worse is answered at once."""
    made = decisions(("asking", Mode.ENFORCE, [1.1, 2.0]))
    assert [one.action for one in made if isinstance(one, Block)] == [Action.CHALLENGE, Action.BLOCK]
