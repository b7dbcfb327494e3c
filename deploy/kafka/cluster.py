"""Real Apache Kafka on loopback: KRaft brokers as child processes, with the jars that Maven copied once.

For development and tests only: no password, no certificate, reachable from this machine alone. Needs `java` (17 or
newer) and `mvn`, and nothing beyond Python's standard library::

    with Cluster(directory, brokers=3) as cluster:
        use(cluster.bootstrap)

A directory holds one cluster: `cluster.json` (id, ports), and per node its properties, log, process id and data. It
survives `stop` and `start`. Every node is broker and controller.
"""

import base64
import contextlib
import json
import os
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from deploy.kafka.programs import HERE, ClusterError, last_line, libs, run, tool
from deploy.kafka.ready import HOST, answers

READY_S: Final = 120.0
"""Three nodes take half a minute to start on two busy cores."""
STOP_S: Final = 15.0
"""A node that has lost the quorum cannot leave in good order; after this it is killed."""
HEAP_ALONE: Final = "1g"
HEAP_SHARED: Final = "512m"


@dataclass(frozen=True, slots=True)
class Node:
    """One broker and controller: its place on the network and on disk."""

    number: int
    port: int
    controller_port: int
    directory: Path

    @property
    def properties(self) -> Path:
        """Kafka's `server.properties`; its path in a command line is how a process is known as ours."""
        return self.directory / "server.properties"

    @property
    def log(self) -> Path:
        """What the process printed, newest run last."""
        return self.directory / "kafka.log"

    @property
    def pid(self) -> int | None:
        """Process id if the node runs, whoever started it."""
        with contextlib.suppress(FileNotFoundError, ValueError):
            pid = int((self.directory / "pid").read_text())
            if str(self.properties) in command_line(pid):
                return pid
        return None


def command_line(pid: int) -> str:
    """Command line of a live process; empty when there is none, so that a reused process id is no mistake."""
    if Path("/proc/self").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            return ""
    command = [tool("ps"), "-ww", "-o", "command=", "-p", str(pid)]
    listed = subprocess.run(command, capture_output=True, text=True, check=False)
    return listed.stdout


