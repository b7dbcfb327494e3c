"""`weir notify` as a process, a real Alertmanager as another, and a webhook that does what a test wants."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import msgspec

from deploy.kafka.cluster import free_ports
from schemas import topic
from schemas.alert import Alert
from schemas.audit import Audit
from streams.outputs.cloudevents import audit_record, record_of
from tests.broker.installation import ROOT, Installation
from tests.broker.serving import wait
from tests.brokers import Sent

ALERTMANAGER: Final = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
AMTOOL: Final = shutil.which("amtool")

ROUTES: Final = """
route:
  receiver: people
  group_by: [alertname, detector, mode]
  group_wait: 0s
  group_interval: 1s
receivers:
- name: people
  webhook_configs:
  - url: {url}
    send_resolved: true
"""


@dataclass(slots=True)
class Alertmanager:
    """One replica, which forgets everything when it ends."""

    directory: Path
    people: str = "http://127.0.0.1:9/"
    """Where it sends its notifications."""
    port: int = field(default_factory=lambda: free_ports(1)[0])
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0

    @property
    def url(self) -> str:
        """Its base."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Begin, and wait until it answers."""
        assert ALERTMANAGER is not None
        self.starts += 1
        home = self.directory / f"alertmanager-{self.port}-{self.starts}"
        home.mkdir()
        (home / "config.yml").write_text(ROUTES.format(url=self.people))
        command = [
            ALERTMANAGER,
            f"--config.file={home / 'config.yml'}",
            f"--storage.path={home}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--cluster.listen-address=",
        ]
        with (home / "log").open("wb") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=output)
        wait(self.ready, (home / "log").read_text)

    def ready(self) -> bool:
        """Whether it answers."""
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=5) as got:
                return bool(got.status == 200)
        except OSError:
            return False

    def stop(self) -> None:
        """End it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def alerts(self) -> list[dict[str, Any]]:
        """What is firing, as `amtool alert query` says."""
        assert AMTOOL is not None
        command = [AMTOOL, f"--alertmanager.url={self.url}", "alert", "query", "-o", "json"]
        done = subprocess.run(command, capture_output=True, check=False, timeout=20)
        assert done.returncode == 0, done.stderr
        return list(json.loads(done.stdout))

    def labels(self) -> list[dict[str, str]]:
        """Labels of what is firing."""
        return [one["labels"] for one in self.alerts()]

    def incidents(self) -> list[str]:
        """Incidents with an alert of their own."""
        return sorted(one["incident"] for one in self.labels() if "incident" in one)


@dataclass(slots=True)
class Hook:
    """A webhook on loopback: takes everything, unless `answer` says otherwise."""

    answer: Callable[[dict[str, Any]], int] = lambda _: 200
    """Status for a document; may take its time."""
    taken: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    tries: int = 0
    server: ThreadingHTTPServer | None = None

    def start(self) -> str:
        """Listen; its URL."""
        hook = self

        class Handler(BaseHTTPRequestHandler):
            """Notes what comes."""

            def do_POST(self) -> None:
                """One message."""
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.tries += 1
                document = json.loads(body)
                status = hook.answer(document)
                if status == 200:
                    hook.taken.append(document)
                    hook.bodies.append(body)
                    hook.headers.append({name.lower(): value for name, value in self.headers.items()})
                try:
                    self.send_response(status)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                except OSError:  # who asked has gone
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self.server.server_port}/hook"

    def stop(self) -> None:
        """Listen no more."""
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()

    def incidents(self) -> list[tuple[str, str]]:
        """Incident and status of every alert that was taken, in order."""
        return [(one["labels"]["incident"], one["status"]) for document in self.taken for one in document["alerts"]]


@dataclass(slots=True)
class Notify:
    """One process of `weir notify`."""

    weir: Installation
    section: str
    """TOML of ``[notify]`` and its receivers."""
    log: Path = field(init=False)
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0

    def start(self, module: Sequence[str] = ("streams.cli", "notify"), **environment: str) -> None:
        """Begin."""
        self.starts += 1
        config = self.weir.directory / "notify.toml"
        config.write_text(f"{self.weir.config.read_text()}\n{self.section}\n")
        self.log = self.weir.directory / f"notify-{self.starts}.log"
        command = [sys.executable, "-m", *module, "--config", str(config)]
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env={**os.environ, **environment}, stdout=output, stderr=output
            )
        wait(lambda: "telling " in self.output() or self.ended(), self.output)
        assert not self.ended(), self.output()

    def ended(self) -> bool:
        """Whether it runs no more."""
        return self.process is not None and self.process.poll() is not None

    def output(self) -> str:
        """What it printed."""
        return self.log.read_text(errors="replace")

    def stop(self) -> int:
        """Ask it to end; its status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)

    def kill(self) -> None:
        """End it as the kernel would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def wait(self, reached: Callable[[], bool], longest_s: float = 40.0) -> None:
        """Wait until ``reached``; fails with what was printed."""
        wait(reached, self.output, longest_s)


def say(weir: Installation, *records: Alert | Audit, at_ms: int | None = None) -> None:
    """Write records to their topics."""
    for record in records:
        made = record_of(record, 0) if isinstance(record, Alert) else audit_record(record)
        where = weir.own(topic.ALERTS if isinstance(record, Alert) else topic.AUDIT)
        number = sum(made.key) % 6 if isinstance(record, Alert) else 0
        weir.broker.send(where, [Sent(made.value, made.key, made.headers, at_ms, number)])


def say_many(weir: Installation, records: Sequence[Alert]) -> None:
    """Write many alerts at once, to one partition after the other."""
    sent = []
    for record in records:
        made = record_of(record, 0)
        sent.append(Sent(made.value, made.key, made.headers, None, sum(made.key) % 6))
    weir.broker.send(weir.own(topic.ALERTS), sent)


def receiver(kind: str, *urls: str, name: str = "ops", **options: object) -> str:
    """TOML of one receiver."""
    lines = ["[[notify.receivers]]", f'name = "{name}"', f'kind = "{kind}"', f"urls = {json.dumps(urls)}"]
    return "\n".join([*lines, *(f"{key} = {json.dumps(value)}" for key, value in options.items())])


def now_us() -> int:
    """Now."""
    return time.time_ns() // 1000


def values(weir: Installation, name: str) -> list[dict[str, Any]]:
    """Records of a topic, decoded."""
    return [msgspec.json.decode(one.value) for one in weir.read(name) if one.value]
