"""Room for bytes: waiting for it, giving it back."""

import asyncio

from streams.live.room import Room


def test_full_and_free_again() -> None:
    """Up to the last byte nobody waits; the next one does, until enough is given back."""

    async def scene() -> None:
        room = Room(10)
        await room.take(4)
        assert (room.has(6), room.has(7)) == (True, False)
        await room.take(6)
        third = asyncio.create_task(room.take(5))
        await asyncio.sleep(0)
        room.leave(4)
        await asyncio.sleep(0.01)
        assert not third.done()
        room.leave(6)
        await third

    asyncio.run(scene())


def test_too_large_comes_alone() -> None:
    """What is larger than all of it is let in when nothing else is."""

    async def scene() -> None:
        room = Room(10)
        await room.take(1)
        large = asyncio.create_task(room.take(11))
        await asyncio.sleep(0)
        assert not large.done()
        room.leave(1)
        await large
        small = asyncio.create_task(room.take(1))
        await asyncio.sleep(0)
        assert not small.done()
        room.leave(11)
        await small

    asyncio.run(scene())
