"""A broker that stands still: back pressure while it does, and nothing lost or doubled when it goes on."""

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from deploy.kafka.cluster import Cluster
from schemas import topic
from tests.broker.installation import Installation, by_id, installed
from tests.broker.test_limits import GOOD, event
from tests.brokers import Broker, kinds, opened

pytestmark = pytest.mark.timeout(240)

STILL_S: Final = 12.0
"""Twice the session of the workers under test."""


@dataclass(frozen=True, slots=True)
class Site:
    """A Weir on a broker of its own, which may be hurt."""

    weir: Installation
    pid: int
    """Of the broker."""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """One node, and an installation that has not been started."""
    if kinds() != ["kafka"] or "BOOTSTRAP" in os.environ:
        pytest.skip("needs an Apache Kafka that may be stopped: WEIR_TEST_KAFKA is off, or BOOTSTRAP names one")
    with Cluster(tmp_path / "kafka") as cluster:
        (pid,) = (node.pid for node in cluster.nodes)
        assert pid is not None
        for broker in opened(Broker("kafka", cluster.bootstrap, "Apache Kafka (one node)")):
            with installed(broker, tmp_path, requests=broker.topic(2), wait_s=120.0) as weir:
                yield Site(weir, pid)


def test_the_broker_stands_still(site: Site) -> None:
    """For longer than the session, in mid-stream: the worker waits, and then goes on with the rest."""
    weir = site.weir
    worker = weir.start()
    weir.broker.send(weir.requests, [event(n) for n in range(GOOD)])
    weir.wait_through(weir.requests)
    os.kill(site.pid, signal.SIGSTOP)
    try:
        time.sleep(STILL_S)
    finally:
        os.kill(site.pid, signal.SIGCONT)
    weir.broker.send(weir.requests, [event(GOOD + n) for n in range(GOOD)])
    weir.wait_judged()
    assert worker.process.poll() is None, "it had no reason to end"
    alerts = by_id([one.record for one in weir.read(weir.own(topic.ALERTS))])
    assert "u1" in {one["actor"]["value"] for one in alerts.values()}
    assert weir.read(weir.own(topic.DEAD_LETTERS)) == []
    assert worker.stop() == 0
