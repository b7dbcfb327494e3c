"""Whose turn it is to be judged, and with how much."""

import asyncio
from types import SimpleNamespace
from typing import cast

import pytest
from faust.types import EventT

from streams.live.turns import LARGE_BYTES, LATELY_S, REST_MAX_S, ROOM_BYTES, SHARE, Turns
from streams.pipeline.batch import Batch


class Clock:
    """Stands until it is moved."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        """Now."""
        return self.now_s


class Scene:
    """Turns by a clock that is set by hand."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.turns = Turns(self.clock)

    def put(self, partition: int, lo: int, nbytes: int = 10, generation: int = 1) -> None:
        """A batch of one record comes."""
        batch = Batch("a", partition, lo, lo + 1, [b""], nbytes=nbytes)
        message = SimpleNamespace(generation_id=generation)
        asyncio.run(self.turns.put(cast("EventT[Batch]", SimpleNamespace(value=batch, message=message))))

    def next(self) -> tuple[int, list[int]] | None:
        """Whose turn it is: the partition, and where its batches begin."""
        events = self.turns.next()
        if events is None:
            return None
        batches = [cast(Batch, event.value) for event in events]
        return batches[0].partition, [batch.lo for batch in batches]

    def judge(self, seconds: float) -> None:
        """A turn of whoever's it is, which lasts so long."""
        found = self.next()
        assert found is not None
        self.clock.now_s += seconds
        self.turns.took(found[0])


@pytest.fixture
def scene() -> Scene:
    """Nothing waits."""
    return Scene()


def test_all_at_once(scene: Scene) -> None:
    """A turn takes all batches of one partition, in order, and none of another; then nothing is left of it."""
    for partition, lo in ((1, 5), (0, 7), (1, 6)):
        scene.put(partition, lo)
    assert [scene.next(), scene.next(), scene.next()] == [(1, [5, 6]), (0, [7]), None]


def test_longest_first(scene: Scene) -> None:
    """It goes by when the first batch came, whatever has come since."""
    for partition, lo in ((2, 0), (1, 0), (2, 1), (0, 0)):
        scene.put(partition, lo)
        scene.clock.now_s += 0.001
    assert [scene.next(), scene.next(), scene.next()] == [(2, [0, 1]), (1, [0]), (0, [0])]
    for partition in (0, 2, 1):
        scene.put(partition, 7)
        scene.clock.now_s += 0.001
    assert [scene.next(), scene.next(), scene.next()] == [(0, [7]), (2, [7]), (1, [7])]


def test_rests(scene: Scene) -> None:
    """After a turn a partition waits so long that the thread has time for others; and not longer."""
    scene.put(0, 0)
    scene.judge(0.02)
    scene.put(0, 1)
    scene.clock.now_s = 100.0 + 0.02 / SHARE - 0.001
    assert scene.next() is None
    scene.clock.now_s += 0.002
    assert scene.next() == (0, [1])


def test_rests_longer_among_many(scene: Scene) -> None:
    """Of three partitions each rests three times as long; one that had no turn lately does not count."""
    for partition in range(3):
        scene.put(partition, 0)
    for _ in range(3):
        scene.judge(0.01)
    scene.put(2, 1)
    scene.clock.now_s = 100.02 + 3 * 0.01 / SHARE - 0.001
    assert scene.next() is None
    scene.clock.now_s += 0.002
    assert scene.next() == (2, [1])
    scene.clock.now_s += LATELY_S
    scene.put(2, 2)
    scene.judge(0.01)
    scene.put(2, 3)
    scene.clock.now_s += 0.01 / SHARE
    assert scene.next() == (2, [3])


def test_rest_is_bounded(scene: Scene) -> None:
    """However long a turn was, the next one is no further away."""
    scene.put(0, 0)
    scene.judge(5.0)
    scene.put(0, 1)
    assert scene.next() == (0, [1])
    scene.turns.took(0)
    scene.put(0, 2)
    scene.judge(REST_MAX_S)
    scene.put(0, 3)
    assert scene.next() == (0, [3]), "it is counted from the beginning of the turn"


def test_much_does_not_rest(scene: Scene) -> None:
    """A partition of which much waits is judged at once: more would not make it cheaper."""
    scene.put(0, 0)
    scene.judge(0.02)
    scene.put(0, 1, LARGE_BYTES - 1)
    assert scene.next() is None
    scene.put(0, 2, 1)
    assert scene.next() == (0, [1, 2])


def test_nobody_rests_while_it_is_crowded(scene: Scene) -> None:
    """Many partitions fill the room before much waits of any: what has waited longest goes at once, and no more."""

    async def go() -> None:
        taking = asyncio.create_task(scene.turns.take())
        await asyncio.sleep(0)
        batch = Batch("a", 2, 1, 2, [b""], nbytes=LARGE_BYTES)
        putting = asyncio.create_task(scene.turns.put(cast("EventT[Batch]", SimpleNamespace(value=batch))))
        (event,) = await asyncio.wait_for(taking, 1)
        await putting
        assert event.value.partition == 0

    partitions = ROOM_BYTES // (LARGE_BYTES - 1)
    for partition in range(partitions):
        scene.put(partition, 0)
    assert [scene.next() for _ in range(partitions)] == [(partition, [0]) for partition in range(partitions)]
    scene.clock.now_s += 0.1
    for partition in range(partitions):
        scene.turns.took(partition)
        scene.put(partition, 1, LARGE_BYTES - 1)
    assert scene.next() is None
    asyncio.run(go())
    assert scene.next() == (2, [1, 1])
    assert scene.next() is None, "the others rest again"


def test_first_of_an_assignment(scene: Scene) -> None:
    """Where what waits of a partition begins; what is left of an earlier assignment does not count."""
    assert scene.turns.first(3, 1) is None
    scene.put(3, 5)
    scene.put(3, 2, generation=2)
    scene.put(3, 3, generation=2)
    assert (scene.turns.first(3, 1), scene.turns.first(3, 2), scene.turns.first(3, 3)) == (5, 2, None)
    scene.next()
    assert scene.turns.first(3, 2) is None


def test_no_more_than_there_is_room_for(scene: Scene) -> None:
    """Whoever brings batches waits until a turn has made room: what is not taken is not fetched."""

    async def go() -> None:
        for lo in (0, 1):
            batch = Batch("a", 0, lo, lo + 1, [b""], nbytes=ROOM_BYTES)
            event = cast("EventT[Batch]", SimpleNamespace(value=batch))
            putting = asyncio.create_task(scene.turns.put(event))
            await asyncio.sleep(0)
        assert not putting.done()
        assert scene.next() == (0, [0])
        await putting
        assert scene.next() == (0, [1])

    asyncio.run(go())


def test_take_waits() -> None:
    """Until something comes, and then until it is its turn."""

    async def go() -> None:
        turns = Turns()
        batch = Batch("a", 3, 0, 1, [b""], nbytes=1)
        taking = asyncio.create_task(turns.take())
        await asyncio.sleep(0.01)
        assert not taking.done()
        await turns.put(cast("EventT[Batch]", SimpleNamespace(value=batch)))
        (event,) = await taking
        await asyncio.sleep(0.02)
        turns.took(3)
        await turns.put(event)
        assert await turns.take() == [event]

    asyncio.run(go())
