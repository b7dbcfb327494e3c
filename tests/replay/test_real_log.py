"""A day of real people, who never heard of Weir: hardly any of them may be spoken of."""

import csv
import gzip
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest

from schemas.block import BlockMode
from schemas.mode import Mode
from streams import config
from streams.offline.replay import Replay, replay

LOG: Final = Path(__file__).parents[3] / "shared" / "data" / "access-logs" / "nasa_1995_08_01.csv.gz"
"""30,969 requests of 2,365 hosts on one day of 1995 (Internet Traffic Archive)."""
LATER_S: Final = 1_000_000_000
"""Added to its times, which lie before the years that Weir takes for event times."""


MISSION: Final = re.compile(r"/missions/(?:sts|apollo)-(\d+)/")
"""Pages of missions, which are numbered: people go from one to the next, or to one beside it."""


def page(row: Mapping[str, str]) -> str | None:
    """Every page is taken for a profile, what belongs to a page is not."""
    return None if row["is_static"] == "1" else row["path"]


def mission(first: int) -> Callable[[Mapping[str, str]], str | None]:
    """Every mission is taken for a profile, the numbers beginning with ``first``."""

    def of(row: Mapping[str, str]) -> str | None:
        found = MISSION.search(row["path"]) if row["is_static"] != "1" else None
        return None if found is None else str(first + int(found[1]))

    return of


def events(profile: Callable[[Mapping[str, str]], str | None] = page) -> Iterator[bytes]:
    """Its requests, with the ``profile`` that each discloses; a host is an address."""
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
            shown = profile(row)
            yield json.dumps(event if shown is None else event | {"weir.target.id": shown}).encode()


def replayed(folder: Path, profile: Callable[[Mapping[str, str]], str | None] = page) -> Replay:
    """The day replayed under the defaults, every detector enforced."""
    if not LOG.exists():
        pytest.skip(f"the log is not beside this checkout: {LOG}")
    path = folder / "events.ndjson"
    path.write_bytes(b"\n".join(events(profile)))
    return replay([path], config.parse(""), mode=Mode.ENFORCE)


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Replay:
    """The day with every page as a profile."""
    return replayed(tmp_path_factory.mktemp("1995"))


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


def test_readers_of_numbered_pages(tmp_path: Path) -> None:
    """Where missions 1 to 76 are the profiles all of them are neighbours: nobody is spoken of for reading on."""
    one = replayed(tmp_path, mission(first=0))
    assert one.report.outcomes["disclosed"] > 2_000
    assert [block for block in one.blocks if block.mode is BlockMode.ENFORCE] == []
    assert [alert for alert in one.alerts if "id_walk" in {finding.detector for finding in alert.findings}] == []


def test_readers_of_higher_numbers(tmp_path: Path) -> None:
    """Missions 1001 to 1076, on a first day: who takes three steps is spoken of, and hardly any of the 40 is blocked.

    Two go on through eight missions in order: a proxy, and a host that reads fifteen.
    """
    one = replayed(tmp_path, mission(first=1_000))
    blocked = {block.actor.key for block in one.blocks if block.mode is BlockMode.ENFORCE}
    alerted = {alert.actor.key for alert in one.alerts}
    assert len(alerted) > 30
    assert len(blocked) <= 2
