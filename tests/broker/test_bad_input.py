"""Input that cannot be read, bugs and lost messages, through real worker processes."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import pytest

from schemas import topic
from schemas.dead_letter import original_headers, read_headers
from schemas.mode import Mode
from streams.pipeline.observe.observer import idle_progress
from streams.pipeline.sightings import decode
from streams.settings import ModeSettings
from tests.broker.installation import ROOT, Installation, by_id, installed
from tests.brokers import Broker, Sent
from tests.streams.pipeline.observe.records import actor_value

pytestmark = pytest.mark.timeout(180)

YEAR_S: Final = 365 * 86_400
GOOD: Final = 60
"""More profiles than one account may look at in a minute."""
FAULTY: Final = "tests.broker.faulty_worker"


def event(n: int, **changes: object) -> bytes:
    """A view of profile ``n`` by account u1 now, changed; a key that becomes None is null, one that is ... missing."""
    record: dict[str, object] = {
        "@timestamp": time.time(),
        "http.request.method": "GET",
        "url.path": f"/people/{n}",
        "http.response.status_code": 200,
        "user.id": "u1",
        "client.address": "203.0.113.9",
    }
    record |= {name.replace("__", "@").replace("_", "."): value for name, value in changes.items()}
    return msgspec.json.encode({name: value for name, value in record.items() if value is not ...})


@dataclass(frozen=True, slots=True)
class Bad:
    """A value that is no request event, and where it is said to be wrong."""

    value: bytes | None
    where: str


def bad_values() -> dict[str, Bad]:
    """One of each sort."""
    good = event(1)
    return {
        "truncated": Bad(good[:-20], "byte"),
        "not UTF-8": Bad(good.replace(b"/people/1", b"/people/\xff"), ""),
        "wrong type": Bad(event(1, url_path=["a"]), "$.url.path"),
        "missing key": Bad(event(1, url_path=...), "$"),
        "null": Bad(event(1, url_path=None), "$.url.path"),
        "beyond 64 bits": Bad(good.replace(b":200", b":" + b"9" * 30), "$.http.response.status_code"),
        "5 MB": Bad(event(1, padding="x" * 5_000_000), "$"),
        "a year away": Bad(event(1, __timestamp=time.time() - YEAR_S), "$.@timestamp"),
        "no address": Bad(event(1, client_address="localhost"), "$.client.address"),
        "tombstone": Bad(None, "$"),
        "empty": Bad(b"", "byte"),
        "a list": Bad(b"[1]", "$"),
        "nobody": Bad(event(1, user_id=..., client_address=...), "$"),
    }


@pytest.fixture
def weir(broker: Broker, tmp_path: Path) -> Iterator[Installation]:
    """An installation that has not been started, with every detector in its default mode."""
    with install(broker, tmp_path) as made:
        yield made


def install(broker: Broker, directory: Path) -> AbstractContextManager[Installation]:
    """An installation in default mode whose requests may be large."""
    requests = broker.topic(2, max_message_bytes="8000000")
    return installed(broker, directory, requests=requests, mode=ModeSettings().default.value, skew_s=86_400)


def profiles_seen(weir: Installation, account: str) -> int:
    """Sightings of ``account`` in the activity log, the sessions and addresses aside."""
    count = 0
    for message in weir.read(weir.own(topic.ACTIVITY)):
        sightings = decode(message.value or b"")
        names = [actor_value(sightings, actor) for actor in range(len(sightings.actor_key))]
        count += sum(names[actor] == account for actor in sightings.actor.tolist())
    return count


def test_bad_input(weir: Installation) -> None:
    """Started on an empty topic a worker waits; then each bad record is a dead letter and its neighbours are judged.

    In the default mode, that is: what is decided on them is shadow.
    """
    worker = weir.start()
    weir.wait(lambda: "Ready" in worker.output(), "a worker on an empty topic")
    time.sleep(2)
    assert worker.process.poll() is None
    bad = bad_values()
    spread = {name: [Sent(one.value, name.encode(), [("trace", b"1"), ("trace", b"")])] for name, one in bad.items()}
    records = [record for n, name in enumerate(spread) for record in (*good(4 * n, 4), *spread[name])]
    weir.broker.send(weir.requests, [*records, *good(4 * len(bad), GOOD - 4 * len(bad))])
    weir.wait_judged()
    assert_dead_letters(weir, bad)
    assert profiles_seen(weir, "u1") == GOOD
    alerts, blocks = ([one.record for one in weir.read(weir.own(t))] for t in (topic.ALERTS, topic.BLOCKS))
    assert "u1" in {one["actor"]["value"] for one in alerts}
    assert {one["mode"] for one in (*alerts, *blocks)} == {Mode.SHADOW.value}
    assert worker.stop() == 0


def good(first: int, count: int) -> list[Sent]:
    """Events that are none of the bad ones."""
    return [Sent(event(n)) for n in range(first, first + count)]


def assert_dead_letters(weir: Installation, bad: dict[str, Bad]) -> None:
    """One of each, untouched, with place and reason."""
    dead = {(one.key or b"").decode(): one for one in weir.read(weir.own(topic.DEAD_LETTERS))}
    assert dead.keys() == bad.keys()
    for name, one in dead.items():
        said = read_headers(one.headers)
        assert one.value == bad[name].value, name
        assert original_headers(one.headers) == [("trace", b"1"), ("trace", b"")]
        assert (said.topic, said.partition, said.exception, said.stage) == (weir.requests, 0, "RecordError", "observe")
        assert said.offset == 5 * list(bad).index(name) + 4
        assert said.message.startswith(bad[name].where), (name, said.message)
        assert len(said.message) > len(bad[name].where) + 5, (name, said.message)


def test_bug_stops_worker(weir: Installation) -> None:
    """A bug in either stage ends the process with 70 before the acknowledgement; a mended worker judges everything."""
    weir.broker.send(weir.requests, [*good(0, GOOD), Sent(event(1, user_id="poison"))])
    for stage, read in (("observe", weir.requests), ("assess", weir.own(topic.ACTIVITY))):
        worker = weir.start(stage, module=FAULTY)
        assert worker.process.wait(timeout=60) == 70, worker.output()
        (line,) = [line for line in worker.output().splitlines() if "CRITICAL" in line]
        assert f"{stage}: LookupError: a bug in {stage} (at " in line
        assert weir.committed(read) != weir.ends(read)
    weir.start()
    weir.wait_judged()
    assert profiles_seen(weir, "poison") >= 1
    assert "u1" in {one.record["actor"]["value"] for one in weir.read(weir.own(topic.ALERTS))}


def test_cancelled_recovery_stops_worker(weir: Installation) -> None:
    """A worker whose recovery is cancelled within ends: Faust would have it own partitions that nobody reads."""
    for fault, stage, said in (
        ("begin", "assess", "beginning: asyncio.exceptions.CancelledError (at "),
        ("seek", "observe", "Faust's task of recovery was cancelled"),
    ):
        worker = weir.start("--stages", stage, fault, module=FAULTY)
        assert worker.process.wait(timeout=60) == 70, worker.output()
        (line,) = [line for line in worker.output().splitlines() if "CRITICAL" in line]
        assert said in line


def test_killed_before_acknowledgement(weir: Installation) -> None:
    """A decision that is sent but not acknowledged comes again after a crash, with the same id and the same content."""
    weir.broker.send(weir.requests, good(0, GOOD))
    assert weir.start("sent", module=FAULTY).process.wait(timeout=60) == -signal.SIGKILL
    before = [one.record for one in weir.read(weir.own(topic.ALERTS))]
    weir.start()
    weir.wait_judged()
    alerts = [one.record for one in weir.read(weir.own(topic.ALERTS))]
    assert len(alerts) > len(before) > 0
    assert by_id(before).items() <= by_id(alerts).items()
    assert [one["id"] for one in alerts].count(before[0]["id"]) == 2


def run_worker(*options: str) -> tuple[int, str, float]:
    """Status, output and duration of ``weir worker``."""
    started = time.monotonic()
    command = [sys.executable, "-m", "streams.cli", "worker", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr, time.monotonic() - started


def test_gap_stops_worker(weir: Installation) -> None:
    """A message of sightings that is missing ends the worker loudly, and again after a restart."""
    weir.broker.send(weir.requests, good(0, GOOD))
    activity = weir.own(topic.ACTIVITY)
    first = weir.start()
    weir.wait_judged()
    weir.broker.send(activity, [Sent(idle_progress(weir.requests, 0, GOOD + 40))])
    assert first.process.wait(timeout=30) == 70
    second = weir.start()
    assert second.process.wait(timeout=60) == 70
    for worker in (first, second):
        (line,) = [line for line in worker.output().splitlines() if "CRITICAL" in line]
        assert f"GapError: {weir.requests}[0]: sightings of offsets {GOOD} to {GOOD + 39} are missing" in line
    assert weir.committed(activity)[0] < weir.ends(activity)[0]


def test_wrong_beginnings(weir: Installation) -> None:
    """An unknown topic, a broker that is not there and a wrong key each end in status 2, one line, and soon."""
    config = weir.config.read_text()
    unknown = weir.directory / "unknown.toml"
    unknown.write_text(config.replace(f'topic = "{weir.requests}"', 'topic = "nobody.made.it"'))
    wrong = weir.directory / "wrong.toml"
    wrong.write_text(config.replace("idle_after_ms", "idle_after"))
    nowhere = "127.0.0.1:9"  # where nobody listens
    line = config.splitlines().index(next(text for text in config.splitlines() if "idle_after_ms" in text)) + 1
    for options, says in (
        (("--config", str(unknown)), "no topic nobody.made.it"),
        (("--config", str(weir.config), "--bootstrap", nowhere), f"kafka {nowhere}: "),
        (("--config", str(wrong)), f"{wrong}:{line}: input.idle_after: "),
        (("--config", str(weir.config), "--stages", "decide"), "there is no stage decide"),
    ):
        status, output, took_s = run_worker(*options)
        assert status == 2, output
        assert output.count("\n") == 1, output
        assert says in output
        assert took_s < 15
