"""A user who is removed, or given another password, under a running worker, on a Kafka that asks for one.

Kafka lets connections stand that it has let in; who was removed is refused at the next one, so brokers are restarted.
A worker that is refused ends; one that meets nobody waits.
"""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from zlib import crc32

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ScramMechanism, UserScramCredentialDeletion, UserScramCredentialUpsertion

from schemas import topic
from streams.live import topics
from streams.live.access import ROLES, rules
from streams.live.lockout import PAUSE_S, TRIES
from tests.broker.installation import Installation, Worker
from tests.broker.secure import MECHANISMS, PASSWORD, SecureKafka, running_secure_kafka
from tests.broker.site import Site, start
from tests.brokers import Broker, Sent, kinds
from tests.requests import START_S, request_of

pytestmark = pytest.mark.timeout(400)

ROLE: Final = "observe"
HALF: Final = 15
"""Profiles that one account looks at; two such halves are just what it may not see in a minute."""
OTHER: Final = "another password"


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    """An Apache Kafka of our own that asks for passwords."""
    if kinds() != ["kafka"] or not all(map(shutil.which, ("java", "mvn", "openssl"))):
        pytest.skip("starts Apache Kafka: WEIR_TEST_KAFKA is off, or java, mvn or openssl are missing")
    with running_secure_kafka(tmp_path_factory.mktemp("secure")) as started:
        yield started
        started.admin.close()


@pytest.fixture
def site(kafka: SecureKafka, tmp_path: Path) -> Iterator[Site]:
    """Users with their rules, and topics."""
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    broker = Broker("kafka", kafka.addresses["PLAINTEXT"], "Apache Kafka (secured)")
    installation = Installation(broker, tmp_path, requests=f"requests-{tmp_path.name}", wait_s=150.0)
    installation.configure()
    made = Site(kafka, installation, tmp_path, installation.settings)
    kafka.authority.issue("assess")
    kafka.add_user(ROLE)
    for role in ROLES:
        kafka.allow(role, rules(role, made.settings))
    topics.create(made.settings.kafka, topics.layouts(made.settings))
    yield made
    installation.close()
    installation.broker.close()


def mechanism(name: str) -> ScramMechanism:
    """As the client spells it."""
    return ScramMechanism[name.replace("-", "_")]


def restart(site: Site) -> None:
    """Have the broker forget whom it has let in; clients of the test would be left in the middle of connecting."""
    site.kafka.admin.close()
    site.installation.broker.close()
    site.kafka.cluster.stop()
    site.kafka.cluster.start()
    site.kafka.admin = KafkaAdminClient(bootstrap_servers=site.kafka.addresses["PLAINTEXT"])


@pytest.fixture
def running(site: Site, monkeypatch: pytest.MonkeyPatch) -> dict[str, Worker]:
    """Workers by stage, which have judged the first half."""
    workers = {stage: start(site, stage, monkeypatch) for stage in ("observe", "assess")}
    see(site.installation, 0)
    site.installation.wait_judged()
    assert site.installation.read(site.installation.own(topic.ALERTS)) == []
    return workers


def see(weir: Installation, first: int) -> None:
    """The account looks at half of the profiles."""
    numbers = range(first, first + HALF)
    seen = [request_of(START_S + n, f"{crc32(b'%d' % n):08x}", account="u1", ip=None) for n in numbers]
    weir.broker.send(weir.requests, [Sent(each) for each in seen])


def assert_locked_out(weir: Installation, worker: Worker) -> None:
    """The worker ends with what a start would say, in one line, and with the status of that."""
    weir.wait(lambda: worker.process.poll() is not None, "the end of a worker that is locked out")
    critical = [line for line in worker.output().splitlines() if "CRITICAL" in line]
    assert len(critical) == 1
    assert f"user {ROLE} was not let in: " in critical[0]
    assert worker.process.returncode == 2
    assert "Traceback" not in worker.output()
    assert PASSWORD not in worker.output()


def assert_whole(weir: Installation) -> None:
    """Both halves count, and nothing else came of them."""
    weir.wait_judged()
    weir.wait(lambda: bool(weir.read(weir.own(topic.ALERTS))), "an alert of both halves")
    assert {one.record["actor"]["value"] for one in weir.read(weir.own(topic.ALERTS))} == {"u1"}
    assert weir.read(weir.own(topic.DEAD_LETTERS)) == []


def test_a_user_removed(site: Site, running: dict[str, Worker], monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker ends and says why; the next one goes on once the user is there again."""
    for name in MECHANISMS[:2]:
        site.kafka.admin.alter_user_scram_credentials([UserScramCredentialDeletion(ROLE, mechanism(name))])
    restart(site)
    see(site.installation, HALF)
    assert_locked_out(site.installation, running[ROLE])
    site.kafka.add_user(ROLE)
    running[ROLE] = start(site, ROLE, monkeypatch)
    assert_whole(site.installation)
    assert [worker.stop() for worker in running.values()] == [0, 0]


def test_another_password(site: Site, running: dict[str, Worker], monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker, which has the old one, ends though its file has the new one; with that the next one goes on."""
    for name in MECHANISMS[:2]:
        site.kafka.admin.alter_user_scram_credentials([UserScramCredentialUpsertion(ROLE, mechanism(name), OTHER)])
    (site.files / "password").write_text(f"{OTHER}\n")
    restart(site)
    see(site.installation, HALF)
    assert_locked_out(site.installation, running[ROLE])
    running[ROLE] = start(site, ROLE, monkeypatch)
    assert_whole(site.installation)
    assert [worker.stop() for worker in running.values()] == [0, 0]


def test_a_broker_that_is_away_locks_nobody_out(site: Site, running: dict[str, Worker]) -> None:
    """For much longer than it takes to find out: workers wait, and go on."""
    site.kafka.admin.close()
    site.installation.broker.close()
    site.kafka.cluster.stop()
    time.sleep(2 * TRIES * PAUSE_S)
    site.kafka.cluster.start()
    site.kafka.admin = KafkaAdminClient(bootstrap_servers=site.kafka.addresses["PLAINTEXT"])
    see(site.installation, HALF)
    assert_whole(site.installation)
    assert [worker.stop() for worker in running.values()] == [0, 0]
