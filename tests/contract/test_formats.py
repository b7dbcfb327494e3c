"""Every format holds to the same promises, whatever its lines look like."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any, Final, cast, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import RecordError
from schemas.event_time import parse_time_us
from streams.inputs.reader import FORMATS, Part, Reader
from streams.inputs.text import Site, clf_time, local_time
from streams.pipeline.batch import Batch
from streams.pipeline.observe import Observer
from streams.settings import InputFormat, InputSettings
from streams.surfaces.setting import DEFAULT_SURFACES
from tests.streams.inputs.samples import ENVELOPES, SAMPLES, SITE, Sample, otlp_logs, reader, told, wanted

NAMES: Final = get_args(InputFormat)
CASES: Final = Path(__file__).parents[3] / "shared" / "data" / "adapter-cases"
ASSERTION: Final = re.compile(
    r'results\["s01-parse"\]\["[^"]+"\]\[(\d+)\]\.Evt\.(?:Parsed|Meta)\["([^"]+)"\] == (".*")'
)
FIELDS: Final = {
    "address": ("source_ip", "remote_addr", "clientip", "client_ip", "remote_ip"),
    "method": ("http_verb", "verb", "http_method"),
    "status": ("http_status", "status", "response", "http_status_code", "elb_status_code"),
    "target": ("http_path", "request", "http_request"),
    "user_agent": ("http_user_agent",),
    "referer": ("http_referer", "referrer"),
    "user": ("remote_user", "auth"),
    "server": ("target_fqdn", "domain_name", "http_host", "host"),
    "request_id": ("request_id", "trace_id"),
    "time": ("time", "timestamp", "time_local", "accept_date"),
}
FIELD: Final = {key: field for field, keys in FIELDS.items() for key in keys}
"""Attribute by the name that the peer gives it; what is in none of them (bytes, pools) an event does not hold."""
DIFFERENCES: Final = {
    ("apache2-logs", 7): "a line of the error log: no request",
    ("apache2-logs", 8): "a line of the error log: no request",
    ("nginx_http-logs", 8): "a line of the error log: the access log has the request, too",
    ("haproxy-logs", 2): "a handshake that failed: no request",
    ("haproxy-logs", 3): "a handshake that failed: no request",
    ("haproxy-logs", 4): "a handshake that failed: no request",
    ("caddy-logs", 10): "a line of Caddy's own log: no request",
    ("traefik_json", 5): "a line of a plugin's log: no request",
    ("aws-alb-logs", "domain_name"): "where the balancer has no name of the server, that in the URL stands",
    ("caddy-logs", "target_fqdn"): "a server is named without its port",
    ("caddy-logs", "http_status"): "status 0 is none: the connection broke off",
    ("envoy-logs", "source_ip"): "from the right: what stands on the left of a proxy nobody trusts may be forged",
    ("envoy-logs", "remote_addr"): "likewise",
    ("traefik_json", "time_local"): "when the request began, not when its line was written",
}
"""Where an event says something else than the peer, and why; `streams/inputs/README.md` has the same table."""
IDS: Final = [f"{at}-{sample.format}" for at, sample in enumerate(SAMPLES)]
each_sample: Final = pytest.mark.parametrize("sample", SAMPLES, ids=IDS)
TEXTS: Final = [sample for sample in SAMPLES if sample.value[:1] != b"\n"]
"""Those that are text: OTLP's protobuf is none."""
each_text: Final = pytest.mark.parametrize("sample", TEXTS, ids=[f"{at}-{one.format}" for at, one in enumerate(TEXTS)])


def one(parts: list[Part]) -> Part:
    """The only part of a record."""
    [part] = parts
    return part


def test_every_format_has_a_sample() -> None:
    """The contract leaves none out, and the configuration names them all."""
    assert {sample.format for sample in SAMPLES} == {*FORMATS, "otlp"} == set(NAMES) - {"auto"}


@each_sample
def test_a_record_is_its_event(sample: Sample) -> None:
    """In the format that is configured, every attribute as it should be and no other."""
    part = one(reader(sample.format).parts(sample.value))
    assert part.error is None
    assert told(part.event) == wanted(sample)


@each_sample
def test_auto_tells_the_format(sample: Sample) -> None:
    """By the record alone, and the event is the same."""
    part = one(reader().parts(sample.value))
    assert part.name == (sample.auto or sample.format)
    assert told(part.event) == wanted(sample)


@each_sample
def test_no_other_format_takes_it_for_something_else(sample: Sample) -> None:
    """Whatever is configured, a record of another format is refused, or told as what it is."""
    for name in FORMATS:
        part = one(reader(name).parts(sample.value))
        if part.event is not None:
            found = told(part.event)
            assert found is not None
            assert (found["time"], found["path"], found["method"]) == (wanted(sample)["time"], "/people/7", "GET")


@pytest.mark.parametrize("envelope", ENVELOPES)
@each_text
def test_envelopes(sample: Sample, envelope: str) -> None:
    """Whatever a shipper puts around a line changes nothing."""
    value = ENVELOPES[envelope](sample.value.decode())
    for name in (sample.format, "auto"):
        part = one(reader(name).parts(value))
        assert part.error is None, part.error
        assert told(part.event) == wanted(sample)
        assert part.value == value or sample.format == "otlp"


