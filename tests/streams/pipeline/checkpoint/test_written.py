"""What is written when, and what still counts."""

import pytest

from streams.pipeline.checkpoint import written as module
from streams.pipeline.checkpoint.written import ACTORS_A_BUCKET, ROUND, Written, chunks, met_spans

FULL = 16 * ACTORS_A_BUCKET
"""Actors that fit into the fewest buckets there are."""


def write(written: Written, actors: int = 100, *, whole: bool = False, recent: int = 1, met: int = 0) -> list[str]:
    """Carry out one checkpoint; the names written."""
    return written.write(written.plan(actors, whole=whole), recent, 5, met)


def test_the_first_is_whole() -> None:
    """Nothing stands yet that could be added to."""
    assert [name for name in write(Written(), recent=0) if "bucket" in name] == [f"bucket/{k:04}" for k in range(16)]


def test_each_bucket_once_a_round() -> None:
    """After the first, every bucket is written again within `ROUND` checkpoints, and all names count."""
    written, found = Written(), list[str]()
    write(written, recent=0)
    for _ in range(ROUND):
        found += [name for name in write(written) if "bucket" in name]
    assert sorted(found) == [f"bucket/{k:04}" for k in range(16)]
    assert max(written.parts.values()) - min(written.parts.values()) == ROUND - 1


def test_recent_ones_fall_out_after_a_round() -> None:
    """Of a checkpoint's many blobs none is left when its number comes again."""
    written = Written()
    write(written, recent=0)
    write(written, recent=9)
    for _ in range(ROUND - 1):
        write(written)
    assert sum("recent" in name for name in written.parts) == ROUND - 1 + 9
    write(written)
    assert sum("recent" in name for name in written.parts) == ROUND


@pytest.mark.parametrize(("actors", "buckets"), [(FULL, 16), (FULL + 1, 32), (4 * FULL, 64), (4 * FULL + 1, 128)])
def test_buckets_become_more(actors: int, buckets: int) -> None:
    """One more actor than they hold doubles them, and all is written anew."""
    written = Written()
    write(written, recent=0)
    found = write(written, actors, recent=0)
    assert len(found) == (1 if buckets == 16 else buckets)
    assert sum("bucket" in name for name in written.parts) == buckets


def test_buckets_never_become_fewer() -> None:
    """Else every coming and going would write all."""
    written = Written()
    write(written, FULL + 1, recent=0)
    assert len(write(written, 10, recent=0)) == 2
    assert written.bits == 5


def test_what_the_epoch_taught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Full blobs of first contacts are written once; with a new epoch they begin anew and older ones are gone."""
    monkeypatch.setattr(module, "MET", 10)
    written = Written()
    write(written, recent=0, met=25)
    names = [name for name, _ in met_spans(31)]
    assert names == ["met/0000", "met/0001", "met/0002", "met/0003"]
    assert [name for name in write(written, met=31) if "met" in name] == names[2:]
    assert [name for name in write(written, met=31) if "met" in name] == []
    plan = written.plan(100, whole=False)
    assert [name for name in written.write(plan, 0, 6, 12) if "met" in name] == names[:2]
    assert [name for name in written.parts if "met" in name] == names[:2]


@pytest.mark.parametrize(
    ("actors", "pairs", "expected"), [(0, 0, 0), (0, 1, 1), (1, 0, 1), (4096, 0, 1), (4097, 0, 2), (4096, 8, 2)]
)
def test_chunks(actors: int, pairs: int, expected: int) -> None:
    """Blobs of recent actors are as large as buckets; a pair alone needs one too."""
    assert chunks(actors, pairs) == expected
