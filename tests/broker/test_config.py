"""A configuration that is published while workers run: in force from its point on, and a replay repeats it."""

import json
import random
import signal
import time
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import Final

import msgspec
import pytest

from schemas import topic
from schemas.alert import ALERT_CODEC
from schemas.event_time import parse_time_us
from streams.cli.main import run
from streams.config import parse, revision
from streams.offline.replay import replay
from streams.publication import read_publications
from tests.broker.installation import Installation, Record, by_id, feed, installed
from tests.brokers import Broker, Sent
from tests.requests import request_of

pytestmark = pytest.mark.timeout(300)

LIMIT: Final = 100
STRICT: Final = 45
"""Distinct profiles in ten minutes, before and after."""
GAP_S: Final = 3
"""Between two views: slow enough for the limit of a minute, and for a busy machine between two steps of a test."""

COLD: Final = "[memory]\nactors_max = 77777\n"


@pytest.fixture
def weir(broker: Broker, tmp_path: Path) -> Iterator[Installation]:
    """An installation with a topic of requests of its own."""
    with installed(broker, tmp_path, requests=f"{tmp_path.name}-{time.time_ns()}", skew_s=3_600) as made:
        yield made


def views(start_s: float, count: int, account: str, first: int = 0) -> list[bytes]:
    """Distinct profiles viewed by an account at no regular pace and in no order."""
    chance = random.Random(account)
    pace = [chance.uniform(0.1, 2 * GAP_S - 0.1) for _ in range(first + count)]
    ids = [chance.randrange(10**9) for _ in pace]
    at_s = list(accumulate(pace[first:], initial=start_s))
    return [request_of(when, f"p{ids[first + n]}", account=account, ip=None) for n, when in enumerate(at_s[:-1])]


def stricter(weir: Installation) -> str:
    """The configuration with a lower limit."""
    return weir.config.read_text().replace(f"ten_minutes = {LIMIT}\n", f"ten_minutes = {STRICT}\n")


def alerts(weir: Installation) -> list[Record]:
    """What it has alerted on."""
    return [one.record for one in weir.read(weir.own(topic.ALERTS))]


def audited(weir: Installation) -> list[Record]:
    """Changes of the configuration that the audit tells of."""
    entries = [one.record for one in weir.read(weir.own(topic.AUDIT))]
    return [one for one in entries if (one.get("change") or {}).get("of") == "config"]


def published(weir: Installation) -> list[Record]:
    """What stands on the topic of configurations."""
    found = [one.value or b"" for one in weir.read(weir.own(topic.CONFIG))]
    return [msgspec.json.decode(value) for value in found if value.endswith(b"}") and b"blok_s" not in value]


