"""Every role with its own name and no more rights than it needs, on an Apache Kafka that refuses all else."""

import contextlib
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psutil
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from msgspec.structs import replace

from schemas import topic
from schemas.errors import TransportError
from streams.cli.main import run
from streams.live import access, topics
from streams.live.access import ROLES, Rule, name_of, rules
from streams.live.connection import for_kafka_python
from streams.settings import KafkaSettings, Settings
from tests.broker.alerting import Hook, Notify, now_us, receiver, say
from tests.broker.challenging import Challenge
from tests.broker.installation import PARTITIONS, Installation, partition_of
from tests.broker.secure import PASSWORD, Authority, SecureKafka, running_secure_kafka
from tests.broker.serving import Replica
from tests.broker.site import Site, environment, ship, start
from tests.brokers import Broker, kinds
from tests.requests import START_S, views
from tests.streams.notify.saying import alert

pytestmark = pytest.mark.timeout(300)

WRONG: Final = "something quite different"
"""Nobody's password."""
LOOPBACK: Final = ("127.0.0.1", "::1", "::ffff:127.0.0.1")


@pytest.fixture(scope="module")
def secure_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    """An Apache Kafka of our own, with certificates and an authorizer."""
    if kinds() != ["kafka"] or not all(map(shutil.which, ("java", "mvn", "openssl"))):
        pytest.skip("starts Apache Kafka: WEIR_TEST_KAFKA is off, or java, mvn or openssl are missing")
    with running_secure_kafka(tmp_path_factory.mktemp("secure")) as kafka:
        yield kafka


