"""`weir notify` as a process on Kafka, with a real Alertmanager and with webhooks that fail."""

import contextlib
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from deploy.kafka.cluster import Cluster, free_ports
from schemas import topic
from schemas.alert import AlertStatus
from schemas.audit import ChangeOf, DegradedReason
from streams.config import parse
from streams.live.topics import create, layouts
from streams.outputs.webhook import signed
from tests.broker.alerting import (
    ALERTMANAGER,
    AMTOOL,
    Alertmanager,
    Hook,
    Notify,
    now_us,
    receiver,
    say,
    say_many,
    values,
)
from tests.broker.installation import ROOT, Installation, feed, installed
from tests.brokers import Broker, Sent
from tests.requests import START_S, views
from tests.streams.notify.saying import alert, changed, degraded

pytestmark = pytest.mark.timeout(180)
REAL = pytest.mark.skipif(
    ALERTMANAGER is None or AMTOOL is None, reason="needs prometheus-alertmanager and amtool, packages of Debian"
)
FAST = "[notify]\nresend_s = 1\n"


@pytest.fixture
def weir(broker: Broker, tmp_path: Path) -> Iterator[Installation]:
    """An installation without workers: the test says what they would."""
    with installed(broker, tmp_path, requests=broker.topic(8)) as made:
        yield made


@pytest.fixture
def hooks() -> Iterator[Callable[..., Hook]]:
    """Makes webhooks that end with the test."""
    made: list[Hook] = []

    def make(**options: Any) -> Hook:
        made.append(Hook(**options))
        return made[-1]

    yield make
    for one in made:
        one.stop()


@contextlib.contextmanager
def notifying(weir: Installation, section: str) -> Iterator[Notify]:
    """A process that tells."""
    made = Notify(weir, section)
    try:
        made.start()
        yield made
    finally:
        made.kill()


@pytest.fixture
def replicas(tmp_path: Path) -> Iterator[list[Alertmanager]]:
    """Two, running."""
    made = [Alertmanager(tmp_path) for _ in range(2)]
    try:
        for one in made:
            one.start()
        yield made
    finally:
        for one in made:
            one.stop()


