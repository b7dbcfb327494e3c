"""The line of a decision."""

from collections.abc import Callable

import pytest
import structlog
from structlog.testing import capture_logs

from schemas.actor import Actor
from schemas.alert import Alert, AlertStatus
from schemas.block import Block, BlockStatus
from streams import metrics as m
from streams.live.decision_log import tell
from streams.live.tally import Tally
from streams.pipeline.policy.decide import Lift
from tests.streams.live.decisions import ACTOR, MADE_US, alert, block


@pytest.fixture(autouse=True)
def _unconfigured() -> None:
    structlog.reset_defaults()


@pytest.mark.parametrize("make", [alert, block])
def test_no_person_above_debug(make: Callable[[], Alert | Block]) -> None:
    """At info the incident, what it is, and counts; who it is about stands in the line at debug, and nowhere else."""
    with capture_logs() as lines:
        tell([make()])
    told, whom = lines
    assert (told["log_level"], whom["log_level"]) == ("info", "debug")
    assert ACTOR.value not in str(told)
    assert whom["actor"] == ACTOR.key
    assert told["incident"] == whom["incident"]
    assert (told["scope"], told["detectors"], told["profiles"]) == (ACTOR.scope, "id_walk,long_tail", 231)


def test_what_each_says() -> None:
    """An alert how grave it is and who is in it, a block what is done, until when, and whom else it hits."""
    with capture_logs() as lines:
        tell([alert(), block()])
    first, second = (line for line in lines if line["log_level"] == "info")
    assert (first["kind"], first["status"], first["mode"]) == ("alert", "open", "enforce")
    assert (first["severity"], first["members"]) == ("high", 0)
    assert (second["kind"], second["status"], second["mode"]) == ("block", "active", "enforce")
    assert (second["action"], second["until"], second["accounts"]) == ("block", block().until, 1)


def test_a_lift_is_no_news() -> None:
    """It takes a record away that has ended before."""
    with capture_logs() as lines:
        tell([Lift(Actor("ip", "192.0.2.7"), 0)])
    assert lines == []


def test_counts_of_what_was_sent() -> None:
    """By kind, status, action and mode, and once for each detector behind it."""
    tally = Tally()
    tally.sent([alert(), block(), Lift(ACTOR, 0)], MADE_US + 1_250_000)
    metrics = tally.metrics
    assert metrics.value(m.DECISIONS, "alert", "open", "none", "enforce") == 1
    assert metrics.value(m.DECISIONS, "block", "active", "block", "enforce") == 1
    assert metrics.value(m.DECISIONS, "lift", "none", "none", "none") == 1
    assert metrics.value(m.BEHIND, "alert", "enforce", "id_walk") == 1
    assert metrics.value(m.BEHIND, "block", "enforce", "long_tail") == 1


def test_latency_of_what_an_event_led_to() -> None:
    """What follows from time that has passed has no event to be late after."""
    tally = Tally()
    tally.sent([alert(), alert(AlertStatus.UPDATED), alert(AlertStatus.CLOSED)], MADE_US + 1_250_000)
    tally.sent([block(), block(BlockStatus.EXPIRED), block(BlockStatus.REVOKED)], MADE_US - 1)
    assert tally.metrics.value(m.DECISION, "alert") == 2
    assert tally.metrics.value(m.DECISION, "block") == 1
    spreads = tally.metrics._spreads[m.DECISION]
    assert spreads[("alert",)].total == 2.5
    assert spreads[("block",)].total == 0, "a clock that is behind makes no negative wait"
    assert spreads[("alert",)].counts[m.DECISION.buckets.index(1.25)] == 2
