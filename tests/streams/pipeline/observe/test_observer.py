import json
from collections import Counter
from datetime import date
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.sighting import Kind
from streams.pipeline.batch import Batch
from streams.pipeline.observe import Observed, Observer, idle_progress
from streams.pipeline.sightings import decode
from streams.settings import Bot, InputSettings
from streams.surfaces.setting import DEFAULT_SURFACES, Surface
from tests.streams.pipeline.observe.records import (
    NOW_US,
    REQUEST,
    Row,
    batch_of,
    observe,
    profiles_of,
    record,
    rows_of,
    timestamps,
)

NESTED = json.dumps(
    {
        "@timestamp": REQUEST["@timestamp"],
        "http": {"request": {"method": "GET"}, "response": {"status_code": 200}},
        "url": {"path": "/people/7"},
        "client": {"address": "203.0.113.9", "as": {"number": 64500}},
        "tls": {"client": {"ja4": "t13d1516h2"}},
        "user": {"id": "u1"},
        "session": {"id": "s1"},
        "weir": {"account": {"tier": "free"}},
    }
).encode()

BAD: list[tuple[str, bytes | None, str]] = [
    ("tombstone", None, "$"),
    ("empty", b"", "byte 0"),
    ("truncated", record()[:100], "byte 100"),
    ("malformed", record()[:-1] + b"]", "byte"),
    ("trailing", record() + b"{}", "byte"),
    ("two objects in one", record() + b"," + record(), "byte"),
    ("no object", b"[1]", "$"),
    ("a number", b"7", "$"),
    ("null", b"null", "$"),
    ("bad UTF-8", record().replace(b"/people/7", b"/people/\xff"), "byte"),
    ("lone surrogate", record({"user.id": "\ud800"}), "byte"),
    ("wrong type", record({"user.id": 7}), "$.user.id"),
    ("list for text", record({"session.id": ["s"]}), "$.session.id"),
    ("null path", record({"url.path": None}), "$.url.path"),
    ("no method", record(without=["http.request.method"]), "$"),
    ("no time", record(without=["@timestamp"]), "$"),
    ("null time", record({"@timestamp": None}), "$"),
    ("no time at all", record({"@timestamp": "yesterday"}), "$.@timestamp"),
    ("time of 100 bits", record({"@timestamp": 2**100}), "$.@timestamp"),
    ("time of 64 bits", record({"@timestamp": 2**64 - 1}), "$.@timestamp"),
    ("negative time", record({"@timestamp": -5}), "$.@timestamp"),
    ("infinite time", record({"@timestamp": 1e308}), "$.@timestamp"),
    ("year 1990", record({"@timestamp": "1990-01-01T00:00:00Z"}), "$.@timestamp"),
    ("status of 100 bits", record({"http.response.status_code": 2**100}), "$.http.response.status_code"),
    ("status 1000", record({"http.response.status_code": 1000}), "$.http.response.status_code"),
    ("network number of 33 bits", record({"client.as.number": 2**32}), "$.client.as.number"),
    ("network number below 0", record({"client.as.number": -1}), "$.client.as.number"),
    ("nobody", record(without=["user.id", "session.id", "client.address"]), "$"),
    ("nobody by name", record({"user.id": "", "session.id": "", "client.address": None}), "$"),
    ("no address", record({"client.address": "localhost"}), "$.client.address"),
    ("NUL in user", record({"user.id": "u\0"}), "$.user.id"),
    ("NUL in session", record({"session.id": "\0"}), "$.session.id"),
    ("NUL in path", record({"url.path": "/people/\0" + "7"}), "$.url.path"),
    ("NUL in JA4", record({"tls.client.ja4": "t\0"}), "$.tls.client.ja4"),
    ("NUL in JA3", record({"tls.client.ja3": "t\0"}), "$.tls.client.ja3"),
    ("NUL in target", record({"weir.target.id": "7\0"}), "$.weir.target.id"),
    ("creation at no time", record({"weir.account.created_at": "long ago"}), "$.weir.account.created_at"),
    ("NUL in targets", record({"weir.targets": ["a", "\0b"]}), "$.weir.targets"),
    ("null in targets", record({"weir.targets": ["a", None]}), "$.weir.targets"),
    ("5 MB", record({"user_agent.original": "x" * 5_000_000}), "$"),
    ("deep", record()[:-1] + b',"x":' + b"[" * 100_000 + b"}", "$"),
]


@pytest.mark.parametrize(("value", "where"), [pytest.param(value, where, id=name) for name, value, where in BAD])
def test_a_bad_record_is_a_dead_letter_and_its_neighbours_go_on(value: bytes | None, where: str) -> None:
    """One dead letter with index, offset, place and a short reason; the others are as they are without it."""
    alone = rows_of(observe([record(), record({"url.path": "/people/8"})], lo=70))
    observed = observe([record(), value, record({"url.path": "/people/8"})], lo=70)
    [dead] = observed.dead
    assert (dead.index, dead.offset) == (1, 71)
    assert dead.where.startswith(where)
    assert dead.reason
    assert len(dead.reason) < 200
    assert (observed.counts.records, observed.counts.dead, observed.counts.disclosed) == (3, 1, 2)
    assert [row._replace(offset=0) for row in rows_of(observed)] == [row._replace(offset=0) for row in alone]


