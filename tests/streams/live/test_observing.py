"""The observe stage beside its agent: when a partition is idle, and batches that are too large for one message."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace
from typing import cast
from unittest import mock

import faust
import msgspec
import numpy as np
import pytest
from faust.types import TP, EventT
from hypothesis import given
from hypothesis import strategies as st

from schemas import topic
from schemas.errors import FloodError
from streams.live import observing
from streams.live.observing import IN_FLIGHT_BYTES, LOOKS, MESSAGE_BYTES, Observing, halves, key_of
from streams.live.tally import Tally
from streams.live.transport import PartitionState, register
from streams.pipeline.batch import Batch
from streams.pipeline.sightings import Sightings, decode
from streams.settings import InputSettings, Settings

HERE, THERE = TP("http.requests", 0), TP("http.requests", 1)
AT_END = PartitionState(0, 10, 10)


@pytest.fixture
def stage() -> Observing:
    """A stage whose app is not started, that writes to one partition."""
    register()
    app = faust.App("observing", broker="batch://localhost:9092")
    return Observing(app, Settings(input=InputSettings(idle_after_ms=2000)), 1, Tally())


@pytest.fixture
def states(monkeypatch: pytest.MonkeyPatch) -> dict[TP, PartitionState]:
    """States of the partitions that the worker is said to have."""
    found: dict[TP, PartitionState] = {}

    def given_states(_: object) -> Mapping[TP, PartitionState]:
        return found

    monkeypatch.setattr(observing, "partition_states", given_states)
    return found


def looks(stage: Observing, count: int) -> list[list[tuple[TP, int]]]:
    """What so many looks found to tell."""
    return [stage._look() for _ in range(count)]


def test_idle_once(stage: Observing, states: dict[TP, PartitionState]) -> None:
    """A partition at its end is idle after as many looks as `idle_after_ms` takes, and that is told once."""
    states[HERE] = AT_END
    assert looks(stage, LOOKS + 20) == [[]] * (LOOKS - 1) + [[(HERE, 10)]] + [[]] * 20


def test_record_wakes(stage: Observing, states: dict[TP, PartitionState]) -> None:
    """Records that come begin the wait anew, at their end."""
    states[HERE] = AT_END
    looks(stage, LOOKS - 1)
    states[HERE] = PartitionState(0, 12, 12)
    assert looks(stage, LOOKS) == [[]] * (LOOKS - 1) + [[(HERE, 12)]]


@pytest.mark.parametrize("state", [PartitionState(0, 9, 10), PartitionState(0, None, 10), PartitionState(0, 10, None)])
def test_not_idle(stage: Observing, states: dict[TP, PartitionState], state: PartitionState) -> None:
    """Behind its end, or while neither end nor position is known, a partition is never idle."""
    states[HERE] = state
    assert looks(stage, 3 * LOOKS) == [[]] * 3 * LOOKS


def tell(stage: Observing, looks: int, answers: Sequence[bool] = ()) -> list[int]:
    """Look so often; what was to be told. Where ``answers`` end all can be told."""
    told: list[int] = []

    def idle(_: str, __: int, position: int) -> bool:
        told.append(position)
        return len(told) > len(answers) or answers[len(told) - 1]

    with mock.patch.object(stage._rounds.telling, "idle", idle):
        for _ in range(looks):
            asyncio.run(stage.tell_idle())
    return told


def test_another_assignment_looks_anew(stage: Observing, states: dict[TP, PartitionState]) -> None:
    """What was to be told in the assignment before may not have been: it is told again, not in an hour."""
    states[HERE] = AT_END
    assert tell(stage, LOOKS) == [10]
    stage._app.consumer_generation_id = 2
    assert tell(stage, LOOKS - 1) == []
    assert tell(stage, 1) == [10]


def test_not_told_is_told_at_the_next_look(stage: Observing, states: dict[TP, PartitionState]) -> None:
    """While a batch before the position is still to come nothing is told; then at once, and once."""
    states[HERE] = AT_END
    assert tell(stage, LOOKS + 9, answers=[False, False]) == [10, 10, 10]


def test_what_clients_choose_is_no_flood(stage: Observing) -> None:
    """Paths that are none are dead letters and hold nothing; as many records that are no JSON do."""
    flawed = b'{"@timestamp":1790000000,"http.request.method":"GET","url.path":"/a\\u0000","user.id":"u"}'
    for value, flood in ((flawed, False), (b"{", True)):
        batch = Batch("http.requests", 0, 0, 5_000, [value] * 5_000)
        observed = stage._observer.observe(batch)
        assert len(observed.dead) == 5_000
        with pytest.raises(FloodError, match="one of them: ") if flood else nullcontext():
            stage._refuse_flood(observed)


def test_in_hand(stage: Observing, states: dict[TP, PartitionState]) -> None:
    """A batch that waits for the producer counts as read, but its partition is not idle: that would look like a gap."""
    states |= {HERE: AT_END, THERE: PartitionState(0, 7, 7)}
    stage._in_hand = HERE
    assert [found for found in looks(stage, 3 * LOOKS) if found] == [[(THERE, 7)]]
    stage._in_hand = None
    assert looks(stage, LOOKS)[-1] == [(HERE, 10)]


def test_told_again(stage: Observing, states: dict[TP, PartitionState]) -> None:
    """Idleness is told every hour, so that retention never leaves assess without a word of the partition."""
    states[HERE] = AT_END
    told = [n for n, found in enumerate(looks(stage, 15_000)) if found]
    assert len(told) == 3
    assert {later - sooner for sooner, later in pairwise(told)} == {7200 + LOOKS}


def test_given_away(stage: Observing, states: dict[TP, PartitionState]) -> None:
    """A partition that comes back is looked at from the beginning."""
    states[HERE] = AT_END
    looks(stage, LOOKS - 1)
    states.clear()
    looks(stage, 1)
    states[HERE] = AT_END
    assert looks(stage, LOOKS) == [[]] * (LOOKS - 1) + [[(HERE, 10)]]


def test_other_topics(stage: Observing, states: dict[TP, PartitionState]) -> None:
    """Only what observe reads is looked at."""
    states[TP(topic.ACTIVITY.name, 0)] = AT_END
    assert looks(stage, LOOKS) == [[]] * LOOKS


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    """Batches of 2 to 20 records, with and without holes in the offsets."""
    offsets = sorted(draw(st.sets(st.integers(5, 60), min_size=2, max_size=20)))
    values: list[bytes | None] = [b"%d" % offset for offset in offsets]
    columns = draw(st.booleans())
    dense = offsets[-1] - offsets[0] == len(offsets) - 1
    return Batch(
        "http.requests",
        0,
        offsets[0] if dense else 3,
        offsets[-1] + 1 if dense else 70,
        values,
        None if dense else np.array(offsets, np.int64),
        values if columns else None,
        [[("h", value or b"")] for value in values] if columns else None,
        np.array(offsets, np.int64) if columns else None,
    )


@given(batches())
def test_halves(batch: Batch) -> None:
    """Halves tile the offsets, share the records in order, and each record keeps its own offset and columns."""
    first, second = halves(batch)
    assert (first.lo, first.hi, second.hi) == (batch.lo, second.lo, batch.hi)
    assert [*first.values, *second.values] == list(batch.values)
    assert abs(len(first) - len(second)) <= 1
    for half in (first, second):
        for index, value in enumerate(half.values):
            assert half.offset_of(index) == int(value or b"")
            assert half.lo <= half.offset_of(index) < half.hi
            assert half.keys is None or half.keys[index] == value
            assert half.headers is None or half.headers[index] == [("h", value)]
            assert half.timestamps_ms is None or half.timestamps_ms[index] == int(value or b"")


def crowded(records: int, profiles: int) -> Batch:
    """Responses that disclose many profiles each."""
    values: list[bytes | None] = [
        msgspec.json.encode(
            {
                "@timestamp": 1.8e9,
                "http.request.method": "GET",
                "url.path": "/search/people",
                "client.address": "203.0.113.9",
                "user.id": "u1",
                "weir.targets": [f"{record}-{n}" for n in range(profiles)],
            }
        )
        for record in range(records)
    ]
    return Batch("http.requests", 0, 100, 100 + records, values)


def messages(stage: Observing, batch: Batch) -> Iterator[Sightings]:
    """The messages of sightings that a batch becomes."""
    for record in stage._outgoing(batch):
        assert record.topic == topic.ACTIVITY.name
        assert len(record.value or b"") <= MESSAGE_BYTES
        yield decode(record.value or b"")


def test_large_batch(stage: Observing) -> None:
    """Ten times what a message may hold goes out in several that tile the batch, and no sighting is missing."""
    found = list(messages(stage, crowded(64, 6000)))
    assert len(found) > 4
    assert [one.lo for one in found] == [100, *(one.hi for one in found[:-1])]
    assert found[-1].hi == 164
    whole = decode(next(iter(stage._observer.observe(crowded(64, 6000)).messages)) or b"")
    assert sum(map(len, found)) == len(whole)
    assert sum(len(one.actor) * 37 for one in found) > 4 * MESSAGE_BYTES


def test_small_batch(stage: Observing) -> None:
    """A batch that fits goes out as one message."""
    (one,) = messages(stage, crowded(2, 10))
    assert (one.lo, one.hi) == (100, 102)
    assert stage._tally.records == 2


@pytest.mark.parametrize(("nbytes", "begun"), [(IN_FLIGHT_BYTES // 8, 8), (IN_FLIGHT_BYTES // 8 + 1, 7)])
def test_so_much_travels(stage: Observing, monkeypatch: pytest.MonkeyPatch, nbytes: int, begun: int) -> None:
    """Batches go on their way until so much waits for the broker, however many they are; then as others arrive."""
    sent: list[asyncio.Future[object]] = []

    async def begin(_: object) -> list["asyncio.Future[object]"]:
        sent.append(asyncio.get_running_loop().create_future())
        return sent[-1:]

    async def ack(_: object) -> None:
        pass

    async def scene() -> None:
        stage._app.consumer_generation_id = 1
        stage._rounds.acknowledge = ack
        for lo in range(100, 109):
            batch = replace(crowded(1, 1), lo=lo, hi=lo + 1, nbytes=nbytes)
            message = SimpleNamespace(tp=HERE, generation_id=1)
            event = cast("EventT[Batch]", SimpleNamespace(value=batch, message=message))
            tasks.append(asyncio.create_task(stage._begin(event)))
            await asyncio.sleep(0.01)
        assert len(sent) == begun
        while not all(task.done() for task in tasks):
            for future in sent:
                if not future.done():
                    future.set_result(None)
            await asyncio.wait(tasks, timeout=0.01)
        assert len(sent) == 9

    tasks: list[asyncio.Task[bool]] = []
    monkeypatch.setattr(stage._sender, "begin", begin)
    asyncio.run(asyncio.wait_for(scene(), 10))


@pytest.mark.parametrize(
    ("key", "value", "sent"), [(None, None, b""), (b"k", None, b"k"), (None, b"v", None), (b"", b"v", b"")]
)
def test_key_of_a_dead_letter(key: bytes | None, value: bytes | None, sent: bytes | None) -> None:
    """It is the original's, but where there is neither key nor value: no client sends such a record."""
    assert key_of(Batch("http.requests", 0, 0, 1, [value], keys=[key]), 0) == sent
