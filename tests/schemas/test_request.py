import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import DECODE_ERRORS
from schemas.errors import RecordError
from schemas.nested import prefixes
from schemas.request import FAST_DECODER, RequestEvent, decode_request
from tests.schemas.strategy import request_events

NAMES = {item.encode_name: item.name for item in msgspec.structs.fields(RequestEvent)}
PLAIN: dict[str, Any] = {
    "@timestamp": "2026-11-24T09:15:02.118Z",
    "http.request.method": "GET",
    "url.path": "/people/8123771",
    "user.id": "u48213",
}
REQUIRED = ("@timestamp", "http.request.method", "url.path")
TYPED = sorted(set(NAMES) - {"@timestamp", "weir.account.created_at"})
OPTIONAL = sorted(set(NAMES) - set(REQUIRED))


def read(record: object) -> RequestEvent:
    """The event of a record that is to be accepted."""
    return decode_request(json.dumps(record).encode())


def refusal(value: bytes | None) -> tuple[str, str]:
    """Place and reason of bytes that must be refused."""
    with pytest.raises(RecordError) as caught:
        decode_request(value)
    return caught.value.where, caught.value.reason


def refusal_of(record: object) -> tuple[str, str]:
    """Place and reason of a record that must be refused."""
    return refusal(json.dumps(record).encode())


def nest(record: dict[str, Any], cuts: dict[str, tuple[bool, ...]]) -> dict[str, Any]:
    """The same record in a nested spelling: name ``a.b.c`` is cut at those of its dots that ``cuts`` says."""
    nested: dict[str, Any] = {}
    for name, value in record.items():
        first, *others = name.split(".")
        segments = [first]
        for other, cut in zip(others, cuts[name], strict=True):
            segments = [*segments, other] if cut else [*segments[:-1], f"{segments[-1]}.{other}"]
        level = nested
        for segment in segments[:-1]:
            level = level.setdefault(segment, {})
        level[segments[-1]] = value
    return nested


every_cut = st.fixed_dictionaries({name: st.tuples(*[st.booleans()] * name.count(".")) for name in NAMES})


def test_short_names_stand_for_the_keys_of_the_contract() -> None:
    """Each attribute is read from the key that the contract lists, and there are no others."""
    assert NAMES == {
        "@timestamp": "time",
        "http.request.method": "method",
        "url.path": "path",
        "client.address": "address",
        "user.id": "user",
        "session.id": "session",
        "http.response.status_code": "status",
        "http.route": "route",
        "url.query": "query",
        "server.address": "server",
        "http.request.id": "request_id",
        "user_agent.original": "user_agent",
        "http.request.header.referer": "referer",
        "client.as.number": "asn",
        "client.geo.country_iso_code": "country",
        "tls.client.ja4": "ja4",
        "tls.client.ja3": "ja3",
        "network.peer.address": "peer",
        "weir.target.id": "target",
        "weir.targets": "targets",
        "weir.account.tier": "tier",
        "weir.account.created_at": "created_at",
    }


@given(request_events)
def test_encode_and_decode_is_identity(event: RequestEvent) -> None:
    """What is written in the flat spelling is read as it was."""
    assert decode_request(msgspec.json.encode(event)) == event


@given(request_events, every_cut)
def test_nested_spelling_is_the_same_record(event: RequestEvent, cuts: dict[str, tuple[bool, ...]]) -> None:
    """However the names are cut into objects, the event is the one of the flat record."""
    flat = json.loads(msgspec.json.encode(event))
    assert read(nest(flat, cuts)) == event


@given(request_events, every_cut)
def test_fast_decoder_reads_flat_records_and_refuses_nested_ones(
    event: RequestEvent, cuts: dict[str, tuple[bool, ...]]
) -> None:
    """A nested record never passes as a flat one with keys missing."""
    flat = json.loads(msgspec.json.encode(event))
    fast = FAST_DECODER.decode(json.dumps(flat).encode())
    assert all(getattr(fast, name) == getattr(event, name) for name in NAMES.values())
    if any(any(cuts[name]) for name in flat):
        with pytest.raises(DECODE_ERRORS):
            FAST_DECODER.decode(json.dumps(nest(flat, cuts)).encode())


@pytest.mark.parametrize("name", prefixes(NAMES))
def test_scalar_where_nesting_could_begin_is_an_unknown_key(name: str) -> None:
    """``"user": "bob"`` is none of ours and is ignored, beside flat names and beside nested ones."""
    for other in ("bob", 7, 1.5, True, None, [{"id": "bob"}], 10**30):
        assert read(PLAIN | {name: other}) == read(PLAIN)
        assert FAST_DECODER.decode(json.dumps(PLAIN | {name: other}).encode()).user == "u48213"