@REAL
class TestAlertmanager:
    """Debian's own."""

    def test_an_incident(self, weir: Installation, replicas: list[Alertmanager]) -> None:
        """Opened it fires in both replicas, with what a person needs; closed it is resolved in both."""
        with notifying(weir, FAST + receiver("alertmanager", *(one.url for one in replicas))) as notify:
            say(weir, alert("inc-1", at_us=now_us()))
            notify.wait(lambda: all(one.incidents() == ["inc-1"] for one in replicas))
            (told,) = replicas[0].alerts()
            assert told["labels"] == {
                "alertname": "WeirIncident",
                "detector": "long_tail",
                "severity": "high",
                "mode": "enforce",
                "scope": "account",
                "incident": "inc-1",
            }
            assert told["annotations"]["summary"] == "account:42 was shown 231 profiles"
            assert told["annotations"]["look_up"] == "weir incidents inc-1"
            say(weir, alert("inc-1", AlertStatus.CLOSED, now_us()))
            notify.wait(lambda: all(one.alerts() == [] for one in replicas))
            assert notify.stop() == 0

    def test_a_stream(self, weir: Installation, replicas: list[Alertmanager]) -> None:
        """A worker catches a scraper, and its incident fires with the id under which it can be looked up."""
        with notifying(weir, FAST + receiver("alertmanager", replicas[0].url)) as notify:
            weir.start()
            feed(weir.broker, weir.requests, views(START_S, 400, ip="203.0.113.9"))
            weir.wait_judged()
            (told,) = [one for one in values(weir, alerts(weir)) if one["actor"]["value"] == "203.0.113.9"][:1]
            notify.wait(lambda: told["incident"] in replicas[0].incidents())
            command = [sys.executable, "-m", "streams.cli", "incidents", told["incident"], "--config", str(weir.config)]
            looked_up = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
            assert "ip:203.0.113.9" in looked_up.stdout

    def test_a_replica_that_is_down(self, weir: Installation, replicas: list[Alertmanager]) -> None:
        """The other is told; it itself is told when it comes back, with nothing in its memory."""
        with notifying(weir, FAST + receiver("alertmanager", *(one.url for one in replicas))) as notify:
            replicas[0].stop()
            say(weir, alert("inc-1", at_us=now_us()))
            notify.wait(lambda: replicas[1].incidents() == ["inc-1"])
            notify.wait(lambda: "ops: cannot be reached" in notify.output())
            replicas[0].start()
            notify.wait(lambda: replicas[0].incidents() == ["inc-1"])
            replicas[1].stop()
            replicas[1].start()
            notify.wait(lambda: replicas[1].incidents() == ["inc-1"])

    def test_a_restart(self, weir: Installation, replicas: list[Alertmanager]) -> None:
        """What goes on is told again after a restart, and what has ended meanwhile ends."""
        section = FAST + receiver("alertmanager", replicas[0].url)
        with notifying(weir, section) as notify:
            say(weir, alert("inc-1", at_us=now_us()), alert("inc-2", at_us=now_us()))
            notify.wait(lambda: replicas[0].incidents() == ["inc-1", "inc-2"])
            notify.kill()
            say(weir, alert("inc-2", AlertStatus.CLOSED, now_us()))
            # Nobody tells it any more, so all of it ends by itself.
            notify.wait(lambda: replicas[0].alerts() == [])
            notify.start()
            notify.wait(lambda: replicas[0].incidents() == ["inc-1"])

    def test_what_ended_while_nobody_was_told(self, weir: Installation, replicas: list[Alertmanager]) -> None:
        """An incident that opened and closed while the receiver was down still reaches people."""
        section = FAST + receiver("alertmanager", replicas[0].url)
        with notifying(weir, section) as notify:
            say(weir, alert("inc-0", at_us=now_us()))
            notify.wait(lambda: replicas[0].incidents() == ["inc-0"])
            assert notify.stop() == 0
            say(weir, alert("inc-1", at_us=now_us()), alert("inc-1", AlertStatus.CLOSED, now_us()))
            notify.start()
            notify.wait(lambda: replicas[0].incidents() == ["inc-0", "inc-1"])

    def test_a_wave(self, weir: Installation, replicas: list[Alertmanager], hooks: Callable[..., Hook]) -> None:
        """Ten thousand actors are six alerts, which Alertmanager tells people in a handful of notifications."""
        people = hooks()
        replicas[0].people = people.start()
        replicas[0].stop()
        replicas[0].start()
        section = FAST + receiver("alertmanager", replicas[0].url)
        with notifying(weir, section) as notify:
            wave = [alert(f"inc-{n:05}", at_us=now_us(), actor=f"account:{n}") for n in range(10_000)]
            say_many(weir, wave)
            notify.wait(
                lambda: any("9,995 more incidents" in one["annotations"]["summary"] for one in replicas[0].alerts())
            )
            assert len(replicas[0].alerts()) == 6
            notify.wait(lambda: any(len(document["alerts"]) == 6 for document in people.taken))
            assert len(people.taken) < 10

    def test_pages(self, weir: Installation, replicas: list[Alertmanager]) -> None:
        """A brake that trips and workers that are degraded are alerts of their own, until they are not."""
        section = FAST + receiver("alertmanager", replicas[0].url, severity_min="critical")
        with notifying(weir, section) as notify:
            say(weir, changed(ChangeOf.BRAKE, "new_blocks", "tripped", now_us()))
            lagging = [degraded(f"worker:a:{n}", DegradedReason.LAGGING, at_us=now_us()) for n in range(2)]
            say(weir, *lagging, alert("inc-1", at_us=now_us()))
            notify.wait(lambda: names(replicas[0]) == ["WeirBrakeHolds", "WeirWorkersDegraded"])
            told = {one["labels"]["alertname"]: one for one in replicas[0].alerts()}
            assert told["WeirBrakeHolds"]["labels"]["severity"] == "critical"
            assert told["WeirWorkersDegraded"]["annotations"]["summary"] == "2 degraded: lagging"
            say(weir, changed(ChangeOf.BRAKE, "new_blocks", "", now_us()))
            say(weir, *(degraded(f"worker:a:{n}", at_us=now_us()) for n in range(2)))
            notify.wait(lambda: replicas[0].alerts() == [])


