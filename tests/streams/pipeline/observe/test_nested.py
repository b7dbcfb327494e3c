"""Nested records read by one loop: what `decode_request` says of them, or nothing."""

import random
from typing import Any, Final
from unittest.mock import patch

import numpy as np
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from schemas.errors import RecordError
from schemas.request import decode_request
from streams.pipeline.batch import Batch
from streams.pipeline.observe import Observed, Observer
from streams.pipeline.observe.events import Events, unpack
from streams.pipeline.observe.nested import is_nested, read_nested
from streams.pipeline.observe.reading import READ_ERRORS, pack, read_all
from streams.settings import InputSettings
from streams.surfaces.setting import DEFAULT_SURFACES
from tests.streams.inputs.samples import SAMPLES
from tests.streams.pipeline.observe.test_flat import PLAIN as FLAT
from tests.streams.pipeline.observe.test_flat import WHOLE, told


def nest(flat: dict[str, Any]) -> dict[str, Any]:
    """The same cut at every dot."""
    found: dict[str, Any] = {}
    for name, value in flat.items():
        *levels, last = name.split(".")
        level = found
        for each in levels:
            level = level.setdefault(each, {})
        level[last] = value
    return found


PLAIN: Final = orjson.dumps(nest(WHOLE))
SHORT: Final = (
    b'{"@timestamp":"2026-11-24T09:00:00Z","http":{"request":{"method":"GET"}},"url":{"path":"/people/7"},'
    b'"user":{"id":"u1"}}'
)


def with_(more: bytes, value: bytes = SHORT) -> bytes:
    """With another key at the end."""
    return value[:-1] + b"," + more + b"}"


