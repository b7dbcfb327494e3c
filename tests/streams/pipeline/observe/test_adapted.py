"""Records of any format through observe."""

import json

import pytest

from streams.live.observing import dead_letters
from streams.pipeline.batch import Batch
from streams.pipeline.observe import Observed, Observer
from streams.settings import InputSettings
from streams.surfaces.setting import DEFAULT_SURFACES
from tests.streams.inputs.samples import CLF, otlp_logs
from tests.streams.pipeline.observe.records import batch_of, record, rows_of


def observed(*values: bytes, format: str = "auto", **more: object) -> Observed:  # noqa: A002 - the key's name
    """What comes of records from offset 70 on."""
    settings = InputSettings(format=format, **more)  # type: ignore[arg-type]
    return Observer(settings, DEFAULT_SURFACES, 2).observe(batch_of(values, 70))


def array(*records: bytes) -> bytes:
    """A record that holds several."""
    return b"[" + b",".join(records) + b"]"


def test_events_of_one_record_share_its_offset() -> None:
    """Each is observed as by itself, and the watermark and the range are those of the record."""
    together = observed(array(record(), record({"url.path": "/people/8"})), record({"url.path": "/people/9"}))
    apart = observed(record(), record({"url.path": "/people/8"}), record({"url.path": "/people/9"}))
    assert {row.offset for row in rows_of(together)} == {70, 71}
    assert sorted(row._replace(offset=0) for row in rows_of(together)) == sorted(
        row._replace(offset=0) for row in rows_of(apart)
    )
    assert (together.lo, together.hi, together.watermark_us) == (70, 72, apart.watermark_us)
    assert together.counts == apart.counts


@pytest.mark.parametrize("bad", [b"{}", record({"url.path": "/people/\0"}), record({"client.address": "localhost"})])
def test_the_dead_letter_of_a_part_is_the_part(bad: bytes) -> None:
    """Whether it is found wrong soon or late; sent again, it does not bring its neighbours a second time."""
    batch = batch_of([record(), array(record(), bad, record({"url.path": "/people/8"}))])
    found = Observer(InputSettings(), DEFAULT_SURFACES, 2).observe(batch)
    [letter] = dead_letters(batch, found)
    assert letter.value == bad
    assert (found.counts.records, found.counts.dead, found.counts.disclosed) == (4, 1, 3)
    assert found.dead[0].offset == 1


def test_the_dead_letter_of_a_whole_record_is_the_record() -> None:
    """Untouched, also where it was unpacked on the way, or stands in an envelope."""
    value = json.dumps({"message": CLF.replace("203.0.113.9", "999.0.113.9")}).encode()
    batch = batch_of([value])
    found = Observer(InputSettings(), DEFAULT_SURFACES, 2).observe(batch)
    assert [letter.value for letter in dead_letters(batch, found)] == [value]
    assert (found.dead[0].where, found.dead[0].reason) == ("$.client.address", "is no IP address")


def test_what_tells_of_no_request_is_counted_apart() -> None:
    """Lines of an error log are neither events nor mistakes."""
    found = observed(CLF.encode(), b"2026/11/23 13:53:33 [error] 31#31: *46 open() failed", b"nonsense")
    assert (found.counts.records, found.counts.skipped, found.counts.dead) == (3, 1, 1)
    assert found.formats == {"clf": 1}


def test_formats_are_told() -> None:
    """Of what is not all canonical: how many events came in which format."""
    assert observed(record(), record()).formats == {}
    assert observed(record(), CLF.encode(), otlp_logs(3)).formats == {"canonical": 1, "clf": 1, "otlp": 3}


@pytest.mark.parametrize("value", [None, b"", b"x" * 1_000_001])
def test_a_record_that_is_none_in_any_format(value: bytes | None) -> None:
    """Tombstones and what is too long are dead letters under every format."""
    for name in ("auto", "clf", "otlp"):
        observer = Observer(InputSettings(format=name), DEFAULT_SURFACES, 1)
        found = observer.observe(Batch("t", 0, 0, 2, [value, otlp_logs() if name == "otlp" else CLF.encode()]))
        assert (found.counts.dead, found.counts.disclosed) == (1, 1)


def test_text_that_no_message_can_carry_is_a_dead_letter() -> None:
    """Half a surrogate in JSON, among others that are read."""
    bad = json.dumps(
        {"remote_addr": "1.2.3.4", "request": "GET /people/\ud800 HTTP/1.1", "time_iso8601": 1_795_441_745}
    )
    found = observed(CLF.encode(), bad.encode(), CLF.encode())
    assert ([dead.offset for dead in found.dead], found.counts.disclosed) == ([71], 2)