def names(replica: Alertmanager) -> list[str]:
    """Kinds of alerts that fire."""
    return sorted(one["alertname"] for one in replica.labels())


class TestWebhook:
    """Any program that takes JSON."""

    def test_every_message_in_order(self, weir: Installation, hooks: Callable[..., Hook], tmp_path: Path) -> None:
        """Signed with the secret of a file, in Alertmanager's shape; neither secret nor URL gets into the log."""
        hook = hooks()
        secret = tmp_path / "secret"
        secret.write_text("correct horse\n")
        with notifying(weir, receiver("webhook", hook.start(), secret_file=str(secret))) as notify:
            say(weir, *(alert("inc-1", status, now_us()) for status in AlertStatus))
            notify.wait(lambda: len(hook.incidents()) == 3)
            assert hook.incidents() == [("inc-1", "firing"), ("inc-1", "firing"), ("inc-1", "resolved")]
            assert hook.taken[0]["version"] == "4"
            for body, headers in zip(hook.bodies, hook.headers, strict=True):
                name, at_s = headers["webhook-id"], int(headers["webhook-timestamp"])
                assert signed("correct horse", name, at_s, body)["webhook-signature"] == headers["webhook-signature"]
            assert notify.stop() == 0
            assert "correct horse" not in notify.output()
            assert "/hook" not in notify.output()

    def test_one_that_hangs_holds_up_no_other(self, weir: Installation, hooks: Callable[..., Hook]) -> None:
        """The one hangs, fails, and then takes everything; the other never notices."""
        healed = False

        def answer(_: dict[str, Any]) -> int:
            if sick.tries == 1:
                time.sleep(3)
            return 200 if healed else 503

        sick, well = hooks(answer=answer), hooks()
        sections = [receiver("webhook", sick.start(), name="sick", timeout_s=1), receiver("webhook", well.start())]
        with notifying(weir, "\n".join(sections)) as notify:
            say(weir, *(alert(f"inc-{n}", at_us=now_us()) for n in range(3)))
            notify.wait(lambda: len(well.incidents()) == 3)
            assert sick.taken == []
            notify.wait(lambda: "sick: no answer within 1 s" in notify.output())
            notify.wait(lambda: "sick: status 503" in notify.output())
            say(weir, alert("inc-3", at_us=now_us()))
            notify.wait(lambda: len(well.incidents()) == 4)
            healed = True
            notify.wait(lambda: {name for name, _ in sick.incidents()} == {f"inc-{n}" for n in range(4)})

    def test_killed_while_one_is_down(self, weir: Installation, hooks: Callable[..., Hook]) -> None:
        """What nobody took is told after a restart, and what was taken before is not told again."""
        up = True
        hook = hooks(answer=lambda _: 200 if up else 500)
        with notifying(weir, receiver("webhook", hook.start())) as notify:
            say(weir, alert("inc-0", at_us=now_us()))
            notify.wait(lambda: hook.incidents() == [("inc-0", "firing")])
            notify.wait(lambda: sum(weir.broker.committed(f"{weir.name}.notify.ops", alerts(weir)).values()) == 1)
            up = False
            say(weir, alert("inc-1", at_us=now_us()))
            notify.wait(lambda: "ops: status 500" in notify.output())
            notify.kill()
            up = True
            notify.start()
            notify.wait(lambda: hook.incidents() == [("inc-0", "firing"), ("inc-1", "firing")])

    def test_a_message_that_is_refused(self, weir: Installation, hooks: Callable[..., Hook]) -> None:
        """Of several in one message only the one that is refused for good is passed over, and the log says so."""
        hook = hooks(answer=lambda document: 422 if "inc-1" in str(document) else 200)
        say(weir, *(alert(f"inc-{n}", at_us=now_us()) for n in range(3)))
        weir.broker.send(alerts(weir), [Sent(b"{", b"inc-9")])
        with notifying(weir, receiver("webhook", hook.start())) as notify:
            notify.wait(lambda: len(hook.taken) == 2)
            assert {name for name, _ in hook.incidents()} == {"inc-0", "inc-2"}
            notify.wait(lambda: "ops refused the message of record" in notify.output())
            assert "it cannot be read" in notify.output()
            say(weir, alert("inc-3", at_us=now_us()))
            notify.wait(lambda: ("inc-3", "firing") in hook.incidents())

    def test_metrics_and_health(self, weir: Installation, hooks: Callable[..., Hook]) -> None:
        """The page counts by receiver what became of messages; a receiver that is down leaves the process ready."""
        hook, (port,) = hooks(answer=lambda _: 500), free_ports(1)
        with notifying(
            weir, receiver("webhook", hook.start()) + f'\n[metrics]\nlisten = "127.0.0.1:{port}"\n'
        ) as notify:
            say(weir, alert("inc-1", at_us=now_us()))
            notify.wait(lambda: hook.tries > 0)
            notify.wait(lambda: 'weir_notify_lag_records{receiver="ops"} 1.0' in page(port, "/metrics"))
            assert 'weir_notify_messages_total{fate="failed",receiver="ops"}' in page(port, "/metrics")
            assert "ready" in page(port, "/readyz")


