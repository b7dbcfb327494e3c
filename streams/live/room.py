"""Room for so many bytes at a time, for what is large and waits somewhere."""

import asyncio
from typing import Final


class Room:
    """Whoever comes waits while it is full; what is too large for it comes alone."""

    def __init__(self, nbytes: int) -> None:
        """Have room for ``nbytes``."""
        self._most: Final = nbytes
        self._taken = 0
        self._left = asyncio.Event()

    def has(self, nbytes: int) -> bool:
        """Whether so much can be taken now."""
        return not self._taken or self._taken + nbytes <= self._most

    async def take(self, nbytes: int) -> None:
        """Take so much, as soon as it is free."""
        while not self.has(nbytes):
            self._left.clear()
            await self._left.wait()
        self._taken += nbytes

    def leave(self, nbytes: int) -> None:
        """Give so much back that was taken."""
        self._taken -= nbytes
        self._left.set()
