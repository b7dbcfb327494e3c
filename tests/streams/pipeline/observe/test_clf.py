"""Plain lines read by one loop: what the regular expression of `streams.inputs` says of them, or nothing."""

import random
from typing import Final
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from schemas.errors import RecordError
from streams.inputs.proxies import trusted_of
from streams.inputs.reader import Reader
from streams.inputs.text import Site
from streams.pipeline.batch import Batch
from streams.pipeline.observe import Observed, Observer
from streams.pipeline.observe.adapted import read_any
from streams.pipeline.observe.clf import read_clf
from streams.pipeline.observe.events import Events, unpack
from streams.pipeline.observe.reading import pack
from streams.settings import InputSettings
from streams.surfaces.setting import DEFAULT_SURFACES
from tests.contract.test_formats import CASES
from tests.streams.inputs.samples import CLF, SAMPLES
from tests.streams.pipeline.observe.records import record
from tests.streams.pipeline.observe.test_flat import told

PLAIN: Final = CLF.encode()
TAIL: Final = PLAIN[PLAIN.index(b" - - [") :]
COMMON: Final = PLAIN[: PLAIN.index(b' "-" "')]
READ: Final = {
    "combined": PLAIN,
    "common": COMMON,
    "no size": PLAIN.replace(b" 200 12 ", b" 200 - "),
    "an account": PLAIN.replace(b" - - ", b" - u1 "),
    "an account of nobody yet": PLAIN.replace(b" - - ", b" - u1 ").replace(b" 200 ", b" 401 "),
    "a host": b"www.example.com:443 " + PLAIN,
    "a host that is none": b"- " + PLAIN,
    "a referer": PLAIN.replace(b'"-"', b'"https://example.org/?a=b [c] <d>"'),
    "no agent": PLAIN.replace(b'"Mozilla/5.0 (X11; Linux x86_64)"', b'"-"'),
    "an empty agent": PLAIN.replace(b"Mozilla/5.0 (X11; Linux x86_64)", b""),
    "IPv6": b"2001:db8::a" + TAIL,
    "IPv6 that ends in a letter": b"fe80::ab" + TAIL,
    "what is no address": b"1.2.3.4.5" + TAIL,
    "another zone": PLAIN.replace(b"+0000", b"-0930"),
    "the first day": PLAIN.replace(b"23/Nov/2026:13:49:05", b"01/Jan/1970:00:00:00"),
    "a leap day": PLAIN.replace(b"23/Nov/2026", b"29/Feb/2028"),
    "no query": PLAIN.replace(b"?tab=posts", b""),
    "an empty query": PLAIN.replace(b"?tab=posts", b"?"),
    "two questions": PLAIN.replace(b"?tab=posts", b"?a[]=?<b>"),
    "an encoded path": PLAIN.replace(b"/7?", b"/%C3%A9%00%2F?"),
    "another method": PLAIN.replace(b"GET", b"M-SEARCH_2"),
    "a version of its own": PLAIN.replace(b"HTTP/1.1", b"HTTP/"),
    "more": PLAIN + b' "-" 0.003',
}
"""What the loop has to read, lest all of somebody's lines be slow."""
FORWARDED: Final = PLAIN + b' "198.51.100.7, 10.0.0.9"'
LEFT: Final = {
    "an escape": PLAIN.replace(b"X11", rb"\x22X11"),
    "a quote that is escaped": PLAIN.replace(b"X11", rb"\"X11"),
    "a quote that is not": PLAIN.replace(b"X11", b'"X11'),
    "a quote and a blank": PLAIN.replace(b"X11", b'" X11'),
    "quotes within quotes": PLAIN.replace(b"X11", b'" "X11" "'),
    "beyond ASCII": PLAIN.replace(b"X11", "é".encode()),
    "no UTF-8": PLAIN.replace(b"X11", b"\xff"),
    "a NUL": PLAIN.replace(b"X11", b"\0"),
    "no UTF-8 in the path": PLAIN.replace(b"/7?", b"/\xff?"),
    "a tab for a blank": PLAIN.replace(b" - - ", b" -\t- "),
    "two blanks": PLAIN.replace(b" - - ", b" -  - "),
    "a blank in a name": PLAIN.replace(b" - - ", b" - a b "),
    "a bracket in a name": PLAIN.replace(b" - - ", b" - a[b "),
    "a name that feigns a time": PLAIN.replace(b" - - ", b" - [01/Jan/2020:00:00:00 +0000] "),
    "no name": PLAIN.replace(b" - - ", b" - "),
    "no blank before the time": PLAIN.replace(b" - - ", b" - -"),
    "an ident": PLAIN.replace(b" - - ", b" ident u1 "),
    "an ident and a dash": PLAIN.replace(b" - - ", b" ident - "),
    "two dashes for a client": PLAIN.replace(b"203.0.113.9", b"-"),
    "three dashes": PLAIN.replace(b"203.0.113.9 - -", b"203.0.113.9 - - u1"),
    "a client told by name": b"host.example.com" + TAIL,
    "a client told by name, of digits": b"host9" + TAIL,
    "the beginning of an object": b"{" + PLAIN,
    "a blank first": b" " + PLAIN,
    "no time": PLAIN.replace(b"23/Nov", b"32/Nov"),
    "no such day": PLAIN.replace(b"23/Nov/2026", b"29/Feb/2026"),
    "no such month": PLAIN.replace(b"Nov", b"Nox"),
    "a month in capitals": PLAIN.replace(b"Nov", b"NOV"),
    "no such hour": PLAIN.replace(b":13:", b":24:"),
    "a leap second": PLAIN.replace(b":49:05", b":59:60"),
    "no zone": PLAIN.replace(b" +0000", b""),
    "a zone with a colon": PLAIN.replace(b"+0000", b"+00:0"),
    "a zone of a day": PLAIN.replace(b"+0000", b"+2400"),
    "a zone of many minutes": PLAIN.replace(b"+0000", b"+0099"),
    "a year of long ago": PLAIN.replace(b"2026", b"1969"),
    "before the first day": PLAIN.replace(b"23/Nov/2026:13:49:05 +0000", b"01/Jan/1970:00:00:00 +0100"),
    "the last year": PLAIN.replace(b"2026", b"9999"),
    "a whole URL": PLAIN.replace(b"/people", b"http://example.com/people"),
    "a blank in the path": PLAIN.replace(b"/7?", b"/7 8?"),
    "no protocol": PLAIN.replace(b" HTTP/1.1", b""),
    "another protocol": PLAIN.replace(b"HTTP/1.1", b"ICAP/1.0"),
    "no request": PLAIN.replace(b"GET /people/7?tab=posts HTTP/1.1", b"-"),
    "a handshake": PLAIN.replace(b"GET /people/7?tab=posts HTTP/1.1", rb"\x16\x03\x01"),
    "a long method": PLAIN.replace(b"GET", b"G" * 33),
    "a method of digits": PLAIN.replace(b"GET", b"7"),
    "no method": PLAIN.replace(b"GET ", b" "),
    "no status": PLAIN.replace(b" 200 ", b" - "),
    "a long status": PLAIN.replace(b" 200 ", b" 2000 "),
    "a status of zero": PLAIN.replace(b" 200 ", b" 000 "),
    "a blank behind": PLAIN + b" ",
    "a CR behind": PLAIN + b"\r",
    "a blank behind the size": COMMON + b" ",
    "no size at all": PLAIN.replace(b" 200 12 ", b" 200 "),
    "a line of Traefik": PLAIN + b' 12 "router" "http://10.0.0.1" 3ms',
    "a line of Traefik, and a blank": PLAIN + b' 12 "router" "http://10.0.0.1" 3ms ',
    "more with an escape": PLAIN + rb' "\x22"',
    "who was forwarded": FORWARDED,
    "a backslash last": PLAIN + b"\\",
    "the error log of nginx": b"2026/11/23 13:53:33 [error] 31#31: *46 open() failed",
    "the error log of Apache": b"[Mon Nov 23 13:53:33.1 2026] [core:error] [pid 1] AH00126: Invalid URI",
    "nothing": b"",
    "a quote alone": b'"',
    "nonsense": b"nonsense",
}
SITES: Final = {False: Site(), True: Site(trusted=trusted_of(["203.0.113.0/24", "10.0.0.0/8"]))}
NAMES: Final = ("auto", "clf", "nginx", "apache")