@each_sample
def test_cut_at_every_byte(sample: Sample) -> None:
    """A record that ends early is an event of what is there, or is refused; nothing else is raised."""
    for end in range(len(sample.value)):
        cut = sample.value[:end]
        for name in (sample.format, "auto"):
            check(reader(name), cut)
        if sample.format in FORMATS:
            raises_only_record_errors(sample.format, cut)


@each_sample
def test_a_cut_request_is_no_other_request(sample: Sample) -> None:
    """No cut gives a path that was not asked for."""
    for end in range(len(sample.value)):
        for part in reader(sample.format).parts(sample.value[:end]):
            assert part.event is None or part.event.path == "/people/7", sample.value[:end]


@settings(max_examples=300)
@given(st.data())
def test_any_damage(data: st.DataObject) -> None:
    """Bytes that are changed, put in or left out make events or refusals, whichever format reads them."""
    sample = data.draw(st.sampled_from(SAMPLES))
    value = bytearray(sample.value)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, max(len(value) - 1, 0)))
        end = at + data.draw(st.integers(0, 8))
        value[at:end] = data.draw(
            st.binary(max_size=8) | st.sampled_from([b'"', b"\\", b" ", b"[", b"{", b"\n", b"\xff"])
        )
    for name in {sample.format, "auto", data.draw(st.sampled_from(NAMES))}:
        check(reader(name), bytes(value))


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_any_bytes(value: bytes) -> None:
    """What is nothing at all is refused, by every format."""
    for name in NAMES:
        check(reader(name), value)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-8-sig", "cp037"])
@each_text
def test_other_encodings(sample: Sample, encoding: str) -> None:
    """A record in an encoding that is none of ours, with letters beyond ASCII, is an event or is refused."""
    check(reader(sample.format), sample.value.decode().replace("people", "pe\xf6ple").encode(encoding))


@each_text
def test_a_user_agent_of_a_megabyte(sample: Sample) -> None:
    """It is read whole, or as far as the line goes, and in the time that its length takes."""
    agent = b"x" * 1_000_000
    part = one(reader(sample.format).parts(sample.value.replace(b"(X11", agent)))
    assert part.event is not None
    assert part.event.path == "/people/7"


@each_sample
def test_the_observer_takes_it(sample: Sample) -> None:
    """Through observe a record of any format is one event, by the configured format and by `auto`."""
    for name in ("auto", sample.format):
        settings_ = InputSettings(format=cast("InputFormat", name), zone="UTC", trusted_proxies=("10.0.0.0/8",))
        observed = Observer(settings_, DEFAULT_SURFACES, 1).observe(Batch("t", 0, 5, 6, [sample.value]))
        assert observed.dead == []
        assert (observed.counts.records, observed.counts.disclosed) == (1, 1)


@pytest.mark.parametrize(
    "directory", [*sorted(path.name for path in CASES.glob("*-logs")), "traefik_clf", "traefik_json"]
)
def test_a_peers_cases(directory: str) -> None:
    """Every line gives what a peer's parsers state of it, but for the differences that are listed with reasons."""
    if not CASES.exists():
        pytest.skip(f"the cases are not beside this checkout: {CASES}")
    [log] = (CASES / directory).glob("*.log")
    lines = [line for line in log.read_bytes().splitlines() if line.strip()]
    stated = Counter[str]()
    for assertion in (CASES / directory / "parser.assert").read_text().splitlines():
        found = ASSERTION.match(assertion)
        if found is not None and found[2] in FIELD:
            stated[found[2]] += check_stated(directory, lines, int(found[1]), found[2], json.loads(found[3]))
    assert {"method", "status", "target", "address"} <= {FIELD[key] for key in stated}
    for at, line in enumerate(lines):
        part = one(Reader("auto", Site(SITE.zone), 1_000_000).parts(line))
        assert part.error is None
        assert (part.event is None) == ((directory, at) in DIFFERENCES)


def check_stated(directory: str, lines: list[bytes], at: int, key: str, value: str) -> bool:
    """Compare one field with what is stated; False where a difference is listed."""
    event = one(Reader("auto", Site(SITE.zone), 1_000_000).parts(lines[at])).event
    if event is None:
        assert (directory, at) in DIFFERENCES
        return False
    ours: Any = event.path if event.query is None else f"{event.path}?{event.query}"
    if FIELD[key] != "target":
        ours = getattr(event, FIELD[key])
    if FIELD[key] == "time":
        ours, value = str(parse_time_us(event.time)), str(instant(value))
    if str("" if ours is None else ours) == ("" if value == "-" else value):
        return True
    assert (directory, key) in DIFFERENCES, (directory, at, key, value, ours)
    return False


def instant(text: str) -> int:
    """Microseconds of a time as any of the peer's parsers leave it."""
    if text[2:3] != "/":
        return parse_time_us(text)
    return local_time(text, SITE.zone) if "." in text else clf_time(text)


