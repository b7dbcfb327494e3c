"""More than there is room for: a broker that stands still, a full disk, a partition without leader, one that is hot.

The worker waits, or says what is wrong and ends; either way nothing is lost or doubled when it goes on.
"""

import contextlib
import gc
import os
import signal
import subprocess
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zlib import crc32

import pytest
from kafka.errors import KafkaError

from deploy.kafka.cluster import Cluster, wait_until
from schemas import topic
from streams.offline.replay import replay
from tests.broker.installation import Installation, by_id, installed
from tests.broker.test_limits import GOOD, event
from tests.brokers import Broker, Sent, kinds, opened
from tests.requests import START_S, request_of

pytestmark = [pytest.mark.timeout(300), pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")]

STILL_S: Final = 12.0
"""Twice the session of the workers under test."""


@dataclass(frozen=True, slots=True)
class Site:
    """A Weir on a broker of its own, which may be hurt."""

    weir: Installation
    pid: int
    """Of the broker."""


@pytest.fixture(autouse=True)
def swept(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Clients leave sockets behind when their broker goes, and their records hold them: none is found later."""
    yield
    caplog.get_records("call").clear()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


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


HALF: Final = 15
"""Profiles that one account looks at; two such halves are just what it may not see in a minute."""
FLOOD: Final = 15_000
"""Views of one account in ten minutes."""
DISK: Final = "64m"


def see(first: int, partition: int = 0) -> list[Sent]:
    """Half of the profiles."""
    numbers = range(first, first + HALF)
    seen = [request_of(START_S + n, f"{crc32(b'%d' % n):08x}", account="u1", ip=None) for n in numbers]
    return [Sent(each, partition=partition) for each in seen]


def assert_both_halves(weir: Installation) -> None:
    """All that was written is judged, and there is an alert that neither half gives alone."""
    weir.wait_judged()
    weir.wait(lambda: bool(weir.read(weir.own(topic.ALERTS))), "an alert of both halves")
    assert {one.record["actor"]["value"] for one in weir.read(weir.own(topic.ALERTS))} == {"u1"}
    assert weir.read(weir.own(topic.DEAD_LETTERS)) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of little room."""
    if kinds() != ["kafka"] or "BOOTSTRAP" in os.environ:
        pytest.skip("needs an Apache Kafka of its own: WEIR_TEST_KAFKA is off, or BOOTSTRAP names one")
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "none", str(place)]
    mounted = subprocess.run(mount, check=False, capture_output=True)
    if mounted.returncode:
        pytest.skip(f"may not mount: {mounted.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


def test_the_disk_is_full(small_disk: Path, tmp_path: Path) -> None:
    """The broker ends itself; with room again the worker goes on where it was, and nothing is missing."""
    with Cluster(small_disk / "kafka") as cluster:
        broker = Broker("kafka", cluster.bootstrap, "Apache Kafka (one node, full)")
        with installed(broker, tmp_path, requests=broker.topic(2), wait_s=150.0) as weir:
            worker = weir.start()
            broker.send(weir.requests, see(0))
            weir.wait_judged()
            broker.close()
            fill(small_disk / "filling")
            assert wait_until(lambda: is_too_much(cluster, weir), 90), "there was room for all"
            (small_disk / "filling").unlink()
            cluster.start()
            broker.send(weir.requests, see(HALF))
            assert_both_halves(weir)
            assert worker.process.poll() is None, "it had no reason to end"
            assert worker.stop() == 0
        broker.close()


def fill(file: Path) -> None:
    """Leave no room behind ``file``."""
    with contextlib.suppress(OSError), file.open("wb") as filling:
        while True:
            filling.write(bytes(1 << 16))


def is_too_much(cluster: Cluster, weir: Installation) -> bool:
    """Write more; whether the broker has ended of it."""
    with contextlib.suppress(KafkaError):
        impatient = {"max_block_ms": 2_000, "delivery_timeout_ms": 3_000, "request_timeout_ms": 1_000}
        weir.broker.send(weir.requests, see(HALF), **impatient)
    return cluster.nodes[0].pid is None


def test_partitions_without_leader(tmp_path: Path) -> None:
    """A third of all partitions has none: the worker waits, commits nothing of what it could not pass on, and goes on.

    Every topic has one replica, so nobody takes over from the node that is gone.
    """
    if kinds() != ["kafka"] or "BOOTSTRAP" in os.environ:
        pytest.skip("needs an Apache Kafka of its own: WEIR_TEST_KAFKA is off, or BOOTSTRAP names one")
    with Cluster(tmp_path / "kafka", brokers=3) as cluster:
        broker = Broker("kafka", cluster.bootstrap, "Apache Kafka (three nodes)")
        with installed(broker, tmp_path, requests=broker.topic(3), wait_s=150.0) as weir:
            worker = weir.start()
            leaders = leaders_of(weir, weir.requests)
            broker.send(weir.requests, see(0, partition=0))
            weir.wait_judged()
            before = weir.committed(weir.requests)
            broker.close()
            gone = leaders[0]
            (led,) = [partition for partition, leader in leaders.items() if leader == (gone % 3) + 1]
            cluster.kill(cluster.nodes[gone - 1])
            broker.send(weir.requests, see(HALF, partition=led))
            time.sleep(STILL_S)
            assert worker.process.poll() is None, "it had no reason to end yet"
            assert weir.committed(weir.requests) == before, "not every activity partition has been told"
            broker.close()
            cluster.start()
            assert_both_halves(weir)
            assert worker.stop() == 0
        broker.close()


def leaders_of(weir: Installation, name: str) -> dict[int, int]:
    """Number of the node that leads each partition."""
    (described,) = weir.broker.admin.describe_topics([name])
    return {one["partition_index"]: one["leader_id"] for one in described["partitions"]}


def test_one_account_fills_one_partition(kafka_broker: Broker, tmp_path: Path) -> None:
    """It is judged as offline, and so is one in another partition that is drowned out by it."""
    hot = [request_of(START_S + n * 0.04, f"{crc32(b'%d' % n):08x}", account="hot", ip=None) for n in range(FLOOD)]
    calm = [request_of(START_S + n * 1.3, f"{crc32(b'%d' % n):08x}", account="calm", ip=None) for n in range(3 * HALF)]
    with installed(kafka_broker, tmp_path, requests=kafka_broker.topic(2), batch_records=500, wait_s=150.0) as weir:
        worker = weir.start()
        kafka_broker.send(weir.requests, [*map(Sent, hot), *(Sent(each, partition=1) for each in calm)])
        weir.wait_judged()
        path = tmp_path / "events.ndjson"
        path.write_bytes(b"".join(each + b"\n" for each in sorted([*hot, *calm])))
        expected = replay([path], weir.settings, enforce=False)
        for where, decided in ((topic.ALERTS, expected.alerts), (topic.BLOCKS, expected.blocks)):
            found = by_id([one.record for one in weir.read(weir.own(where)) if one.value is not None])
            assert found.keys() == {one.id for one in decided}
        assert {one.actor.value for one in expected.alerts} == {"hot", "calm"}
        assert worker.stop() == 0
