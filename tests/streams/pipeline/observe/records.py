"""Records to observe, and sightings as plain rows."""

import json
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import xxhash

from schemas.actor import Scope
from schemas.sighting import Flag, Kind
from streams.pipeline.batch import Batch
from streams.pipeline.observe import Observed, Observer
from streams.pipeline.observe.events import Events
from streams.pipeline.observe.reading import read
from streams.pipeline.sightings import Sightings, decode
from streams.settings import Group, InputSettings
from streams.surfaces.setting import DEFAULT_SURFACES, Surface

NOW = "2026-11-24T09:15:02.118Z"
NOW_US = 1_795_511_702_118_000

REQUEST: dict[str, object] = {
    "@timestamp": NOW,
    "http.request.method": "GET",
    "url.path": "/people/7",
    "http.response.status_code": 200,
    "client.address": "203.0.113.9",
    "client.as.number": 64500,
    "tls.client.ja4": "t13d1516h2",
    "user.id": "u1",
    "session.id": "s1",
    "weir.account.tier": "free",
}


class Row(NamedTuple):
    """A sighting without the things that only hold within its message."""

    offset: int
    ordinal: int
    scope: Scope
    value: str
    key: int
    time_us: int
    kind: Kind
    flags: Flag
    tier: str
    profile: int
    principal: int


def record(changes: dict[str, object] | None = None, without: Sequence[str] = ()) -> bytes:
    """A view of profile 7 with some keys changed or left out."""
    keys = REQUEST | (changes or {})
    return json.dumps({key: value for key, value in keys.items() if key not in without}).encode()


def batch_of(values: Sequence[bytes | None], lo: int = 0) -> Batch:
    """A batch without holes that begins at offset ``lo``."""
    return Batch("http.requests", 3, lo, lo + len(values), values)


def observe(
    values: Sequence[bytes | None],
    surfaces: Sequence[Surface] = DEFAULT_SURFACES,
    destinations: int = 4,
    lo: int = 0,
    groups: Sequence[Group] = (),
) -> Observed:
    """What comes of the records with the default settings."""
    return Observer(InputSettings(), surfaces, destinations, (), groups).observe(batch_of(values, lo))


def events_of(values: Sequence[bytes]) -> Events:
    """Unpacked columns of records that are all request events."""
    reading = read(batch_of(values), 10**6)
    assert not reading.dead
    return reading.events


def key_of(value: str, scope: Scope | int) -> int:
    """XXH64 by the reference implementation, an actor's with its scope in the low bits; scope 0 is a profile."""
    digest = xxhash.xxh64_intdigest(value.encode(), seed=int(scope))
    return digest & ~7 | scope & 7 if scope else digest


def rows_of(observed: Observed) -> list[Row]:
    """All sightings, in the order of destinations and within them of rows."""
    return [row for message in observed.messages if message for row in rows_in(decode(message))]


def rows_in(sightings: Sightings) -> list[Row]:
    """Sightings of one message in their order."""
    return [_row(sightings, at) for at in range(len(sightings))]


def actor_value(sightings: Sightings, actor: int) -> str:
    """The value of actor number ``actor``, as records name it."""
    ends = [0, *sightings.actor_text_end.tolist()]
    return sightings.actor_text[ends[actor] : ends[actor + 1]].decode()


def profiles_of(observed: Observed) -> set[int]:
    """Keys of all profiles seen."""
    return {row.profile for row in rows_of(observed) if row.kind < Kind.TOUCH}


def details_of(observed: Observed, name: str) -> list[int]:
    """A column of what is known of principals' rows, message by message."""
    return [one for message in observed.messages if message for one in getattr(decode(message), name).tolist()]


def value_at(events: Events, row: int, field: int) -> str | None:
    """The text of one field of one event."""
    start, size = events.start[row, field], events.size[row, field]
    return None if size < 0 else events.text[start : start + size].tobytes().decode()


def _row(sightings: Sightings, at: int) -> Row:
    actor = int(sightings.actor[at])
    return Row(
        offset=sightings.start + int(sightings.offset[at]),
        ordinal=int(sightings.ordinal[at]),
        scope=Scope(sightings.actor_scope[actor]),
        value=actor_value(sightings, actor),
        key=int(sightings.actor_key[actor]),
        time_us=int(sightings.time_us[at]),
        kind=Kind(sightings.kind[at]),
        flags=Flag(int(sightings.flags[at])),
        tier=sightings.tiers[int(sightings.tier[at])],
        profile=int(sightings.profile[at]),
        principal=int(sightings.principal[at]),
    )


def timestamps(values: Sequence[int]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Timestamps of records in ms."""
    return np.array(values, np.int64)
