"""Declared limits of a worker: floods of dead letters, blocks that come too late, and saying so."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from schemas import topic
from schemas.audit import AUDIT_CODEC, Audit, AuditKind, DegradedReason
from schemas.mode import Mode
from streams.cli.main import run
from tests.broker.installation import Installation, installed
from tests.brokers import Broker, Sent

pytestmark = pytest.mark.timeout(180)

GOOD: Final = 60
"""More profiles than one account may look at in a minute."""
BAD: Final = b"not an event"
FEW: Final = 10


def event(n: int, age_s: float = 0) -> Sent:
    """A view of profile ``n`` by account u1, so long ago."""
    record: dict[str, Any] = {
        "@timestamp": time.time() - age_s,
        "http.request.method": "GET",
        "url.path": f"/people/{n}",
        "http.response.status_code": 200,
        "user.id": "u1",
        "client.address": "203.0.113.9",
    }
    return Sent(msgspec.json.encode(record))


@pytest.fixture
def weir(broker: Broker, tmp_path: Path) -> Iterator[Installation]:
    """An installation that has not been started."""
    with installed(broker, tmp_path, requests=broker.topic(2), mode=Mode.ENFORCE.value) as made:
        yield made


def configure(weir: Installation, dead_letters: str = "", policy: str = "block_age_max_s = 0") -> None:
    """Ten of a hundred records of a partition may be unreadable, unless ``dead_letters`` says otherwise."""
    limits = f"[policy]\n{policy}\n[dead_letters]\nwindow_records = 100\nretry_s = 1\n{dead_letters}\n[kafka]\n"
    before, _, rest = weir.config.read_text().partition("[policy]\n")
    weir.config.write_text(before + limits + rest.partition("[kafka]\n")[2])


def audit(weir: Installation) -> list[Audit]:
    """All entries, in order."""
    return [AUDIT_CODEC.decode(one.value or b"") for one in weir.read(weir.own(topic.AUDIT))]


def test_flood_is_held_until_the_limit_is_raised(weir: Installation, capfd: pytest.CaptureFixture[str]) -> None:
    """Bad records up to the limit are dead letters; the flood behind is held, loudly, and keeps its worker alive.

    Another partition goes on, a stop does not wait, and once the limit is raised everything is read.
    """
    configure(weir)
    weir.broker.send(weir.requests, [event(n) for n in range(GOOD)])
    weir.broker.send(weir.requests, [Sent(BAD, partition=1)] * FEW)
    worker = weir.start()
    weir.wait_through(weir.requests)
    weir.broker.send(weir.requests, [*[Sent(BAD, partition=1)] * FEW, event(GOOD)])
    weir.wait(lambda: worker.output().count("cannot be read, up to offset 10") > 1, "two alarms")
    weir.wait(lambda: weir.committed(weir.requests) == {0: GOOD + 1, 1: FEW}, "the other partition")
    weir.wait(lambda: DegradedReason.DEAD_LETTER_FLOOD in reasons(weir), "an entry in the audit")
    assert len(weir.read(weir.own(topic.DEAD_LETTERS))) == FEW
    assert worker.stop() == 0
    configure(weir, "share_max = 1.0")
    weir.start()
    weir.wait_through(weir.requests)
    assert len(weir.read(weir.own(topic.DEAD_LETTERS))) == 2 * FEW
    at = ["--config", str(weir.config)]
    assert run(["deadletters", "replay", *at]) == 0
    assert f"sent {2 * FEW} of {2 * FEW} dead letters again" in capfd.readouterr().out
    weir.wait(lambda: len(weir.read(weir.own(topic.DEAD_LETTERS))) == 4 * FEW, "letters that failed again")


def reasons(weir: Installation) -> set[DegradedReason]:
    """All that was ever told."""
    return {cause.reason for entry in audit(weir) for cause in entry.causes}


def test_flood_stops_the_worker(weir: Installation) -> None:
    """With `on_flood` stop it ends with one line and no traceback, before any of it is a dead letter."""
    configure(weir, 'on_flood = "stop"')
    weir.broker.send(weir.requests, [Sent(BAD)] * (FEW + 1))
    worker = weir.start()
    assert worker.process.wait(timeout=60) == 70, worker.output()
    (line,) = [line for line in worker.output().splitlines() if "CRITICAL" in line]
    assert f"FloodError: {weir.requests}[0]: more than 0.1 of 100 records" in line
    assert "Traceback" not in worker.output()
    assert weir.read(weir.own(topic.DEAD_LETTERS)) == []
    assert weir.committed(weir.requests) == {}


def test_old_blocks_are_withheld(weir: Installation) -> None:
    """What is decided on events of long ago is told to people and not to enforcement, and the worker says why."""
    configure(weir, policy="block_age_max_s = 900\nlag_max_s = 60")
    weir.broker.send(weir.requests, [event(n, age_s=1_000) for n in range(GOOD)])
    worker = weir.start()
    weir.wait_judged()
    assert {one.record["actor"]["value"] for one in weir.read(weir.own(topic.ALERTS))} == {"u1"}
    assert weir.read(weir.own(topic.BLOCKS)) == []
    both = {DegradedReason.LAGGING, DegradedReason.BLOCKS_WITHHELD}
    weir.wait(lambda: both <= reasons(weir), "an entry in the audit")
    entry = audit(weir)[-1]
    assert (entry.kind, entry.who.split(":")[0]) == (AuditKind.DEGRADED, "worker")
    assert "degraded: lagging, judges events of " in worker.output()