class Cluster:
    """Brokers of one directory; `start` and `stop` may be called by different processes.

    Args:
        directory: where the cluster lives; made when missing.
        brokers: 1, or 3 for topics with replication factor 3 and `min.insync.replicas=2`.
        port: of the first broker, the others follow it, then the controllers; 0 takes free ones.
        settings: more lines for `server.properties`; they win over those given here.
        advertised: ports that clients and other nodes are told, by node; their own where there are none.
    """

    def __init__(
        self,
        directory: Path,
        brokers: int = 1,
        port: int = 0,
        settings: Mapping[str, str] | None = None,
        advertised: Sequence[int] = (),
    ) -> None:
        self.directory = directory.resolve()
        self.brokers = brokers
        self.port = port
        self.settings = dict(settings or {})
        self.advertised = tuple(advertised)
        self._children: dict[int, subprocess.Popen[bytes]] = {}

    @classmethod
    def at(cls, directory: Path) -> "Cluster | None":
        """The cluster that lives in a directory, if one does."""
        state = read_state(directory.resolve())
        return None if state is None else cls(directory, brokers=len(state.ports), port=state.ports[0])

    @property
    def bootstrap(self) -> str:
        """`host:port` of each broker, comma separated, once started."""
        return ",".join(f"{HOST}:{node.port}" for node in self.nodes)

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The nodes by number from 1, once started."""
        state = read_state(self.directory)
        if state is None:
            raise ClusterError(f"{self.directory} holds no cluster yet: start it first")
        return tuple(
            Node(number, port, controller, self.directory / f"node-{number}")
            for number, (port, controller) in enumerate(zip(state.ports, state.controllers, strict=True), 1)
        )

    @property
    def running(self) -> bool:
        """Whether every node's process is alive."""
        return read_state(self.directory) is not None and all(self._pid(node) for node in self.nodes)

    def start(self) -> None:
        """Start the nodes that do not run and wait until each sees all the others.

        Raises:
            ClusterError: a port is taken, a tool is missing, or a node ended or was not ready in time.
        """
        jars = libs()
        state = self._state()
        stopped = [node for node in self.nodes if self._pid(node) is None]
        require_free(port for node in stopped for port in (node.port, node.controller_port))
        try:
            for node in stopped:
                self._start(node, jars, state.id)
            self._await_ready(state.id)
        except BaseException:
            for node in stopped:
                self.kill(node)
            raise

    def stop(self) -> None:
        """Stop every node in good order, whoever started it; nothing happens to one that does not run."""
        running = [node for node in self.nodes if self._pid(node)]
        for node in running:
            self._signal(node, signal.SIGTERM)
        if not wait_until(lambda: not any(self._pid(node) for node in running), STOP_S):
            for node in running:
                self.kill(node)

    def kill(self, node: Node) -> None:
        """End a node as a power cut would (SIGKILL); `start` brings it back."""
        self._signal(node, signal.SIGKILL)
        wait_until(lambda: self._pid(node) is None, STOP_S)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _state(self) -> "State":
        known = read_state(self.directory)
        if known is not None and len(known.ports) != self.brokers:
            raise ClusterError(
                f"{self.directory} holds a cluster of {len(known.ports)}, not {self.brokers}: "
                "remove it or take another directory"
            )
        if known is not None and (self.port in (0, known.ports[0]) or self.running):
            return known
        state = State(known.id if known else new_id(), *choose_ports(self.port, self.brokers))
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / "cluster.json").write_text(json.dumps(vars(state)))
        return state

    def _start(self, node: Node, jars: Path, cluster_id: str) -> None:
        node.directory.mkdir(parents=True, exist_ok=True)
        node.properties.write_text(self._properties(node))
        java = [tool("java"), "-cp", f"{jars}/*", f"-Dlog4j2.configurationFile={HERE / 'log4j2.xml'}"]
        if not (node.directory / "data" / "meta.properties").exists():
            format_options = ["-t", cluster_id, "-c", str(node.properties), "--ignore-formatted"]
            run([*java, "kafka.tools.StorageTool", "format", *format_options])
        heap = f"-Xmx{HEAP_ALONE if self.brokers == 1 else HEAP_SHARED}"
        with node.log.open("ab") as log:
            child = subprocess.Popen(
                [*java, heap, "kafka.Kafka", str(node.properties)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        (node.directory / "pid").write_text(str(child.pid))
        self._children[node.number] = child

    def _properties(self, node: Node) -> str:
        several = min(self.brokers, 3)
        insync = 2 if several == 3 else 1
        told = self.advertised[node.number - 1] if self.advertised else node.port
        voters = ",".join(f"{each.number}@{HOST}:{each.controller_port}" for each in self.nodes)
        values = {
            "process.roles": "broker,controller",
            "node.id": node.number,
            "controller.quorum.voters": voters,
            "listeners": f"PLAINTEXT://{HOST}:{node.port},CONTROLLER://{HOST}:{node.controller_port}",
            "advertised.listeners": f"PLAINTEXT://{HOST}:{told}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": node.directory / "data",
            "auto.create.topics.enable": "false",
            "default.replication.factor": several,
            "min.insync.replicas": insync,
            "offsets.topic.replication.factor": several,
            "transaction.state.log.replication.factor": several,
            "transaction.state.log.min.isr": insync,
            "share.coordinator.state.topic.replication.factor": several,
            "share.coordinator.state.topic.min.isr": insync,
            # Fifty partitions each, the default, only cost time to start on one machine.
            "offsets.topic.num.partitions": 8,
            "transaction.state.log.num.partitions": 8,
            # A test's group should not wait three seconds for members that never come.
            "group.initial.rebalance.delay.ms": 0,
            # The default, 128 MB, is a quarter of the heap of one node in three.
            "log.cleaner.dedupe.buffer.size": 32 << 20,
            **self.settings,
        }
        return "".join(f"{key}={value}\n" for key, value in values.items())

    def _await_ready(self, cluster_id: str) -> None:
        nodes = self.nodes
        if not wait_until(lambda: self._ready(cluster_id, nodes), READY_S):
            raise ClusterError(f"no answer within {READY_S:g} s: see {nodes[0].log}")

    def _ready(self, cluster_id: str, nodes: tuple[Node, ...]) -> bool:
        for node in nodes:
            if self._pid(node) is None:
                raise ClusterError(f"node {node.number} ended: {last_line(node.log.read_text())} (see {node.log})")
        return all(answers(node.port, cluster_id, len(nodes)) for node in nodes)

    def _pid(self, node: Node) -> int | None:
        # Of a child of ours the command line need not be asked; for an instant after its start it is not there yet.
        child = self._children.get(node.number)
        if child is not None and child.poll() is None:
            return child.pid
        return node.pid

    def _signal(self, node: Node, number: signal.Signals) -> None:
        pid = self._pid(node)
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


@dataclass(frozen=True)
class State:
    """What `cluster.json` remembers: Kafka's cluster id, and the ports by node."""

    id: str
    ports: list[int]
    controllers: list[int]


def read_state(directory: Path) -> State | None:
    """The state of the cluster that lives in a directory, if one does."""
    try:
        return State(**json.loads((directory / "cluster.json").read_text()))
    except FileNotFoundError:
        return None


def new_id() -> str:
    """A random Kafka id: 22 characters of URL-safe base64."""
    made = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    # Kafka's tools take one that begins with a dash for an option.
    return new_id() if made.startswith("-") else made


def choose_ports(first: int, brokers: int) -> tuple[list[int], list[int]]:
    """Ports of the brokers and of their controllers: from `first` upwards, or free ones when it is 0."""
    ports = list(range(first, first + 2 * brokers)) if first else free_ports(2 * brokers)
    return ports[:brokers], ports[brokers:]


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now; held together, so that they differ."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server((HOST, 0))) for _ in range(count)]
        return [int(each.getsockname()[1]) for each in sockets]


def require_free(ports: Iterable[int]) -> None:
    """Refuse ports that somebody listens on.

    Raises:
        ClusterError: names the port.
    """
    for port in ports:
        try:
            socket.create_server((HOST, port)).close()
        except OSError as error:
            raise ClusterError(f"port {port} on {HOST} is taken: choose another, or stop what listens there") from error


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Ask again until it holds; false when it did not within `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True
