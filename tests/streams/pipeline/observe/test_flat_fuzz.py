"""Records made at random of what JSON and the contract allow, and of what they do not: flat reader against decoder."""

import json
from typing import Final
from unittest.mock import patch

import msgspec
import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from schemas.request import RequestEvent
from streams.pipeline.batch import Batch
from streams.pipeline.observe import Observed, Observer
from streams.pipeline.observe.events import Events
from streams.pipeline.observe.flat import read_flat
from streams.settings import InputSettings
from streams.surfaces.setting import DEFAULT_SURFACES
from tests.streams.pipeline.observe.test_flat import agrees

_TEXT_KEYS: Final = [one.encode_name for one in msgspec.structs.fields(RequestEvent)]
_KEYS: Final = st.one_of(
    st.sampled_from(_TEXT_KEYS),
    st.sampled_from(
        [
            "http",
            "http.request",
            "url",
            "client",
            "tls",
            "weir",
            "weir.account",
            "user",
            "x",
            "",
            "user.id ",
            "@timestam",
        ]
    ),
    st.text(max_size=4),
)
_RAW_TEXTS: Final = st.sampled_from(
    [
        b"",
        b"null",
        b"true",
        b"200",
        b"1.0",
        b"NaN",
        b" ",
        b"u1",
        b"/people/7",
        b"/people/%37",
        b"/people//8/?x",
        b"GET",
        b"\\u0041",
        b"\\ud83d\\ude00",
        b"\\ud83d",
        b"\\udc00x",
        b"\\n",
        b"\\/",
        b'\\"',
        b"\\",
        b"\\x",
        b"\\u00",
        b"\\u0000",
        b"\xff",
        b"\xc3\xa9",
        b"\xe2\x82",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\xc0\x80",
        b"\0",
        b"\x01",
        b"\x1f",
        b"\x7f",
        b"\t",
        b"\n",
        b"203.0.113.9",
        b"010.1.1.1",
        b"::ffff:203.0.113.9",
        b"::FFFF:cb00:7109",
        b"fe80::1%eth0",
        b"1.2.3",
        b"2001:db8::1",
        b"2001:DB8::1",
        b"[::1]",
        b"1.2.3.4:80",
        b" 1.2.3.4",
        b"0",
        b"2026-11-24T09:00:00Z",
        b"2026-11-24t09:00:00z",
        b"2026-11-24T09:00:00.123456789Z",
        b"2026-11-24T09:00:60Z",
        b"2026-06-30T23:59:60Z",
        b"2026-11-24T09:00:00+02:00",
        b"2026-11-24T09:00:00-23:59",
        b"2026-11-24T24:00:00Z",
        b"2026-02-30T00:00:00Z",
        b"2026-11-24 09:00:00Z",
        b"2026-11-24T09:00:00",
        b"1790000000",
        b"1790000000.5",
        b"t13d1516h2_8daaf6152771_02713d6af862",
        b"x" * 50,
        b"y" * 300,
        b"DE",
        b"de",
        b"free",
        b"@",
        b"a@b",
    ]
)
_RAW_NUMBERS: Final = st.one_of(
    st.sampled_from(
        [
            b"0",
            b"-0",
            b"-1",
            b"1",
            b"007",
            b"00",
            b"200",
            b"200.0",
            b"200.5",
            b"2e2",
            b"2E+2",
            b"1e3",
            b"1e-3",
            b"1.",
            b".5",
            b"+1",
            b"-",
            b"0x1",
            b"999",
            b"1000",
            b"4294967295",
            b"4294967296",
            b"9223372036854775807",
            b"9223372036854775808",
            b"18446744073709551615",
            b"18446744073709551616",
            b"-9223372036854775809",
            b"123456789012345",
            b"999999999999999",
            b"1234567890123456",
            b"1e400",
            b"-1e400",
            b"0.0",
            b"-0.0",
            b"0.00000000000000000000000001",
            b"1_000",
            b"Infinity",
            b"-Infinity",
            b"NaN",
            b"nan",
            b"1790000000",
            b"1790000000000",
            b"1790000000.25",
            b"1.7900e9",
            b"0e0",
            b"64500",
            b"1" * 400,
            b"1." + b"0" * 400,
            b"-0.5",
            b"--1",
            b"1-",
            b"1.5.5",
        ]
    ),
    st.integers(-(2**65), 2**65).map(lambda one: str(one).encode()),
    st.floats().map(lambda one: repr(one).encode()),
)
_WORDS: Final = st.sampled_from(
    [b"null", b"true", b"false", b"nul", b"nulll", b"True", b"NULL", b"n", b"truefalse", b""]
)
_QUOTED: Final = st.one_of(
    _RAW_TEXTS.map(lambda text: b'"' + text + b'"'),
    st.text(max_size=6).map(lambda text: json.dumps(text).encode()),
    st.text(max_size=6).map(lambda text: json.dumps(text, ensure_ascii=False).encode("utf-8", "surrogatepass")),
    st.binary(max_size=6).map(lambda text: b'"' + text + b'"'),
)
_LEAVES: Final = st.one_of(_QUOTED, _QUOTED, _RAW_NUMBERS, _WORDS)
_VALUES: Final = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda all_of: b"[" + b",".join(all_of) + b"]"),
        st.lists(st.tuples(_QUOTED, inner), max_size=2).map(
            lambda pairs: b"{" + b",".join(key + b":" + value for key, value in pairs) + b"}"
        ),
        st.integers(1, 1500).map(lambda depth: b"[" * depth + b"]" * depth),
    ),
    max_leaves=4,
)
_BLANKS: Final = st.sampled_from(
    [b"", b"", b"", b"", b"", b" ", b"\t", b"\r\n", b"\n\n", b"\x0b", b"\x0c", b"\xa0", b"\0"]
)
_SOUND: Final[dict[str, bytes]] = {
    "@timestamp": b'"2026-11-24T09:00:00Z"',
    "http.request.method": b'"GET"',
    "url.path": b'"/people/7"',
    "user.id": b'"u1"',
}


