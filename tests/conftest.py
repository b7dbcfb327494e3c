"""Fixtures that any test may ask for."""

import os
from collections.abc import Iterator
from typing import Protocol

import hypothesis
import pytest

from tests.brokers import Broker, has_kafka, kinds, running_embedded, running_kafka

# Speed is never a test: a busy machine makes nothing wrong.
hypothesis.settings.register_profile("weir", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("weir")

# A Kafka of tests lives for seconds: what its virtual machine would optimise for later costs a third of its time.
os.environ.setdefault("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")

USED = pytest.StashKey[list[str]]()
TOLD = "brokers"
"""What a process that runs a part of the tests tells the one that shares them out."""


class Node(Protocol):
    """A process that runs a part of the tests, as pytest-xdist shows it."""

    config: pytest.Config


def used(config: pytest.Config) -> list[str]:
    """Labels of the brokers that tests ran on."""
    return config.stash.setdefault(USED, [])


@pytest.fixture(scope="session")
def embedded_broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """The embedded broker: quick, memory only, no transactions, no compaction."""
    with running_embedded() as broker:
        used(request.config).append(broker.label)
        yield broker


@pytest.fixture(scope="session")
def kafka_broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """Real Apache Kafka, for what only it can show; tests that ask for it are skipped where it is off or absent."""
    if kinds() != ["kafka"]:
        pytest.skip("needs Apache Kafka: WEIR_TEST_KAFKA is off, or neither BOOTSTRAP nor java and mvn are there")
    with running_kafka() as broker:
        used(request.config).append(broker.label)
        yield broker


@pytest.fixture(scope="session", params=kinds())
def broker(request: pytest.FixtureRequest) -> Broker:
    """A broker of the kind that WEIR_TEST_KAFKA chooses."""
    found: Broker = request.getfixturevalue(f"{request.param}_broker")
    return found


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where tests are shared out among processes, tell which brokers this one has used."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput[TOLD] = used(session.config)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Node) -> None:
    """A process has run its part of the tests; one that crashed tells nothing."""
    used(node.config).extend(getattr(node, "workeroutput", {}).get(TOLD, []))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say which brokers the tests ran on, and which kind they could have."""
    if brokers := used(config):
        missed = "" if has_kafka() else "; Apache Kafka needs java and mvn, or BOOTSTRAP"
        terminalreporter.write_line(f"brokers: {', '.join(sorted(brokers))}{missed}")
