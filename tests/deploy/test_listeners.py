"""Nothing that is started here can be reached from another machine."""

import os

import psutil
import pytest

from streams.live.connection import local
from tests.brokers import Broker

LOOPBACK = ("127.0.0.1", "::1", "::ffff:127.0.0.1")


def listening(process: psutil.Process) -> set[str]:
    """Addresses at which a process takes connections."""
    connections = process.net_connections("inet")
    return {connection.laddr.ip for connection in connections if connection.status == psutil.CONN_LISTEN}


def owner(port: int) -> psutil.Process:
    """The process below this one that listens on a port.

    Raises:
        AssertionError: there is none.
    """
    for process in psutil.Process().children(recursive=True):
        ports = {connection.laddr.port for connection in process.net_connections("inet")}
        if port in ports and listening(process):
            return process
    raise AssertionError(f"nobody listens on {port}")


def test_brokers_listen_on_loopback_only(broker: Broker) -> None:
    """The embedded one of the demo, and Apache Kafka with its controller."""
    if "BOOTSTRAP" in os.environ:
        pytest.skip("BOOTSTRAP names a broker of somebody else's")
    assert local(broker.bootstrap)
    found = listening(owner(int(broker.bootstrap.rpartition(":")[2])))
    assert found
    assert found <= set(LOOPBACK)


def test_the_embedded_broker_listens_on_loopback_only(embedded_broker: Broker) -> None:
    """It has no password at all, so nobody else may reach it."""
    assert listening(owner(int(embedded_broker.bootstrap.rpartition(":")[2]))) <= set(LOOPBACK)
