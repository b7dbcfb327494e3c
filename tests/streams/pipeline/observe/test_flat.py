"""Flat records read by one loop: what the decoder says of them, or nothing."""

import random
from typing import Any, Final

import msgspec
import numpy as np
import orjson
import pytest

from schemas.request import FAST_DECODER
from streams.pipeline.batch import Batch
from streams.pipeline.observe.events import ABSENT, Events, Field, unpack
from streams.pipeline.observe.flat import read_flat
from streams.pipeline.observe.reading import READ_ERRORS, pack, read_all

WHOLE: Final[dict[str, Any]] = {
    "@timestamp": "2026-11-24T09:00:00.000Z",
    "http.request.method": "GET",
    "url.path": "/people/7",
    "url.query": "page=2",
    "http.route": "/people/{id}",
    "http.response.status_code": 200,
    "client.address": "203.0.113.9",
    "client.as.number": 64_500,
    "client.geo.country_iso_code": "DE",
    "user.id": "u1",
    "session.id": "s",
    "tls.client.ja4": "t13d1516h2_8daaf6152771_02713d6af862",
    "tls.client.ja3": "cd08e31494f9531f560d64c695473da9",
    "user_agent.original": "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0",
    "http.request.header.referer": "https://example.org/",
    "http.request.id": "4711",
    "network.peer.address": "10.0.0.1",
    "server.address": "www",
    "weir.target.id": "7",
    "weir.account.tier": "free",
    "weir.account.created_at": 1_700_000_000,
    "duration": -0.25,
    "cached": True,
}
"""A record that has everything but a list."""
PLAIN: Final = orjson.dumps(WHOLE)
READ: Final = {
    "an object that nobody asked for": PLAIN[:-1] + b',"labels":{"a":[1,{}],"url.path":"/x"}}',
    "a list that nobody asked for": PLAIN[:-1] + b',"tags":["a",{"http":{}},[]]}',
    "a text under a beginning": PLAIN[:-1] + b',"http":"a"}',
    "a list under a beginning": PLAIN[:-1] + b',"client":[{"address":"x"}]}',
    "null under the rest": PLAIN.replace(b'"203.0.113.9"', b"null").replace(b"64500", b"null"),
    "nothing under a list": PLAIN[:-1] + b',"weir.targets":null}',
    "a time in seconds": PLAIN.replace(b'"2026-11-24T09:00:00.000Z"', b"1790000000"),
    "an empty account": PLAIN.replace(b'"u1"', b'""'),
    "blanks": b" \t" + PLAIN.replace(b":", b" :\t", 1).replace(b",", b"\r\n ,", 2) + b" \n",
}
"""What the loop has to read, lest all of somebody's records be slow."""
ODD: Final = {
    "an escape": PLAIN.replace(b"/people/7", rb"/people/\u0037"),
    "beyond ASCII": PLAIN.replace(b"Linux", "Línux".encode()),
    "no UTF-8": PLAIN.replace(b"Linux", b"L\xffnux"),
    "a list": PLAIN[:-1] + b',"weir.targets":["a","b"]}',
    "nothing under a list": PLAIN[:-1] + b',"weir.targets":null}',
    "a key twice": PLAIN[:-1] + b',"user.id":"u2"}',
    "null, and a key twice": PLAIN.replace(b'"/people/7"', b'null,"url.path":"/people/7"'),
    "null under what is required": PLAIN.replace(b'"/people/7"', b"null"),
    "null under the rest": PLAIN.replace(b'"203.0.113.9"', b"null").replace(b"64500", b"null"),
    "digits in a text": PLAIN.replace(b"64500", b'"64500"'),
    "a status beyond all": PLAIN.replace(b":200,", b":1000,"),
    "the last status": PLAIN.replace(b":200,", b":999,"),
    "a status with a zero": PLAIN.replace(b":200,", b":0200,"),
    "a status of zero": PLAIN.replace(b":200,", b":0,"),
    "a status below zero": PLAIN.replace(b":200,", b":-1,"),
    "a status that is whole": PLAIN.replace(b":200,", b":200.0,"),
    "a status that is not": PLAIN.replace(b":200,", b":200.5,"),
    "an ASN beyond all": PLAIN.replace(b"64500", b"4294967296"),
    "the last ASN": PLAIN.replace(b"64500", b"4294967295"),
    "a number for a text": PLAIN.replace(b'"u1"', b"1"),
    "a number for an unread text": PLAIN.replace(b'"4711"', b"4711"),
    "a truth for a text": PLAIN.replace(b'"u1"', b"true"),
    "an empty account": PLAIN.replace(b'"u1"', b'""'),
    "an empty path": PLAIN.replace(b'"/people/7"', b'""'),
    "an empty JA4": PLAIN.replace(b'"t13d1516h2_8daaf6152771_02713d6af862"', b'""'),
    "a time in seconds": PLAIN.replace(b'"2026-11-24T09:00:00.000Z"', b"1790000000"),
    "a time with a fraction": PLAIN.replace(b'"2026-11-24T09:00:00.000Z"', b"1790000000.25"),
    "a time in a text": PLAIN.replace(b"2026-11-24T09:00:00.000Z", b"1790000000"),
    "a time that is long": PLAIN.replace(b'"2026-11-24T09:00:00.000Z"', b"1790000000000000000"),
    "an exponent": PLAIN.replace(b"-0.25", b"1e3"),
    "no digit": PLAIN.replace(b"-0.25", b"-"),
    "no digit behind the dot": PLAIN.replace(b"-0.25", b"1."),
    "an object that nobody asked for": PLAIN.replace(b"-0.25", b'{"a":1}'),
    "an object under a beginning": PLAIN.replace(b'"duration"', b'"http"').replace(b"-0.25", b'{"a":1}'),
    "a text under a beginning": PLAIN.replace(b'"duration"', b'"http"').replace(b"-0.25", b'"a"'),
    "a word that is none": PLAIN.replace(b"true", b"tru"),
    "a comma too many": PLAIN[:-1] + b",}",
    "a comma too few": PLAIN.replace(b',"url.path"', b' "url.path"'),
    "something behind": PLAIN + b"}",
    "blanks": b" \t" + PLAIN.replace(b":", b" :\t", 1).replace(b",", b"\r\n ,", 2) + b" \n",
    "cut off": PLAIN[:-1],
    "cut off in a word": b'{"@timestamp":"1","http.request.method":"GET","url.path":"/","a":tru',
    "a quote alone": b'"',
    "nothing": b"",
    "an empty object": b"{}",
    "what is required is missing": PLAIN.replace(b'"url.path"', b'"url.peth"'),
    "a control character": PLAIN.replace(b"Linux", b"Li\x01ux"),
    "a NUL": PLAIN.replace(b"Linux", b"Li\0ux"),
}