@pytest.fixture(scope="module")
def site(secure_kafka: SecureKafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Users with their rules; the topics are made by the administrator, as one would."""
    files = tmp_path_factory.mktemp("files")
    (files / "password").write_text(f"{PASSWORD}\n")
    broker = Broker("kafka", secure_kafka.addresses["PLAINTEXT"], "Apache Kafka (secured)")
    installation = Installation(broker, files, wait_s=150.0)
    installation.configure()
    made = Site(secure_kafka, installation, files, installation.settings)
    secure_kafka.authority.issue("assess")
    for role in ROLES:
        if role != "assess":
            secure_kafka.add_user(role)
        secure_kafka.allow(role, rules(role, made.settings))
    topics.create(made.as_role("administrator"), topics.layouts(made.settings))
    with contextlib.closing(broker):
        yield made
        installation.close()


class TestRoles:
    """Each role at its work."""

    def test_a_stream_from_shipper_to_enforcer(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        """Observe by password and assess by certificate block a scraper; neither listens nor tells a secret."""
        for stage in ("observe", "assess"):
            start(site, stage, monkeypatch)
        events = views(START_S, 400, ip="203.0.113.9")
        with contextlib.closing(KafkaProducer(**for_kafka_python(site.as_role("shipper")))) as shipper:
            for event in events:
                shipper.send(site.settings.input.topic, event, partition=partition_of(event, PARTITIONS))
            shipper.flush()
        site.installation.wait_judged()
        assert read(site.as_role("enforcer"), name_of(topic.BLOCKS, site.settings))
        assert read(site.as_role("responder"), name_of(topic.ALERTS, site.settings))
        for worker in site.installation.workers:
            assert listening(worker.process.pid) == []
            assert worker.stop() == 0
            assert PASSWORD not in worker.output()
            assert "Traceback" not in worker.output()

    def test_the_operator_looks(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        """`weir topics check`, `weir model show` and `weir deadletters list` need no more than the operator's rules."""
        for name, value in environment(site.as_role("operator")).items():
            monkeypatch.setenv(name, value)
        config = ["--config", str(site.installation.config)]
        assert run(["topics", "check", *config]) == 0
        assert run(["model", "show", *config]) == 0
        assert run(["deadletters", "list", *config]) == 0

    def test_the_operator_overrides(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        """Blocking, letting in again, and looking what is in force need no more than the operator's rules."""
        for name, value in environment(site.as_role("operator")).items():
            monkeypatch.setenv(name, value)
        config, word = ["--config", str(site.installation.config)], ["--for", "1h", "--reason", "a test"]
        assert run(["block", "account:nobody", *word, *config]) == 0
        assert run(["overrides", *config]) == 0
        assert run(["overrides", "end", "account:nobody", "--reason", "is over", *config]) == 0

    def test_the_operator_tells_what_was_taken(
        self, site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """`weir collectors` and `weir incidents` need no more than the operator's rules."""
        for name, value in environment(site.as_role("operator")).items():
            monkeypatch.setenv(name, value)
        entry = 'actor = "account:crm"\nprofiles_per_day = 9\nowner = "a"\nreason = "b"\nexpires = 2099-01-01\n'
        file = tmp_path / "weir.toml"
        file.write_text(f"{site.installation.config.read_text()}\n[[collectors]]\n{entry}")
        # What is known of yesterday depends on what has been judged; refused would be 2.
        assert run(["collectors", "count", "--config", str(file)]) in (0, 1)
        assert run(["collectors", "report", "--month", "2026-01", "--config", str(file)]) == 1
        assert run(["incidents", "--config", str(file)]) == 0

    def test_the_operator_publishes(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        """Publishing a configuration needs no more than the operator's rules, and so does asking again."""
        for name, value in environment(site.as_role("operator")).items():
            monkeypatch.setenv(name, value)
        for _ in range(2):
            assert run(["config", "push", "--config", str(site.installation.config), "--reason", "a test"]) == 0

    def test_serving(self, site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """`weir serve` needs no more than the enforcer's rules; it listens where it was told and tells no secret."""
        for name, value in environment(site.as_role("enforcer")).items():
            monkeypatch.setenv(name, value)
        serving = Replica(site.installation, tmp_path / "serve.log")
        serving.start()
        try:
            serving.wait_ready()
            assert serving.ask("/v1/decisions/stream?startup=true")[0] == 200
            assert listening(serving.process.pid) == ["127.0.0.1"]
            assert serving.stop() == 0
        finally:
            serving.process.kill()
            serving.process.wait()
        assert PASSWORD not in serving.output()
        assert "Traceback" not in serving.output()

    def test_notifying(self, site: Site) -> None:
        """`weir notify` needs no more than the notifier's rules; it listens nowhere and tells no secret."""
        hook = Hook()
        notify = Notify(site.installation, receiver("webhook", hook.start()))
        try:
            notify.start(**environment(site.as_role("notifier")))
            say(site.installation, alert("inc-1", at_us=now_us()))
            notify.wait(lambda: ("inc-1", "firing") in hook.incidents())
            group = access.receiver_group("ops", site.settings)
            alerts = name_of(topic.ALERTS, site.settings)
            notify.wait(lambda: sum(site.installation.broker.committed(group, alerts).values()) > 0)
            assert notify.process is not None
            assert listening(notify.process.pid) == []
            assert notify.stop() == 0
        finally:
            notify.kill()
            hook.stop()
        assert PASSWORD not in notify.output()
        assert "Traceback" not in notify.output()

    def test_challenging(self, site: Site, tmp_path: Path) -> None:
        """`weir challenge` needs no more than the challenger's rules; it listens nowhere and tells no secret."""
        config = str(site.installation.config)
        challenge = Challenge(site.installation, Path(config), tmp_path / "challenged")
        process = challenge.start(**environment(site.as_role("challenger")))
        assert listening(process.process.pid) == []
        assert process.stop() == 0
        assert challenge.summary()["unreadable"] == 0
        assert PASSWORD not in process.output()
        assert "Traceback" not in process.output()

    @pytest.mark.parametrize(
        ("role", "read_topic"), [("enforcer", topic.ALERTS), ("responder", topic.REQUESTS), ("shipper", topic.BLOCKS)]
    )
    def test_nobody_reads_what_is_not_theirs(self, site: Site, role: str, read_topic: topic.Topic) -> None:
        """What a role does not need is refused."""
        name = name_of(read_topic, site.settings)
        with pytest.raises(TransportError, match=f"not allowed to DESCRIBE topic {name}; deploy/README"):
            topics.partitions(site.as_role(role), [name])

    @pytest.mark.parametrize("role", ROLES)
    def test_what_is_granted_is_found_granted(self, site: Site, role: str) -> None:
        """With all its rules a role may begin."""
        access.require(site.settings_of(role), [role])

    @pytest.mark.parametrize(
        ("role", "place", "operation"),
        [
            (role, place, operation)
            for role in ("observe", "assess")
            for place, operations in enumerate(ROLES[role].values())
            for operation in operations
        ],
    )
    def test_each_missing_rule_is_named(self, site: Site, role: str, place: int, operation: access.Operation) -> None:
        """A worker that lacks one operation does not begin, and one line says who lacks what, and no password."""
        whole = rules(role, site.settings)[place]
        rule = Rule(whole.kind, whole.name, (operation,))
        site.kafka.forbid(role, rule)
        try:
            text = until_refused(site.settings_of(role), role)
        finally:
            site.kafka.allow(role, [rule])
        who = "the owner of the certificate" if role == "assess" else f"user {role}"
        assert f"{who} may not {operation} {rule.kind} {rule.name}; deploy/README.md" in text
        assert text.count("may not") == 1
        assert "\n" not in text
        assert PASSWORD not in text


class TestWithdrawn:
    """A right that is taken away under a running worker."""

    @pytest.mark.parametrize(
        ("role", "on", "operation"),
        [
            ("observe", topic.REQUESTS, "READ"),
            ("observe", topic.ACTIVITY, "WRITE"),
            ("observe", None, "READ"),
            ("assess", topic.ACTIVITY, "READ"),
            ("assess", topic.STATE, "WRITE"),
        ],
    )
    def test_the_worker_ends_and_its_successor_goes_on(
        self,
        site: Site,
        monkeypatch: pytest.MonkeyPatch,
        role: str,
        on: topic.Topic | None,
        operation: access.Operation,
    ) -> None:
        """It ends with 2 and a line that says who may not do what; given back, nothing of the stream is missing."""
        running = {stage: start(site, stage, monkeypatch) for stage in ("observe", "assess")}
        ship(site, "before")
        site.installation.wait_judged()
        whole = next(rule for rule, each in zip(rules(role, site.settings), ROLES[role], strict=True) if each == on)
        rule = Rule(whole.kind, whole.name, (operation,))
        site.kafka.forbid(role, rule)
        try:
            ship(site, "after")
            assert running[role].process.wait(timeout=60) == 2, running[role].output()
        finally:
            site.kafka.allow(role, [rule])
        (line,) = [line for line in running[role].output().splitlines() if "CRITICAL" in line]
        who = "the owner of the certificate" if role == "assess" else f"user {role}"
        assert f"{who} may not {operation} {rule.kind} {rule.name}; deploy/README.md" in line
        assert "Traceback" not in running[role].output()
        running[role] = start(site, role, monkeypatch)
        site.installation.wait_judged()
        assert sum(site.installation.ends(name_of(topic.DEAD_LETTERS, site.settings)).values()) == 0
        assert [worker.stop() for worker in running.values()] == [0, 0]


def until_refused(settings: Settings, role: str) -> str:
    """What a role is told that lacks something; the authorizer learns of a change a moment later."""
    for _ in range(50):
        try:
            access.require(settings, [role])
        except TransportError as error:
            return str(error)
        time.sleep(0.05)
    raise AssertionError("nothing is refused")


def read(kafka: KafkaSettings, name: str) -> list[bytes | None]:
    """Values of a topic, read without a group."""
    found: list[bytes | None] = []
    reader = KafkaConsumer(**for_kafka_python(kafka), enable_auto_commit=False, auto_offset_reset="earliest")
    with contextlib.closing(reader):
        numbers = [TopicPartition(name, number) for number in reader.partitions_for_topic(name)]
        reader.assign(numbers)
        ends = reader.end_offsets(numbers)
        while any(reader.position(number) < ends[number] for number in numbers):
            for records in reader.poll(timeout_ms=500).values():
                found += [record.value for record in records]
    return found


def listening(pid: int) -> list[str]:
    """Addresses at which a process takes connections."""
    connections = psutil.Process(pid).net_connections("inet")
    return [connection.laddr.ip for connection in connections if connection.status == psutil.CONN_LISTEN]


class TestRefusals:
    """Whoever is not let in reads why, in one line, at once."""

    @pytest.mark.parametrize(
        ("protocol", "security", "told"),
        [
            ("sasl_ssl", {"username": "observe", "password_file": "wrong"}, "user observe was not let in: .*invalid"),
            ("sasl_plaintext", {"username": "nobody", "password_file": "password"}, "user nobody was not let in: "),
            (
                "sasl_plaintext",
                {"username": "plain", "password_file": "wrong", "mechanism": "PLAIN"},
                "user plain was not let in: .*Invalid username or password",
            ),
            (
                "sasl_ssl",
                {"username": "observe", "password_file": "password", "ca_file": "other/ca.pem"},
                r"the broker's certificate does not hold before kafka\.security\.ca_file .*other/ca\.pem: ",
            ),
            ("ssl", {"ca_file": ""}, "the broker's certificate does not hold before what the system trusts: "),
            ("ssl", {}, "the broker refuses a connection without certificate: "),
            (
                "ssl",
                {"certificate_file": "expired.pem", "key_file": "expired.key"},
                "expired.pem .* it has expired, or",
            ),
            (
                "ssl",
                {"certificate_file": "other/stranger.pem", "key_file": "other/stranger.key"},
                "stranger.pem .* of an",
            ),
        ],
    )
    def test_the_reason(self, site: Site, own: Path, protocol: str, security: dict[str, str], told: str) -> None:
        """Wrong passwords, unknown users, authorities and certificates are told apart, and no secret is told."""
        placed = {
            key: str(own / value) if key.endswith("_file") and value else value for key, value in security.items()
        }
        with pytest.raises(TransportError, match=told) as caught:
            topics.partitions(site.kafka.reached(protocol, **placed), [])
        assert "\n" not in str(caught.value)
        assert PASSWORD not in str(caught.value)
        assert WRONG not in str(caught.value)

    @pytest.mark.parametrize(
        ("protocol", "security", "listener", "told"),
        [
            ("sasl_plaintext", {"username": "observe", "password_file": "password"}, "PLAINTEXT", "asks for no name"),
            ("ssl", {}, "PLAINTEXT", "speaks no TLS"),
        ],
    )
    def test_another_listener(
        self, site: Site, own: Path, protocol: str, security: dict[str, str], listener: str, told: str
    ) -> None:
        """A protocol that is not the listener's is said to be wrong."""
        placed = {key: str(own / value) if key.endswith("_file") else value for key, value in security.items()}
        kafka = replace(site.kafka.reached(protocol, **placed), bootstrap=site.kafka.addresses[listener])
        with pytest.raises(TransportError, match=told):
            topics.partitions(kafka, [])

    @pytest.mark.parametrize("listener", ["SASL_PLAINTEXT", "SSL"])
    def test_a_listener_that_wants_more(self, site: Site, monkeypatch: pytest.MonkeyPatch, listener: str) -> None:
        """Who offers neither name nor TLS gets silence, and a question to think about."""
        monkeypatch.setattr(topics, "ANSWER_MS", 500)
        with pytest.raises(TransportError, match=r"no answer within 0\.5 s; does it want another kafka\.security"):
            topics.partitions(KafkaSettings(bootstrap=site.kafka.addresses[listener]), [])

    def test_a_worker_ends_with_2(
        self, site: Site, own: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """`weir worker` with a wrong password says one line and nothing else."""
        wrong = site.kafka.reached("sasl_ssl", username="observe", password_file=str(own / "wrong"))
        for name, value in environment(wrong).items():
            monkeypatch.setenv(name, value)
        assert run(["worker", "--config", str(site.installation.config)]) == 2
        said = capsys.readouterr().err
        assert said.startswith(f"weir: kafka {wrong.bootstrap}: user observe was not let in: ")
        assert said.count("\n") == 1
        assert WRONG not in said


@pytest.fixture(scope="module")
def own(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Credentials that do not serve."""
    directory = tmp_path_factory.mktemp("own")
    (directory / "password").write_text(PASSWORD)
    (directory / "wrong").write_text(WRONG)
    for file in site.kafka.authority.issue("expired", days=-1):
        shutil.copy(file, directory)
    Authority(directory / "other", "another authority").issue("stranger")
    return directory


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-512"])
@pytest.mark.parametrize("protocol", ["sasl_plaintext", "sasl_ssl"])
def test_every_way_in(site: Site, protocol: str, mechanism: str) -> None:
    """Both mechanisms over both protocols, and the password from the file's first line."""
    file = str(site.files / "password")
    kafka = site.kafka.reached(protocol, username="operator", password_file=file, mechanism=mechanism)
    assert topics.partitions(kafka, [site.settings.input.topic]) == {site.settings.input.topic: PARTITIONS}


def test_the_broker_listens_on_loopback_only(site: Site) -> None:
    """Not even for other machines of the same network."""
    addresses = {address for node in site.kafka.cluster.nodes if node.pid for address in listening(node.pid)}
    assert addresses
    assert addresses <= set(LOOPBACK)
