"""A watch with files of ASNs."""

import json
from pathlib import Path

import pytest

from schemas.actor import Scope
from streams import config
from streams.watch import watching as module
from streams.watch.keeping import Kept
from streams.watch.process import sources_of
from streams.watch.watching import Watching
from tests.mmdb import mmdb
from tests.requests import START_S, request_of


def test_a_new_file_counts_without_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both groups are known in the end: that of the file there was, and that of the file there is."""
    monkeypatch.setattr(module, "LOOK_S", 0.0)
    file, log = tmp_path / "asn.mmdb", tmp_path / "access.log"
    file.write_bytes(mmdb({"203.0.113.0/24": {"asn": "AS64500"}}))
    text = f"[input]\nidle_after_ms = 1\nallowed_lateness_ms = 0\n[enrich]\nasn_file = {json.dumps(str(file))}\n"
    settings = config.parse(text)
    kept = Kept(tmp_path / "state")
    log.write_bytes(request_of(START_S, "7") + b"\n")
    watching = Watching(settings, kept, sources_of([str(log)], kept, 10_000), lambda: START_S * 1_000_000, 0)
    known = []
    for number in (64500, 64501):
        while watching.step() or not all(told.idle for told in watching._told):
            pass
        actors = watching._pipeline.assessors[0].actors
        known.append({actors.value(slot) for slot in range(len(actors)) if actors.scope(slot) is Scope.ASN})
        file.write_bytes(mmdb({"203.0.113.0/24": {"asn": "AS64501"}, "198.51.100.0/24": {"asn": f"AS{number}"}}))
        with log.open("ab") as more:
            more.write(request_of(START_S + 60, "8") + b"\n")
    watching.close()
    assert known == [{"64500"}, {"64500", "64501"}]
