"""How far each enforcer has been told, by its key and the address it comes from."""

from collections import OrderedDict
from typing import Final

from streams.pipeline.enforce.decisions import Cursor

CURSORS_MAX: Final = 10_000
"""Above so many the one unused longest goes; its enforcer is told everything again."""

Asker = tuple[str, str]
"""Name of the key, address."""


class Cursors:
    """In memory only: who is unknown to a replica is told everything, which is always safe."""

    def __init__(self, most: int = CURSORS_MAX) -> None:
        """Nobody has been told anything."""
        self._most = most
        self._by_asker: OrderedDict[Asker, Cursor] = OrderedDict()

    def of(self, asker: Asker) -> Cursor | None:
        """How far an enforcer has been told; None for an unknown one."""
        return self._by_asker.get(asker)

    def advance(self, asker: Asker, cursor: Cursor) -> None:
        """An enforcer has got all of an answer."""
        self._by_asker[asker] = cursor
        self._by_asker.move_to_end(asker)
        if len(self._by_asker) > self._most:
            self._by_asker.popitem(last=False)
