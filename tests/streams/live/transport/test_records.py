"""Batches cut from record batches made by hand: limits, holes, transactions, damage."""

import gc
import weakref

import pytest
from aiokafka.consumer.fetcher import READ_UNCOMMITTED
from aiokafka.errors import CorruptRecordException
from hypothesis import given
from hypothesis import strategies as st

from streams.live.transport.options import TopicOptions
from streams.live.transport.records import BatchRecords
from streams.pipeline.batch import Batch
from tests.streams.live.transport.wire import TP, Unit, fetched, run

ALL = TopicOptions(keys=True, headers=True, timestamps=True)
ABORT, COMMIT = 0, 1


def drained(records: BatchRecords, records_max: int = 1000, bytes_max: int = 1_000_000) -> list[Batch]:
    """All batches until nothing is left."""
    batches = []
    while not records.exhausted:
        batches.append(records.take(records_max, bytes_max))
    return batches


def offsets(batch: Batch) -> list[int]:
    """Own offset of each record."""
    return [batch.offset_of(index) for index in range(len(batch))]


def test_whole_fetch_is_one_batch() -> None:
    """Several record batches make one batch, which needs no list of offsets while there is no hole."""
    (batch,) = drained(BatchRecords(fetched([run(0, 3), run(3, 4)]), TopicOptions()))
    assert (batch.topic, batch.partition, batch.lo, batch.hi) == ("requests", 3, 0, 7)
    assert batch.values == [str(n).encode() for n in range(7)]
    assert batch.offsets is None
    assert (batch.keys, batch.headers, batch.timestamps_ms) == (None, None, None)
    assert batch.nbytes == 7


def test_columns_are_parallel() -> None:
    """Keys, headers and timestamps stand beside their values, nulls included."""
    unit = Unit(5, 7, ((5, b"a", b"k"), (6, None, None)), headers=[("h", b"1")])
    (batch,) = drained(BatchRecords(fetched([unit], position=5), ALL))
    assert batch.values == [b"a", None]
    assert batch.keys == [b"k", None]
    assert batch.headers == [[("h", b"1")], [("h", b"1")]]
    assert batch.timestamps_ms is not None
    assert batch.timestamps_ms.tolist() == [1005, 1006]
    assert batch.nbytes == 2


def test_starts_within_record_batch() -> None:
    """A fetch from within a record batch gets the whole of it; what lies before the position is not given out."""
    (batch,) = drained(BatchRecords(fetched([run(0, 10)], position=7), TopicOptions()))
    assert (batch.lo, batch.hi, batch.values) == (7, 10, [b"7", b"8", b"9"])


@pytest.mark.parametrize(("limit", "sizes"), [(3, [3, 3, 1]), (7, [7]), (6, [6, 1]), (1, [1] * 7)])
def test_record_limit(limit: int, sizes: list[int]) -> None:
    """No batch holds more records than allowed, across and within record batches."""
    batches = drained(BatchRecords(fetched([run(0, 4), run(4, 3)]), TopicOptions()), records_max=limit)
    assert [len(batch) for batch in batches] == sizes


@pytest.mark.parametrize(("limit", "sizes"), [(4, [4, 3]), (3, [3, 3, 1]), (7, [7]), (1, [1] * 7)])
def test_byte_limit(limit: int, sizes: list[int]) -> None:
    """No batch holds more bytes than allowed, on either side of the limit."""
    batches = drained(BatchRecords(fetched([run(0, 4), run(4, 3)]), TopicOptions()), bytes_max=limit)
    assert [len(batch) for batch in batches] == sizes
    assert [batch.nbytes for batch in batches] == sizes


def test_keys_count_only_when_kept() -> None:
    """Keys count for the byte limit where they are part of the batch."""
    unit = Unit(0, 2, ((0, b"v", b"kkk"), (1, b"v", b"kkk")))
    assert len(drained(BatchRecords(fetched([unit]), TopicOptions()), bytes_max=4)) == 1
    assert len(drained(BatchRecords(fetched([unit]), TopicOptions(keys=True)), bytes_max=4)) == 2


def test_large_record_comes_alone() -> None:
    """A record beyond the limit is not lost: it is a batch of its own."""
    unit = Unit(0, 3, ((0, b"a", None), (1, b"x" * 100, None), (2, b"b", None)))
    batches = drained(BatchRecords(fetched([unit]), TopicOptions()), bytes_max=10)
    assert [[len(value or b"") for value in batch.values] for batch in batches] == [[1], [100], [1]]


def test_compacted() -> None:
    """Records keep their own offsets; holes in front, between, behind and whole record batches are covered."""
    units = [Unit(2, 6, ((3, b"3", None),)), Unit(6, 9), Unit(9, 15, ((9, b"9", None), (12, b"12", None)))]
    (batch,) = drained(BatchRecords(fetched(units), TopicOptions()))
    assert (batch.lo, batch.hi, offsets(batch)) == (0, 15, [3, 9, 12])


