"""A replay whose records say nothing of an address's network, beside files that do."""

import json
from pathlib import Path
from typing import Any

import pytest

from streams.cli.main import run
from streams.config import parse
from streams.offline.replay import Replay, replay
from tests.mmdb import mmdb
from tests.requests import START_S, views


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Three hundred views from one address, the same with its ASN and country said, and a file that knows them."""
    known: dict[str, Any] = {"asn": 64500, "client__geo__country_iso_code": "DE"}
    (tmp_path / "bare.ndjson").write_bytes(b"\n".join(views(START_S, 300)))
    (tmp_path / "said.ndjson").write_bytes(b"\n".join(views(START_S, 300, **known)))
    lite = mmdb({"203.0.113.0/24": {"asn": "AS64500", "country_code": "DE"}}, "lite")
    (tmp_path / "lite.mmdb").write_bytes(lite)
    return tmp_path


def judged(files: Path, name: str, *, enriched: bool) -> Replay:
    """A replay of one of the recordings."""
    lite = json.dumps(str(files / "lite.mmdb"))
    text = f"[enrich]\nasn_file = {lite}\ncountry_file = {lite}\n" if enriched else ""
    return replay([files / name], parse(text))


def found(done: Replay) -> list[tuple[object, ...]]:
    """Alerts without what names the configuration."""
    return [(alert.actor, alert.event_time, alert.status, alert.findings) for alert in done.alerts]


def test_as_if_the_records_had_said_it(files: Path) -> None:
    """The same alerts; without the files other actors are known."""
    bare, said = judged(files, "bare.ndjson", enriched=True), judged(files, "said.ndjson", enriched=False)
    assert found(bare) == found(said) != []
    assert bare.report.actors == said.report.actors > judged(files, "bare.ndjson", enriched=False).report.actors


def test_the_report_says_what_was_known(files: Path) -> None:
    """Kind and day of the files; without them, what cannot be seen."""
    assert judged(files, "bare.ndjson", enriched=True).report.databases == dict.fromkeys(
        ("asn", "country"), "lite 2026-11-18"
    )
    without = judged(files, "bare.ndjson", enriched=False).report
    assert without.databases == {}
    assert [line for line in without.blind if "enrich." in line] == [
        "ASN: unknown where the record does not name it, as there is no enrich.asn_file",
        "country: unknown where the record does not name it, as there is no enrich.country_file",
    ]
    assert not any("enrich." in line for line in judged(files, "bare.ndjson", enriched=True).report.blind)


def test_the_command(files: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The table names the files; one that is none ends the command before anything is read."""
    (files / "weir.toml").write_text(f"[enrich]\nasn_file = {json.dumps(str(files / 'lite.mmdb'))}\n")
    arguments = [
        "replay",
        str(files / "bare.ndjson"),
        "--config",
        str(files / "weir.toml"),
        "--out",
        str(files / "out"),
    ]
    assert run(arguments) == 0
    assert "lite 2026-11-18" in capfd.readouterr().out
    (files / "lite.mmdb").write_bytes(b"")
    assert run(arguments) == 2
    err = capfd.readouterr().err
    assert "enrich.asn_file: " in err
    assert err.count("\n") == 1