@pytest.mark.parametrize("name", OPTIONAL)
def test_null_under_an_optional_key_means_absent(name: str) -> None:
    """Null is read as None, flat and nested."""
    somebody = PLAIN | {"session.id": "s"} | {name: None}
    cuts = {key: (True,) * key.count(".") for key in NAMES}
    assert getattr(read(somebody), NAMES[name]) is None
    assert getattr(read(nest(somebody, cuts)), NAMES[name]) is None


@pytest.mark.parametrize("name", REQUIRED)
def test_required_key_is_demanded(name: str) -> None:
    """Missing and null give the key's path and the same reason."""
    expected = (f"$.{name}", "required, but missing or null")
    assert refusal_of({key: value for key, value in PLAIN.items() if key != name}) == expected
    assert refusal_of(PLAIN | {name: None}) == expected


@pytest.mark.parametrize("name", TYPED)
@pytest.mark.parametrize("value", [True, {"a": 1}, [1], 1.5], ids=["bool", "object", "list", "float"])
def test_wrong_type_is_refused_with_its_path(name: str, value: object) -> None:
    """Each key refuses what is not of its type, and the reason names both types."""
    where, reason = refusal_of(PLAIN | {name: value})
    assert where.startswith(f"$.{name}")
    assert reason.startswith("Expected ")


def test_wrong_type_in_nested_spelling_has_the_path_of_the_record() -> None:
    """The path leads to where the value stands."""
    record = PLAIN | {"client": {"as": {"number": "AS64500"}}}
    assert refusal_of(record) == ("$.client.as.number", "Expected `int | null`, got `str`")


@pytest.mark.parametrize("record", [None, True, 5, "GET", [], [PLAIN]])
def test_what_is_no_object_is_refused(record: object) -> None:
    """JSON that is no object is no event."""
    where, reason = refusal_of(record)
    assert where == "$"
    assert reason.startswith("Expected `object`, got ")


def test_tombstone_is_refused() -> None:
    """A null value is no event, and has no bytes to point into."""
    assert refusal(None) == ("$", "record is a tombstone (null value)")


