"""The observe stage with files of ASNs."""

import asyncio
from pathlib import Path

import faust

from streams.live.observing import Observing
from streams.live.tally import Tally
from streams.live.transport import register
from streams.pipeline.batch import Batch
from streams.pipeline.sightings import decode
from streams.settings import EnrichSettings, InputSettings, Settings
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