def one_by_one(value: bytes, name: str, trusts: bool) -> list[object] | None:
    """What the columns would say if the line were read by itself; None where it is no event."""
    try:
        format_, event = Reader(name, SITES[trusts], 1_000_000).one(value)
    except RecordError:
        return None
    assert event is None or format_ == ("clf" if name == "auto" else name)
    return None if event is None else told(unpack(pack([event]), 1), 0)


def agrees(values: list[bytes]) -> int:
    """Hold what is read, whether proxies are believed or not, to what is read line by line; how many were read."""
    count = 0
    for trusts in SITES:
        events, odd = read_clf(values, trusts)
        for row in sorted(set(range(len(values))) - set(odd.tolist())):
            count += 1
            for name in NAMES:
                assert told(events, row) == one_by_one(values[row], name, trusts), (values[row], name, trusts)
    return count


@pytest.mark.parametrize("name", READ)
def test_a_plain_line_is_read(name: str) -> None:
    """In every spelling that servers write as they come: it would be slow, and nobody would see why."""
    assert agrees([READ[name], PLAIN]) == 4


@pytest.mark.parametrize("name", LEFT)
def test_what_is_not_sure_is_left_alone(name: str) -> None:
    """Among others, at the end, and alone."""
    value = LEFT[name]
    agrees([value])
    assert agrees([PLAIN, value, PLAIN, value]) >= 4
    # What stands next must not end what is cut off.
    for behind in (b'"', b" ", b'" 200 1', b"- -", PLAIN):
        agrees([value, behind])
        agrees([value[:-1], behind])