def test_in_force_from_its_point_on(weir: Installation, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Decisions name the revision of their time, windows go on, a restart keeps it, and a replay says the same."""
    weir.start()
    began_s = time.time() - (LIMIT + 5) * GAP_S
    events = [*views(began_s, LIMIT + 1, "early"), *views(began_s, STRICT - 1, "patient")]
    feed(weir.broker, weir.requests, sorted(events, key=time_of))
    weir.wait_judged()
    new = tmp_path / "strict.toml"
    new.write_text(stricter(weir))
    command = ["config", "push", "--config", str(new), "--in-force-after", "2s", "--reason", "a wave", "--json"]
    assert run(command) == 0
    told = json.loads(capfd.readouterr().out)
    assert [(one["key"], one["restart"]) for one in told["changed"]] == []
    point_us = parse_time_us(told["in_force_from"])
    while time.time() * 1e6 < point_us:
        time.sleep(0.05)
    later = [*views(time.time(), 2, "patient", STRICT - 1), *views(time.time(), STRICT + 1, "late")]
    feed(weir.broker, weir.requests, sorted(later, key=time_of))
    weir.wait_judged()
    before, after = revision(parse(weir.config.read_text())), told["revision"]
    assert before != after
    named = by_rate(alerts(weir))
    assert named["early"] == before
    assert (named["patient"], named["late"]) == (after, after), "windows go on through the point"
    weir.wait(lambda: any("in force" in one["change"]["reason"] for one in audited(weir)), "the audit")
    weir.workers[0].kill()
    next_worker = weir.start()
    last = views(time.time(), STRICT + 1, "third")
    feed(weir.broker, weir.requests, last)
    weir.wait_judged()
    assert by_rate(alerts(weir))["third"] == after, "what was published counts, and not the file"
    assert "the configuration file has other values" in next_worker.output()
    assert_as_replayed(weir, [*events, *later, *last], tmp_path)


def by_rate(found: list[Record]) -> dict[str, str]:
    """The revision under which `profile_rate` first spoke of each actor."""
    first: dict[str, str] = {}
    for one in sorted(found, key=lambda record: record["event_time"]):
        if "profile_rate" in {finding["detector"] for finding in one["findings"]}:
            first.setdefault(one["actor"]["value"], one["config"])
    return first


def assert_as_replayed(weir: Installation, events: list[bytes], directory: Path) -> None:
    """A replay with what stands on the topic decides the same, under the same ids."""
    recording, configs = directory / "events.ndjson", directory / "configs.ndjson"
    lines = sorted(events, key=time_of)
    recording.write_bytes(b"\n".join(lines) + b"\n")
    configs.write_bytes(b"\n".join(one.value or b"" for one in weir.read(weir.own(topic.CONFIG))) + b"\n")
    done = replay([recording], weir.settings, enforce=False, configs=read_publications(configs))
    wanted = by_id([msgspec.json.decode(ALERT_CODEC.encode(one)) for one in done.alerts])
    assert len({one["config"] for one in wanted.values()}) == 2
    assert by_id(alerts(weir)) == wanted


def time_of(event: bytes) -> str:
    """When it happened."""
    return str(json.loads(event)["@timestamp"])


def test_a_file_that_changes(weir: Installation) -> None:
    """What is hot in it is published once; what is wrong or cold is told, and the worker goes on."""
    one, other = weir.start(), weir.start()
    feed(weir.broker, weir.requests, views(time.time() - 60, 5, "somebody"))
    weir.wait_judged()
    text = weir.config.read_text()
    weir.config.write_text(stricter(weir))
    weir.wait(lambda: bool(published(weir)), "a publication")
    after = revision(parse(weir.config.read_text()))
    assert {record["revision"] for record in published(weir)} == {after}
    assert {record["reason"] for record in published(weir)} == {
        "configuration file: detectors.profile_rate.account.ten_minutes"
    }
    weir.config.write_text(stricter(weir) + "[policy")
    weir.wait(lambda: told(weir, "refused: ") and told(weir, f"{weir.config}:"), "the refusal")
    weir.config.unlink()
    one.process.send_signal(signal.SIGHUP)
    weir.wait(lambda: told(weir, "there is no such file"), "the file to be missed")
    weir.config.write_text(text.replace(f"ten_minutes = {LIMIT}\n", f"ten_minutes = {STRICT}\n") + COLD)
    other.process.send_signal(signal.SIGHUP)
    weir.wait(lambda: told(weir, "a restart is needed for memory.actors_max"), "word of the restart")
    weir.broker.send(
        weir.own(topic.CONFIG), [Sent(b'{"text": "half a rec', b"x"), Sent(wrong(published(weir)[0]), b"x")]
    )
    weir.wait(lambda: told(weir, "passed over: "), "word of what is no configuration")
    # One worker may publish before it has heard of the other; a wrong or cold change publishes nothing.
    assert [record["revision"] for record in published(weir)] in ([after], [after, after])
    assert (one.process.poll(), other.process.poll()) == (None, None)
    assert (one.stop(), other.stop()) == (0, 0)


def told(weir: Installation, what: str) -> bool:
    """The audit tells of it."""
    return any(what in entry["change"]["reason"] for entry in audited(weir))


def wrong(record: Record) -> bytes:
    """A publication by somebody whose version has other keys."""
    return msgspec.json.encode({**record, "text": "[policy]\nblok_s = 7\n"})
