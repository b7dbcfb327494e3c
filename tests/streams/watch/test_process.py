"""`weir watch` as a process."""

import os
import re
import resource
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from streams.serve import keys
from tests.days import HALF_DAY, values
from tests.streams.inputs.servers import wait

ROOT: Final = Path(__file__).parents[3]
WAIT_S: Final = 90.0
CONFIG: Final = """
[mode]
default = "enforce"
[policy]
block_age_max_s = 0
[fusion]
until_fitted = "enforce"
[model]
learning_s = 36000
[detectors.profile_rate.account]
minute = 30
ten_minutes = 100
hour = 200
[checkpoint]
interval_s = 1
"""
"""Days of long ago are judged, and soon."""


@dataclass
class Process:
    """The command on logs in a directory of its own."""

    directory: Path
    running: subprocess.Popen[bytes] | None = None
    starts: int = 0
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def said(self) -> str:
        """What stands in its log since the last start."""
        return (self.directory / f"said.{self.starts}").read_text()

    def start(self, *arguments: str, stdin: int | None = None) -> subprocess.Popen[bytes]:
        """Begin."""
        self.starts += 1
        config = self.directory / "weir.toml"
        config.write_text(CONFIG)
        command = [sys.executable, "-m", "streams.cli", "watch", *arguments, "--config", str(config)]
        command += ["--state", str(self.directory / "state")]
        environment = {
            **os.environ,
            "WEIR_SERVE__LISTEN": "127.0.0.1:0",
            "WEIR_SERVE__KEYS_FILE": str(self.directory / "bouncers.json"),
        }
        with (self.directory / f"said.{self.starts}").open("wb") as output:
            self.running = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdin=stdin, stdout=output, stderr=output
            )
        return self.running

    def wait_for(self, text: str) -> str:
        """Wait until its log says so; returns the word that follows."""
        deadline = time.monotonic() + WAIT_S
        while text not in self.said:
            assert self.running is not None
            assert self.running.poll() is None, self.said
            assert time.monotonic() < deadline, self.said
            time.sleep(0.05)
        return re.split(r"[\s\"]", self.said.partition(text)[2])[0]

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait for the end."""
        assert self.running is not None
        self.running.send_signal(number)
        return self.running.wait(WAIT_S)

    def ask(self, at: str, key: str, path: str = "/v1/decisions/stream?startup=true") -> Any:
        """What an enforcer is answered; None while it is not complete."""
        request = urllib.request.Request(f"http://{at}{path}", headers={"X-Api-Key": key})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return msgspec.json.decode(answer.read())
        except urllib.error.HTTPError as error:
            error.close()
            if error.code != 503:
                raise
            return None

    def wait_blocks(self, at: str, key: str) -> list[str]:
        """Values of all that is blocked, as soon as any is."""
        deadline = time.monotonic() + WAIT_S
        while True:
            answer = self.ask(at, key)
            if answer and answer["new"]:
                return sorted(one["value"] for one in answer["new"])
            assert time.monotonic() < deadline, self.said
            time.sleep(0.2)


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    """Nothing runs yet."""
    made = Process(tmp_path)
    yield made
    if made.running is not None and made.running.poll() is None:
        made.running.kill()
        made.running.wait(WAIT_S)


def shifted(all_values: list[bytes]) -> list[bytes]:
    """The same day as if it ended now: a block of today is still in force."""
    events = [msgspec.json.decode(value) for value in all_values]
    by_us = time.time_ns() // 1000 - events[-1]["@timestamp"]
    return [msgspec.json.encode(event | {"@timestamp": event["@timestamp"] + by_us}) for event in events]


def test_a_log_to_blocks_over_a_kill(process: Process) -> None:
    """Lines that come while it runs, a kill, lines meanwhile, a rotation: enforcers are told the same as of one run."""
    lines = shifted(values(HALF_DAY))
    log, third = process.directory / "access.log", len(lines) // 3
    key = keys.add(process.directory / "bouncers.json", "test", ("Ip", "Range"), ("ban", "captcha"), 0)
    log.write_bytes(b"".join(line + b"\n" for line in lines[:third]))
    process.start(str(log))
    process.wait_for("listening at ")
    with log.open("ab") as file:
        file.writelines(line + b"\n" for line in lines[third : 2 * third])
    wait((process.directory / "state" / "manifest.json").exists, "a first checkpoint")
    time.sleep(1)
    process.end(signal.SIGKILL)
    log.rename(log.with_name("access.log.1"))
    log.write_bytes(b"".join(line + b"\n" for line in lines[2 * third :]))
    process.start(str(log))
    found = process.wait_blocks(process.wait_for("listening at "), key)
    assert process.end() == 0
    whole = Process(process.directory / "whole")
    whole.directory.mkdir()
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as cat:
        assert cat.stdin is not None
        assert cat.stdout is not None
        running = whole.start("-", "--no-serve", stdin=cat.stdout.fileno())
        cat.stdin.write(b"".join(line + b"\n" for line in lines))
        cat.stdin.close()
        assert running.wait(WAIT_S) == 0, whole.said
    assert f"{len(lines)} lines, 0 bad" in whole.said
    assert incidents(process) == incidents(whole)
    assert found


def incidents(process: Process) -> set[tuple[str, str]]:
    """Who was told of, and how gravely at the end. Ids differ: they name the log."""
    alerts = map(msgspec.json.decode, (process.directory / "state" / "alerts.ndjson").read_bytes().splitlines())
    return {(alert["actor"]["value"], alert["severity"]) for alert in alerts if alert["status"] != "closed"}


def test_a_full_disk_is_told(process: Process) -> None:
    """A checkpoint that has no room is tried again; a decision that has none ends it, and the next start goes on."""
    log, lines = process.directory / "access.log", shifted(values(HALF_DAY))
    log.write_bytes(lines[0] + b"\n")
    running = process.start(str(log), "--no-serve")
    wait((process.directory / "state" / "manifest.json").exists, "a first checkpoint")
    resource.prlimit(running.pid, resource.RLIMIT_FSIZE, (16_384, 16_384))
    log.write_bytes(b"".join(line + b"\n" for line in lines))
    assert running.wait(WAIT_S) == 2
    assert "File too large" in process.said
    assert "a bug in Weir" not in process.said
    process.start(str(log), "--no-serve")
    process.wait_for("restored")
    alerts = process.directory / "state" / "alerts.ndjson"
    wait(lambda: alerts.stat().st_size > 16_384, "all alerts")
    assert process.end() == 0
    ids = [msgspec.json.decode(line)["id"] for line in alerts.read_bytes().splitlines()]
    assert len(set(ids)) == len(ids)


def test_a_named_pipe(process: Process) -> None:
    """A server that logs into a pipe; it may come later, and when it goes the watch has its summary."""
    pipe = process.directory / "pipe"
    os.mkfifo(pipe)
    process.start(str(pipe), "--no-serve", "--show-bad", "1")
    time.sleep(1)
    with pipe.open("wb") as file:
        file.write(values(HALF_DAY)[0] + b"\nno record")
    assert process.running is not None
    assert process.running.wait(WAIT_S) == 0
    assert "2 lines, 1 bad" in process.said
    assert f"{pipe}, line 2: byte 4: JSON is malformed" in process.said


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [(["."], "is neither a file nor a pipe"), (["a.log", "./a.log"], "is named twice"), ([], "Missing argument")],
)
def test_what_cannot_be_followed_is_refused(process: Process, arguments: list[str], reason: str) -> None:
    """At once, with exit status 2."""
    assert process.start(*arguments).wait(WAIT_S) == 2
    assert reason in process.said
