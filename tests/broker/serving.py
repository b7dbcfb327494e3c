"""`weir serve` as a process, and the client of CrowdSec's that Debian has, as another."""

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from streams.serve import keys
from tests.broker.installation import ROOT, Installation

BOUNCER: Final = shutil.which("crowdsec-custom-bouncer")
WAIT_S: Final = 40.0

BOUNCER_CONFIG: Final = """
bin_path: {script}
piddir: {directory}
update_frequency: 10s
cache_retention_duration: 10s
daemonize: false
log_mode: stdout
log_level: info
api_url: http://{at}/
api_key: {key}
prometheus:
  enabled: false
"""


def wait(reached: Callable[[], bool], what: Callable[[], str], longest_s: float = WAIT_S) -> None:
    """Wait until ``reached``.

    Raises:
        AssertionError: it was not in time; says ``what``.
    """
    deadline = time.monotonic() + longest_s
    while not reached():
        assert time.monotonic() < deadline, what()
        time.sleep(0.05)


@dataclass(slots=True)
class Replica:
    """One process of `weir serve`, at a port of its own."""

    weir: Installation
    log: Path
    process: subprocess.Popen[bytes] = field(init=False)
    key: str = ""
    at: str = ""

    def start(self) -> None:
        """Begin; see `wait_ready`."""
        path = self.weir.directory / "bouncers.json"
        self.key = keys.add(path, self.log.stem, ("Ip", "Range"), ("ban", "captcha"), time.time_ns() // 1000)
        command = [sys.executable, "-m", "streams.cli", "serve", "--config", str(self.weir.config)]
        environment = {**os.environ, "WEIR_SERVE__KEYS_FILE": str(path), "WEIR_SERVE__LISTEN": "127.0.0.1:0"}
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)

    def wait_listening(self) -> None:
        """Wait until it says where it listens."""
        wait(lambda: "listening at " in self.output(), self.output)
        self.at = self.output().partition("listening at ")[2].partition(";")[0]

    def wait_ready(self) -> None:
        """Wait until it answers."""
        self.wait_listening()
        wait(lambda: self.ask("/readyz")[0] == 200, self.output)

    def output(self) -> str:
        """What it printed."""
        return self.log.read_text(errors="replace")

    def ask(self, path: str) -> tuple[int, Any]:
        """Status and body of a question, the body read where it is JSON."""
        request = urllib.request.Request(f"http://{self.at}{path}", headers={"X-Api-Key": self.key})
        try:
            with urllib.request.urlopen(request, timeout=10) as got:
                return got.status, msgspec.json.decode(got.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, msgspec.json.decode(error.read() or b"null")

    def stop(self) -> int:
        """Ask it to end; its status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)


@dataclass(slots=True)
class CustomBouncer:
    """CrowdSec's bouncer that calls a script; the script here notes what it was called with."""

    directory: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def notes(self) -> Path:
        """What the script wrote: action, value, seconds, scenario."""
        return self.directory / "calls"

    def start(self, at: str, key: str) -> None:
        """Begin to pull."""
        script = self.directory / "note.sh"
        script.write_text(f'#!/bin/sh\necho "$1 $2 $3 $4" >> {self.notes}\n')
        script.chmod(0o755)
        config = self.directory / "bouncer.yaml"
        config.write_text(BOUNCER_CONFIG.format(script=script, directory=self.directory, at=at, key=key))
        config.chmod(0o600)
        assert BOUNCER is not None
        with (self.directory / "bouncer.log").open("wb") as output:
            self.process = subprocess.Popen([BOUNCER, "-c", str(config)], stdout=output, stderr=output)

    def calls(self) -> list[list[str]]:
        """Calls of the script."""
        return [line.split() for line in self.notes.read_text().splitlines()] if self.notes.exists() else []

    def stop(self) -> None:
        """End it."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=10)
