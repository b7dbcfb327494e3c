"""Apache Kafka as `deploy/kafka` starts it."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.kafka import cluster as module
from deploy.kafka.cluster import Cluster
from deploy.kafka.programs import ClusterError, last_line, tool
from deploy.kafka.ready import HOST, answers, compact_string, uvarint
from tests.brokers import kinds

ROOT = Path(__file__).resolve().parents[2]
QUICK = {"broker.session.timeout.ms": "2000", "broker.heartbeat.interval.ms": "200"}
"""The quorum takes a node that comes back for a double until this has passed."""


@pytest.fixture
def java() -> None:
    """Whatever Apache Kafka needs is installed, and wanted."""
    if kinds() != ["kafka"] or not all(map(shutil.which, ("java", "mvn"))):
        pytest.skip("starts Apache Kafka: WEIR_TEST_KAFKA is off, or java or mvn are missing")


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port that somebody listens on, and says nothing."""
    with socket.create_server((HOST, 0)) as server:
        yield int(server.getsockname()[1])


@pytest.fixture
def short_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has patience."""
    monkeypatch.setattr(module, "READY_S", 0.2)


class TestCluster:
    """A cluster through its life."""

    def test_data_and_ports_survive_a_power_cut(self, java: None, tmp_path: Path) -> None:
        """After SIGKILL and another start, by another object, it is the same cluster at the same address."""
        with Cluster(tmp_path / "one", settings=QUICK) as first:
            address, topic = first.bootstrap, first.directory / "node-1" / "data" / "meta.properties"
            identity = topic.read_bytes()
            first.kill(first.nodes[0])
            assert not first.running
            with Cluster(tmp_path / "one", settings=QUICK) as second:
                assert (second.bootstrap, topic.read_bytes()) == (address, identity)
                assert second.running
        assert not first.running

    def test_a_node_that_ends_is_said_with_its_reason(self, java: None, tmp_path: Path) -> None:
        """A setting that the broker refuses is the error's text, and no process is left."""
        cluster = Cluster(tmp_path / "bad", settings={"log.cleaner.threads": "-1"})
        with pytest.raises(ClusterError, match=r"log\.cleaner\.threads"):
            cluster.start()
        assert not cluster.running

    def test_too_slow_a_start_leaves_nothing_behind(self, java: None, tmp_path: Path, short_of_time: None) -> None:
        """A start that gives up names the log and ends what it started."""
        cluster = Cluster(tmp_path / "slow")
        with pytest.raises(ClusterError, match=r"no answer within 0\.2 s: see .*kafka\.log"):
            cluster.start()
        assert not cluster.running

    def test_a_taken_port_is_said_before_anything_starts(self, java: None, tmp_path: Path, taken_port: int) -> None:
        """The port is named, and no node was begun."""
        with pytest.raises(ClusterError, match=f"port {taken_port} on 127.0.0.1 is taken"):
            Cluster(tmp_path / "taken", port=taken_port).start()
        assert not (tmp_path / "taken" / "node-1").exists()

    def test_another_size_is_refused(self, java: None, tmp_path: Path) -> None:
        """A directory of one broker is not started as one of three."""
        (tmp_path / "cluster.json").write_text('{"id": "x", "ports": [1], "controllers": [2]}')
        with pytest.raises(ClusterError, match="holds a cluster of 1, not 3"):
            Cluster(tmp_path, brokers=3).start()

    def test_before_its_start_it_has_no_address(self, tmp_path: Path) -> None:
        """Asking for one is an error that says what to do."""
        with pytest.raises(ClusterError, match="start it first"):
            _ = Cluster(tmp_path).bootstrap


