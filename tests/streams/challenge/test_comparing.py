"""Two sides by actor: who counts, from when on, and what is not told yet."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from schemas.actor import Actor
from schemas.alert import Alert, AlertMode, AlertStatus, Severity
from schemas.block import Action, Block, BlockMode, BlockStatus
from schemas.event_time import format_time
from streams.challenge import comparing
from streams.challenge.comparing import Comparison, Kind, counts, rows
from tests.streams.live import decisions

SINCE_US = decisions.MADE_US
SINCE = format_time(SINCE_US)
SETTLED_S = 100.0
HOUR_US = 3_600_000_000


def block(actor: str = "a", at_us: int = SINCE_US, until_us: int = SINCE_US + HOUR_US, **other: Any) -> Block:
    """A block that counts."""
    times = {"event_time": format_time(at_us), "until": format_time(until_us)}
    return replace(decisions.block(), actor=Actor("account", actor), **times, **other)


def alert(actor: str = "a", at_us: int = SINCE_US, **other: Any) -> Alert:
    """An alert that counts."""
    return replace(decisions.alert(), actor=Actor("account", actor), event_time=format_time(at_us), **other)


def found(comparison: Comparison, kind: Kind = "block") -> dict[str, str]:
    """By whom each actor is told of that is not alike."""
    return {row.actor.partition(":")[2]: row.by for row in rows(kind, comparison.compared(kind, SETTLED_S)[0])}


@pytest.fixture
def comparison() -> Comparison:
    """One that has begun."""
    made = Comparison()
    made.begin(SINCE)
    return made


@pytest.mark.parametrize(("kind", "make"), [("block", block), ("alert", alert)])
def test_who_has_spoken(comparison: Comparison, kind: Kind, make: Callable[..., Block | Alert]) -> None:
    """The same at the same time is alike; else it is told who has, and both where the time differs."""
    for actor, live_us, challenger_us in (("x", 0, 0), ("y", 9, 0), ("l", 0, None), ("c", None, 0)):
        if live_us is not None:
            comparison.live.take(make(actor, SINCE_US + live_us * 1_000_000), 0)
        if challenger_us is not None:
            comparison.challenger.take(make(actor, SINCE_US + challenger_us), 0)
    assert found(comparison, kind) == {"y": "both", "l": "live", "c": "challenger"}
    told = counts(comparison.compared(kind, SETTLED_S)[0])
    assert told == {"alike": 1, "both": 1, "live": 1, "challenger": 1}


def test_the_strongest_word_counts_from_the_first_time_on(comparison: Comparison) -> None:
    """An action that grows is one block, and a severity one alert."""
    for action in (Action.CHALLENGE, Action.BLOCK, Action.THROTTLE):
        comparison.live.take(block(action=action), 0)
    comparison.challenger.take(block(action=Action.BLOCK), 0)
    for severity in (Severity.LOW, Severity.CRITICAL, Severity.HIGH):
        comparison.live.take(alert(severity=severity, at_us=SINCE_US + severity.rank), 0)
    comparison.challenger.take(alert(severity=Severity.CRITICAL), 0)
    assert (found(comparison), found(comparison, "alert")) == ({}, {})


@pytest.mark.parametrize(
    "said",
    [
        block(mode=BlockMode.SHADOW),
        block(status=BlockStatus.REVOKED),
        block(status=BlockStatus.EXPIRED),
        block(detectors=[]),
        alert(mode=AlertMode.SHADOW),
        alert(status=AlertStatus.CLOSED),
    ],
    ids=["shadow", "revoked", "expired", "operator", "alert in shadow", "closed"],
)
def test_what_is_no_word_of_a_set(comparison: Comparison, said: Block | Alert) -> None:
    """What is in shadow, an end, and an operator's block."""
    comparison.live.take(said, 0)
    assert (found(comparison), found(comparison, "alert")) == ({}, {})


def test_who_was_blocked_before_is_known() -> None:
    """One side was earlier, and the block still held as the comparison began: both have blocked the actor."""
    comparison = Comparison()
    comparison.live.take(block("held", SINCE_US - HOUR_US, SINCE_US + 1_000_000), 0)
    comparison.live.take(block("ended", SINCE_US - HOUR_US, SINCE_US - 1_000_000), 0)
    comparison.live.take(block("before", SINCE_US - HOUR_US), 0)
    comparison.live.take(alert("goes on", SINCE_US - HOUR_US), 0)
    comparison.live.take(alert("over", SINCE_US - HOUR_US), 0)
    comparison.live.take(alert("over", SINCE_US - 1_000_000, status=AlertStatus.CLOSED), 0)
    comparison.begin(SINCE)
    for actor in ("held", "ended"):
        comparison.challenger.take(block(actor), 0)
    for actor in ("goes on", "over"):
        comparison.challenger.take(alert(actor), 0)
    assert found(comparison) == {"held": "both", "ended": "challenger"}
    assert found(comparison, "alert") == {"goes on": "both", "over": "challenger"}


def test_what_one_said_a_moment_ago_is_open(comparison: Comparison) -> None:
    """The other may be on its way: neither told nor counted, but that there is something."""
    comparison.live.take(block("new"), SETTLED_S + 1)
    comparison.challenger.take(block("old"), SETTLED_S - 1)
    assert found(comparison) == {"old": "challenger"}
    assert comparison.compared("block", SETTLED_S)[1] == 1


def test_actors_too_many_are_counted(comparison: Comparison, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory has a bound; who is known goes on to be."""
    monkeypatch.setattr(comparing, "ACTORS_MAX", 2)
    for actor in "abca":
        comparison.live.take(block(actor), 0)
    assert set(found(comparison)) == {"a", "b"}
    assert comparison.live.cut == 1


def test_revisions_are_those_under_which_something_was_said_since(comparison: Comparison) -> None:
    """Whatever was read before the comparison began."""
    comparison.live.take(block("a", SINCE_US - 1_000_000, config="sha256:old"), 0)
    comparison.live.take(alert("b", config="sha256:new"), 0)
    assert comparison.live.revisions_since(SINCE) == ["sha256:new"]
