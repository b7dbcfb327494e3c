"""Recordings as batches."""

import gzip
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from schemas.errors import InputError
from streams.offline import lines, reading
from streams.offline.reading import open_all, read_all


def batches(paths: list[Path]) -> list[tuple[int, int, int, list[bytes | None], list[int]]]:
    """Partition, range, values and offsets of every batch."""
    return [
        (batch.partition, batch.lo, batch.hi, list(batch.values), [batch.offset_of(i) for i in range(len(batch))])
        for _, batch in read_all(open_all(paths))
    ]


def test_a_line_is_an_offset_and_batches_tile_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every line comes once, with its number, whatever the size of a batch; CR LF and a missing last end are fine."""
    monkeypatch.setattr(reading, "BATCH_RECORDS", 2)
    file = tmp_path / "a.ndjson"
    file.write_bytes(b"one\r\ntwo\nthree")
    assert batches([file]) == [(0, 0, 2, [b"one", b"two"], [0, 1]), (0, 2, 3, [b"three"], [2])]


def test_empty_lines_are_left_out_but_counted(tmp_path: Path) -> None:
    """Offsets stay line numbers, so that a dead letter names the right line."""
    file = tmp_path / "a.ndjson"
    file.write_bytes(b"\none\n\n \ntwo\n")
    assert batches([file]) == [(0, 0, 5, [b"one", b"two"], [1, 4])]


def test_an_empty_file_is_one_empty_batch(tmp_path: Path) -> None:
    """It still says that the source has nothing more."""
    file = tmp_path / "a.ndjson"
    file.touch()
    assert batches([file]) == [(0, 0, 0, [], [])]


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_compressed_files_are_unpacked(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    """By their first bytes, whatever they are called; several one after the other, as logs are appended to."""
    file = tmp_path / "a.log"
    file.write_bytes(pack(b"one\nt") + pack(b"wo\n"))
    assert batches([file]) == [(0, 0, 2, [b"one", b"two"], [0, 1])]


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_a_compressed_file_that_ends_early_is_read_up_to_there(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    """What came before stands; where and why it goes no further is said."""
    file = tmp_path / "a.ndjson.gz"
    file.write_bytes(pack(b"".join(b"line %d %s\n" % (n, os.urandom(9).hex().encode()) for n in range(50_000)))[:-2000])
    [recording] = recordings = open_all([file])
    values = [value for _, batch in read_all(recordings) for value in batch.values]
    assert 40_000 < len(values) < 50_000
    assert all(value is not None and value.startswith(b"line ") for value in values)
    assert re.match(r".*a\.ndjson\.gz:\d+: cannot be read further: ", recording.cut)


def test_a_damaged_file_is_read_up_to_there(tmp_path: Path) -> None:
    """A byte in the middle that was changed."""
    file = tmp_path / "a.gz"
    value = bytearray(gzip.compress(b"line\n" * 50_000, mtime=0))
    value[len(value) // 2 : len(value) // 2 + 20] = bytes(20)
    file.write_bytes(value)
    [recording] = recordings = open_all([file])
    assert all(batch.hi >= batch.lo for _, batch in read_all(recordings))
    assert "cannot be read further" in recording.cut


def test_a_line_without_end_comes_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It never stands in memory whole."""
    monkeypatch.setattr(lines, "LINE_MAX", 10)
    file = tmp_path / "a.log"
    file.write_bytes(b"x" * 25 + b"\nnext\n")
    assert batches([file])[0][3] == [b"x" * 10, b"x" * 10, b"x" * 5, b"next"]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """With the reason of the system."""
    with pytest.raises(InputError, match=r"none\.ndjson: No such file"):
        open_all([tmp_path / "none.ndjson"])


def test_a_topic_is_no_file() -> None:
    """Where files alone are read, that is said, whatever the path has made of the text."""
    with pytest.raises(InputError, match="only `weir replay` reads from Kafka"):
        open_all([Path("kafka://http.requests?from=1")])


def test_the_recording_farthest_behind_is_read_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Side by side in event time: whoever is behind goes on until it is not."""
    monkeypatch.setattr(reading, "BATCH_RECORDS", 1)
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"1\n2\n3\n")
    times = {0: iter([10, 20, 30]), 1: iter([15, 16, 35])}
    order = []
    for recording, batch in read_all(open_all([tmp_path / "a", tmp_path / "b"])):
        order.append(batch.partition)
        recording.watermark_us = next(times[batch.partition])
    assert order == [0, 1, 0, 1, 1, 0]
