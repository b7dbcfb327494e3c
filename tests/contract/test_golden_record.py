import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from schemas.alert import ALERT_CODEC, AlertMode, AlertStatus, Severity
from schemas.audit import AUDIT_CODEC
from schemas.block import BLOCK_CODEC, Action
from schemas.codec import JsonCodec, MsgpackCodec
from schemas.config_revision import PUBLISHED_CODEC
from schemas.dead_letter import DeadLetter, read_headers
from schemas.describe import RECORDS
from schemas.errors import StopError
from schemas.finding import Finding
from schemas.incident import Incident
from schemas.override import OVERRIDE_CODEC, decode_override
from schemas.request import decode_request
from schemas.sighting import SightingBatch
from streams.pipeline.sightings import decode
from tests.contract.golden_file import FOLDER, lines


def decode_dead_letter(line: bytes) -> DeadLetter:
    """A dead letter from a line of headers with their texts."""
    return read_headers([(name, text.encode()) for name, text in json.loads(line).items()])


def encode_dead_letter(letter: DeadLetter) -> bytes:
    """The same line again."""
    return json.dumps({name: value.decode() for name, value in letter.headers()}).encode()


CODECS: dict[str, tuple[Callable[[bytes], Any], Callable[[Any], bytes]]] = {
    "audit": (AUDIT_CODEC.decode, AUDIT_CODEC.encode),
    "alert": (ALERT_CODEC.decode, ALERT_CODEC.encode),
    "block": (BLOCK_CODEC.decode, BLOCK_CODEC.encode),
    "config": (PUBLISHED_CODEC.decode, PUBLISHED_CODEC.encode),
    "dead_letter": (decode_dead_letter, encode_dead_letter),
    "finding": (JsonCodec(Finding).decode, msgspec.json.encode),
    "incident": (JsonCodec(Incident).decode, msgspec.json.encode),
    "override": (decode_override, OVERRIDE_CODEC.encode),
    "request_event": (decode_request, msgspec.json.encode),
}
every_record = pytest.mark.parametrize("stem", RECORDS)


def test_every_record_has_golden_ones() -> None:
    """A record that is described to the outside is held to its word here."""
    assert set(CODECS) == set(RECORDS)
    assert {path.name.split(".")[0] for path in FOLDER.iterdir()} == set(RECORDS) | {"sighting_batch"}


@every_record
def test_golden_records_are_read_and_written_as_they_were(stem: str) -> None:
    """Nothing of an old record is lost or changed by reading and writing it; keys that came since are null."""
    decode, encode = CODECS[stem]
    for line in lines(f"{stem}.v1"):
        before, after = json.loads(line), json.loads(encode(decode(line)))
        assert after == dict.fromkeys(after) | before


@every_record
def test_keys_of_a_later_version_change_nothing(stem: str) -> None:
    """The same records with more keys, at every level, read the same."""
    decode, _ = CODECS[stem]
    plain, later = lines(f"{stem}.v1"), lines(f"{stem}.v1.unknown")
    assert [decode(line) for line in later] == [decode(line) for line in plain]
    assert all(len(more) > len(less) for more, less in zip(later, plain, strict=True))


def test_nested_spelling_reads_as_the_flat_one() -> None:
    """Three request events as shippers nest them."""
    nested = [decode_request(line) for line in lines("request_event.v1.nested")]
    assert nested == [decode_request(line) for line in lines("request_event.v1")]


def test_golden_request_event_means_what_it_meant() -> None:
    """Every key of the contract lands in its attribute."""
    event = decode_request(lines("request_event.v1")[0])
    assert msgspec.structs.asdict(event) == {
        "time": "2026-11-24T09:15:02.118Z",
        "method": "GET",
        "path": "/people/8123771",
        "address": "203.0.113.71",
        "user": "u48213",
        "session": "s-83fae81c",
        "status": 200,
        "route": "/people/{id}",
        "query": "ref=feed",
        "server": "www.example.org",
        "request_id": "01HF2K9Z",
        "user_agent": "Mozilla/5.0 (X11; Linux x86_64)",
        "referer": "https://www.example.org/feed",
        "asn": 64500,
        "country": "DE",
        "ja4": "t13d1516h2_8daaf6152771_b186095e22b6",
        "ja3": "e7d705a3286e19ea42f587b344ee6865",
        "peer": "192.0.2.10",
        "target": "8123771",
        "targets": ["8123771", "8123772"],
        "tier": "free",
        "created_at": "2026-11-20T00:00:00Z",
    }


def test_golden_alert_and_block_mean_what_they_meant() -> None:
    """The words of the contract become the members of the enumerations."""
    alert = ALERT_CODEC.decode(lines("alert.v1")[0])
    assert (alert.status, alert.mode, alert.severity) == (AlertStatus.OPEN, AlertMode.ENFORCE, Severity.HIGH)
    assert alert.findings[1].evidence == {"profiles_1m": 61, "limit_1m": 60, "tier": "free"}
    block = BLOCK_CODEC.decode(lines("block.v1")[1])
    assert (block.action, block.actor.key) == (Action.CHALLENGE, "net:2001:db8:77::/48")


def test_golden_sightings_are_read_and_written_as_they_were() -> None:
    """Workers of two versions share the activity topic while one is replaced by the other."""
    codec = MsgpackCodec(SightingBatch)
    value = bytes.fromhex((FOLDER / "sighting_batch.v3.hex").read_text())
    batch = codec.decode(value)
    assert codec.encode(batch) == value
    assert (batch.lo, batch.start, batch.hi) == (980, 1000, 1004)
    assert [(one.partition, one.lo, one.hi, one.idle) for one in batch.others] == [
        (7, 990, 1200, False),
        (8, 40, 40, True),
    ]
    assert (batch.actor_text, batch.tiers) == (b"42203.0.113.7", ["", "free"])
    assert batch.actor_key == (1).to_bytes(8, "little") + (2**64 - 1).to_bytes(8, "little")
    assert (batch.number, batch.country) == ((8_123_771).to_bytes(8, "little"), b"ED")
    assert (batch.member_key, batch.member_text) == ((1).to_bytes(8, "little"), b"42")


def test_sightings_of_an_older_version_are_refused() -> None:
    """They must be drained before the new version starts; what is left says so, and nothing of it is misread."""
    value = bytes.fromhex((FOLDER / "sighting_batch.v2.hex").read_text())
    with pytest.raises(StopError, match=r"version 2, this Weir reads version 3 \(see CHANGELOG.md\)"):
        decode(value)