def _written(key: str, escaped: bool) -> bytes:
    if escaped and key:
        return b'"\\u%04x%s"' % (ord(key[0]) & 0xFFFF, json.dumps(key[1:]).encode()[1:-1])
    return json.dumps(key).encode()


@st.composite
def values(draw: st.DrawFn) -> bytes:
    """A record that is mostly one, with anything under any of its keys, and now and then damaged."""
    left_out = draw(st.sets(st.integers(0, 40), max_size=2))
    pairs = [pair for place, pair in enumerate(_SOUND.items()) if place not in left_out]
    typed = st.one_of(_QUOTED, _RAW_NUMBERS, _WORDS) if draw(st.booleans()) else _VALUES
    for key, value in draw(st.lists(st.tuples(_KEYS, typed), max_size=5)):
        held = [at for at, (name, _) in enumerate(pairs) if name == key]
        if held and draw(st.sampled_from([True, True, True, False])):
            pairs[held[0]] = key, value
        else:
            pairs.insert(draw(st.integers(0, len(pairs))), (key, value))
    blanks = _BLANKS if draw(st.booleans()) else st.just(b"")
    escaped = draw(st.integers(0, 9)) == 0
    members = [
        draw(blanks) + _written(key, escaped) + draw(blanks) + b":" + draw(blanks) + value + draw(blanks)
        for key, value in pairs
    ]
    whole = draw(blanks) + b"{" + b",".join(members) + b"}" + draw(blanks)
    match draw(st.integers(0, 11)):
        case 0:
            end: int = draw(st.integers(0, len(whole)))
            return whole[:end]
        case 1:
            return whole + draw(st.sampled_from([b"}", b"{}", b",", b"\0", b"x", b"\xef\xbb\xbf", b'"']))
        case 2:
            return b"\xef\xbb\xbf" + whole
        case _:
            return whole


def _all_odd(records: list[bytes]) -> tuple[Events, NDArray[np.int64]]:
    events, _ = read_flat([b""] * len(records))
    return events, np.arange(len(records))


_OBSERVERS: Final = [
    Observer(InputSettings(format=form, record_max_bytes=1_500), DEFAULT_SURFACES, 3) for form in ("canonical", "auto")
]


def _observed(records: list[bytes]) -> list[Observed]:
    stamps = np.full(len(records), 1_795_510_800_000, np.int64)
    batch = Batch("t", 0, 0, len(records), records, timestamps_ms=stamps)
    return [observer.observe(batch) for observer in _OBSERVERS]


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(values(), min_size=1, max_size=6))
def test_whatever_is_read_is_what_the_decoder_says(records: list[bytes]) -> None:
    """All columns of each record, whatever stands beside it."""
    agrees(records)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(values(), min_size=1, max_size=6))
def test_a_batch_is_observed_as_if_the_decoder_read_it(records: list[bytes]) -> None:
    """Messages, counts and dead letters do not tell who read a record."""
    flat = _observed(records)
    with patch("streams.pipeline.observe.reading.read_flat", _all_odd):
        slow = _observed(records)
    assert flat == slow
