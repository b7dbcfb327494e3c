"""The actors of one partition: a slot each, everything known of them in columns over slots."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.core import distinct
from detectors.core.compiled import compiled
from detectors.core.contract import Detector, DetectorConfig
from detectors.core.hashing import mix
from schemas.actor import Actor, Scope
from schemas.sighting import Flag
from streams.pipeline.actors.contacts import Contacts
from streams.pipeline.actors.index import Index
from streams.pipeline.actors.memory import Memory
from streams.pipeline.actors.table import Column, Table, grown
from streams.pipeline.actors.texts import Texts
from streams.pipeline.actors.touched import Touched
from streams.pipeline.rows import Rows
from streams.pipeline.windows.rings import WORDS

COLUMNS: Final[Mapping[str, str]] = {
    "scope": "u1",
    "text_at": "u4",  # where the value begins in the texts
    "text_length": "u4",
    "first_seen_us": "i8",
    "exposed": "u4",  # profiles disclosed, each first contact once and each search result every time
    "inexact": "?",  # search results are among them
    "behind_at": "i4",  # granule at which those behind it were counted
    "members_behind": "u2",
    "accounts_behind": "u2",
    "quiet_until_us": "i8",  # end of the cooldown
    "quiet_urgency": "u1",  # of the sighting that began it
    "denied_until_us": "i8",  # end of the block, where a replay enforces it
    "times_blocked": "u1",
    "block_ended_us": "i8",  # end of the latest one that was enforced
    "gained": "f4",  # evidence that an account, or its session, brought of late
    "gained_us": "i8",
    "last_seen_s": "u4",  # 0 for one of whom nothing is known
}
EXPOSED_MAX: Final = 2**32 - 1
"""An exposure goes no further."""
SLOTS: Final = frozenset({"last_session"})
"""Columns that name actors by slot, from 1 on."""
PLACES: Final = frozenset({"text_at"})
"""Columns that say where something lies in memory, and nothing of the actor."""
_NAMED: Final = frozenset({"scope", "text_at", "text_length"})
"""What says who an actor is."""

WINDOW_COLUMNS: Final[Mapping[str, str]] = {"ring": f"({WORDS},)u4"}
PRINCIPAL_COLUMNS: Final[Mapping[str, str]] = {
    "taught_day": "u2",  # since 1970, as the other days
    "taught": "u2",  # first contacts that fed the model on that day
    "lesson_day": "u2",
    "lessons": "u2",  # sightings that detectors learned from on that day
    "fused": "f4",  # the sum over detectors
    "fused_us": "i8",
    "peak_day": "u2",
    "peak": "i2",  # bin of the day's highest evidence, from 1
    "rise_us": "i8",  # when the evidence began to rise
    "rise_exposed": "i4",  # profiles disclosed before
    "rise_sightings": "i4",
    "last_session": "(4,)i4",  # slots of the sessions used last, from 1
    "last_session_s": "(4,)u4",
}
GROUP_COLUMNS: Final[Mapping[str, str]] = {
    "serial": "u4",  # its own among all groups that ever were
    **distinct.COLUMNS,  # of the profiles that members saw together, in halves of a day
    "rest": "u1",  # part of a profile that is not yet exposed
}
_OWN_SERIAL: Final = frozenset({"serial"})
MEMBER_COLUMNS: Final[Mapping[str, str]] = {
    "seen": "u8",  # a Bloom filter of the profiles that the member met through the group
    "seen_day": "u2",  # since 1970, of the last of them
    "last_seen_s": "u4",  # whatever it did through the group
}
_PRINCIPAL: Final = int(Flag.PRINCIPAL)
_NET = int(Scope.NET)


class Slots(NamedTuple):
    """Where the actors of n rows stand in the tables that not all of them have a place in; -1 for none."""

    principal: NDArray[np.int32]
    group: NDArray[np.int32]
    member: NDArray[np.int32]


@compiled
def _assign(
    slot: NDArray[np.int32],
    flags: NDArray[np.uint8],
    scope: NDArray[np.uint8],
    places: NDArray[np.int32],
    counts: NDArray[np.int64],
    out: NDArray[np.int32],
) -> None:
    """Fill in [3, n] places in the windows, principals and groups; actors without one get one where they need it."""
    for i in range(slot.size):
        s = slot[i]
        group = scope[s] >= _NET
        for table, wanted in ((0, group), (1, flags[i] & _PRINCIPAL != 0), (2, group)):
            if wanted:
                if places[s, table] == 0:
                    counts[table] += 1
                    places[s, table] = counts[table]
                out[table, i] = places[s, table] - 1


@compiled
def _member_keys(serial: NDArray[np.uint32], principal: NDArray[np.uint64]) -> NDArray[np.uint64]:
    keys = np.empty(serial.size, np.uint64)
    for i in range(serial.size):
        keys[i] = mix(principal[i] ^ mix(np.uint64(serial[i]))) | np.uint64(1)
    return keys


@compiled
def _see(
    slot: NDArray[np.int32],
    member: NDArray[np.int32],
    time_us: NDArray[np.int64],
    last_s: NDArray[np.uint32],
    pair_last_s: NDArray[np.uint32],
    touched: NDArray[np.bool_],
    pair_touched: NDArray[np.bool_],
) -> None:
    for i in range(slot.size):
        now_s = time_us[i] // 1_000_000
        touched[slot[i]] = True
        last_s[slot[i]] = max(now_s, np.int64(last_s[slot[i]]))
        if member[i] >= 0:
            pair_touched[member[i]] = True
            pair_last_s[member[i]] = max(now_s, np.int64(pair_last_s[member[i]]))


@compiled
def _renumber_sessions(
    sessions: NDArray[np.int32], used_s: NDArray[np.uint32], count: int, renumbered: NDArray[np.int32]
) -> None:
    """Name sessions by their new slots; those that have none any more give way to those behind them."""
    for p in range(count):
        kept = 0
        for k in range(sessions.shape[1]):
            session, at_s = sessions[p, k], used_s[p, k]
            sessions[p, k], used_s[p, k] = 0, 0
            if session > 0 and renumbered[session - 1] >= 0:
                sessions[p, kept], used_s[p, kept] = renumbered[session - 1] + 1, at_s
                kept += 1


class Actors:
    """Columns over slots that grow together. Arrays move when they grow: look them up again for every batch."""

    def __init__(self, detectors: Sequence[Detector[DetectorConfig]]) -> None:
        """Keep the columns that ``detectors`` declare, and the evidence of each for a principal."""
        self._index, self._member_index = Index(), Index()
        names = [detector.name for detector in detectors]
        self.all = Table(COLUMNS, {n: d.state for n, d in zip(names, detectors, strict=True)})
        self.windows = Table(WINDOW_COLUMNS, {})
        self.principals = Table(
            dict(PRINCIPAL_COLUMNS) | {"nats": f"({max(len(names), 1)},)f4"},
            {n: d.principal_state for n, d in zip(names, detectors, strict=True)},
        )
        self.groups = Table(GROUP_COLUMNS, {n: d.group_state for n, d in zip(names, detectors, strict=True)})
        self.pairs = Table(MEMBER_COLUMNS, {n: d.member_state for n, d in zip(names, detectors, strict=True)})
        self.contacts, self.members = Contacts(), Memory()
        self._texts = Texts()
        self._places = np.zeros((0, 3), np.int32)
        self._counts = np.zeros(3, np.int64)
        self.serial = 0
        """Of the group that came last."""
        self.touched = Touched()

    def __len__(self) -> int:
        return self._index.count

    def slots(
        self, keys: NDArray[np.uint64], scopes: NDArray[np.uint8], texts: NDArray[np.uint8], ends: NDArray[np.uint32]
    ) -> NDArray[np.int32]:
        """Slot of each actor, given with scope and value (UTF-8 in ``texts`` up to ``ends``); new ones get a slot."""
        slots, new = self._index.slots(keys)
        if new:
            self._add(slots, new, scopes, texts, ends.astype(np.int64))
        return slots

    def _add(
        self,
        slots: NDArray[np.int32],
        new: int,
        scopes: NDArray[np.uint8],
        texts: NDArray[np.uint8],
        ends: NDArray[np.int64],
    ) -> None:
        first = len(self) - new
        self._reserve(len(self))
        self.touched.actors[first : len(self)] = True
        wanted = np.flatnonzero(slots >= first)
        starts = np.concatenate([np.zeros(1, np.int64), ends[:-1]])[wanted]
        lengths = ends[wanted] - starts
        at = self._texts.keep(texts, starts, lengths)
        self.columns["scope"][slots[wanted]] = scopes[wanted]
        self.columns["text_at"][slots[wanted]] = at
        self.columns["text_length"][slots[wanted]] = lengths

    def _reserve(self, slots: int) -> None:
        before = self.all.capacity
        self.all.reserve(slots)
        if self.all.capacity > before:
            self._places = grown(self._places, self.all.capacity)
            self.contacts.grow_slots(self.all.capacity)
            self.members.grow_slots(self.all.capacity)
            self.touched.reserve(self.all.capacity, 0)

    @property
    def columns(self) -> dict[str, Column]:
        """Columns over all actors."""
        return self.all.columns

    @property
    def capacity(self) -> int:
        """Slots there is room for."""
        return self.all.capacity

    def state(self, detector: str) -> dict[str, Column]:
        """All columns of a detector by name, of every sort of slot."""
        tables = (self.all, self.principals, self.groups, self.pairs)
        return {name: column for table in tables for name, column in table.state[detector].items()}

    def places(self, rows: Rows) -> Slots:
        """Slots of the rows' actors in the tables of principals, groups and members; made where missing."""
        found = np.full((3, len(rows)), -1, np.int32)
        _assign(rows.slot, rows.flags, self.scopes, self._places, self._counts, found)
        self._reserve_places()
        member = np.full(len(rows), -1, np.int32)
        of_group = np.flatnonzero(found[2] >= 0)
        if of_group.size:
            keys = _member_keys(self.groups.columns["serial"][found[2][of_group]], rows.principal[of_group])
            member[of_group] = self.give_pairs(keys)
        return Slots(found[1], found[2], member)

    def principal_places(self, slots: NDArray[np.int64]) -> NDArray[np.int64]:
        """Places of actors in the table of principals; made where missing."""
        missing = slots[self._places[slots, 1] == 0]
        self._places[missing, 1] = self._counts[1] + 1 + np.arange(missing.size)
        self._counts[1] += missing.size
        self._reserve_places()
        places: NDArray[np.int64] = self._places[slots, 1].astype(np.int64) - 1
        return places

    def _reserve_places(self) -> None:
        groups = self.groups.count
        for table, count in zip((self.windows, self.principals, self.groups), self._counts.tolist(), strict=True):
            table.reserve(count)
        fresh = self.groups.count - groups
        self.groups.columns["serial"][groups : self.groups.count] = self.serial + 1 + np.arange(fresh)
        self.serial += fresh

    def see(self, rows: Rows, places: Slots) -> None:
        """Note that the rows' actors changed and when they were last seen, and members within their groups."""
        last_s, pair_last_s = self.columns["last_seen_s"], self.pairs.columns["last_seen_s"]
        marks = self.touched.actors, self.touched.pairs
        _see(rows.slot, places.member, rows.time_us, last_s, pair_last_s, *marks)

    @property
    def window_places(self) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """[slots, 3] places in each table, from 1 on, and how many there are; a loop may give more in the windows."""
        return self._places, self._counts

    def keys(self) -> NDArray[np.uint64]:
        """The key of each actor."""
        return self._index.keys()

    def pair_keys(self) -> NDArray[np.uint64]:
        """The key of each member within a group."""
        return self._member_index.keys()

    def places_of(self, slots: NDArray[np.int64]) -> NDArray[np.int32]:
        """[n, 3] places of actors in the tables of windows, principals and groups; -1 for none."""
        return self._places[slots] - 1

    def texts_of(self, slots: NDArray[np.int64]) -> NDArray[np.uint8]:
        """The values of actors, one after the other, each as long as ``text_length`` says."""
        starts, lengths = (self.columns[name][slots].astype(np.int64) for name in ("text_at", "text_length"))
        return self._texts.of(starts, lengths)

    def give(self, slots: NDArray[np.int64], placed: NDArray[np.bool_]) -> None:
        """Give actors that have no places yet one in each table for which ``placed``, [n, 3], says so."""
        self._places[slots] = np.where(placed, self._counts + np.cumsum(placed, axis=0), 0)
        self._counts += np.count_nonzero(placed, axis=0)
        self._reserve_places()

    def give_pairs(self, keys: NDArray[np.uint64]) -> NDArray[np.int32]:
        """Slot of each member within a group, given by key; made where missing."""
        slots, _ = self._member_index.slots(keys)
        self.pairs.reserve(self._member_index.count)
        self.touched.reserve(0, self.pairs.capacity)
        return slots

    def has_evidence(self, slots: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of the actors have a place in the table of principals."""
        has: NDArray[np.bool_] = self._places[slots, 1] > 0
        return has

    def clear(self, slots: NDArray[np.int64]) -> None:
        """Forget all that is known of actors but who they are."""
        self.all.clear(slots, _NAMED)
        for table, places in zip((self.windows, self.principals, self.groups), self._places[slots].T, strict=True):
            table.clear(places[places > 0].astype(np.int64) - 1, _OWN_SERIAL)
        self.contacts.clear(slots)
        self.members.clear(slots)
        self.touched.actors[slots] = True

    def keep(self, kept: NDArray[np.bool_]) -> NDArray[np.int32]:
        """Forget all other actors and give their memory back; the new slot of each by the old one, -1 for none."""
        self.touched.everything = True
        slots = np.flatnonzero(kept)
        renumbered = np.full(kept.size, -1, np.int32)
        renumbered[slots] = np.arange(slots.size)
        places = self._places[slots]
        for k, table in enumerate((self.windows, self.principals, self.groups)):
            owners = np.flatnonzero(places[:, k] > 0)
            table.keep(places[owners, k].astype(np.int64) - 1)
            places[owners, k] = np.arange(1, owners.size + 1)
            self._counts[k] = owners.size
        own = self.principals.columns
        _renumber_sessions(own["last_session"], own["last_session_s"], self.principals.count, renumbered)
        self._index.keep(renumbered)
        self.all.keep(slots)
        self.touched.reserve(self.capacity, 0)  # there may be room for more now than there ever was
        self._places = grown(places, self.capacity)
        self.contacts.keep(slots, self.capacity)
        self.members.keep(slots, self.capacity)
        at, lengths = (self.columns[name][: slots.size] for name in ("text_at", "text_length"))
        at[:] = self._texts.gather(at.astype(np.int64), lengths.astype(np.int64))
        return renumbered

    def keep_pairs(self, kept: NDArray[np.bool_]) -> None:
        """Forget all other members within groups and give their memory back."""
        self.touched.everything = True
        slots = np.flatnonzero(kept)
        renumbered = np.full(kept.size, -1, np.int32)
        renumbered[slots] = np.arange(slots.size)
        self._member_index.keep(renumbered)
        self.pairs.keep(slots)

    @property
    def scopes(self) -> NDArray[np.uint8]:
        """Scope of every slot."""
        return self.columns["scope"].astype(np.uint8, copy=False)

    def value(self, slot: int) -> str:
        """The actor's value, as records spell it."""
        return self._texts.value(int(self.columns["text_at"][slot]), int(self.columns["text_length"][slot]))

    def scope(self, slot: int) -> Scope:
        """The actor's scope."""
        return Scope(int(self.columns["scope"][slot]))

    def actor(self, slot: int) -> Actor:
        """The actor as records name it."""
        return Actor(self.scope(slot).label, self.value(slot))

    def find(self, actor: Actor) -> list[int]:
        """Slots of all that records name so, sessions of several accounts perhaps; looks at each of the scope."""
        text = np.frombuffer(actor.value.encode(), np.uint8)
        c, n = self.columns, len(self)
        scope = next((one for one in Scope if one.label == actor.scope), None)
        if scope is None or not text.size:
            return []
        slots = np.flatnonzero((c["scope"][:n] == scope) & (c["text_length"][:n] == text.size))
        same: NDArray[np.bool_] = (self.texts_of(slots).reshape(-1, text.size) == text).all(axis=1)
        found: list[int] = slots[same].tolist()
        return found

    @property
    def nbytes(self) -> int:
        """Bytes held, room to grow included."""
        tables = (self.all, self.windows, self.principals, self.groups, self.pairs)
        indexes = (self._index, self._member_index)
        return (
            sum(table.nbytes for table in tables)
            + sum(index.nbytes for index in indexes)
            + self._places.nbytes
            + self._texts.nbytes
            + self.contacts.nbytes
            + self.members.nbytes
            + self.touched.nbytes
        )