def test_all_differences_are_there() -> None:
    """No difference is listed that is none."""
    if not CASES.exists():
        pytest.skip(f"the cases are not beside this checkout: {CASES}")
    for directory, what in DIFFERENCES:
        [log] = (CASES / directory).glob("*.log")
        lines = [line for line in log.read_bytes().splitlines() if line.strip()]
        if isinstance(what, int):
            assert one(reader().parts(lines[what])).event is None
        else:
            stated = [ASSERTION.match(line) for line in (CASES / directory / "parser.assert").read_text().splitlines()]
            of_key = [found for found in stated if found is not None and found[2] == what]
            assert not all(check_stated(directory, lines, int(f[1]), str(what), json.loads(f[3])) for f in of_key)


def test_the_readme_has_every_difference() -> None:
    """The table of differences says the same as this file."""
    text = (Path(__file__).parents[2] / "streams" / "inputs" / "README.md").read_text()
    for (directory, what), why in DIFFERENCES.items():
        assert f"| {directory} | {what} | {why} |" in text


def check(by: Reader, value: bytes) -> None:
    """Reading raises nothing, and each part is an event, or tells of no request, or has a place and a reason."""
    for part in by.parts(value):
        if part.error is not None:
            assert part.event is None
            assert part.error.where
            assert 0 < len(part.error.reason) < 200


def raises_only_record_errors(name: str, value: bytes) -> None:
    """The parser by itself raises nothing else."""
    try:
        FORMATS[name](value, SITE)
    except RecordError:
        return


def test_events_of_a_batch_are_those_of_its_parts() -> None:
    """Each part of a batch, which is what a dead letter holds, is read as the same event by itself."""
    parts = reader("otlp").parts(otlp_logs(5))
    assert [part.event.path for part in parts if part.event] == [f"/people/{n}" for n in range(7, 12)]
    for part in parts:
        assert told(one(reader("otlp").parts(part.value)).event) == told(part.event)


HEAD: Final = b'203.0.113.9 - - [23/Nov/2026:13:49:05 +0000] "'
PROXY: Final = b"1.1.1.1:1 [23/Nov/2026:13:49:05.000] f b/s 0/0/1/2/3 200 73 - - ---- 1/1/0/0/0 0/0 "
MEGABYTE: Final = 1_000_000
HOSTILE: Final = {
    "brackets": b"a - " + b"[" * MEGABYTE,
    "times": b"a - " + b"[23/Nov/2026:13:49:05 +0000] " * 30_000 + b'"',
    "escaped quotes": HEAD + b'GET / HTTP/1.1" 200 1 "-" "' + b'\\"' * 500_000,
    "backslashes": HEAD + b"\\" * MEGABYTE,
    "braces": PROXY + b"{a} " * 250_000,
    "colons": b"1:" * 500_000,
    "answers": HEAD + b'" 1 1 "' * 125_000 + b'" 1ms',
    "ends": HEAD + b'GET / HTTP/1.1" 200 1 "-" "' + b'" 1 "a" "b" 1ms' * 60_000,
    "structured data": b"<1>1 a b c d e " + b'[a="b"]' * 140_000,
    "dashes": b'[2026-11-23T13:49:05Z] "GET / HTTP/1.1" 200 - ' + b"- " * 500_000,
    "depth": b'{"a":' * 200_000,
    "lines": b"a\n" * 500_000,
    "zeros": b"\n\x00" * 500_000,
    "digits": b'{"ClientRequestMethod":"GET","ClientRequestURI":"/","EdgeStartTimestamp":"%s","ClientASN":"%s"}'
    % (b"9" * 400_000, b"9" * 400_000),
    "activity": b'{"class_uid":4002,"time":1,"http_request":{"url":{"path":"/"}},"activity_id":"%s"}'
    % (b"9" * MEGABYTE),
    "addresses": b'{"remote_addr":"10.0.0.1","request":"GET / HTTP/1.1","msec":1,"http_x_forwarded_for":"%s"}'
    % (b"10.0.0.1," * 110_000),
}
"""What takes a careless expression hours."""


@pytest.mark.parametrize("name", HOSTILE)
def test_a_megabyte_of_malice_is_read_in_time(name: str) -> None:
    """The time that a record takes grows with its length and no faster: no format hangs on any of these."""
    for each in NAMES:
        check(reader(each), HOSTILE[name])


def test_a_quote_forges_no_answer() -> None:
    """Traefik writes quotes as they are: of a line that two answers can be read in, neither is believed."""
    tail = ' 244 "root@docker" "http://172.17.0.3:80" 42ms'
    for sent in (
        'GET /people/7" 404 0 "-" "x HTTP/1.1" 200 12 "-" "a"',
        'GET /people/7 HTTP/1.1" 200 12 "-" "a" 404 0 "-" "b"',
    ):
        part = one(reader("traefik").parts(HEAD + (sent + tail).encode()))
        assert part.event is not None
        assert (part.event.path, part.event.status) == ("/people/7", None)
