"""A short campaign: workers are killed, paused, stopped and joined by others, and nothing is lost or counted twice.

`make faults` is the long one, with three brokers that are hurt as well.
"""

import random
from pathlib import Path

import pytest

from tests.brokers import Broker
from tests.faults.campaign import Plan, run
from tests.faults.fault import Site

pytestmark = pytest.mark.timeout(300)


def test_as_if_nothing_had_happened(kafka_broker: Broker, tmp_path: Path) -> None:
    """Decisions, their contents and all that is known of actors are those of one undisturbed process."""
    found = run(kafka_broker, tmp_path, Plan(seed=1, faults=6, duration_s=25, idle_ms=5_000), Site)
    assert found.differences == []
    assert not found.ended, "no worker may give up because another one was hurt"
    assert found.faults.total() >= 3
    assert found.restored >= 8, "partitions were taken over from checkpoints"
    assert found.compacted > 0, "checkpoints were compacted meanwhile"
    assert found.alerts > 20
    assert found.actors > 500


def test_a_difference_is_noticed(kafka_broker: Broker, tmp_path: Path) -> None:
    """Events that Weir never saw show in decisions and in what is known of actors: the comparison can fail."""
    kept_back = random.Random(1)
    plan = Plan(seed=1, faults=0, duration_s=5, idle_ms=2_000, leave_out=lambda _: kept_back.random() < 0.01)
    found = run(kafka_broker, tmp_path, plan, Site)
    assert any("is missing" in one or "differs" in one for one in found.differences)
    assert any(one.startswith("partition") for one in found.differences)
