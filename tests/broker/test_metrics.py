"""Metrics, health and the log of a real worker on a real broker, beside what was fed and what came out."""

import json
import os
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from prometheus_client.parser import text_string_to_metric_families

from schemas import topic
from streams.offline.simulate import PRESETS, simulate, write
from tests.broker.installation import PARTITIONS, Installation, Worker, feed, installed
from tests.broker.serving import Replica, wait
from tests.brokers import Broker, Sent

pytestmark = pytest.mark.timeout(180)

PROMTOOL: Final = shutil.which("promtool")
REQUESTS: Final = "test-metrics"
NO_EVENTS: Final = [b"{", b"\xff", b'{"@timestamp": 1}', b"7"]
NOT_ASSIGNED: Final = (
    "no partitions have been assigned yet",
    "partitions are being assigned",
    "reading has not begun",
    "the overrides have not been read yet",
    "the published configurations have not been read yet",
    "the model has not been read yet",
)
HEALTH: Final = ("/livez", "/readyz", "/startupz")


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """A day with scrapers in it."""
    directory = tmp_path_factory.mktemp("day")
    write(simulate(PRESETS["small"]), directory)
    return (directory / "events.ndjson").read_bytes().splitlines()


@pytest.fixture
def weir(broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    """An installation whose workers show metrics at a free port and keep no checkpoints."""
    monkeypatch.setitem(os.environ, "WEIR_METRICS__LISTEN", "127.0.0.1:0")
    monkeypatch.setitem(os.environ, "WEIR_CHECKPOINT__INTERVAL_S", "0")
    with installed(broker, tmp_path, requests=f"{REQUESTS}-{tmp_path.name}") as made:
        yield made


def get(at: str, path: str) -> tuple[int, str]:
    """Status and body."""
    try:
        with urllib.request.urlopen(f"http://{at}{path}", timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def address(worker: Worker | Replica) -> str | None:
    """Where it says that it shows metrics."""
    found = re.search(r"metrics and health at ([0-9.:]+)", worker.output())
    return None if found is None else found[1]


def seen_until_ready(weir: Installation, worker: Worker) -> list[tuple[str, ...]]:
    """What `HEALTH` said, each time that it said something else, until all was well."""
    weir.wait(lambda: address(worker) is not None, "an address")
    at, seen = address(worker), list[tuple[str, ...]]()
    assert at is not None
    deadline = time.monotonic() + weir.wait_s
    while not seen or any("message" in said for said in seen[-1]):
        said = tuple(get(at, path)[1] for path in HEALTH)
        if said != (seen[-1] if seen else ()):
            seen.append(said)
        assert time.monotonic() < deadline, seen
    return seen


def samples(page: str) -> dict[str, float]:
    """Values by name, summed over labels, and by name with labels."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[sample.name] = found.get(sample.name, 0) + sample.value
            found[f"{sample.name}{{{labels}}}"] = sample.value
    return found


def lines(worker: Worker) -> list[dict[str, Any]]:
    """The log; each line of it is JSON."""
    return [json.loads(line) for line in worker.output().splitlines()]


def test_page_health_and_log(weir: Installation, events: list[bytes]) -> None:
    """The page says what was fed and what came out, and the log tells of each decision without whom it is about.

    The worker is ready when it has its partitions, and not before.
    """
    worker = weir.start()
    first, *_, last = seen_until_ready(weir, worker)
    assert first[0] == '{"status": "alive"}'
    assert set(first[1:]) <= {f'{{"message": "{why}"}}' for why in NOT_ASSIGNED}
    assert last == ('{"status": "alive"}', '{"status": "ready"}', '{"status": "started"}')
    feed(weir.broker, weir.requests, events)
    weir.broker.send(weir.requests, [Sent(value, partition=0) for value in NO_EVENTS])
    weir.wait_judged()
    at = address(worker)
    assert at is not None
    page = get(at, "/metrics")[1]
    found = samples(page)
    assert found["weir_events_total"] == len(events) + len(NO_EVENTS)
    assert found["weir_dead_letters_total"] == len(NO_EVENTS) == len(weir.read(weir.own(topic.DEAD_LETTERS)))
    assert found["weir_dead_letters_total{reason=json}"] == 2
    # What disclosed nothing is judged at the end of its few seconds, and some of it comes last.
    assert 0 <= found["weir_sightings_total"] - found["weir_sightings_judged_total"] < PARTITIONS
    assert found["weir_consumer_lag_records"] == found["weir_watermark_lag_seconds"] == 0
    assert found["weir_partitions{stage=observe}"] == found["weir_partitions{stage=assess}"] == PARTITIONS
    assert found["weir_partitions_begun_total{how=new}"] == 0, "there are no checkpoints to begin from"
    blocks, alerts = ([one.value for one in weir.read(weir.own(where))] for where in (topic.BLOCKS, topic.ALERTS))
    by_kind = {kind: value for kind in ("alert", "block", "lift") if (value := _of_kind(page, kind))}
    assert by_kind["alert"] == len(alerts)
    assert by_kind["block"] == sum(value is not None for value in blocks)
    assert by_kind.get("lift", 0) == blocks.count(None)
    # The day is long ago; a worker looks at how it does every ten seconds.
    wait(lambda: samples(get(at, "/metrics")[1])["weir_degraded{reason=lagging}"] == 1, worker.output)
    told = [line for line in lines(worker) if line["body"] == "decision"]
    assert len(told) == len(alerts) + sum(value is not None for value in blocks)
    values = {json.loads(value)["actor"]["value"] for value in (*alerts, *blocks) if value is not None}
    assert not [value for value in values if len(value) > 5 and value in worker.output()]
    if PROMTOOL is not None:
        done = subprocess.run([PROMTOOL, "check", "metrics"], input=page, text=True, capture_output=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert worker.stop() == 0


def _of_kind(page: str, kind: str) -> float:
    return sum(
        sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name == "weir_decisions_total" and sample.labels["kind"] == kind
    )


def test_not_ready_while_rebuilding(weir: Installation, events: list[bytes]) -> None:
    """A worker that reads what was decided before once more says so, is alive meanwhile, and is ready after it."""
    first = weir.start()
    feed(weir.broker, weir.requests, events)
    weir.wait_judged()
    first.kill()
    seen = seen_until_ready(weir, weir.start())
    rebuilding = [said for said in seen if "partitions being rebuilt" in said[1]]
    assert rebuilding
    assert {said[0] for said in seen} == {'{"status": "alive"}'}
    # The three are asked one after the other, so the last answers but one may fall on both sides of the moment.
    assert all("message" in said[2] for said in seen[:-2])


def test_a_second_worker_at_the_same_port(weir: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends with one line that says what to do, before it asks the broker for anything."""
    worker = weir.start()
    weir.wait(lambda: address(worker) is not None, "an address")
    monkeypatch.setitem(os.environ, "WEIR_METRICS__LISTEN", str(address(worker)))
    second = weir.start()
    assert second.process.wait(timeout=60) == 2
    (line,) = second.output().splitlines()
    assert re.fullmatch(r"weir: metrics\.listen [0-9.:]+: Address already in use; .*\(WEIR_METRICS__LISTEN\)", line)
    assert worker.process.poll() is None


def test_serve(weir: Installation) -> None:
    """Its page counts answers by path and status, and says that they are complete; its health is also there."""
    replica = Replica(weir, weir.directory / "serve.log")
    replica.start()
    try:
        replica.wait_ready()
        replica.ask("/v1/decisions/stream?startup=true")
        replica.ask("/no/such/path/192.0.2.7")
        wait(lambda: address(replica) is not None, replica.output)
        at = str(address(replica))
        assert [get(at, path)[0] for path in HEALTH] == [200, 200, 200]
        page = get(at, "/metrics")[1]
        found = samples(page)
        assert found["weir_serve_requests_total{code=200,endpoint=/v1/decisions/stream}"] == 1
        assert found["weir_serve_requests_total{code=404,endpoint=other}"] == 1
        assert (found["weir_serve_complete"], found["weir_serve_actors"], found["weir_serve_enforcers"]) == (1, 0, 1)
        assert 0 <= found["weir_serve_age_seconds"] < 10
        assert "192.0.2.7" not in page + replica.output()
        assert replica.ask("/metrics")[0] == 404, "whoever may ask for decisions need not see it"
    finally:
        assert replica.stop() == 0
