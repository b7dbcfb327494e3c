"""`weir replay kafka://...` on real Kafka, beside what a live worker says of the same topic."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import msgspec
import pytest

from schemas import topic
from schemas.event_time import format_time, parse_time_us
from streams.cli.main import run
from streams.config import parse
from streams.offline.replay import replay
from streams.offline.simulate import PRESETS, simulate, write
from streams.pipeline.sightings import decode
from tests.broker.installation import PARTITIONS, ROOT, Installation, by_id, installed, partition_of
from tests.brokers import Broker, Sent
from tests.mmdb import Known, mmdb
from tests.requests import request_of, views

START_S = 1_790_000_000
"""In the past: a broker refuses what lies ahead of its clock."""

pytestmark = pytest.mark.timeout(240)


def time_ms(event: bytes) -> int:
    """Event time."""
    return parse_time_us(msgspec.json.decode(event)["@timestamp"]) // 1000


def sent(events: Sequence[bytes], partitions: int) -> list[Sent]:
    """Events as a prompt shipper sends them: each record has the time of its event."""
    return [Sent(one, timestamp_ms=time_ms(one), partition=partition_of(one, partitions)) for one in events]


def kept(broker: Broker, partitions: int = 3) -> str:
    """A topic that forgets nothing, however old."""
    return broker.topic(partitions, retention_ms="-1")


def found(out: Path, name: str) -> list[dict[str, object]]:
    """What a replay wrote."""
    return [msgspec.json.decode(line) for line in (out / f"{name}.ndjson").read_bytes().splitlines()]


def report(broker: Broker, out: Path, *inputs: str) -> dict[str, Any]:
    """Replay through the command, as its user calls it; its report."""
    assert run(["replay", *inputs, "--bootstrap", broker.bootstrap, "--out", str(out)]) == 0
    read: dict[str, Any] = json.loads((out / "report.json").read_bytes())
    return read


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A day with every kind of scraper in it, whose events do not name ASN and country; a file beside it does."""
    directory = tmp_path_factory.mktemp("day")
    write(simulate(PRESETS["small"]), directory)
    bare, known = without_origins((directory / "events.ndjson").read_bytes().splitlines())
    (directory / "events.ndjson").write_bytes(b"\n".join(bare))
    (directory / "lite.mmdb").write_bytes(known)
    return directory / "events.ndjson"


def without_origins(events: Sequence[bytes]) -> tuple[list[bytes], bytes]:
    """Events that do not name their ASN and country, and a file that knows them."""
    bare: list[bytes] = []
    known: dict[str, Known] = {}
    for event in events:
        said = msgspec.json.decode(event)
        asn, country = said.pop("client.as.number", None), said.pop("client.geo.country_iso_code", None)
        address = said.get("client.address")
        if address and (asn or country):
            bits = 48 if ":" in address else 24
            known[str(ip_network(f"{address}/{bits}", strict=False))] = {"asn": f"AS{asn}", "country_code": country}
        bare.append(msgspec.json.encode(said))
    return bare, mmdb(known, "lite")