class TestProcess:
    """A process id is only believed when the process is ours."""

    def test_a_reused_process_id_is_not_ours(self, tmp_path: Path) -> None:
        """The id of a living process that runs something else counts as stopped, so that nobody else is ever ended."""
        (tmp_path / "cluster.json").write_text('{"id": "x", "ports": [1], "controllers": [2]}')
        (tmp_path / "node-1").mkdir()
        (tmp_path / "node-1" / "pid").write_text(str(os.getpid()))
        cluster = Cluster(tmp_path)
        assert cluster.nodes[0].pid is None
        cluster.stop()

    def test_a_process_with_the_nodes_file_is_ours(self, tmp_path: Path) -> None:
        """What runs with the node's properties in its command line is found, and stopped, from another object."""
        (tmp_path / "cluster.json").write_text('{"id": "x", "ports": [1], "controllers": [2]}')
        (tmp_path / "node-1").mkdir()
        cluster = Cluster(tmp_path)
        code = "import time; print(flush=True); time.sleep(60)"
        command_line = [sys.executable, "-c", code, str(cluster.nodes[0].properties)]
        with subprocess.Popen(command_line, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            child.stdout.readline()
            (tmp_path / "node-1" / "pid").write_text(str(child.pid))
            assert cluster.running
            child.terminate()
        assert not cluster.running


class TestReady:
    """Whether a broker is there."""

    def test_a_broker_of_this_cluster_answers(self, java: None, tmp_path: Path) -> None:
        """The right cluster id and number of brokers are ready; another id or number is not."""
        with Cluster(tmp_path / "one") as cluster:
            port = cluster.nodes[0].port
            state = module.read_state(cluster.directory)
            assert state is not None
            assert answers(port, state.id, 1)
            assert not answers(port, state.id, 2)
            assert not answers(port, "somebody-elses-cluster", 1)

    def test_nobody_listening_is_not_ready(self) -> None:
        """A refused connection is false, not an error."""
        assert not answers(module.free_ports(1)[0], "x", 1)

    @pytest.mark.parametrize(("data", "value"), [(b"\x00", 0), (b"\x7f", 127), (b"\x80\x01", 128), (b"\xac\x02", 300)])
    def test_varints(self, data: bytes, value: int) -> None:
        """Seven bits a byte, lowest first."""
        assert uvarint(iter(data)) == value

    @pytest.mark.parametrize(("data", "text"), [(b"\x00", ""), (b"\x01", ""), (b"\x04abc", "abc")])
    def test_compact_strings(self, data: bytes, text: str) -> None:
        """Length plus one; null and empty are both empty."""
        assert compact_string(iter(data)) == text


class TestIds:
    """Cluster ids."""

    def test_none_looks_like_an_option(self) -> None:
        """Not one of a thousand begins with a dash, as one in 64 of random ones would."""
        assert not any(module.new_id().startswith("-") for _ in range(1000))


class TestPrograms:
    """What goes wrong with other programs is one line."""

    def test_a_missing_program_is_named(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """The line says which one is not installed."""
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(ClusterError, match="needs mvn"):
            tool("mvn")

    @pytest.mark.parametrize(
        ("output", "line"),
        [
            ("", "it said nothing"),
            ("starting\n\nended\n", "ended"),
            ("WARN slow\nERROR no such disk\n\tat a.B.c(B.java:1)\n", "ERROR no such disk"),
        ],
    )
    def test_the_reason_is_picked_out(self, output: str, line: str) -> None:
        """A line that names an error is preferred to a stack frame below it."""
        assert last_line(output) == line


class TestCommand:
    """`python -m deploy.kafka`."""

    def test_up_status_down(self, java: None, tmp_path: Path) -> None:
        """`up` prints the address, `status` follows the life of the cluster, `down` is done twice without harm."""
        data = ["--data", str(tmp_path / "one")]
        up = self.run("up", "--port", "0", *data)
        try:
            assert up.returncode == 0, up.stderr
            running = self.run("status", *data)
        finally:
            downs = [self.run("down", *data).returncode for _ in range(2)]
        assert (running.returncode, running.stdout.split()[:2]) == (0, [up.stdout.strip(), "running"])
        assert downs == [0, 0]
        assert self.run("status", *data).returncode == 1

    def test_no_cluster_is_one_line_and_status_2(self, tmp_path: Path) -> None:
        """Stopping what is not there says so."""
        down = self.run("down", "--data", str(tmp_path))
        assert (down.returncode, down.stderr) == (2, f"kafka: {tmp_path} holds no cluster\n")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """One call of the command, as a person makes it."""
        command = [sys.executable, "-m", "deploy.kafka", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
