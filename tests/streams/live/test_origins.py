"""The observe stage with files of ASNs."""

import asyncio
from datetime import date
from pathlib import Path

import faust
from msgspec.structs import replace

from schemas.actor import Actor
from streams.config import parse
from streams.live.app import follow
from streams.live.observing import Observing
from streams.live.tally import Tally
from streams.live.transport import register
from streams.metrics import ROBOT_LIST_MADE, Metrics
from streams.pipeline.assess.timeline import Timeline
from streams.pipeline.batch import Batch
from streams.pipeline.policy.exemption import Exemptions
from streams.pipeline.sightings import decode
from streams.robots import RobotLists
from streams.settings import Bot, EnrichSettings, InputSettings, Settings
from tests.mmdb import mmdb
from tests.requests import START_S, request_of


def asns(stage: Observing) -> set[int]:
    """What the sightings of one request say."""
    (message,) = stage._observer.observe(Batch("http.requests", 0, 0, 1, [request_of(START_S, "7")])).messages
    return set(decode(message or b"").asn.tolist())


def test_a_new_file_counts_without_a_restart(tmp_path: Path) -> None:
    """From the next look at it on."""
    register()
    file = tmp_path / "asn.mmdb"
    file.write_bytes(mmdb({"203.0.113.0/24": {"asn": "AS64500"}}))
    settings = Settings(input=InputSettings(time_skew_max_s=0), enrich=EnrichSettings(asn_file=str(file)))
    stage = Observing(faust.App("origins", broker="batch://localhost:9092"), settings, 1, Tally())
    assert asns(stage) == {64500}
    file.write_bytes(mmdb({"203.0.113.0/24": {"asn": "AS64501"}, "198.51.100.0/24": {"asn": "AS64500"}}))
    assert asns(stage) == {64500}
    asyncio.run(stage._look_at_files())
    assert asns(stage) == {64501}


def test_without_files_nobody_looks() -> None:
    """And nothing is known."""
    register()
    stage = Observing(faust.App("origins", broker="batch://localhost:9092"), Settings(), 1, Tally())
    asyncio.run(stage._look_at_files())
    assert asns(stage) == {0}


def test_a_new_list_of_robots_counts_in_both_stages_without_a_restart(tmp_path: Path) -> None:
    """What is observed from the next batch on, and who is spared, under the same revision; its day is on the page."""
    register()
    file = tmp_path / "bot.json"
    file.write_text('{"creationTime": "2026-11-20T10:00:00", "prefixes": [{"ipv4Prefix": "192.0.2.0/24"}]}')
    robot = Bot("b", "seo", "r", date(2027, 1, 31), list_file=str(file))
    lists = RobotLists([robot], lambda: START_S * 1_000_000)
    settings = replace(parse("[input]\ntime_skew_max_s = 0"), bots=lists.bots)
    app = faust.App("robots", broker="batch://localhost:9092")
    stage, timeline = Observing(app, settings, 1, Tally()), Timeline.of(settings)
    page = Metrics([ROBOT_LIST_MADE])
    look = follow(app, lists, page, [stage, timeline])
    batch = Batch("http.requests", 0, 0, 1, [request_of(START_S, "7")])
    address, revision = Actor("ip", "203.0.113.9"), timeline.first.revision
    assert stage._observer.observe(batch).counts.exempt == 0
    file.write_text('{"creationTime": "2026-11-21T10:00:00", "prefixes": [{"ipv4Prefix": "203.0.113.0/24"}]}')
    asyncio.run(look())
    assert stage._observer.observe(batch).counts.exempt == 1
    assert Exemptions(timeline.at(START_S).settings).allowed(address, START_S * 1_000_000)
    assert timeline.at(START_S).revision == timeline.first.revision == revision
    assert page.value(ROBOT_LIST_MADE, "b") == lists.made_s["b"]