READ: Final = {
    "whole": PLAIN,
    "short": SHORT,
    "keys in another order": orjson.dumps(dict(reversed(nest(WHOLE).items()))),
    "blanks": SHORT.replace(b":{", b" :\t{ ").replace(b"}", b" \r\n}").replace(b",", b" , ") + b"\n ",
    "unknown objects and lists": with_(
        b'"ecs":{"version":"8"},"tags":["a",[],{},{"b":[1,{"c":null}]},-1.5,true],"e":{}'
    ),
    "an unknown key within": SHORT.replace(b'"method":"GET"', b'"bytes":12,"body":{"id":"x"},"method":"GET"'),
    "known names where they mean nothing": with_(b'"event":{"http":{"request":{"method":"X"}},"user":{"id":"x"}}'),
    "cut at one dot": SHORT.replace(b'"request":{"method":"GET"}', b'"request.method":"GET"'),
    "cut at another dot": SHORT.replace(
        b'"http":{"request":{"method":"GET"}}', b'"http":{},"http.request":{"method":"GET"}'
    ),
    "flat beside nested": with_(b'"client.address":"203.0.113.9","client":{"as":{"number":64500}}'),
    "null where it may be": with_(b'"client":{"address":null,"as":null},"tls":null'),
    "a text under a beginning": with_(b'"client":"a"'),
    "a list under a beginning": with_(b'"client":["a",{}],"tls":1.5,"weir":true'),
    "empty objects": with_(b'"client":{},"tls":{"client":{ }}'),
    "a time in seconds": SHORT.replace(b'"2026-11-24T09:00:00Z"', b"1790000000"),
    "an address alone": SHORT.replace(b'"user":{"id":"u1"}', b'"client":{"address":"2001:db8::1"}'),
    "an empty account beside an address": with_(b'"client":{"address":"203.0.113.9"}').replace(b'"u1"', b'""'),
    "an address that is none": with_(b'"client":{"address":"nonsense"}'),
    "what looks like an envelope": with_(b'"message":"GET / HTTP/1.1","log":"x","event":{"original":"y"}'),
    "of long ago": SHORT.replace(b"2026", b"1980"),
}
"""What the loop has to read, lest all of somebody's records be slow."""
LEFT: Final = {
    "an escape": PLAIN.replace(b"/people/7", rb"/people/\u0037"),
    "an escape in what nobody asked for": with_(rb'"a":{"b":"\n"}'),
    "an escape in a key": SHORT.replace(b'"user"', rb'"\u0075ser"'),
    "the method flat": with_(b'"http.request.method":"PUT"'),
    "the method flat by an escape": with_(rb'"http.request.\u006dethod":"PUT"'),
    "the method's name as a text": with_(b'"a":"http.request.method"'),
    "beyond ASCII": PLAIN.replace(b"Linux", "Línux".encode()),
    "no UTF-8": PLAIN.replace(b"Linux", b"L\xffnux"),
    "no UTF-8 in what nobody asked for": with_(b'"a":["\xff"]'),
    "a NUL": PLAIN.replace(b"Linux", b"Li\0ux"),
    "a NUL by an escape": SHORT.replace(b"/7", rb"/\u0000"),
    "an object twice": with_(b'"http":{"request":{"method":"PUT"}}'),
    "an object twice, empty": with_(b'"user":{}'),
    "an object and then null": with_(b'"user":null'),
    "an object and then a text": with_(b'"user":"x"'),
    "a text and then an object": SHORT.replace(b'"user"', b'"user":"x","user"'),
    "a value twice": SHORT.replace(b'"id":"u1"', b'"id":"u1","id":"u2"'),
    "a value and then null": SHORT.replace(b'"id":"u1"', b'"id":"u1","id":null'),
    "two spellings": with_(b'"user.id":"u2"'),
    "two spellings the other way": SHORT.replace(b'"user":', b'"user.id":"u2","user":'),
    "two spellings, of which one is null": with_(b'"user.id":null'),
    "two spellings of a beginning": with_(b'"http.request":{"id":"7"}'),
    "two spellings of a method": SHORT.replace(b'"request":{', b'"request.method":"PUT","request":{'),
    "an object for a text": SHORT.replace(b'"u1"', b'{"a":1}'),
    "a list for a text": SHORT.replace(b'"u1"', b'["u1"]'),
    "a number for a text": SHORT.replace(b'"u1"', b"1"),
    "an object under a status": with_(b'"http.response.status_code":{}'),
    "digits for a status": PLAIN.replace(b":200", b':"200"'),
    "a float for a status": PLAIN.replace(b":200", b":200.0"),
    "a status beyond all": PLAIN.replace(b":200", b":1000"),
    "an ASN beyond all": PLAIN.replace(b"64500", b"4294967296"),
    "targets": with_(b'"weir":{"targets":["7","8"]}'),
    "a list of referers": PLAIN.replace(b'"https://example.org/"', b'["https://example.org/"]'),
    "null under what is required": SHORT.replace(b'"/people/7"', b"null"),
    "no path": SHORT.replace(b'"path"', b'"peth"'),
    "no method": SHORT.replace(b'"method"', b'"metho"'),
    "no time": SHORT.replace(b'"@timestamp"', b'"@time"'),
    "a time within": SHORT.replace(b'"@timestamp"', b'"a":{"@timestamp"').replace(b'00Z"', b'00Z"}'),
    "a time that is none": SHORT.replace(b"2026-11-24T", b"yesterday "),
    "a time in another spelling": SHORT.replace(b"T09:00:00Z", b"t09:00:00z"),
    "a time of digits": SHORT.replace(b"2026-11-24T09:00:00Z", b"1790000000"),
    "made at no time": with_(b'"weir":{"account":{"created_at":"yesterday"}}'),
    "nobody": SHORT.replace(b'"u1"', b'""'),
    "nobody at all": SHORT.replace(b',"user":{"id":"u1"}', b""),
    "nobody but a line": with_(b'"message":"x"').replace(b'"u1"', b'""'),
    "deep": with_(b'"a":' + b"[" * 40 + b"]" * 40),
    "deeper than any decoder goes": with_(b'"a":' + b'{"a":' * 5_000 + b"1" + b"}" * 5_000),
    "an exponent": with_(b'"a":[1e3]'),
    "a comma too many": SHORT.replace(b'"u1"}', b'"u1",}'),
    "a comma too many in a list": with_(b'"a":[1,]'),
    "a comma alone in a list": with_(b'"a":[,]'),
    "a comma too few": with_(b'"a":[1 2]'),
    "closed by the other": with_(b'"a":[1}'),
    "closed by the other way": with_(b'"a":{"b":1]'),
    "one end too few": SHORT[:-1],
    "one end too many": SHORT + b"}",
    "something behind": SHORT + b" 1",
    "two records": SHORT + b"\n" + SHORT,
    "a blank first": b" " + SHORT,
    "no colon": SHORT.replace(b'"id":', b'"id"'),
    "nothing": b"",
    "an empty object": b"{}",
}