class TestBroker:
    """The broker itself."""

    def test_killed_and_back(self, kafka_broker: Broker, tmp_path: Path, hooks: Callable[..., Hook]) -> None:
        """While it is gone the process waits; afterwards everything is told, once."""
        hook = hooks()
        with Cluster(tmp_path / "kafka") as cluster, contextlib.closing(Broker("kafka", cluster.bootstrap, "")) as own:
            (tmp_path / "weir").mkdir()
            with (
                installed(own, tmp_path / "weir") as weir,
                notifying(weir, receiver("webhook", hook.start())) as notify,
            ):
                say(weir, alert("inc-0", at_us=now_us()))
                notify.wait(lambda: hook.incidents() == [("inc-0", "firing")])
                cluster.kill(cluster.nodes[0])
                notify.wait(lambda: "Unable connect" in notify.output())
                cluster.start()
                say(weir, alert("inc-1", at_us=now_us()))
                notify.wait(lambda: hook.incidents() == [("inc-0", "firing"), ("inc-1", "firing")], 90)
                assert notify.stop() == 0
                assert "Traceback" not in notify.output()


def page(port: int, path: str) -> str:
    """What is answered at a port of this machine."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as got:
        return str(got.read().decode())


def alerts(weir: Installation) -> str:
    """The topic's name."""
    return weir.own(topic.ALERTS)


def test_formats(weir: Installation) -> None:
    """Every alert comes once more in each format that is asked for, under the same key and id."""
    section = '[notify]\nformats = ["ecs", "ocsf"]\n'
    settings = parse(f"{weir.config.read_text()}\n{section}")
    made = create(settings.kafka, layouts(settings))
    assert set(made) == {weir.own(one) for one in topic.FORMATS.values()}
    first = alert("inc-1", at_us=now_us())
    say(weir, first)
    with notifying(weir, section) as notify:
        say(weir, alert("inc-1", AlertStatus.CLOSED, now_us()))
        for one in topic.FORMATS.values():
            notify.wait(partial(has_two, weir, weir.own(one)))
        assert notify.stop() == 0
    found, documents = (weir.read(weir.own(one)) for one in topic.FORMATS.values())
    assert [one.record["activity_name"] for one in found] == ["Create", "Close"]
    assert [one.record["event"]["action"] for one in documents] == ["incident-opened", "incident-closed"]
    for copy in (found[0], documents[0]):
        assert copy.key == b"inc-1"
        assert dict(copy.headers)["ce_id"] == first.id.encode()


def has_two(weir: Installation, name: str) -> bool:
    """Whether two records are there."""
    return len(weir.read(name)) == 2


def test_nobody_to_tell(weir: Installation) -> None:
    """Without receivers and formats it says so and ends with status 2."""
    notify = Notify(weir, "")
    with pytest.raises(AssertionError, match="nobody to tell"):
        notify.start()
    assert notify.process is not None
    assert notify.process.wait(timeout=20) == 2
