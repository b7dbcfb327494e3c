"""Checkpoints on a broker: what is found again after any owner, in any order, was killed anywhere."""

import asyncio
import socket
import threading

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaConnectionError

from schemas.errors import CheckpointError
from streams.live.checkpoint import manifest as manifests
from streams.live.checkpoint import reading
from streams.live.checkpoint.manifest import MANIFEST_CODEC, Lineage, Manifest
from streams.live.checkpoint.reading import StateReader
from streams.live.checkpoint.writing import Point
from streams.settings import KafkaSettings
from tests.brokers import Broker, Sent
from tests.streams.live.checkpoint.kept import Blobs, State, run
from tests.streams.live.test_starting import HOST, Relay

FIRST = {"bucket/0000": b"a1", "bucket/0001": b"b1", "rest": b"r1"}
SECOND = {"bucket/0001": b"b2", "rest": b"r2"}
WAIT_S = 10.0


@pytest.fixture(scope="module", params=["embedded", "kafka"])
def each_broker(request: pytest.FixtureRequest) -> Broker:
    """Either broker, where it may be had."""
    found: Broker = request.getfixturevalue(f"{request.param}_broker")
    return found


def test_nothing_there(each_broker: Broker) -> None:
    """An empty partition has no checkpoint, and its first owner has term 1."""

    async def body(state: State) -> None:
        assert await state.restored() is None
        assert (await state.find()).next_term == 1
        assert (await state.take_over(3)).owner == (1, 3)

    run(each_broker, body)


def test_left_as_soon_as_it_is_open(each_broker: Broker) -> None:
    """Who finds, once the reader is open, that the partitions are no longer its own leaves at once, and goes on."""

    async def body(state: State) -> None:
        before = asyncio.all_tasks()
        for _ in range(3):
            async with StateReader(each_broker.kafka, state.name, [0, 1]):
                pass
        left = asyncio.all_tasks() - before
        if left:  # cancelled, and about to end
            await asyncio.wait(left, timeout=WAIT_S)
        assert all(task.done() for task in left)

    run(each_broker, body)