def test_all_bad_records_of_one_batch_come_out_in_order() -> None:
    """Dead letters of every sort stand in the order of the batch, and nothing is left of them."""
    observed = observe([value for _, value, _ in BAD])
    assert [dead.index for dead in observed.dead] == list(range(len(BAD)))
    assert observed.messages == [None] * 4
    assert observed.watermark_us == -1


@pytest.mark.parametrize(("more", "dead"), [(0, 0), (1, 1)])
def test_a_record_may_be_as_long_as_the_settings_say(more: int, dead: int) -> None:
    """The longest record is still taken, one byte more is not, also beside a bad record."""
    value = record()
    observer = Observer(InputSettings(record_max_bytes=len(value) - more), DEFAULT_SURFACES, 1)
    assert observer.observe(batch_of([value])).counts.dead == dead
    assert observer.observe(batch_of([value, b"{"])).counts.dead == dead + 1


def test_the_nested_spelling_is_the_same_event() -> None:
    """A nested record among flat ones gives the very sightings of the flat one."""
    rows = rows_of(observe([NESTED]))
    assert rows == rows_of(observe([record()]))
    assert Counter(row._replace(offset=0) for row in rows_of(observe([record(), NESTED]))) == Counter(rows * 2)


def test_offsets_with_holes_are_those_of_the_records() -> None:
    """On a compacted topic each sighting and dead letter keeps the offset of its own record."""
    offsets = np.array([100, 103, 4_000_000_000])
    batch = Batch("t", 0, 100, 4_000_000_001, [record(), b"{", record()], offsets=offsets)
    observed = Observer(InputSettings(), DEFAULT_SURFACES, 2).observe(batch)
    assert {row.offset for row in rows_of(observed)} == {100, 4_000_000_000}
    assert [dead.offset for dead in observed.dead] == [103]


def test_an_empty_batch_moves_offsets_on() -> None:
    """A range of offsets without records is covered all the same."""
    observed = Observer(InputSettings(), DEFAULT_SURFACES, 2).observe(Batch("t", 5, 10, 20, []))
    progress = decode(observed.progress())
    assert observed.messages == [None, None]
    assert (progress.topic, progress.partition, progress.lo, progress.hi) == ("t", 5, 10, 20)
    assert (progress.watermark_us, progress.idle, len(progress)) == (-1, False, 0)


def test_every_message_and_the_progress_carry_range_and_watermark() -> None:
    """The watermark is the highest event time, of events without sightings too."""
    later = record({"@timestamp": "2026-11-24T09:15:03Z", "url.path": "/elsewhere"})
    observed = observe([record(), later, record()], lo=7)
    watermark_us = NOW_US + 882_000
    assert observed.watermark_us == watermark_us
    for message in [*filter(None, observed.messages), observed.progress()]:
        sightings = decode(message)
        assert (sightings.topic, sightings.partition) == ("http.requests", 3)
        assert (sightings.lo, sightings.hi, sightings.watermark_us, sightings.idle) == (7, 10, watermark_us, False)


def test_an_idle_source_says_so_at_its_position() -> None:
    """The message of an idle source covers nothing, knows no time, and lets go of the watermark."""
    idle = decode(idle_progress("t", 4, 99))
    assert (idle.topic, idle.partition, idle.lo, idle.hi) == ("t", 4, 99, 99)
    assert (idle.watermark_us, idle.idle, len(idle)) == (-1, True, 0)


def test_without_surfaces_only_what_the_platform_says_is_seen() -> None:
    """A configuration without surfaces is one."""
    assert profiles_of(observe([record()], surfaces=[])) == set()
    assert len(profiles_of(observe([record({"weir.target.id": "a"})], surfaces=[]))) == 1


USERS = st.sampled_from(["u1", "u2", "\u0418\u0432\u0430\u043d", "", None])
ADDRESSES = st.sampled_from(["203.0.113.9", "203.0.113.10", "2001:db8::1", "::ffff:203.0.113.9", "none", "", None])
RECORDS = st.builds(
    lambda user, session, address, path, status, targets, tier, time: record(
        {
            "user.id": user,
            "session.id": session,
            "client.address": address,
            "url.path": path,
            "http.response.status_code": status,
            "weir.targets": targets,
            "weir.account.tier": tier,
            "@timestamp": time,
        }
    ),
    USERS,
    st.sampled_from(["s1", "u1", None]),
    ADDRESSES,
    st.sampled_from(["/people/7", "/people/8?x", "/people/%37", "/search/people", "/x", ""]),
    st.sampled_from([200, "200", 304, 403, 404, 500, None]),
    st.none() | st.lists(st.sampled_from(["7", "8", "9", ""]), max_size=20),
    st.sampled_from(["free", "gold", "", None]),
    st.sampled_from(["2026-11-24T09:15:02.118Z", 1_795_511_703, "2026-11-24T10:15:02.5+01:00", "never", 1e18]),
)
VALUES = st.lists(
    RECORDS | st.sampled_from([value for _, value, _ in BAD if value is None or len(value) < 1000]) | st.just(NESTED),
    min_size=1,
    max_size=12,
)


