"""What shippers write, through real Kafka and a real worker: rsyslog's lines, and batches as of an OTel Collector."""

import gzip
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from schemas import topic
from streams.pipeline.sightings import decode
from tests.broker.installation import Installation, installed
from tests.brokers import Broker, Sent
from tests.streams.inputs.samples import otlp_logs, otlp_spans
from tests.streams.inputs.servers import program, wait
from tests.streams.pipeline.observe.records import actor_value

pytestmark = pytest.mark.timeout(180)

LINES: Final = 60
"""More profiles than one account may look at in a minute."""
RSYSLOG: Final = """
global(workDirectory="{directory}")
module(load="imfile" mode="inotify")
module(load="omkafka")
template(name="bare" type="string" string="%msg%")
ruleset(name="bare") {{ action(type="omkafka" broker=["{broker}"] topic="{topic}" template="bare"
    confParam=["client.id=bare"]) }}
ruleset(name="syslog") {{ action(type="omkafka" broker=["{broker}"] topic="{topic}"
    template="RSYSLOG_SyslogProtocol23Format" confParam=["client.id=syslog"]) }}
input(type="imfile" file="{directory}/bare.log" tag="nginx" ruleset="bare")
input(type="imfile" file="{directory}/syslog.log" tag="nginx" ruleset="syslog")
"""


@contextmanager
def rsyslog(directory: Path, broker: Broker, name: str) -> Iterator[None]:
    """Follows two logs into a topic: one as bare lines, one in syslog's own format."""
    config = directory / "rsyslog.conf"
    config.write_text(RSYSLOG.format(directory=directory, broker=broker.bootstrap, topic=name))
    command = [program("rsyslogd"), "-n", "-f", str(config), "-i", str(directory / "rsyslog.pid")]
    with (directory / "rsyslog.out").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


def line(number: int, user: str) -> str:
    """A line of nginx, now."""
    at = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime())
    return f'203.0.113.9 - {user} [{at}] "GET /people/{number} HTTP/1.1" 200 12 "-" "a \\x22quoted\\x22 \\xFF one"\n'


def seen(weir: Installation) -> Counter[tuple[str, int]]:
    """How often which account was told of having seen which profile, by the activity log."""
    found = Counter[tuple[str, int]]()
    for message in weir.read(weir.own(topic.ACTIVITY)):
        sightings = decode(message.value or b"")
        names = [actor_value(sightings, actor) for actor in range(len(sightings.actor_key))]
        found.update(zip((names[a] for a in sightings.actor.tolist()), sightings.profile.tolist(), strict=True))
    return Counter({key: count for key, count in found.items() if key[0].startswith("u")})


def alerted(weir: Installation) -> set[str]:
    """Who there were alerts on."""
    return {one.record["actor"]["value"] for one in weir.read(weir.own(topic.ALERTS))}


def test_rsyslog_to_kafka(kafka_broker: Broker, tmp_path: Path) -> None:
    """Lines that nginx writes are judged as they are, bare or in syslog's format; none is lost or bad."""
    program("rsyslogd")
    with installed(kafka_broker, tmp_path, requests=kafka_broker.topic(2)) as weir:
        logs = {name: tmp_path / f"{name}.log" for name in ("bare", "syslog")}
        for log in logs.values():
            log.touch()
        with rsyslog(tmp_path, kafka_broker, weir.requests):
            for name, log in logs.items():
                log.write_text("".join(line(number, f"u-{name}") for number in range(LINES)))
            wait(lambda: sum(weir.ends(weir.requests).values()) == 2 * LINES, f"{2 * LINES} records of rsyslog")
        worker = weir.start()
        weir.wait_judged()
        assert weir.read(weir.own(topic.DEAD_LETTERS)) == []
        assert Counter(name for name, _ in seen(weir)) == {"u-bare": LINES, "u-syslog": LINES}
        assert alerted(weir) >= {"u-bare", "u-syslog"}
        assert (
            f"{weir.requests}[0]: reads clf" in worker.output() or f"{weir.requests}[1]: reads clf" in worker.output()
        )


def test_batches_of_a_collector(kafka_broker: Broker, tmp_path: Path) -> None:
    """One record of 60 log records is 60 events, once, also behind a crash; a bad one among them is a letter alone."""
    batch = ExportLogsServiceRequest.FromString(otlp_logs(LINES))
    logs = batch.resource_logs[0].scope_logs[0].log_records
    bad = logs.add()
    bad.CopyFrom(logs[0])
    next(pair for pair in bad.attributes if pair.key == "client.address").value.string_value = "localhost"
    records = [batch.SerializeToString(), otlp_spans(kind=3), gzip.compress(otlp_spans())]
    with installed(kafka_broker, tmp_path, requests=kafka_broker.topic(1)) as weir:
        kafka_broker.send(weir.requests, [Sent(value) for value in records])
        weir.start()
        weir.wait_judged()
        weir.workers[0].kill()
        kafka_broker.send(weir.requests, [Sent(otlp_spans())])
        weir.start()
        weir.wait_judged()
        [letter] = weir.read(weir.own(topic.DEAD_LETTERS))
        [alone] = ExportLogsServiceRequest.FromString(letter.value or b"").resource_logs[0].scope_logs[0].log_records
        assert alone == bad
        views = Counter(seen(weir).values())
        assert views == {1: LINES - 1, 3: 1}, "60 profiles, one of which was asked for in two spans as well"
        assert alerted(weir) >= {"u1"}