def one_by_one(value: bytes) -> list[object] | None:
    """What the columns would say if the record were read by itself; None where it is none."""
    try:
        return told(unpack(pack([decode_request(value)]), 1), 0)
    except (RecordError, *READ_ERRORS):
        return None


def agrees(values: list[bytes]) -> int:
    """Hold what is read to what is read one by one; how many were read."""
    values = [value for value in values if is_nested(value)]
    events, odd = read_nested(values)
    read = sorted(set(range(len(values))) - set(odd.tolist()))
    for row in read:
        assert told(events, row) == one_by_one(values[row]), values[row]
    return len(read)


@pytest.mark.parametrize("name", READ)
def test_a_plain_record_is_read(name: str) -> None:
    """However its keys are cut and whatever else it holds: it would be slow, and nobody would see why."""
    assert agrees([READ[name], PLAIN]) == 2


@pytest.mark.parametrize("name", LEFT)
def test_what_is_not_sure_is_left_alone(name: str) -> None:
    """Among others, at the end, and alone."""
    value = LEFT[name]
    assert agrees([value]) == 0
    assert agrees([PLAIN, value, SHORT, value]) == 2
    # What stands next must not end what is cut off.
    for behind in (b"}", b"}}", b'"}}', b",", b"]}", b"null}", SHORT):
        for cut in (value, value[:-1], value[:-2]):
            read_nested([cut, behind])
            agrees([cut, b'{"http":1,"@timestamp":1}', cut])


@pytest.mark.parametrize(
    "name", ["short", "cut at one dot", "unknown objects and lists", "blanks", "flat beside nested"]
)
def test_every_cut_and_every_byte(name: str) -> None:
    """Each beginning of a record, and each byte of it as another one that means something."""
    value = READ[name]
    agrees([value[:size] for size in range(len(value))])
    for byte in b'",:{}[]\\ 0-.en\n\0\xe4':
        agrees([value[:at] + bytes([byte]) + value[at + 1 :] for at in range(len(value))])


def test_damaged_records() -> None:
    """Bytes that are changed, left out, doubled or moved at random never make of it what it is not."""
    chance, values = random.Random(8), []
    pieces = [b'"', b",", b"}", b"{", b"[", b"]", b"0", b"null", b'"user":{', b'"id":"x",', b".", b"{}", b'{"a":1},']
    short = [value for value in [*READ.values(), *LEFT.values()] if len(value) < 2_000]
    for _ in range(6_000):
        value = bytearray(chance.choice(short))
        for _ in range(chance.randint(1, 3)):
            at, size = chance.randrange(len(value) + 1), chance.randint(0, 12)
            piece = bytes(value[at : at + size])
            value[at : at + size] = chance.choice([b"", piece * 2, chance.choice(pieces)])
        values.append(bytes(value))
    assert agrees(values) > 100


def _all_odd(values: list[bytes]) -> tuple[Events, NDArray[np.int64]]:
    events, _ = read_nested([b""] * len(values))
    return events, np.arange(len(values))


def _fails(*_: object, **__: object) -> None:
    raise TypeError("one by one")


_OBSERVERS: Final = [
    Observer(InputSettings(format=name, record_max_bytes=1_500), DEFAULT_SURFACES, 3) for name in ("auto", "canonical")
]


def _observed(values: list[bytes | None]) -> list[Observed]:
    stamps = np.full(len(values), 1_795_512_000_000, np.int64)
    batch = Batch("t", 0, 0, len(values), values, timestamps_ms=stamps)
    return [observer.observe(batch) for observer in _OBSERVERS]


def same(values: list[bytes | None]) -> None:
    """Messages, counts, dead letters and formats do not tell whether records were read in one go or one by one."""
    together = _observed(values)
    with patch("streams.pipeline.observe.reading.read_nested", _all_odd):
        assert together == _observed(values)
    if any(value is not None and is_nested(value) for value in values):
        with (
            patch("streams.pipeline.observe.reading.read_all", _fails),
            patch("streams.pipeline.observe.adapted.read_all", _fails),
        ):
            assert together == _observed(values)