@pytest.mark.parametrize(
    ("value", "where", "reason"),
    [
        (b"", "byte 0", "record is truncated"),
        (b'{"@timestamp": 1, "http.requ', "byte 28", "record is truncated"),
        (b'{"@timestamp": 1,}', "byte 17", "JSON is malformed: trailing comma in object"),
        (b'{"@timestamp": 1} {}', "byte 19", "JSON is malformed: trailing characters"),
        (b'{"@timestamp": NaN}', "byte 15", "JSON is malformed: invalid character"),
        (b"\xef\xbb\xbf{}", "byte 0", "JSON is malformed: invalid character"),
        (b'{"url.path": "/\xff"}', "byte 15", "not UTF-8"),
        (b'{"url.path": "/\xed\xa0\x80"}', "byte 15", "not UTF-8"),
        (b'{"url.path": "\\udc00 alone"}', "byte 20", "JSON is malformed: invalid utf-16 surrogate pair"),
        (b'{"x": ' + b"[" * 100_000, "$", "nested too deeply"),
        (b'{"x": ' + b'{"x":' * 100_000, "$", "nested too deeply"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_bytes_that_are_no_json_are_refused_with_their_place(value: bytes, where: str, reason: str) -> None:
    """The byte is where the decoder stopped, at the mistake or one behind it; the reason says what is wrong there."""
    assert refusal(value) == (where, reason)


@pytest.mark.parametrize(
    ("time", "reason"),
    [
        ("2026-11-24T09:15:02", "time names no zone"),
        ("yesterday", "time is neither RFC 3339 nor a number"),
        (10**30, "time is negative or does not fit in 64 bits"),
        (2**63, "time is negative or does not fit in 64 bits"),
        (-1, "time is negative or does not fit in 64 bits"),
    ],
)
@pytest.mark.parametrize("name", ["@timestamp", "weir.account.created_at"])
def test_what_is_no_time_is_refused(name: str, time: object, reason: str) -> None:
    """Both times of an event are checked, flat and nested."""
    assert refusal_of(PLAIN | {name: time}) == (f"$.{name}", reason)
    assert refusal_of({**PLAIN, "client": {}, name: time}) == (f"$.{name}", reason)


@pytest.mark.parametrize("name", ["http.response.status_code", "client.as.number"])
@pytest.mark.parametrize("number", [2**64, -(2**63) - 1, 10**300, -1, "18446744073709551616"])
def test_number_out_of_range_is_refused(name: str, number: object) -> None:
    """Numbers beyond 64 bits do not wrap round, and none gets through that its column cannot hold."""
    where, reason = refusal_of(PLAIN | {name: number})
    assert where == f"$.{name}"
    assert reason.startswith("Expected `int")


@pytest.mark.parametrize(("status", "good"), [(0, True), (999, True), (1000, False), (-1, False)])
def test_status_lies_between_0_and_999(status: int, good: bool) -> None:
    """Both sides of both limits; servers log 0 where the client went away."""
    record = PLAIN | {"http.response.status_code": status}
    if good:
        assert read(record).status == status
    else:
        assert refusal_of(record)[0] == "$.http.response.status_code"


def test_digits_are_numbers() -> None:
    """Status and AS number may come as strings, flat and nested, or as floats without a fraction."""
    flat = read(PLAIN | {"http.response.status_code": "404", "client.as.number": "64500"})
    nested = read(PLAIN | {"http": {"response": {"status_code": "404"}}, "client": {"as": {"number": "64500"}}})
    assert (flat.status, flat.asn) == (nested.status, nested.asn) == (404, 64500)
    assert read(PLAIN | {"http.response.status_code": 404.0}).status == 404
    for no_number in ("-", "", 404.5, True):
        assert refusal_of(PLAIN | {"http.response.status_code": no_number})[0] == "$.http.response.status_code"


def test_digits_under_a_text_key_stay_text() -> None:
    """Accepting digits for numbers does not make numbers or nulls of texts."""
    event = read(PLAIN | {"user.id": "007", "session.id": "null", "@timestamp": "1795511702"})
    assert (event.user, event.session, event.time) == ("007", "null", "1795511702")


def test_referer_may_be_a_list() -> None:
    """OpenTelemetry writes headers as lists: the first counts, an empty list is absent."""
    for given_as, expected in (("a", "a"), (["a", "b"], "a"), ([], None)):
        assert read(PLAIN | {"http.request.header.referer": given_as}).referer == expected
        assert read(PLAIN | {"http": {"request": {"header": {"referer": given_as}}}}).referer == expected


@pytest.mark.parametrize("name", ["user.id", "client.address", "session.id"])
def test_somebody_must_be_named(name: str) -> None:
    """One of three keys is enough; none, null and empty strings are not."""
    nobody = {key: PLAIN[key] for key in REQUIRED}
    assert getattr(read(nobody | {name: "x"}), NAMES[name]) == "x"
    for record in (nobody, nobody | {name: None}, nobody | {name: ""}):
        where, reason = refusal_of(record)
        assert where == "$"
        assert reason.startswith("names nobody")


def test_of_a_key_given_twice_the_last_one_counts() -> None:
    """As most JSON readers have it, whichever decoder reads."""
    flat = b'{"@timestamp":1,"http.request.method":"GET","url.path":"/a","user.id":"x","url.path":"/b"}'
    nested = b'{"@timestamp":1,"http.request.method":"GET","url":{"path":"/a"},"user":{"id":"x"},"url":{"path":"/b"}}'
    assert decode_request(flat).path == decode_request(nested).path == "/b"


def test_of_two_spellings_the_least_nested_one_counts() -> None:
    """Whatever the order in the record; null gives way, since it means absent."""
    deep = {"http": {"request": {"method": "DEEP"}}}
    assert read(PLAIN | deep).method == "GET"
    assert read(deep | PLAIN).method == "GET"
    assert read(PLAIN | deep | {"http.request": {"method": "MIDDLE"}, "http.request.method": None}).method == "MIDDLE"
    assert read(PLAIN | deep | {"http.request.method": None}).method == "DEEP"


def test_decoded_event_holds_nothing_unknown() -> None:
    """An ignored key does not come out again when the event is written."""
    assert json.loads(msgspec.json.encode(read(PLAIN | {"user": "bob", "x": 1}))) == PLAIN


def test_large_record_is_read() -> None:
    """Five megabytes under an unknown key or in a path are no reason to fail here: limits are the reader's affair."""
    assert read(PLAIN | {"x": "y" * 5_000_000}) == read(PLAIN)
    assert len(read(PLAIN | {"url.path": "/" * 5_000_000}).path) == 5_000_000
