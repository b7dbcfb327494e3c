"""Records that hold several, in arrays, lines and layers."""

import gzip
import json

import pytest
import zstandard

from streams.inputs.reader import Part
from streams.inputs.several import PARTS_MAX
from tests.streams.inputs.samples import AT, CLF, otlp_json, otlp_json_logs, otlp_spans, reader, told


def event(number: int) -> bytes:
    """A canonical record."""
    keys = {"@timestamp": AT, "http.request.method": "GET", "url.path": f"/people/{number}", "user.id": "u"}
    return json.dumps(keys).encode()


def paths(parts: list[Part]) -> list[str | None]:
    """Path of each event; None where there is none."""
    return [None if part.event is None else part.event.path for part in parts]


@pytest.mark.parametrize(
    "value",
    [
        b"[" + b",".join(map(event, range(3))) + b"]",
        b"\n".join(map(event, range(3))),
        b"\r\n".join(map(event, range(3))) + b"\r\n\r\n",
        gzip.compress(b"\n".join(map(event, range(3)))),
        zstandard.compress(b"[" + b" , ".join(map(event, range(3))) + b"]"),
        b"[" + b",".join(json.dumps({"message": event(n).decode()}).encode() for n in range(3)) + b"]",
        json.dumps({"message": "\n".join(event(n).decode() for n in range(3))}).encode(),
        b"\n".join(CLF.replace("/7?", f"/{n}?").encode() for n in range(3)),
    ],
)
def test_a_record_of_several(value: bytes) -> None:
    """Each is an event of its own, in their order."""
    parts = reader().parts(value)
    assert paths(parts) == ["/people/0", "/people/1", "/people/2"]
    assert [paths(reader().parts(part.value)) for part in parts] == [["/people/0"], ["/people/1"], ["/people/2"]]


def test_what_is_wrong_with_one_leaves_its_neighbours_alone() -> None:
    """It is told with its own bytes, so that it can be sent again by itself."""
    parts = reader().parts(b"[" + event(0) + b',{"url.path":7},' + event(2) + b"]")
    assert paths(parts) == ["/people/0", None, "/people/2"]
    assert parts[1].value == b'{"url.path":7}'
    assert parts[1].error is not None


@pytest.mark.parametrize("value", [b"[1,2]", b"a\nb\nc", b"[[[[[[[[[[1]]]]]]]]]]", b"\x00\n\x00\n"])
def test_what_holds_nothing_that_can_be_read_is_one_thing(value: bytes) -> None:
    """A record of bytes that are no lines is one dead letter, and not one for each line feed in it."""
    [part] = reader().parts(value)
    assert part.error is not None
    assert part.value == value


@pytest.mark.parametrize("value", [b"[]", b'{"resourceLogs":[]}', b'{"resourceSpans":[]}'])
def test_a_record_may_hold_nothing(value: bytes) -> None:
    """Shippers send empty batches."""
    assert reader().parts(value) == []


@pytest.mark.parametrize(("count", "refused"), [(PARTS_MAX, False), (PARTS_MAX + 1, True)])
def test_a_record_holds_so_many_at_most(count: int, refused: bool) -> None:
    """One more, and all of it is refused: what comes of a record travels in one message."""
    parts = reader().parts(b"[" + b",".join([event(1)] * count) + b"]")
    assert len(parts) == (1 if refused else count)
    assert (parts[0].error is not None) == refused


def test_layers_end() -> None:
    """A gzip of a gzip of a gzip is followed so far and no farther."""
    value = event(1)
    for _ in range(20):
        value = gzip.compress(value)
    [part] = reader().parts(value)
    assert part.error is not None
    assert part.error.reason == "nested too deeply"


@pytest.mark.parametrize("value", [otlp_spans(kind=3), otlp_json(kind=1), otlp_json_logs(body="connection refused")])
def test_what_no_server_wrote_is_no_request(value: bytes) -> None:
    """Spans of clients and of inner calls, and log records of something else, are passed over."""
    for part in (*reader().parts(value), *reader("otlp").parts(value)):
        assert (part.event, part.error) == (None, None)