@pytest.fixture(scope="module")
def judged(kafka_broker: Broker, day: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation whose worker has judged the day, and knows ASNs and countries by a file alone."""
    requests, directory = kept(kafka_broker, PARTITIONS), tmp_path_factory.mktemp("weir")
    kafka_broker.send(requests, sent(day.read_bytes().splitlines(), PARTITIONS))
    with installed(kafka_broker, directory, requests=requests) as weir:
        file = json.dumps(str(day.with_name("lite.mmdb")))
        weir.config.write_text(f"{weir.config.read_text()}[enrich]\nasn_file = {file}\ncountry_file = {file}\n")
        weir.start()
        weir.wait_judged()
        assert weir.workers[0].stop() == 0
        yield weir


def test_all_of_a_topic_is_what_the_worker_said(judged: Installation, tmp_path: Path) -> None:
    """Without enforcement, ids and contents of alerts and blocks are those of the live worker."""
    sightings = [decode(one.value or b"") for one in judged.read(judged.own(topic.ACTIVITY))]
    assert any(one.asn.any() for one in sightings), "the worker knew ASNs by its file"
    text = f"kafka://{judged.requests}"
    command = ["replay", text, "--config", str(judged.config), "--out", str(tmp_path), "--no-enforce"]
    subprocess.run([sys.executable, "-m", "streams.cli", *command], cwd=ROOT, check=True, capture_output=True)
    for where, name in ((topic.ALERTS, "alerts"), (topic.BLOCKS, "blocks")):
        live = by_id([one.record for one in judged.read(judged.own(where)) if one.value is not None])
        assert len(live) > 5, "a day without decisions proves nothing"
        assert by_id(found(tmp_path, name)) == live


def test_a_range_is_as_a_file_of_its_events(judged: Installation, day: Path, tmp_path: Path) -> None:
    """From a time on, up to another one that is left out: the same report as of those events from a file."""
    events = sorted(day.read_bytes().splitlines(), key=time_ms)
    begin, end = time_ms(events[len(events) // 3]), time_ms(events[2 * len(events) // 3])
    inside = [one for one in events if begin <= time_ms(one) < end]
    (tmp_path / "inside.ndjson").write_bytes(b"\n".join(inside))
    expected = replay([tmp_path / "inside.ndjson"], parse(judged.config.read_text()))
    text = f"kafka://{judged.requests}?from={format_time(begin * 1000)}&to={format_time(end * 1000)}"
    assert run(["replay", text, "--config", str(judged.config), "--out", str(tmp_path / "out")]) == 0
    written = json.loads((tmp_path / "out" / "report.json").read_bytes())
    assert 0 < written["events"] == len(inside) < len(events)
    assert {str(one["id"]) for one in found(tmp_path / "out", "alerts")} == {one.id for one in expected.alerts}
    assert (written["event_time_first"], written["profiles"]) == (
        expected.report.event_time_first,
        expected.report.profiles,
    )


def test_empty_partitions_hold_nothing_up(kafka_broker: Broker, tmp_path: Path) -> None:
    """Two of three have no record, and a range before all of them has none in any."""
    name = kept(kafka_broker)
    events = views(START_S, 300, account="eve")
    kafka_broker.send(name, [Sent(one, timestamp_ms=time_ms(one), partition=1) for one in events])
    assert report(kafka_broker, tmp_path, f"kafka://{name}")["events"] == 300
    assert found(tmp_path, "alerts"), "one account and three hundred profiles in five minutes"
    assert report(kafka_broker, tmp_path, f"kafka://{name}?to={START_S}")["events"] == 0
    assert report(kafka_broker, tmp_path, f"kafka://{name}?from={START_S + 300}")["events"] == 0
    assert report(kafka_broker, tmp_path, f"kafka://{name}?from={START_S + 299}")["events"] == 1


def test_an_aborted_transaction(kafka_broker: Broker, tmp_path: Path) -> None:
    """Its records are no events, and it ends the topic as well as any record would."""
    name = kafka_broker.topic(retention_ms="-1")
    producer = kafka_broker.producer(transactional_id=f"tx-{name}")
    producer.init_transactions()
    for end in (producer.commit_transaction, producer.abort_transaction):
        producer.begin_transaction()
        for one in views(START_S, 5, account="u"):
            producer.send(name, one, partition=0, timestamp_ms=time_ms(one))
        producer.flush()
        end()
    producer.close()
    assert report(kafka_broker, tmp_path, f"kafka://{name}")["events"] == 5


def test_holes_of_compaction(kafka_broker: Broker, tmp_path: Path) -> None:
    """What was replaced is no event any more, wherever it lay, and what is left is read to the end."""
    name = kafka_broker.topic(
        cleanup_policy="compact", segment_ms="100", min_cleanable_dirty_ratio="0.01", max_compaction_lag_ms="100"
    )
    for n, one in enumerate(views(START_S, 40, account="u")):
        kafka_broker.send(name, [Sent(one, key=b"%d" % (n % 4), timestamp_ms=time_ms(one) + n)])
    for sent_in_all in range(41, 80):
        kafka_broker.send(name, [Sent(b"{", key=b"roll")])
        time.sleep(0.3)
        read = report(kafka_broker, tmp_path, f"kafka://{name}")
        assert read["outcomes"]["disclosed"] >= 4
        if read["events"] < sent_in_all:
            return
    pytest.fail("the broker did not compact the topic")


def test_beside_a_file(kafka_broker: Broker, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Files and topics in one replay, in event-time order; what cannot be read is told with partition and offset."""
    name = kept(kafka_broker)
    topic_side = [request_of(START_S + n, f"a{n}", account="eve") for n in range(0, 200, 2)]
    file_side = [request_of(START_S + n, f"a{n}", account="eve") for n in range(1, 200, 2)]
    kafka_broker.send(name, [Sent(one, timestamp_ms=time_ms(one), partition=2) for one in topic_side])
    kafka_broker.send(name, [Sent(b"{", partition=2)])
    (tmp_path / "rest.ndjson").write_bytes(b"\n".join(file_side))
    arguments = [f"kafka://{name}", str(tmp_path / "rest.ndjson"), "--show-bad", "1"]
    assert run(["replay", *arguments, "--bootstrap", kafka_broker.bootstrap, "--out", str(tmp_path / "out")]) == 0
    read = json.loads((tmp_path / "out" / "report.json").read_bytes())
    assert read["events"] == 201
    assert read["outcomes"]["dead"] == 1
    assert f"kafka://{name}[2]:100: byte 1: " in capfd.readouterr().err
    (tmp_path / "all.ndjson").write_bytes(b"\n".join(views(START_S, 200, prefix="a", account="eve")))
    whole = replay([tmp_path / "all.ndjson"], parse(""))
    assert {one["id"] for one in found(tmp_path / "out", "alerts")} == {one.id for one in whole.alerts} != set()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("kafka://nobody-made-this", "no topic nobody-made-this"),
        ("kafka://bad name", "bad name"),
        ("kafka://http.requests?from=noon", "kafka://http.requests?from=noon: from: time is neither"),
    ],
)
def test_what_cannot_be_is_one_line(
    text: str, told: str, kafka_broker: Broker, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Status 2, and nothing is written."""
    assert run(["replay", text, "--bootstrap", kafka_broker.bootstrap, "--out", str(tmp_path / "out")]) == 2
    err = capfd.readouterr().err
    assert told in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()