def test_records_of_all_sorts_stand_in_their_places() -> None:
    """Plain ones, odd ones, flat ones, other formats, what is too long and what is missing, in one batch."""
    sound = [value for value in LEFT.values() if one_by_one(value) is not None and len(value) < 1_500]
    lists = orjson.dumps(WHOLE | {"weir.targets": ["a", "b"]})
    values = [one for value in [*READ.values(), *sound] for one in (FLAT, value, PLAIN, lists)]
    same([*values])
    same([*reversed(values)])
    same([*READ.values()])
    same([SHORT, PLAIN + b" " * 1_500])
    same([SHORT, None, *LEFT.values(), *[sample.value for sample in SAMPLES], PLAIN])
    for value in LEFT.values():
        same([PLAIN, value, FLAT])


def test_whoever_asks_for_an_event_gets_that_of_its_row() -> None:
    """Records are decoded again then, flat and nested ones, and those that were odd."""
    values: list[bytes | None] = [PLAIN, FLAT, LEFT["targets"], SHORT, LEFT["a time of digits"]]
    reading = read_all(Batch("t", 0, 0, len(values), values), 10_000, names=True)
    assert reading.names == ["canonical"] * 5
    assert [told(unpack(pack([each]), 1), 0) for each in reading.records][::2] == [
        one_by_one(value) for value in values[::2] if value is not None
    ]
    for row, each in enumerate(reading.records):
        if row != 2:  # what a list holds lies elsewhere
            assert told(reading.events, row) == told(unpack(pack([each]), 1), 0)


_TEXTS: Final = st.sampled_from(
    [b'"u1"', b'""', b'"203.0.113.9"', b'"/people/7"', b'"GET"', b'"a\\n"', b'"\xc3\xa9"', b'"\xff"', b'"7"']
)
_SCALARS: Final = st.one_of(
    _TEXTS, st.sampled_from([b"null", b"true", b"0", b"200", b"-1", b"1.5", b"64500", b"1e3", b"[]", b'["a"]', b"{}"])
)
_TIMES: Final = st.sampled_from([b'"2026-11-24T09:00:00Z"', b"1790000000", b'"1790000000"', b'"no"', b"null", b"{}"])
_VALUES: Final = {"@timestamp": _TIMES, "weir.account.created_at": _TIMES}
_LIKELY: Final = {"http.request.method": b'"GET"', "url.path": b'"/people/7"', "@timestamp": b"1790000000"}


@st.composite
def records(draw: st.DrawFn) -> bytes:
    """A record whose keys are cut at any dots, in any order, now and then twice, with anything as a value."""
    unknown = ["a", "http.a", "client.as", "http", "user", "url", "weir.account", "a.b", "http.request.header"]
    names = [*_LIKELY, "user.id", *draw(st.lists(st.sampled_from([*WHOLE, "weir.targets", *unknown]), max_size=6))]
    tree: list[Any] = []
    for name in draw(st.permutations(names)):
        level, parts = tree, name.split(".")
        while len(parts) > 1 and draw(st.integers(0, 9)) < 8:
            size = draw(st.sampled_from([1, 1, 1, len(parts) - 1]))
            key, parts = ".".join(parts[:size]), parts[size:]
            below = next((value for have, value in level if have == key and isinstance(value, list)), None)
            if below is None or draw(st.integers(0, 19)) == 0:
                below = []
                level.append((key, below))
            level = below
        likely = _LIKELY.get(name)
        odd = draw(st.integers(0, 9)) == 0
        value = likely if likely and not odd else draw(_VALUES.get(name, _SCALARS if odd else _TEXTS))
        level.append((".".join(parts), value))
    whole = _written(tree, draw(st.sampled_from([b"", b"", b" ", b"\n\t"])))
    return whole[: draw(st.integers(0, len(whole)))] if draw(st.integers(0, 19)) == 0 else whole


def _written(value: Any, blank: bytes) -> bytes:
    if isinstance(value, bytes):
        return value
    pairs = [b'"' + key.encode() + b'":' + blank + _written(one, blank) for key, one in value]
    return b"{" + blank + (b"," + blank).join(pairs) + blank + b"}"


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(records(), min_size=1, max_size=6))
def test_whatever_is_read_is_what_is_read_one_by_one(values: list[bytes]) -> None:
    """All columns of each record, whatever stands beside it."""
    agrees(values)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.one_of(records(), st.sampled_from([PLAIN, SHORT, FLAT])), min_size=1, max_size=6))
def test_a_batch_is_observed_as_if_records_were_read_one_by_one(values: list[bytes | None]) -> None:
    """Under the formats that take such records."""
    same(values)
