"""CrowdSec's own local API, alone and without internet: the oracle that Weir's is held against.

Its clock cannot be moved, but what it remembers can: to let time pass, every moment in its database is put back.
"""

import shutil
import sqlite3
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import aiohttp

from deploy.kafka.cluster import free_ports
from schemas.event_time import format_time
from streams.pipeline.enforce.decisions import US
from streams.pipeline.enforce.target import Target

PROGRAMS: Final = ("crowdsec", "cscli")
START_S: Final = 30.0
MOMENTS: Final = {"decisions": ("created_at", "updated_at", "until"), "bouncers": ("last_pull",)}
"""Columns of its database that hold a moment which an answer depends on."""
CONFIG: Final = """
common: {{daemonize: false, log_media: stdout, log_level: warning, working_dir: .}}
config_paths:
  config_dir: {directory}
  data_dir: {directory}
  simulation_path: {directory}/simulation.yaml
  hub_dir: {directory}
  index_path: {directory}/index.json
  notification_dir: {directory}
  plugin_dir: {directory}
db_config: {{type: sqlite, db_path: {directory}/crowdsec.db, use_wal: true}}
api:
  client: {{credentials_path: {directory}/credentials.yaml}}
  server:
    log_level: warning
    listen_uri: {at}
    profiles_path: {directory}/profiles.yaml
    console_path: {directory}/console.yaml
prometheus: {{enabled: false}}
"""
AGENT: Final = {"User-Agent": "weir/1"}
"""It refuses an agent that is not spelled so, as it does a wrong key."""


@dataclass
class Oracle:
    """A running local API, with one machine that says decisions and bouncers that ask for them."""

    directory: Path
    at: str
    now_us: int = 0
    """By its clock, as the test has moved it."""
    _token: str = ""
    _moved_us: int = 0
    _session: aiohttp.ClientSession | None = field(default=None, repr=False)

    async def begin(self, session: aiohttp.ClientSession) -> None:
        """Log in."""
        self._session = session
        body = {"machine_id": "weir", "password": "weir"}
        async with session.post(f"http://{self.at}/v1/watchers/login", json=body, headers=AGENT) as got:
            assert got.status == 200, await got.text()
            self._token = (await got.json())["token"]

    async def say(self, target: Target, kind: str, left_s: int) -> None:
        """Add a decision."""
        moment, upon = format_time(self.now_us - self._moved_us), {"scope": target.scope, "value": target.value}
        decision = {"origin": "weir", "scenario": "weir/long_tail", "type": kind, "duration": f"{left_s}s"}
        texts = dict.fromkeys(("scenario", "scenario_hash", "scenario_version", "message", "leakspeed"), "weir")
        counts = {"events_count": 1, "capacity": 0, "simulated": False, "events": []}
        rest = {"start_at": moment, "stop_at": moment, "source": upon, "decisions": [decision | upon]}
        alert: dict[str, object] = {**texts, **counts, **rest}
        await self._told("POST", "/v1/alerts", json=[alert])

    async def lift(self, target: Target) -> None:
        """Take back all that stands on a target."""
        await self._told("DELETE", "/v1/decisions", params={"scopes": target.scope, "value": target.value})

    async def ask(self, path: str, key: str) -> Any:
        """What a bouncer is answered."""
        assert self._session is not None
        async with self._session.get(f"http://{self.at}{path}", headers=AGENT | {"X-Api-Key": key}) as got:
            assert got.status == 200, await got.text()
            return await got.json()

    def pass_time(self, seconds: float) -> None:
        """Move its clock on from where the test has it, whatever time the test itself took."""
        self.now_us += int(seconds * US)
        real_us = time.time_ns() // 1000
        back_us = self.now_us - real_us - self._moved_us
        self._moved_us += back_us
        with closing(sqlite3.connect(self.directory / "crowdsec.db", timeout=10)) as database, database:
            for table, columns in MOMENTS.items():
                for row in database.execute(f"SELECT id, {', '.join(columns)} FROM {table}").fetchall():
                    moved = [put_back(text, back_us) for text in row[1:]]
                    places = ", ".join(f"{column} = ?" for column in columns)
                    database.execute(f"UPDATE {table} SET {places} WHERE id = ?", (*moved, row[0]))

    def forget(self) -> None:
        """Begin anew, at the moment that it is."""
        with closing(sqlite3.connect(self.directory / "crowdsec.db", timeout=10)) as database, database:
            database.execute("DELETE FROM decisions")
            database.execute("DELETE FROM alerts")
        self._moved_us, self.now_us = 0, time.time_ns() // 1_000_000 * 1000

    async def _told(self, method: str, path: str, **more: Any) -> None:
        assert self._session is not None
        headers = AGENT | {"Authorization": f"Bearer {self._token}"}
        async with self._session.request(method, f"http://{self.at}{path}", headers=headers, **more) as got:
            if got.status != 401:
                assert got.status in (200, 201), await got.text()
                return
        await self.begin(self._session)
        await self._told(method, path, **more)


def put_back(text: str | None, by_us: int) -> str | None:
    """A moment as its database spells it, so much earlier."""
    return text and str(datetime.fromisoformat(text) - timedelta(microseconds=by_us))


@contextmanager
def running(directory: Path, bouncers: tuple[str, ...]) -> Iterator[Oracle]:
    """The program, with a key for each bouncer that is its name."""
    at = f"127.0.0.1:{free_ports(1)[0]}"
    config = directory / "config.yaml"
    config.write_text(CONFIG.format(directory=directory, at=at))
    (directory / "simulation.yaml").write_text("simulation: false\n")
    (directory / "profiles.yaml").write_text("name: none\nfilters: ['false']\ndecisions: []\n")
    (directory / "index.json").write_text("{}")
    machine = ("machines", "add", "weir", "--password", "weir", "-f", str(directory / "credentials.yaml"), "--force")
    for command in (machine, *(("bouncers", "add", name, "-k", name) for name in bouncers)):
        subprocess.run(["cscli", "-c", str(config), *command], check=True, capture_output=True, timeout=START_S)
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(["crowdsec", "-c", str(config), "-no-cs"], stdout=log, stderr=log)
    try:
        _wait(at, directory / "log")
        yield Oracle(directory, at)
    finally:
        process.terminate()
        process.wait(timeout=10)


def _wait(at: str, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            with urllib.request.urlopen(f"http://{at}/health", timeout=1):
                return
        except OSError:
            assert time.monotonic() < deadline, log.read_text(errors="replace")
            time.sleep(0.05)


def has_oracle() -> bool:
    """Whether the programs are there."""
    return all(map(shutil.which, PROGRAMS))
