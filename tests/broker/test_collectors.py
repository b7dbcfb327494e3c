"""`weir collectors` on a broker: a worker judges; a day is counted while its sightings are there, and told later."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from kafka import TopicPartition

from schemas import topic
from schemas.audit import AUDIT_CODEC, AuditKind
from streams.cli.main import run
from tests.broker.installation import Installation, feed, installed
from tests.brokers import Broker, Sent
from tests.requests import request_of, views

pytestmark = pytest.mark.timeout(300)

COLLECTORS: Final = """
[[collectors]]
actor = "account:crm-sync"
profiles_per_day = 60
owner = "data-partnerships"
reason = "contract 2026-114"
expires = 2099-06-30
[[collectors]]
actor = "account:quiet"
profiles_per_day = 10
owner = "sre"
reason = "probe"
expires = 2099-06-30
"""
TODAY: Final = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
YESTERDAY: Final = TODAY - timedelta(days=1)
NOON_S: Final = YESTERDAY.timestamp() + 43_200


@pytest.fixture(scope="module")
def weir(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation with two collectors, whose worker has judged a day of one of them."""
    with installed(broker, tmp_path_factory.mktemp("weir"), requests=broker.topic(8)) as made:
        made.config.write_text(made.config.read_text() + COLLECTORS)
        made.start()
        search = request_of(NOON_S - 60, "", account="crm-sync", url__path="/search/people", url__query="q=li")
        taken = views(NOON_S, 90, account="crm-sync") + views(NOON_S + 100, 30, account="crm-sync")
        feed(made.broker, made.requests, [search, *taken, *views(NOON_S + 200, 5, account="somebody")])
        feed(made.broker, made.requests, views(time.time() - 60, 3, account="crm-sync"))
        made.wait_judged()
        yield made


def weir_command(weir: Installation, *arguments: str) -> int:
    """Run a command against the installation; its exit status."""
    return run([*arguments, "--config", str(weir.config)])


def told(weir: Installation, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The collector's row of yesterday in the report of its month."""
    capsys.readouterr()
    weir_command(weir, "collectors", "report", "--month", f"{YESTERDAY:%Y-%m}", "--json")
    found = json.loads(capsys.readouterr().out)
    one = next(each for each in found["collectors"] if each["actor"] == "account:crm-sync")
    row: dict[str, Any] = next(line for line in one["days"] if line["day"] == f"{YESTERDAY:%Y-%m-%d}")
    return row


def delete_sightings(weir: Installation) -> None:
    """Take all sightings away, as retention does in two days."""
    name = weir.own(topic.ACTIVITY)
    weir.broker.admin.delete_records({TopicPartition(name, number): end for number, end in weir.ends(name).items()})


def test_a_day_is_counted_and_stays(weir: Installation, capsys: pytest.CaptureFixture[str]) -> None:
    """Exactly what was taken, distinct, with what was decided; once kept it does not hang on the sightings any more.

    Without having been counted it stands in the report as long as the sightings do.
    """
    before = told(weir, capsys)
    assert weir_command(weir, "collectors", "count") == 0
    assert (
        f"{YESTERDAY:%Y-%m-%d} account:crm-sync: 121 requests, 90 profiles, above the quota\n"
        in capsys.readouterr().out
    )
    entries = [AUDIT_CODEC.decode(one.value or b"") for one in weir.read(weir.own(topic.AUDIT))]
    kept = [entry for entry in entries if entry.kind is AuditKind.COUNTED]
    assert {entry.who for entry in kept} == {"collector:account:crm-sync", "collector:account:quiet"}
    assert weir_command(weir, "collectors", "count") == 0
    assert "nothing new to count" in capsys.readouterr().out
    assert told(weir, capsys) == before
    if weir.broker.kind == "kafka":
        delete_sightings(weir)
    row = told(weir, capsys)
    assert row == before
    assert row["above"]
    assert row["counted"]["missing"] == []
    assert (row["counted"]["requests"], row["counted"]["profiles"]) == (121, 90)
    assert row["counted"]["surfaces"] == {"view": 120, "search": 0, "lookup": 0, "list": 0, "empty": 1}
    said = [one["what"] for one in row["counted"]["decided"]]
    assert any(one.startswith("alert open") for one in said)
    assert any(one.startswith("block on account:crm-sync, enforce, active") for one in said)


def test_records_that_cannot_be_read(weir: Installation, capsys: pytest.CaptureFixture[str]) -> None:
    """Among alerts, blocks and in the audit they are passed over, counted and said; `weir incidents` goes on too."""
    for one in (topic.ALERTS, topic.BLOCKS, topic.AUDIT):
        weir.broker.send(weir.own(one), [Sent(b"{", b"x"), Sent(None, b"x")])
    assert weir_command(weir, "collectors", "count") == 0
    assert "1 record is left out, unreadable: " in capsys.readouterr().err
    assert weir_command(weir, "incidents") == 0
    captured = capsys.readouterr()
    assert "account:crm-sync" in captured.out
    assert "2 records are left out, unreadable: " in captured.err
    assert f"{weir.own(topic.ALERTS)}[0]:" in captured.err
    assert weir_command(weir, "collectors", "report", "--month", f"{YESTERDAY:%Y-%m}") == 1
    assert "1 record is left out, unreadable" in capsys.readouterr().out.replace("\\", "")


def test_what_retention_took_is_not_known(
    kafka_broker: Broker, weir: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither sightings nor what was counted is there: that is said, with status 1, and never told as nothing taken."""
    del kafka_broker  # the embedded broker deletes no records
    kept = told(weir, capsys)
    delete_sightings(weir)
    before = weir.ends(weir.own(topic.ACTIVITY))
    feed(weir.broker, weir.requests, views(time.time(), 1, account="crm-sync"))
    weir.wait(lambda: weir.ends(weir.own(topic.ACTIVITY)) != before, "another sighting")
    assert told(weir, capsys) == kept
    weir.broker.admin.delete_records({TopicPartition(weir.own(topic.AUDIT), 0): weir.ends(weir.own(topic.AUDIT))[0]})
    assert weir_command(weir, "collectors", "count") == 1
    row = told(weir, capsys)
    assert row["counted"]["missing"]
    assert not row["above"]
    assert any(one["what"].startswith("alert open") for one in row["counted"]["decided"])
