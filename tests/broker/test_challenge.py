"""A challenger beside live workers: what it would do is told, and done to nobody."""

import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from deploy.kafka.cluster import free_ports
from schemas import topic
from streams.cli.main import run
from streams.config import parse, revision
from streams.offline.difference import compare
from tests.broker.challenging import Challenge
from tests.broker.installation import Installation, feed, installed
from tests.broker.test_config import COLD, LIMIT, STRICT, stricter, time_of, views
from tests.brokers import Broker
from tests.days import HALF_DAY, values

pytestmark = pytest.mark.timeout(300)

BETWEEN: Final = STRICT * 3 // 2
"""Views for which only the stricter limit blocks: that takes a quarter more than the limit."""
BEYOND: Final = LIMIT * 3 // 2
AGO_S: Final = 2_500.0
"""When the first view was: all that come lie behind it, and none is late."""


@pytest.fixture
def weir(broker: Broker, tmp_path: Path) -> Iterator[Installation]:
    """An installation with a topic of requests of its own."""
    with installed(broker, tmp_path, requests=f"{tmp_path.name}-{time.time_ns()}", skew_s=3_600) as made:
        yield made


def seen(weir: Installation, at_s: float, counts: dict[str, int]) -> None:
    """Let accounts view so many profiles from a time on, and wait until live workers have judged it."""
    events = [event for account, count in counts.items() for event in views(at_s, count, account)]
    feed(weir.broker, weir.requests, sorted(events, key=time_of))
    weir.wait_judged()


def test_the_report_names_whom_only_the_challenger_would_block(weir: Installation, tmp_path: Path) -> None:
    """Exactly them, since it began and after it was killed; nothing that it decides reaches blocks or alerts."""
    file = tmp_path / "strict.toml"
    file.write_text(stricter(weir))
    challenge = Challenge(weir, file, tmp_path / "challenged")
    weir.start()
    began_s = time.time() - AGO_S
    seen(weir, began_s, {"before": BETWEEN})
    first = challenge.start()
    seen(weir, began_s + 600, {"fast": BEYOND, "patient": BETWEEN, "quiet": BETWEEN, "member": STRICT // 2})
    weir.wait(lambda: challenge.only("block", "challenger") == {"account:patient", "account:quiet"}, "the difference")
    since = challenge.summary()["since"]
    first.kill()
    seen(weir, began_s + 1500, {"late": BETWEEN, "member": STRICT // 2})
    at = f"127.0.0.1:{free_ports(1)[0]}"
    second = challenge.start(WEIR_METRICS__LISTEN=at)
    wanted = {"account:patient", "account:quiet", "account:late"}
    weir.wait(lambda: challenge.only("block", "challenger") == wanted, "the difference after a restart")
    with urllib.request.urlopen(f"http://{at}/readyz", timeout=10) as answer:
        assert answer.status == 200
    with urllib.request.urlopen(f"http://{at}/metrics", timeout=10) as answer:
        page = answer.read().decode()
    assert 'weir_challenge_actors{by="challenger",kind="block"} 3.0' in page
    assert "weir_challenge_lag_records 0.0" in page
    assert second.stop() == 0
    live, tried = (revision(parse(one.read_text())) for one in (weir.config, file))
    summary = challenge.summary()
    assert (summary["challenger"], summary["live"], summary["since"]) == (tried, [live], since)
    assert challenge.only("block", "live") == challenge.only("alert", "live") == set()
    assert summary["block"] == {"alike": 0, "both": 1, "live": 0, "challenger": 3}
    for one in (topic.BLOCKS, topic.ALERTS):
        assert {record.record["config"] for record in weir.read(weir.own(one))} == {live}
    assert "account:" not in second.output()
    assert (challenge.out / "difference.ndjson").stat().st_mode & 0o777 == 0o600


def test_a_day_differs_as_offline(weir: Installation, tmp_path: Path) -> None:
    """The report on all that the log holds is that of `weir config diff` on the same requests; the same is alike."""
    file, events = tmp_path / "strict.toml", list(values(HALF_DAY))
    weir.skew_s = 0
    weir.configure()
    file.write_text(stricter(weir))
    weir.start()
    feed(weir.broker, weir.requests, events)
    weir.wait_judged()
    recording = tmp_path / "day.ndjson"
    recording.write_bytes(b"\n".join(events) + b"\n")
    for settings in (weir.config, file):
        challenge = Challenge(weir, settings, tmp_path / f"challenged by {settings.stem}")
        process = challenge.start("--since", "2020-01-01T00:00:00.000Z")
        weir.wait(lambda: challenge.summary()["open"] == 0, "every difference")  # noqa: B023
        assert process.stop() == 0
        wanted = compare([recording], weir.settings, parse(settings.read_text()))
        found = [(row.actor, row.live, row.challenger) for row in challenge.rows() if row.kind == "block"]
        assert found == [(one.actor, one.first, one.second) for one in wanted.differences]
        assert challenge.summary()["block"]["alike"] == wanted.same > 0
        assert bool(found) == (settings == file)


def test_what_takes_a_restart_is_no_challenger(
    weir: Installation, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """It is refused with its keys, whether a file or a publication says what is in force; nothing is written."""
    file, out = tmp_path / "cold.toml", tmp_path / "challenged"
    file.write_text(weir.config.read_text() + COLD)
    command = ["challenge", "--config", str(weir.config), "--challenger", str(file), "--out", str(out)]
    assert run(command) == 2
    assert "no challenger to the live configuration: memory.actors_max differ" in capfd.readouterr().err
    assert run(["config", "push", "--config", str(file), "--reason", "a test"]) == 0
    assert run([*command[:4], str(weir.config), *command[5:]]) == 2
    assert "published last: memory.actors_max differ" in capfd.readouterr().err
    assert not out.exists()
