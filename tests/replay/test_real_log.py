"""A day of real people, who never heard of Weir: hardly any of them may be spoken of."""

import csv
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from schemas.mode import Mode
from streams import config
from streams.offline.replay import Replay, replay

LOG: Final = Path(__file__).parents[3] / "shared" / "data" / "access-logs" / "nasa_1995_08_01.csv.gz"
"""30,969 requests of 2,365 hosts on one day of 1995 (Internet Traffic Archive)."""
LATER_S: Final = 1_000_000_000
"""Added to its times, which lie before the years that Weir takes for event times."""


def events() -> Iterator[bytes]:
    """Its requests: every page is taken for a profile, what belongs to a page is not; a host is an address."""
    hosts: dict[str, int] = {}
    with gzip.open(LOG, "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            number = hosts.setdefault(row["ip"], len(hosts))
            event = {
                "@timestamp": float(row["ts"]) + LATER_S,
                "http.request.method": row["method"],
                "url.path": row["path"],
                "http.response.status_code": int(row["status"]),
                "client.address": f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}",
            }
            page = {} if row["is_static"] == "1" else {"weir.target.id": row["path"]}
            yield json.dumps(event | page).encode()


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Replay:
    """The day replayed under the defaults, every detector enforced."""
    if not LOG.exists():
        pytest.skip(f"the log is not beside this checkout: {LOG}")
    path = tmp_path_factory.mktemp("1995") / "events.ndjson"
    path.write_bytes(b"\n".join(events()))
    return replay([path], config.parse(""), mode=Mode.ENFORCE)


def test_every_request_is_read(judged: Replay) -> None:
    """All of it is request events, and most of them pages' images."""
    assert judged.report.outcomes["dead"] == 0
    assert judged.report.events == 30_969
    assert judged.report.outcomes["disclosed"] > 9_000


def test_nobody_is_blocked(judged: Replay) -> None:
    """Nobody is blocked, nor challenged."""
    assert judged.blocks == []
    assert judged.report.requests_denied == 0


def test_at_most_two_are_spoken_of(judged: Replay) -> None:
    """At most two hosts are alerted on."""
    assert len({alert.actor.key for alert in judged.alerts}) <= 2