def test_who_was_forwarded_is_left_alone_where_proxies_are_believed() -> None:
    """Elsewhere the connection's own address counts, whatever stands behind."""
    assert read_clf([FORWARDED], trusts=False)[1].tolist() == []
    assert read_clf([FORWARDED], trusts=True)[1].tolist() == [0]


@pytest.mark.parametrize("name", [*READ, "who was forwarded", "an escape"])
def test_every_cut_and_every_byte(name: str) -> None:
    """Each beginning of a line, and each byte of it as another one that means something."""
    value = READ.get(name) or LEFT[name]
    agrees([value[:size] for size in range(len(value))])
    for byte in b'" -[]{<\\/?:0s\0\t\xe9':
        agrees([value[:at] + bytes([byte]) + value[at + 1 :] for at in range(len(value))])


def test_damaged_lines() -> None:
    """Bytes that are changed, left out, doubled or moved at random never make of a line what it is not."""
    chance, values = random.Random(7), []
    pieces = [b'"', b" ", b"-", b"\\", b"[", b"\\x22", b"\xff", b"0", b"HTTP/", b"?", b":"]
    for _ in range(4_000):
        value = bytearray(chance.choice([*READ.values(), *LEFT.values()]))
        for _ in range(chance.randint(1, 3)):
            at, size = chance.randrange(len(value) + 1), chance.randint(0, 12)
            piece = bytes(value[at : at + size])
            value[at : at + size] = chance.choice([b"", piece * 2, chance.choice(pieces)])
        values.append(bytes(value))
    assert agrees(values) > 300


@pytest.mark.parametrize("directory", ["apache2-logs", "nginx_http-logs", "traefik_clf", "haproxy-logs"])
def test_a_peers_cases(directory: str) -> None:
    """Lines that a peer reads in its tests."""
    if not CASES.exists():
        pytest.skip(f"the cases are not beside this checkout: {CASES}")
    [log] = (CASES / directory).glob("*.log")
    lines = [line.rstrip(b"\r") for line in log.read_bytes().split(b"\n") if line.strip()]
    assert (agrees(lines) > 0) == (directory in ("apache2-logs", "nginx_http-logs"))


def _all_odd(values: list[bytes], trusts: bool) -> tuple[Events, NDArray[np.int64]]:
    events, _ = read_clf([b""] * len(values), trusts)
    return events, np.arange(len(values))


_OBSERVERS: Final = [
    Observer(
        InputSettings(format=name, record_max_bytes=1_500, trusted_proxies=proxies),
        DEFAULT_SURFACES,
        3,
    )
    for name in NAMES
    for proxies in ((), ("203.0.113.0/24", "10.0.0.0/8"))
]


def _observed(values: list[bytes | None]) -> list[Observed]:
    stamps = np.full(len(values), 1_795_441_745_000, np.int64)
    batch = Batch("t", 0, 0, len(values), values, timestamps_ms=stamps)
    return [observer.observe(batch) for observer in _OBSERVERS]


def same(values: list[bytes | None]) -> None:
    """Messages, counts, dead letters and formats do not tell whether lines were read in one go or one by one."""
    together = _observed(values)
    with patch("streams.pipeline.observe.adapted.read_clf", _all_odd):
        assert together == _observed(values)