def told(events: Events, row: int) -> list[object]:
    """All that the columns say of an event."""
    columns = (events.status, events.asn, events.targets, events.time_form, events.time_bits)
    created = (events.created_form, events.created_bits, events.fault)
    texts = [
        None if size == ABSENT else events.text[start : start + size].tobytes()
        for start, size in zip(events.start[row, : Field.NET], events.size[row, : Field.NET], strict=True)
    ]
    return [*texts, *(int(column[row]) for column in (*columns, *created))]


def by_decoder(value: bytes) -> list[object] | None:
    """The same by the decoder; None for what it refuses."""
    try:
        return told(unpack(pack([FAST_DECODER.decode(value)]), 1), 0)
    except READ_ERRORS:
        return None


def agrees(values: list[bytes]) -> int:
    """Hold what is read to what the decoder says; how many were read."""
    events, odd = read_flat(values)
    read = sorted(set(range(len(values))) - set(odd.tolist()))
    for row in read:
        assert told(events, row) == by_decoder(values[row]), values[row]
    return len(read)


def test_a_plain_record_is_read() -> None:
    """With all that it may hold but a list: it would be slow, and nobody would see why."""
    assert agrees([PLAIN, PLAIN]) == 2


@pytest.mark.parametrize("name", READ)
def test_what_means_nothing_does_not_slow_a_record_down(name: str) -> None:
    """Nor does another spelling that is as plain."""
    assert agrees([READ[name], PLAIN]) == 2


def test_an_object_under_a_beginning_is_another_spelling() -> None:
    """The fast decoder refuses it, so it is left to it, even one that is empty."""
    for below in (b"{}", b'{"a":1}', b'{"request":{"method":"PUT"}}'):
        value = PLAIN[:-1] + b',"http":' + below + b"}"
        assert by_decoder(value) is None
        assert agrees([value]) == 0


@pytest.mark.parametrize("name", ODD)
def test_what_is_not_sure_is_left_to_the_decoder(name: str) -> None:
    """Among others, at the end, and alone."""
    value = ODD[name]
    agrees([value])
    assert agrees([PLAIN, value, PLAIN, value]) >= 2
    # What stands next must not end what is cut off.
    for behind in (b"}", b"e}", b'"}', b",", b"1}", b"null}"):
        agrees([value, behind])
        agrees([value[:-1], behind])


def test_every_cut_and_every_byte() -> None:
    """Of a short record: each beginning of it, and each byte of it as another one that means something."""
    short = b'{"@timestamp":17,"http.request.method":"G","url.path":"/","user.id":null,"x":-1.5,"y":false}'
    assert agrees([short]) == 1
    agrees([short[:size] for size in range(len(short))])
    agrees(
        [
            short[:at] + bytes([byte]) + short[at + 1 :]
            for at in range(len(short))
            for byte in b'",:{}[]\\ 0-.en\n\0\xe4'
        ]
    )


def test_damaged_records() -> None:
    """Bytes that are changed, left out, doubled or moved at random never make of it what the decoder does not."""
    chance, values = random.Random(6), []
    for _ in range(4_000):
        value = bytearray(chance.choice([PLAIN, *ODD.values()]))
        for _ in range(chance.randint(1, 3)):
            at, size = chance.randrange(len(value) + 1), chance.randint(0, 12)
            piece = bytes(value[at : at + size])
            value[at : at + size] = chance.choice([b"", piece * 2, chance.choice([b'"', b",", b"}", b"0", b"null"])])
        values.append(bytes(value))
    assert agrees(values) > 100


def test_records_of_both_sorts_stand_in_their_places() -> None:
    """A batch in which some are left to the decoder is as one that it read alone, lists and all."""
    sound = [value for value in ODD.values() if by_decoder(value) is not None]
    values = [one for value in sound for one in (PLAIN, value)]
    reading = read_all(Batch("t", 0, 0, len(values), values), 10_000)
    assert [told(reading.events, row) for row in range(len(values))] == [by_decoder(value) for value in values]
    assert np.array_equal(reading.index, np.arange(len(values)))
    wanted = [msgspec.to_builtins(FAST_DECODER.decode(value)) for value in values]
    assert [msgspec.to_builtins(record) for record in reading.records] == wanted
    assert len(reading.records[1:3]) == 2


def test_a_tombstone_is_no_record() -> None:
    """Among records it raises what sends all of them to a closer look."""
    with pytest.raises(TypeError):
        read_flat([PLAIN, None])  # type: ignore[list-item]  # as they come from a topic