def test_brokers_are_away_for_a_moment(embedded_broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """As they may be when partitions are dealt out anew: they are waited for, and not for ever."""
    tries = list[int]()
    start = AIOKafkaConsumer.start

    async def counted(consumer: AIOKafkaConsumer) -> None:
        tries.append(1)
        if len(tries) == 3:
            relay.listening.listen()
            threading.Thread(target=relay.run, daemon=True).start()
        await start(consumer)

    async def body(state: State) -> None:
        async with StateReader(kafka, state.name, [0, 1]) as reader:
            assert not (await reader.find(0)).records
        monkeypatch.setattr(reading, "CONNECT_S", 0.0)
        relay.listening.shutdown(socket.SHUT_RDWR)
        with pytest.raises(KafkaConnectionError):
            await StateReader(kafka, state.name, [0, 1]).__aenter__()

    monkeypatch.setattr(reading, "AGAIN_S", 0.0)
    monkeypatch.setattr(AIOKafkaConsumer, "start", counted)
    with socket.socket() as listening:
        listening.bind((HOST, 0))
        relay = Relay(int(embedded_broker.bootstrap.rpartition(":")[2]), 0, listening)
        kafka = KafkaSettings(bootstrap=relay.address)
        run(embedded_broker, body)
    assert len(tries) == 4


def test_what_changed_is_laid_over_what_stood(each_broker: Broker) -> None:
    """A checkpoint consists of what it wrote and of what earlier ones did; what it no longer names is gone."""

    async def body(state: State) -> None:
        series = await state.take_over(1)
        await state.write(series, 10, FIRST)
        assert await state.restored() == (10, FIRST)
        await state.write(series, 20, SECOND, names=FIRST)
        assert await state.restored() == (20, FIRST | SECOND)
        await state.write(series, 30, {"rest": b"r3"}, names=("bucket/0001",))
        assert await state.restored() == (30, {"bucket/0001": b"b2", "rest": b"r3"})

    run(each_broker, body)


@pytest.mark.parametrize("records", [0, 1, 2])
def test_killed_half_way(each_broker: Broker, records: int) -> None:
    """Whatever part of a checkpoint was written before the kill, the one before stands and is whole."""

    async def body(state: State) -> None:
        series = await state.take_over(1)
        await state.write(series, 10, FIRST)
        await state.killed(series, 20, SECOND, records)
        assert series.whole_next
        assert await state.restored() == (10, FIRST)
        # The next owner goes on, and so does one that was not killed but only stopped in between.
        await state.write(await state.take_over(2), 20, FIRST | SECOND)
        assert await state.restored() == (20, FIRST | SECOND)

    run(each_broker, body)


def test_first_checkpoint_killed(each_broker: Broker) -> None:
    """Blobs without a manifest are no checkpoint; the next owner writes under another term and removes them."""

    async def body(state: State) -> None:
        await state.killed(await state.take_over(1), 10, FIRST, 2)
        assert await state.restored() is None
        await state.write(await state.take_over(1), 10, FIRST)
        assert await state.restored() == (10, FIRST)
        last = {record.key: record.value for _, record in sorted((await state.find()).records.items())}
        assert [key for key, value in last.items() if value is None] == [b"1.1/bucket/0000/0/0", b"1.1/bucket/0001/0/0"]

    run(each_broker, body)


def test_a_zombie_destroys_nothing(each_broker: Broker) -> None:
    """An owner that was thought dead and writes behind its successor neither wins nor touches what the other wrote."""

    async def body(state: State) -> None:
        zombie = await state.take_over(1)
        await state.write(zombie, 10, FIRST)
        owner = await state.take_over(2)
        await state.write(owner, 20, FIRST | SECOND)
        await state.write(zombie, 15, {"bucket/0000": b"zz", "rest": b"rz"}, names=FIRST)
        assert await state.restored() == (20, FIRST | SECOND)
        await state.write(owner, 30, {"rest": b"r3"}, names=FIRST)
        await state.write(zombie, 35, {"rest": b"rz"}, names=FIRST)
        assert await state.restored() == (30, FIRST | SECOND | {"rest": b"r3"})

    run(each_broker, body)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_the_highest_counts_whoever_wrote_last(each_broker: Broker, order: tuple[int, ...]) -> None:
    """Term before generation before sequence; the order in the log says nothing."""

    async def body(state: State) -> None:
        ranks = [(1, 9, 1), (2, 3, 1), (2, 4, 1)]
        for place in order:
            term, generation, _ = ranks[place]
            await state.write(state.series(term, generation), 10 + place, {"rest": bytes([place])})
        assert await state.restored() == (12, {"rest": b"\2"})
        found = await state.find()
        assert [one.rank for one in found.manifests] == ranks[::-1]
        assert found.next_term == 3

    run(each_broker, body)


def test_larger_than_a_record(each_broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A blob above the limit comes in parts and goes together again; when it shrinks, what is left over is known."""
    monkeypatch.setattr(manifests, "PART_BYTES", 1000)

    async def body(state: State) -> None:
        series = await state.take_over(1)
        for upto, length in enumerate((0, 1000, 1001, 5500, 10), 1):
            blobs = {"rest": bytes(range(250)) * 22 if length == 5500 else b"x" * length}
            written = await state.write(series, upto, blobs)
            assert len(written.blobs[0].offsets) == max(1, -(-length // 1000))
            assert await state.restored() == (upto, blobs)
        assert "1.1/rest/1/5" in set(written.keys())

    run(each_broker, body)


def test_truly_large(each_broker: Broker) -> None:
    """Nine megabytes of one blob travel under the limits of topic and producer."""

    async def body(state: State) -> None:
        blobs = {"bucket/0000": bytes(9 << 20), "rest": b"r"}
        await state.write(await state.take_over(1), 7, blobs)
        assert await state.restored() == (7, blobs)

    run(each_broker, body)


@pytest.mark.parametrize("wrong", ["damaged", "missing", "another"])
def test_damaged_and_missing(each_broker: Broker, caplog: pytest.LogCaptureFixture, wrong: str) -> None:
    """A manifest whose blobs are not what it says is passed over for the next best, with the reason in the log."""

    async def body(state: State) -> None:
        series = await state.take_over(1)
        first = await state.write(series, 10, FIRST)
        second = await state.write(series, 20, SECOND, names=FIRST)
        rest = next(blob for blob in second.blobs if blob.name == "rest")
        blob = {
            "damaged": msgspec.structs.replace(rest, checksum=rest.checksum ^ 1),
            "missing": msgspec.structs.replace(rest, offsets=(10_000,)),
            "another": msgspec.structs.replace(rest, offsets=first.blobs[0].offsets),
        }[wrong]
        send(state, msgspec.structs.replace(second, sequence=3, upto=99, blobs=(blob,)))
        assert await state.restored() == (20, FIRST | SECOND)

    run(each_broker, body)
    reasons = {
        "damaged": "rest: damaged",
        "missing": "manifest: the record at offset 10000 is gone",
        "another": "rest: offset 0 holds another record",
    }
    said = [text.partition("of no use: checkpoint, ")[2] for text in caplog.messages if "of no use" in text]
    assert said == [reasons[wrong]]


def send(state: State, manifest: Manifest) -> None:
    """Write a manifest as it is."""
    key = manifest.owner.manifest_key.encode()
    state.broker.send(state.name, [Sent(MANIFEST_CODEC.encode(manifest), key)])


def test_what_does_not_fit_is_passed_over(each_broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    """Blobs that the restoring side refuses: the next best is tried, and the log says which and why."""

    def refuse(blobs: Blobs) -> None:
        if blobs["rest"] == b"r2":
            raise CheckpointError("rest", "has other detectors")

    async def body(state: State) -> None:
        series = await state.take_over(1)
        await state.write(series, 10, FIRST)
        await state.write(series, 20, SECOND, names=FIRST)
        assert await state.restored(refuse) == (10, FIRST)

    run(each_broker, body)
    # Of the libraries' own words there are more where an earlier test has had them told.
    assert [record.message for record in caplog.records if record.name.startswith("streams.")] == [
        "partition 0: checkpoint at offset 20 (term 1, number 2) is of no use: checkpoint, rest: has other detectors"
    ]


def test_what_is_no_manifest_is_passed_over(each_broker: Broker) -> None:
    """Garbage, another version and a manifest under a foreign key are not followed."""

    async def body(state: State) -> None:
        written = await state.write(await state.take_over(1), 10, FIRST)
        other = msgspec.structs.replace(written, version=99, term=5)
        foreign = msgspec.structs.replace(written, term=6)
        send(state, other)
        state.broker.send(
            state.name,
            [
                Sent(b"\xff", b"9.9/manifest"),
                Sent(None, b"8.8/manifest"),
                Sent(b"x", None),
                Sent(MANIFEST_CODEC.encode(foreign), b"7.7/manifest"),
            ],
        )
        assert await state.restored() == (10, FIRST)
        assert (await state.find()).next_term == 10, "above whatever stands there"

    run(each_broker, body)


@pytest.mark.parametrize(("first", "found"), [(10, True), (11, False)])
def test_activity_was_deleted(each_broker: Broker, first: int, found: bool) -> None:
    """A checkpoint serves as long as the log of activity goes back to it, and not one message less."""

    async def body(state: State) -> None:
        await state.write(await state.take_over(1), 10, FIRST)
        assert (await state.restored(first=first) is not None) == found

    run(each_broker, body)


def test_far_back(each_broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """The look back goes on until there is a manifest, and fetches blobs from before where it ended."""
    monkeypatch.setattr(reading, "FIRST_LOOK", 4)

    async def body(state: State) -> None:
        series = await state.take_over(1)
        await state.write(series, 1, {f"bucket/{n:04}": b"%d" % n for n in range(40)} | {"rest": b"r"})
        names = [f"bucket/{n:04}" for n in range(40)]
        for upto in range(2, 80):
            await state.write(series, upto, {"rest": b"%d" % upto, "bucket/0007": b"x%d" % upto}, names=names)
        blobs = {name: b"%d" % n for n, name in enumerate(names)} | {"rest": b"79", "bucket/0007": b"x79"}
        found = await state.find()
        assert min(found.records) > 0, "it did not look at everything"
        assert await state.restored() == (79, blobs)
        # Long after, what a killed owner left.
        await state.killed(await state.take_over(2), 90, {f"bucket/{n:04}": b"new" for n in range(40)}, 39)
        assert await state.restored() == (79, blobs)

    run(each_broker, body)


@pytest.mark.parametrize("held_bytes", [0, 1_000, 1 << 30])
def test_a_look_holds_little(each_broker: Broker, monkeypatch: pytest.MonkeyPatch, held_bytes: int) -> None:
    """Of what a look comes by no more is kept than was set, whatever stands there; the rest is read again."""
    monkeypatch.setattr(reading, "HELD_BYTES", held_bytes)

    async def body(state: State) -> None:
        blobs = {f"bucket/{n:04}": b"%d" % n * 100 for n in range(40)} | {"rest": b""}
        series = await state.take_over(1)
        for upto in (1, 2):
            await state.write(series, upto, blobs)
        found = await state.find()
        others = (one for one in found.records.values() if not (one.key or b"").endswith(b"/manifest"))
        held = sum(len(one.value or b"") for one in others)
        assert held == found.held_bytes <= held_bytes
        assert held > 0 or not held_bytes
        assert await state.restored() == (2, blobs)

    run(each_broker, body)


def test_older_owners_are_removed(each_broker: Broker) -> None:
    """Once a successor's first checkpoint stands, every key of earlier owners has a tombstone, and none of its own."""

    async def body(state: State) -> None:
        one = await state.take_over(1)
        await state.write(one, 10, FIRST)
        await state.write(one, 20, SECOND, names=("bucket/0000",))
        two = await state.take_over(2)
        await state.killed(two, 25, FIRST, 4)  # the manifest stands, the tombstones do not
        three = await state.take_over(3)
        await state.write(three, 30, FIRST)
        last = {record.key or b"": record.value for _, record in sorted((await state.find()).records.items())}
        alive = {key for key, value in last.items() if value is not None}
        assert alive == {b"3.3/manifest", b"3.3/rest/0/0", b"3.3/bucket/0000/0/0", b"3.3/bucket/0001/0/0"}
        assert await state.restored() == (30, FIRST)

    run(each_broker, body)


def test_a_manifest_of_before_topics_had_ids(each_broker: Broker) -> None:
    """A checkpoint that says nothing of topics is read as one of topics that nobody knows; later ones say."""

    async def body(state: State) -> None:
        await state.write(await state.take_over(1), 10, FIRST)
        (manifest,) = (await state.find()).manifests
        older = msgspec.msgpack.encode(msgspec.msgpack.decode(MANIFEST_CODEC.encode(manifest))[:-1])
        assert MANIFEST_CODEC.decode(older) == manifest
        assert manifest.lineage == Lineage("", "")
        told = msgspec.structs.replace(manifest, lineage=Lineage("a", "r"))
        assert MANIFEST_CODEC.decode(MANIFEST_CODEC.encode(told)).lineage == ("a", "r")

    run(each_broker, body)


def test_unsettled(each_broker: Broker) -> None:
    """What still waited for its model when a checkpoint was taken is in the manifest."""

    async def body(state: State) -> None:
        series = await state.take_over(1)
        await series.write(Point(20, 12), FIRST, iter(FIRST.items()), state.encoding)
        (found,) = (await state.find()).manifests
        assert (found.upto, found.settled) == (20, 12)

    run(each_broker, body)


def test_compaction_keeps_the_last_checkpoint(kafka_broker: Broker) -> None:
    """After the broker has compacted the partition the last checkpoint is still whole."""

    async def body(state: State) -> None:
        series = await state.take_over(1)
        await state.write(series, 1, {f"bucket/{n:04}": b"%d" % n * 500 for n in range(20)} | {"rest": b"r"})
        names = [f"bucket/{n:04}" for n in range(20)]
        for upto in range(2, 40):
            name = names[upto % 5]
            await state.write(series, upto, {"rest": b"%d" % upto, name: b"%d" % upto * 500}, names=names)
        for upto in range(40, 140):
            # A segment ends at a write that comes after its time, and only what lies in ended ones is compacted.
            await state.write(series, upto, {"rest": b"%d" % upto}, names=names)
            if len((await state.find()).records) < 80:
                break
            await asyncio.sleep(0.3)
        else:
            raise AssertionError("it was not compacted")
        restored = await state.restored()
        assert restored is not None
        assert restored[0] == upto
        assert len(restored[1]) == 21

    quick = {"cleanup_policy": "compact", "segment_ms": "300", "min_cleanable_dirty_ratio": "0.01"}
    run(kafka_broker, body, **quick, max_compaction_lag_ms="300")