def test_a_line_in_the_body_of_a_log_record() -> None:
    """A Collector that follows files sends lines as they are: `auto` reads them, `otlp` takes no line for an event."""
    [part] = reader().parts(otlp_json_logs(body=CLF))
    assert part.name == "clf"
    assert told(part.event) == told(reader().parts(CLF.encode())[0].event)
    assert reader("otlp").parts(otlp_json_logs(body=CLF))[0].event is None


def test_a_time_without_zone_is_refused_where_none_is_configured() -> None:
    """Nobody guesses: the reason names the key to set."""
    line = b'1.2.3.4:5 [23/Nov/2026:13:49:05.000] f b/s 0/0/1/2/3 200 7 - - ---- 1/1/0/0/0 0/0 "GET /people/7 HTTP/1.1"'
    [part] = reader(site=reader.__defaults__[1]._replace(zone=None)).parts(line)  # type: ignore[index]
    assert part.error is not None
    assert (part.error.where, "input.zone" in part.error.reason) == ("$.@timestamp", True)


@pytest.mark.parametrize(
    ("line", "path", "query"),
    [
        (r"GET /people/a\x22b?q=\x22 HTTP/1.1", '/people/a"b', 'q="'),
        (r"GET /people/\xC3\xA9 HTTP/1.1", "/people/é", None),
        (r"GET /people/\xFF\xFE HTTP/1.1", "/people/%FF%FE", None),
        ("GET /people/%37 HTTP/1.1", "/people/%37", None),
        ("GET http://example.com/people/7?a HTTP/1.1", "/people/7", "a"),
        ("GET http://example.com HTTP/1.1", "/", None),
        ("GET /people/a b HTTP/1.1", "/people/a b", None),
        ("GET /people/7? HTTP/1.1", "/people/7", ""),
        ("GET /people/7", "/people/7", None),
    ],
)
def test_request_lines(line: str, path: str, query: str | None) -> None:
    """Escapes are undone, what is no UTF-8 then is percent-encoded, and a whole URL is its path."""
    [part] = reader().parts(CLF.replace("GET /people/7?tab=posts HTTP/1.1", line).encode())
    assert part.event is not None
    assert (part.event.path, part.event.query) == (path, query)


@pytest.mark.parametrize("line", ["-", "", r"\x16\x03\x01\x02", "GET", "HELO mail HTTP/1.1"[:4]])
def test_where_nothing_was_asked(line: str) -> None:
    """A connection that ended, or spoke TLS where none is, is no event and no mistake of the shipper."""
    [part] = reader().parts(CLF.replace("GET /people/7?tab=posts HTTP/1.1", line).encode())
    assert (part.event, part.error) == (None, None)


@pytest.mark.parametrize(
    ("user", "status", "named"),
    [("u1", 200, "u1"), ("u1", 401, None), ("-", 200, None), ("a b", 200, "a b"), (r"\xC3\xA9", 200, "é")],
)
def test_users(user: str, status: int, named: str | None) -> None:
    """Who has shown who they are; a name that the server refused is anybody's."""
    [part] = reader().parts(CLF.replace("- -", f"- {user}").replace(" 200 ", f" {status} ").encode())
    assert part.event is not None
    assert part.event.user == named


def test_a_name_cannot_feign_a_time_or_a_request() -> None:
    """A user's name may hold brackets and blanks; no server lets a quote into it."""
    forged = r"x [01/Jan/2020:00:00:00 +0000] \x22GET /people/1 HTTP/1.1\x22 200"
    [part] = reader().parts(CLF.replace("- -", f"- {forged}").encode())
    found = told(part.event)
    assert found is not None
    assert (found["path"], found["time"]) == ("/people/7", 1_795_441_745_000_000)
