"""How far each enforcer has been told, by its key and the address it comes from.

Enforcers that share a key behind one address would share a place too, and each would miss what another was told. They
give themselves away: a connection that has pulled pulls again after another one has. From then on each connection there
has a place of its own::

    connection 1   pull          pull: it was told less than it seems, and is told everything
    connection 2          pull
"""

import logging
import weakref
from collections import OrderedDict
from dataclasses import dataclass, field
from itertools import count
from typing import Final, NamedTuple

from streams.pipeline.enforce.decisions import Cursor

CURSORS_MAX: Final = 50_000
"""Above so many the one unused longest goes; its enforcer is told everything again."""
OTHERS_MAX: Final = 8
"""Connections of one place that are remembered."""

log = logging.getLogger(__name__)


class Asker(NamedTuple):
    """One enforcer, as far as it can be told from others."""

    name: str
    """Of the key."""
    address: str
    connection: int = 0
    """Number of the connection where several pull with one key from one address."""


@dataclass(slots=True)
class Place:
    """Who pulls with one key from one address."""

    last: "weakref.ref[object]"
    others: "list[weakref.ref[object]]" = field(default_factory=list)
    """Connections that pulled before the last one, the latest first."""
    shared: bool = False

    def pulled(self, connection: object) -> bool:
        """Note who pulls; whether it shows that several do."""
        if self.last() is connection:
            return False
        again = any(other() is connection for other in self.others)
        self.others = [self.last, *self.others][:OTHERS_MAX]
        self.last = weakref.ref(connection)
        return again


class Cursors:
    """In memory only: who is unknown to a replica is told everything, which is always safe."""

    def __init__(self, most: int = CURSORS_MAX) -> None:
        """Nobody has been told anything."""
        self._most = most
        self._by_asker: OrderedDict[Asker, Cursor] = OrderedDict()
        self._places: OrderedDict[tuple[str, str], Place] = OrderedDict()
        self._numbers: weakref.WeakKeyDictionary[object, int] = weakref.WeakKeyDictionary()
        self._next = count(1)

    def __len__(self) -> int:
        return len(self._by_asker)

    def asker(self, name: str, address: str, connection: object) -> Asker:
        """Who pulls; a connection is an object that lives as long as it does."""
        place = self._places.setdefault((name, address), Place(weakref.ref(connection)))
        self._places.move_to_end((name, address))
        if len(self._places) > self._most:
            self._places.popitem(last=False)
        if not place.shared and place.pulled(connection):
            place.shared = True
            log.warning("several enforcers pull with the key of %s from one address; give each its own key", name)
        if not place.shared:
            return Asker(name, address)
        return Asker(name, address, self._numbers.setdefault(connection, next(self._next)))

    def of(self, asker: Asker) -> Cursor | None:
        """How far an enforcer has been told; None for an unknown one."""
        return self._by_asker.get(asker)

    def advance(self, asker: Asker, cursor: Cursor) -> None:
        """An enforcer has got all of an answer."""
        self._by_asker[asker] = cursor
        self._by_asker.move_to_end(asker)
        if len(self._by_asker) > self._most:
            self._by_asker.popitem(last=False)