def test_only_holes_left() -> None:
    """Where compaction left no record the batch is empty, and its range is covered all the same."""
    (batch,) = drained(BatchRecords(fetched([Unit(4, 9)], position=4), ALL))
    assert (len(batch), batch.lo, batch.hi) == (0, 4, 9)


def test_aborted_transaction_is_unseen() -> None:
    """Records of an aborted transaction and all markers are holes; its producer's next transaction is seen."""
    units = [
        run(0, 2, producer=7),
        run(2, 2, producer=8),
        Unit(4, 5, producer=7, transactional=True, marker=ABORT),
        Unit(5, 6, producer=8, transactional=True, marker=COMMIT),
        run(6, 1, producer=7),
        Unit(7, 8, producer=7, transactional=True, marker=COMMIT),
    ]
    (batch,) = drained(BatchRecords(fetched(units, aborted=[(7, 0)]), TopicOptions()))
    assert (batch.lo, batch.hi, offsets(batch)) == (0, 8, [2, 3, 6])
    assert batch.values == [b"2", b"3", b"6"]


def test_uncommitted_on_request() -> None:
    """Who reads uncommitted records sees aborted ones, but no markers."""
    units = [run(0, 2, producer=7), Unit(2, 3, producer=7, transactional=True, marker=ABORT)]
    (batch,) = drained(BatchRecords(fetched(units, aborted=[(7, 0)], isolation=READ_UNCOMMITTED), TopicOptions()))
    assert (batch.hi, offsets(batch)) == (3, [0, 1])


def test_damage_comes_after_what_is_whole() -> None:
    """A damaged record batch raises only when it is next, at every attempt that reaches it."""
    damaged = Unit(3, 4, ((3, b"3", None),), damaged=True)
    records = BatchRecords(fetched([run(0, 3), damaged, run(4, 1)]), TopicOptions())
    batch = records.take(10, 1000)
    assert (batch.lo, batch.hi, len(batch)) == (0, 3, 3)
    assert not records.exhausted
    with pytest.raises(CorruptRecordException):
        records.take(10, 1000)


@st.composite
def partitions(draw: st.DrawFn) -> tuple[list[Unit], list[tuple[int, bytes | None]], int]:
    """Record batches with holes inside and between them, the records in them, and where they end."""
    units, contents, at = [], [], 0
    for _ in range(draw(st.integers(1, 5))):
        base = at + draw(st.integers(0, 3))
        span = draw(st.integers(1, 6))
        kept = sorted(draw(st.sets(st.integers(base, base + span - 1))))
        values = [(offset, draw(st.none() | st.binary(max_size=5))) for offset in kept]
        units.append(Unit(base, base + span, tuple((offset, value, None) for offset, value in values)))
        contents += values
        at = base + span
    return units, contents, at


@given(layout=partitions(), records_max=st.integers(1, 8), bytes_max=st.integers(1, 12), start=st.integers(0, 10))
def test_batches_tile(
    layout: tuple[list[Unit], list[tuple[int, bytes | None]], int], records_max: int, bytes_max: int, start: int
) -> None:
    """Whatever the holes, the limits and the position: no record is missing or double, and ranges tile."""
    units, contents, end = layout
    position = min(start, end)
    units = [unit for unit in units if unit.end > position]
    if not units:
        return
    batches = drained(BatchRecords(fetched(units, position), TopicOptions()), records_max, bytes_max)
    got = [(offset, value) for batch in batches for offset, value in zip(offsets(batch), batch.values, strict=True)]
    assert got == [(offset, value) for offset, value in contents if offset >= position]
    assert [batch.lo for batch in batches] == [position, *(batch.hi for batch in batches[:-1])]
    assert batches[-1].hi == end
    assert all(len(batch) <= records_max for batch in batches)
    assert all(batch.nbytes <= bytes_max or len(batch) == 1 for batch in batches)
    assert all(batch.lo <= offset < batch.hi for batch in batches for offset in offsets(batch))
    assert TP.topic == batches[0].topic


@pytest.mark.parametrize("taken", [False, True])
def test_what_was_fetched_goes_with_its_last_user(taken: bool) -> None:
    """Read or not: nothing goes round in a circle, since the collector that would find it runs hardly ever."""
    stock = fetched([run(0, 3)])
    records = BatchRecords(stock, TopicOptions())
    if taken:
        drained(records)
    watched = [weakref.ref(stock), weakref.ref(records)]
    gc.disable()
    try:
        del stock, records
        assert [watch() for watch in watched] == [None, None]
    finally:
        gc.enable()