def test_lines_of_all_sorts_stand_in_their_places() -> None:
    """Plain ones, odd ones, arrays, several formats, what is too long and what is missing, in one batch."""
    others = [sample.value for sample in SAMPLES]
    array = b"[" + b",".join([record(), b"{}", record({"url.path": "/people/8"})]) + b"]"
    values = [PLAIN, array, *READ.values(), None, *LEFT.values(), PLAIN + b"x" * 1_500, *others, array, PLAIN]
    same(values)
    same([PLAIN, PLAIN.replace(b"/7?", b"/8?")])
    same([*reversed(values)])
    same([None, b"nonsense"])


def test_whoever_asks_for_an_event_gets_that_of_its_row() -> None:
    """Plain lines are read again then; others were kept, and a record of several has a row for each."""
    array = b"[" + b",".join([record(), record({"url.path": "/people/8"})]) + b"]"
    values: list[bytes | None] = [PLAIN, array, LEFT["an escape"], b"nonsense", PLAIN.replace(b"/7?", b"/9?"), PLAIN]
    for some in (values, [PLAIN, PLAIN.replace(b"/7?", b"/9?")]):
        reading = read_any(Batch("t", 0, 0, len(some), some), 1_500, Reader("auto", Site(), 1_500))
        assert [told(unpack(pack([each]), 1), 0) for each in reading.records] == [
            told(reading.events, row) for row in range(len(reading.records))
        ]
        assert [each.path for each in reading.records[-2:]] == [each.path for each in reading.records][-2:]
    assert [each.path for each in reading.records] == ["/people/7", "/people/9"]


_WORDS: Final = st.sampled_from(
    [b"-", b"u1", b"203.0.113.9", b"10.0.0.9", b"2001:db8::1", b"::1", b"www", b"a:80", b"x[", b""]
)
_TIMES: Final = st.sampled_from(
    [
        b"[23/Nov/2026:13:49:05 +0000]",
        b"[23/Nov/2026:13:49:05]",
        b"[31/Nov/2026:13:49:05 +0000]",
        b"[29/Feb/2028:00:00:00 -1200]",
        b"[23/Nov/2026:13:49:60 +0530]",
        b"23/Nov/2026:13:49:05 +0000",
    ]
)
_TEXTS: Final = st.one_of(
    st.sampled_from(
        [b"-", b"", b"Mozilla/5.0 (X11)", rb"\x22", rb"\"", b'"', b"\xff", "é".encode(), b"a b", b"1.2.3.4"]
    ),
    st.text(max_size=5).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.binary(max_size=4),
)
_TARGETS: Final = st.one_of(
    st.sampled_from(
        [b"/people/7", b"/people/%37?x", b"/?a[]=<b>", b"http://h/people/7", b"*", b"/a b", b"/\xff", b"/\\x00"]
    ),
    _TEXTS.map(lambda text: b"/" + text),
)
_REQUESTS: Final = st.one_of(
    st.tuples(
        st.sampled_from([b"GET", b"POST", b"x", b"7", b""]),
        _TARGETS,
        st.sampled_from([b"HTTP/1.1", b"HTTP/2.0", b"x", b""]),
    ).map(b" ".join),
    _TEXTS,
)


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """A line that is mostly one, with anything in any of its fields, and now and then damaged."""
    who = [*draw(st.lists(_WORDS, max_size=2)), draw(_WORDS), draw(st.sampled_from([b"-", b"-", b"i"])), draw(_WORDS)]
    status = draw(st.sampled_from([b"200", b"401", b"404", b"304", b"-", b"0", b"2000", b""]))
    parts = [*who, draw(_TIMES), b'"' + draw(_REQUESTS) + b'"', status, draw(st.sampled_from([b"12", b"-", b""]))]
    quoted = draw(st.lists(_TEXTS, max_size=4))
    whole = b" ".join([*parts, *(b'"' + text + b'"' for text in quoted)])
    match draw(st.integers(0, 11)):
        case 0:
            return whole[: draw(st.integers(0, len(whole)))]
        case 1:
            return whole + draw(st.sampled_from([b" ", b"\r", b"\\", b" 3ms", b" 0.1", b'"']))
        case _:
            return whole


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(lines(), min_size=1, max_size=6))
def test_whatever_is_read_is_what_is_read_line_by_line(values: list[bytes]) -> None:
    """All columns of each line, whatever stands beside it."""
    agrees(values)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.one_of(lines(), st.sampled_from([PLAIN, COMMON])), min_size=1, max_size=6))
def test_a_batch_is_observed_as_if_lines_were_read_one_by_one(values: list[bytes | None]) -> None:
    """Under each format that takes such lines, with and without proxies that are believed."""
    same(values)