def all_rows(parts: list[Observed]) -> list[tuple[int, Row]]:
    """Sightings of several batches with their destination."""
    return [
        (owner, row)
        for observed in parts
        for owner, message in enumerate(observed.messages)
        if message
        for row in rows_of(Observed("", 0, 0, 0, -1, [message], [], observed.counts))
    ]


def items(parts: list[Observed]) -> Counter[tuple[int, Row]]:
    """Sightings of profiles, searches and lists."""
    return Counter((owner, row) for owner, row in all_rows(parts) if row.kind is not Kind.TOUCH)


def touches(parts: list[Observed]) -> set[tuple[int, int, int, int]]:
    """Who touched what when: one of a cell may be there again in the next batch, and which one it is may differ."""
    rows = [(owner, row) for owner, row in all_rows(parts) if row.kind is Kind.TOUCH]
    return {(owner, row.key, row.time_us, row.principal) for owner, row in rows}


@settings(deadline=None)
@given(values=VALUES, cuts=st.sets(st.integers(1, 11)))
def test_however_records_are_cut_into_batches_they_give_the_same(values: list[bytes | None], cuts: set[int]) -> None:
    """Sightings with their destinations, dead letters and watermark are those of one batch of all records."""
    observer = Observer(InputSettings(), DEFAULT_SURFACES, 3)
    whole = observer.observe(batch_of(values))
    edges = sorted({0, len(values)} | {cut for cut in cuts if cut < len(values)})
    parts = [observer.observe(batch_of(values[lo:hi], lo)) for lo, hi in pairwise(edges)]
    assert items(parts) == items([whole])
    assert touches(parts) == touches([whole])
    places = [(dead.offset, dead.where, dead.reason) for part in parts for dead in part.dead]
    assert places == [(dead.offset, dead.where, dead.reason) for dead in whole.dead]
    assert max(part.watermark_us for part in parts) == whole.watermark_us


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
KEYS = st.sampled_from(
    [*REQUEST, "http.route", "weir.target.id", "weir.targets", "tls.client.ja3", "url", "client", "x"]
)
EVERYBODY = Bot("all", "seo", "verified", date(2027, 1, 31), ("0.0.0.0/0", "::/0"), date(2026, 11, 20))
ODD = st.dictionaries(KEYS, JSON | st.lists(st.text(), max_size=4), max_size=4).map(
    lambda changes: json.dumps(REQUEST | changes).encode()
)
MANGLED = st.builds(
    lambda value, at, byte: value[: at % len(value)] + bytes([byte]) + value[at % len(value) + 1 :],
    st.just(record()) | ODD,
    st.integers(0, 10_000),
    st.integers(0, 255),
)


@settings(deadline=None)
@given(
    values=st.lists(st.none() | st.binary(max_size=40) | ODD | MANGLED, max_size=6),
    stamps=st.none() | st.lists(st.integers(-(2**63), 2**63 - 1), min_size=6, max_size=6),
    surfaces=st.sampled_from([DEFAULT_SURFACES, (), (Surface(kind="lookup", path="/**"),)]),
    bots=st.sampled_from([(), (EVERYBODY,)]),
)
def test_whatever_comes_is_counted_once(
    values: list[bytes | None], stamps: list[int] | None, surfaces: tuple[Surface, ...], bots: tuple[Bot, ...]
) -> None:
    """No record raises; each has one outcome, each dead one a place; and messages can be decoded."""
    stamped = None if stamps is None else timestamps(stamps[: len(values)])
    batch = Batch("t", 0, 0, len(values), values, timestamps_ms=stamped)
    observed = Observer(InputSettings(), surfaces, 3, bots).observe(batch)
    counts = observed.counts
    outcomes = (counts.disclosed, counts.missed, counts.asked, counts.denied, counts.other, counts.exempt, counts.dead)
    assert sum(outcomes) == counts.records == len(values)
    assert [dead.index for dead in observed.dead] == sorted({dead.index for dead in observed.dead})
    assert len(observed.dead) == counts.dead
    assert len(rows_of(observed)) == counts.rows


def test_a_result_does_not_hang_on_what_was_observed_before() -> None:
    """An observer that has seen other batches gives the same bytes as a new one."""
    used = Observer(InputSettings(), DEFAULT_SURFACES, 4)
    for _, value, _ in BAD[:-2]:
        used.observe(batch_of([value, NESTED, record({"client.address": "2001:db8::2"})]))
    values = [record(), record({"client.address": "2001:db8::1"}), NESTED]
    assert used.observe(batch_of(values)).messages == observe(values).messages
