"""Recordings as batches."""

import gzip
from pathlib import Path

import pytest

from schemas.errors import InputError
from streams.offline import reading
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


def test_gzip_is_unpacked(tmp_path: Path) -> None:
    """By the ending of the name."""
    file = tmp_path / "a.ndjson.gz"
    file.write_bytes(gzip.compress(b"one\ntwo\n"))
    assert batches([file]) == [(0, 0, 2, [b"one", b"two"], [0, 1])]


def test_a_gzip_that_ends_early_names_file_and_line(tmp_path: Path) -> None:
    """What is damaged is said, with the place."""
    file = tmp_path / "a.ndjson.gz"
    file.write_bytes(gzip.compress(b"line\n" * 50_000)[:-20])
    with pytest.raises(InputError, match=r"a\.ndjson\.gz:\d+: cannot be read further"):
        batches([file])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """With the reason of the system."""
    with pytest.raises(InputError, match=r"none\.ndjson: No such file"):
        open_all([tmp_path / "none.ndjson"])


def test_the_recording_farthest_behind_is_read_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Side by side in event time: whoever is behind goes on until it is not."""
    monkeypatch.setattr(reading, "BATCH_RECORDS", 1)
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"1\n2\n3\n")
    times = {0: iter([10, 20, 30, 40]), 1: iter([15, 16, 35, 50])}
    order = []
    for recording, batch in read_all(open_all([tmp_path / "a", tmp_path / "b"])):
        order.append(batch.partition)
        recording.watermark_us = next(times[batch.partition])
    assert order == [0, 1, 0, 1, 1, 0, 0, 1]
