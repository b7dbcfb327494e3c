"""Topics that somebody makes anew, or larger, under a Weir that remembers their offsets, on real Apache Kafka."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas import topic
from streams.live.topics import create, ids, layouts
from tests.broker.installation import Installation, installed
from tests.broker.test_limits import GOOD, event
from tests.brokers import Broker, Sent

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def weir(kafka_broker: Broker, tmp_path: Path) -> Iterator[Installation]:
    """An installation whose worker has judged sixty views, kept what it remembers, and been stopped."""
    with installed(kafka_broker, tmp_path, requests=kafka_broker.topic(1)) as made:
        kafka_broker.send(made.requests, [event(n) for n in range(GOOD)])
        worker = made.start()
        made.wait_judged()
        assert worker.stop() == 0
        yield made


def make_anew(weir: Installation, name: str) -> None:
    """Delete a topic and make it again as it was laid out."""
    before = ids(weir.settings.kafka, [name])
    weir.broker.admin.delete_topics([name])
    while ids(weir.settings.kafka, [name]) == before:
        time.sleep(0.1)
    if name == weir.requests:
        weir.broker.admin.create_topics({name: {"num_partitions": 1, "replication_factor": 1}})
    else:
        create(weir.settings.kafka, layouts(weir.settings))


@pytest.mark.parametrize("which", ["activity", "requests"])
def test_refused(weir: Installation, which: str) -> None:
    """What is new would count as read by its offsets: the worker ends with one line, and judges nothing."""
    name = weir.own(topic.ACTIVITY) if which == "activity" else weir.requests
    make_anew(weir, name)
    alerts = weir.ends(weir.own(topic.ALERTS))
    weir.broker.send(weir.requests, [event(n) for n in range(GOOD)])
    worker = weir.start()
    assert worker.process.wait(timeout=60) == 70, worker.output()
    (line,) = [line for line in worker.output().splitlines() if "CRITICAL" in line]
    assert f"StopError: topic {name} was deleted and made anew since the last checkpoint" in line
    assert "Traceback" not in worker.output()
    assert weir.ends(weir.own(topic.ALERTS)) == alerts


def test_beginning_without_what_was_remembered(weir: Installation) -> None:
    """What the refusal says to do: with state, activity and the group's offsets gone, all that is new is judged."""
    make_anew(weir, weir.requests)
    make_anew(weir, weir.own(topic.ACTIVITY))
    make_anew(weir, weir.own(topic.STATE))
    weir.broker.admin.delete_groups([weir.name])
    weir.broker.send(weir.requests, [event(n) for n in range(GOOD)])
    before = len(weir.read(weir.own(topic.ALERTS)))
    worker = weir.start()
    weir.wait_judged()
    assert len(weir.read(weir.own(topic.ALERTS))) > before > 0
    assert worker.stop() == 0


def test_partition_added(weir: Installation) -> None:
    """A source partition that is added under a running worker is read and judged, and again after a restart."""
    worker = weir.start()
    weir.wait(lambda: "restored" in worker.output(), "a worker that has taken over")
    weir.broker.admin.create_partitions({weir.requests: 2})
    for number, account in enumerate(("u2", "u3")):
        views = [event(n + number * GOOD) for n in range(GOOD)]
        values = [view.value.replace(b'"u1"', b'"%s"' % account.encode()) for view in views if view.value]
        weir.broker.send(weir.requests, [Sent(value, partition=1) for value in values])
        weir.wait(lambda: weir.committed(weir.requests).get(1, 0) >= (number + 1) * GOOD, "the new partition")  # noqa: B023
        weir.wait_judged()
        alerts = [one.record["actor"]["value"] for one in weir.read(weir.own(topic.ALERTS))]
        assert account in alerts
        assert worker.stop() == 0
        worker = weir.start()
